"""The IAM and STS dialect: AWS's query protocol, forms in and XML out, over the store of users."""
