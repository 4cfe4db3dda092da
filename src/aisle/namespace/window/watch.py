"""Reading along with another process that fetches an object: by its `chunk` rows, and at last the
object's own row. Looked at gently, and only as long as something happens.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from aisle.backend.base import Backend
from aisle.core.errors import RemoteObjectNotFound
from aisle.namespace.records import Claim, Extent, Layout, Object, decode
from aisle.namespace.store import BucketRow
from aisle.namespace.window import claims, copies
from aisle.namespace.window.pump import chunk_key
from aisle.namespace.window.source import NotKept, Source

_FIRST: Final = 0.01
_LONGEST: Final = 0.25
_GROWTH: Final = 1.5
# Who waits reads from the remote if nothing has happened for so long. All do then, each for itself:
# it is longer than a machine stands still at times, or a remote takes for its first byte.
STALLED: Final = 15.0
_STEP: Final = 500


async def along(source: Source, bucket: BucketRow, key: bytes, backend: Backend) -> None:
    """Feed a source from what somebody else fetches. Returns once that has ended it, or once the
    claim may be had: then what came so far is what can be taken over. Raises `NotKept`."""
    pause, heard = _FIRST, time.monotonic()
    holder = b""
    while True:
        claim = await claims.look(source.store, bucket, key)
        if await _finished(source, bucket, key):
            return
        if claim is None or not _fetches(claim) or (holder and claim.holders[0].id != holder):
            if source.about is not None or (claim is not None and not _fetches(claim)):
                raise NotKept("what was fetched elsewhere is not kept")
            if claim is None:
                return
        holder = claim.holders[0].id
        source.claimed = holder
        if source.about is None and claim.etag:
            await _look_up(source, key, backend, claim)
            heard = time.monotonic()
        if source.about is not None and await _more(source, holder):
            pause, heard = _FIRST, time.monotonic()
        if time.monotonic() - heard > STALLED:
            if not await claims.alive(source.store, claim.holders[0], claims.PATIENCE):
                return
            raise NotKept("what is fetched elsewhere does not come")
        await asyncio.sleep(pause)
        pause = min(pause * _GROWTH, _LONGEST)


def _fetches(claim: Claim) -> bool:
    return bool(claim.holders) and not any(one.writes for one in claim.holders)


async def _finished(source: Source, bucket: BucketRow, key: bytes) -> bool:
    """Whether the copy can be seen; then the source has ended."""
    raw = await source.store.index.get("object", bucket.record.id + key)
    if raw is None:
        return False
    copy = decode(Object, raw)
    if source.about is not None:
        extents = copy.extents
        if copy.layout:
            row = await source.store.index.get("layout", copy.layout)
            extents = decode(Layout, row).extents if row is not None else []
        seen = len(source.extents)
        if copy.etag != copies.etag_of(source.about) or extents[:seen] != source.extents:
            raise NotKept("another version is kept by now")
        source.sealed_up_to(extents[seen:])
    source.end(copy)
    return True


async def _look_up(source: Source, key: bytes, backend: Backend, claim: Claim) -> None:
    """Learn what is being fetched: the claim tells which version it is, the remote the rest."""
    try:
        about = await backend.head(key.decode())
    except RemoteObjectNotFound:
        raise NotKept("the object is gone from the remote") from None
    if about.etag != claim.etag or about.size != claim.size:
        raise NotKept("the object has changed at the remote")
    source.about = about
    source.tell()


async def _more(source: Source, holder: bytes) -> bool:
    """Take in the chunks that have been told since."""
    number = len(source.extents)
    after = chunk_key(holder, number - 1) if number else b""
    rows = await source.store.index.scan("chunk", prefix=holder, after=after, limit=_STEP)
    found: list[Extent] = []
    for row_key, raw in rows:
        if row_key != chunk_key(holder, number + len(found)):
            break
        found.append(decode(Extent, raw))
    if found:
        source.sealed_up_to(found)
    return bool(found)
