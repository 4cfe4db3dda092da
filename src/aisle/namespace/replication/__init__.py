"""Replication of a bucket's objects to other buckets: of this cluster, or behind a window.

A destination is a bucket by the name that S3 clients use. Where that is a window, what is
replicated goes to the remote bucket behind it, with the endpoint and credentials that the window
has, and no copy is kept on the way.

What has to be done is remembered in the batch of the very write (`sink`), as rows of `replicate`
in the order of each key's versions (`queue`), and done later by one node (`jobs.replication`,
`delivery`), as often as it takes. `rules` is the configuration and which of it applies.
"""
