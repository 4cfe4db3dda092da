"""AIStore's "easy URLs": `/ais/BUCKET/OBJECT`, `/gs/...` and `/az/...` at the root, for curl.

They mean what the native API means: GET, HEAD and PUT of an object, GET (a list) and HEAD of a
bucket. The root belongs to S3, though. No S3 bucket can be called `gs` or `az`; one may be called
`ais`, and what is in it is not to be hidden. So `/ais/` is served where S3 is not at the root, and
where it is, as long as there is no such bucket. With authentication on the latter is not looked at:
whether a bucket exists would be told to strangers by the form of their refusal.
"""

from __future__ import annotations

from typing import Final

from aisle.api.base import Service
from aisle.core.errors import BucketNotFound
from aisle.core.http import RequestHead
from aisle.namespace import buckets

# The first segment of a path, and the provider that it stands for.
PROVIDERS: Final = {b"ais": "ais", b"gs": "gcp", b"az": "azure"}
PREFIXES: Final = tuple(b"/%b/" % name for name in PROVIDERS)
_METHODS: Final = frozenset({"GET", "HEAD", "PUT"})


async def takes(svc: Service, head: RequestHead) -> bool:
    """Whether a request whose path begins with one of `PREFIXES` is one of these."""
    first, bucket, key = split(head.path)
    if head.method not in _METHODS or not bucket or (head.method == "PUT" and not key):
        return False
    if first != b"ais" or not svc.root_api:
        return True
    if svc.auth_enabled:
        return False
    try:
        await buckets.find(svc.store, "ais", recent=True)
    except BucketNotFound:
        return True
    return False


def split(path: bytes) -> tuple[bytes, bytes, bytes]:
    """The first segment of a path, the bucket and the key, as they are on the wire."""
    first, _, rest = path[1:].partition(b"/")
    bucket, _, key = rest.partition(b"/")
    return first, bucket, key


def native_head(head: RequestHead) -> RequestHead:
    """The same request as the native API writes it. Whoever signed it signed the other one."""
    first, bucket, key = split(head.path)
    path = b"/v1/objects/%b/%b" % (bucket, key) if key else b"/v1/buckets/%b" % bucket
    provider = f"provider={PROVIDERS[first]}".encode()
    query = provider + (b"&" + head.query if head.query else b"")
    return RequestHead(
        head.method, path, query, head.headers, head.repeated, head.scheme, head.client
    )
