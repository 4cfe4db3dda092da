"""`S3Blobs`: blobs in an S3-compatible bucket. It is in `blobs`; the rest is its parts."""
