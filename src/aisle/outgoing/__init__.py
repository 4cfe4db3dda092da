"""HTTP that Aisle itself sends: to blobs in a bucket, to remote buckets, to other clusters.

`transport` has the session and one exchange, `request` what goes out and what comes back, `persist`
what is tried again and when. These know no service: who calls signs each attempt and judges each
reply. `s3` has the documents that the clients of that service share.
"""
