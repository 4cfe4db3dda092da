"""Lifecycle of objects in buckets of our own: what S3 calls lifecycle rules.

`rules` are the values that a bucket keeps as its document; `plan` says of an object, a version or
an upload when it is due, from values alone; `walk` goes through a bucket and hands what is due to
`removing`, which takes it out by batches that check every row the decision stood on. When that
happens is up to `aisle.jobs`.
"""
