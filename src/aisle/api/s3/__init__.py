"""The Amazon S3 dialect: XML over HTTP, botocore's model as its list of operations."""
