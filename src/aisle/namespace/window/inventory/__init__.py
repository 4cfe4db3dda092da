"""Inventories: lists of all that is in a remote bucket, kept as rows that can be listed.

There are two kinds. Amazon's S3 writes inventories of its buckets as files into a bucket, which
`finding` looks for, `manifest`, `csvgz` and `columnar` read and `loading` makes rows of. The other
kind, AIStore's native one, is made by `walking` over a remote's own listing. Either way the rows
are a *generation*, which is listed (`pages`) once it is whole and never before: see `generations`.
"""
