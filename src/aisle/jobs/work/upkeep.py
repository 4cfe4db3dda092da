"""Upkeep that operators start by name: cleaning up, reading metadata ahead, and what AIStore's
storage needs and this one does not.

A bucket that is gone by the time its turn comes is nothing to fail for: there is nothing to do.
"""

from __future__ import annotations

from typing import Final

from aisle.core.errors import BucketNotFound
from aisle.core.names import BucketName
from aisle.jobs.task import Task
from aisle.namespace import buckets, housekeeping

_PAGE: Final = 1000
_REASONS: Final = {
    "resilver": "no object lies on another disk than it is looked for",
    "rebalance": "every node serves every object: none has to move",
}


async def nothing(task: Task) -> object:
    """A job that AIStore's storage needs and this one does not: it is over at once."""
    reason = _REASONS[task.record.kind]
    await task.advance(message=reason)
    return reason


async def clean(task: Task) -> object:
    """A whole round of housekeeping now: garbage, forgotten uploads, orphans, missing bytes."""
    tidied = await housekeeping.tidy(task.store)
    await task.advance(tidied.garbage + tidied.uploads + tidied.parts)
    swept = await housekeeping.sweep(task.store)
    await task.advance(swept.orphans, swept.orphan_bytes, errors=len(swept.missing))
    return {
        "garbage": tidied.garbage,
        "uploads": tidied.uploads,
        "parts": tidied.parts,
        "orphans": swept.orphans,
        "orphan_bytes": swept.orphan_bytes,
        "missing": swept.missing[:_PAGE],
    }


async def warm(task: Task) -> object:
    """Read the rows of the objects of some buckets, or of all, so that the index has them at hand.

    The cursor is the last row read, in hex.
    """
    after = bytes.fromhex(task.progress.cursor)
    for prefix in await _prefixes(task):
        if prefix and after[:8] > prefix:
            continue
        while rows := await task.store.index.scan(
            "object", prefix=prefix, after=after, limit=_PAGE
        ):
            after = rows[-1][0]
            await task.advance(len(rows), sum(len(raw) for _, raw in rows), cursor=after.hex())
    return None


async def _prefixes(task: Task) -> list[bytes]:
    """What the keys of the rows begin with, in order."""
    named = [BucketName(*parts) for parts in task.args.get("buckets", ())]
    if not named:
        return [b""]
    found = []
    for name in named:
        try:
            found.append((await buckets.get(task.store, name)).record.id)
        except BucketNotFound:
            continue
    return sorted(found)
