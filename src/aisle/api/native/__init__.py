"""AIStore's native REST API under `/v1`: JSON over HTTP, as its SDK and command line speak it."""
