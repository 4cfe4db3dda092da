"""Reading a whole object, held to the digest it was written with where its bucket says so
(`checksum.validate_warm_get`).

The bytes of a small object are checked before any is given. Those of a large one are checked on
their way, and the last of them is given only if all were right: a damaged object is never served
whole.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

from aisle.core.errors import BodyCorrupt
from aisle.namespace import bodies, objects
from aisle.namespace.bodies import DIGEST_OF
from aisle.namespace.objects import Found
from aisle.namespace.records import Object
from aisle.namespace.store import BucketRow, Store

_log = logging.getLogger("aisle.reads")


async def whole(
    store: Store, bucket: BucketRow, key: str, found: Found, small: bytes | None
) -> bytes | AsyncIterator[bytes]:
    """All bytes of an object: what `find_small` gave, or a stream. Raises `BodyCorrupt`."""
    record = found.record
    algorithm, expected = "", b""
    if await store.setting("checksum.validate_warm_get", bucket.record):
        algorithm, expected = _known(record)
    if small is not None:
        if algorithm and bodies.digest_small(small, algorithm) != expected:
            corrupt = BodyCorrupt(bucket.record.name, key, algorithm)
            _log.error("%s", corrupt)
            raise corrupt
        return small
    stream: AsyncIterator[bytes] = bodies.read_extents(store, found.extents, 0, record.size)
    if not algorithm:
        return stream
    corrupt = BodyCorrupt(bucket.record.name, key, algorithm)
    return bodies.verified(stream, algorithm, expected, corrupt)


def _known(record: Object) -> tuple[str, bytes]:
    """A digest of the whole object, the bucket's own before others; `""` where there is none."""
    known = objects.known_digests(record)
    for name in (DIGEST_OF[record.digest[0]], *known):
        if name in known:
            return name, known[name]
    return "", b""
