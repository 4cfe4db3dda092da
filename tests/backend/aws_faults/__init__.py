"""Provider `aws` against a service that goes wrong."""
