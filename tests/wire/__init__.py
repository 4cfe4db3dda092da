"""One file an operation: what S3 clients see on the wire."""
