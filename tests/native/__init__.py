"""The native REST API, spoken to over HTTP."""
