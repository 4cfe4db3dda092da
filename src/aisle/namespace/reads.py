"""Reading an object or a part of it; the whole is held to the digest it was written with where its
bucket says so (`checksum.validate_warm_get`).

The bytes of a small object are checked before any is given. Those of a large one are checked on
their way, and the last of them is given only if all were right: a damaged object is never served
whole. A copy of a remote object is checked before any of it is given, and one that is damaged is
dropped and fetched again.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import aclosing

from aisle.core.errors import BlobMissing, BodyCorrupt, RemoteChanged
from aisle.namespace import bodies, objects
from aisle.namespace.bodies import DIGEST_OF
from aisle.namespace.objects import Found
from aisle.namespace.records import Object
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.window import copies

_log = logging.getLogger("aisle.reads")


async def whole(
    store: Store, bucket: BucketRow, key: str, found: Found, small: bytes | None
) -> bytes | AsyncIterator[bytes]:
    """All bytes of an object: what `find_small` gave, or a stream. Raises `BodyCorrupt`, and
    `RemoteChanged` where a damaged copy cannot be had again."""
    record = found.record
    algorithm, expected = "", b""
    if await store.setting("checksum.validate_warm_get", bucket.record):
        if bucket.record.behind is not None:
            found, small = await _sound(store, bucket, key, found, small)
        else:
            algorithm, expected = _known(record)
    if small is not None:
        if algorithm and bodies.digest_small(small, algorithm) != expected:
            corrupt = BodyCorrupt(bucket.record.name, key, algorithm)
            _log.error("%s", corrupt)
            raise corrupt
        return small
    stream: AsyncIterator[bytes] = bodies.read_extents(store, found.extents, 0, record.size)
    if not algorithm:
        return await _begun(record, stream)
    corrupt = BodyCorrupt(bucket.record.name, key, algorithm)
    return bodies.verified(stream, algorithm, expected, corrupt)


async def part(
    store: Store, found: Found, small: bytes | None, start: int, length: int
) -> bytes | AsyncIterator[bytes]:
    """The `length` bytes of an object from `start`, of what `find_small` gave."""
    if small is not None:
        return small[start : start + length]
    stream = bodies.read_extents(store, found.extents, start, length)
    return await _begun(found.record, stream)


async def _begun(record: Object, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The stream, with the first bytes of what is not in the cluster there already: what keeps them
    from coming is raised here, where it can be told yet."""
    if not copies.is_cold(record):
        return stream
    return _after(await anext(stream, b""), stream)


async def _after(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async with aclosing(rest):  # type: ignore[type-var]
        yield first
        async for piece in rest:
            yield piece


async def _sound(
    store: Store, bucket: BucketRow, key: str, found: Found, small: bytes | None
) -> tuple[Found, bytes | None]:
    """A copy of a remote object if it is what it was, else the same once more from the remote."""
    record = found.record
    if await _intact(store, found, small):
        return found, small
    _log.error("the copy of %s/%s is damaged: it is fetched again", bucket.name, key)
    await copies.drop(store, bucket.record.id + key.encode(), record)
    again, small = await objects.find_small(store, bucket, key.encode())
    if again.record.etag != record.etag or again.record.size != record.size:
        raise RemoteChanged(str(bucket.record.behind), f'"{key}" has changed since it was copied')
    return again, small


async def _intact(store: Store, found: Found, small: bytes | None) -> bool:
    """Whether the bytes of a copy are those that came; true of what is not in the cluster."""
    algorithm, expected = _known(found.record)
    if not algorithm or copies.is_cold(found.record):
        return True
    if small is not None:
        return bodies.digest_small(small, algorithm) == expected
    try:
        size = found.record.size
        return await bodies.digest_of(store, found.extents, 0, size, algorithm) == expected
    except BlobMissing:
        return False


def _known(record: Object) -> tuple[str, bytes]:
    """A digest of the whole object, the bucket's own before others; `""` where there is none."""
    known = objects.known_digests(record)
    for name in (DIGEST_OF[record.digest[0]], *known):
        if name in known:
            return name, known[name]
    return "", b""
