"""Signatures and chunked bodies, against botocore and the published examples."""
