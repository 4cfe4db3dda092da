"""Queries on single objects: S3 Select's SQL, run by DuckDB in a process of its own.

`syntax` reads an expression, `duck` writes what DuckDB is to do for it, `worker` is the process
that does it and `runner` what starts, feeds and ends that process; `framing` packs what comes out
as S3's event stream. Nothing here knows of buckets or of HTTP.
"""
