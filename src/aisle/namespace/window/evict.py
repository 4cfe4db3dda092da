"""Evicting: dropping what the cluster keeps of a remote bucket. The remote one never hears of it.

A copy goes in one commit that checks its row: one that a writer or a fetch has just replaced is
looked at anew, and an object without a copy has nothing to drop. Bytes go to `garbage`, so reads
that run go on. Nothing here looks at claims: whoever is at work on an object keeps what it makes,
or not, by its own checks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from aisle.core.errors import InvalidArgument, RowChanged, WriteConflict
from aisle.core.names import BucketName
from aisle.namespace import layouts, locks
from aisle.namespace.records import Bucket, Object, decode
from aisle.namespace.store import RETRIES, BucketRow, Store
from aisle.namespace.window import atimes
from aisle.store.base import Change, Check, Delete, Row

BATCH: Final = 500


class Dropped(NamedTuple):
    """How many copies went, and their bytes."""

    objects: int = 0
    bytes: int = 0


def require_window(bucket: Bucket, what: str) -> None:
    """Raises `InvalidArgument` for a bucket whose objects exist here alone."""
    if bucket.behind is None:
        name = BucketName(bucket.name, bucket.provider, bucket.namespace)
        raise InvalidArgument(f"cannot {what} {name}: it is not a remote bucket")


async def evict(
    store: Store, rows: Sequence[Row], *, times: Mapping[bytes, bytes] | None = None
) -> Dropped:
    """Drop copies by their rows in `object`, all in one commit; one that has been replaced goes
    too, as what is kept of it now. With `times`, by key, only those that have not been used since
    and are still the ones of these rows.
    """
    present = dict(rows)
    for _ in range(RETRIES):
        if not present:
            return Dropped()
        changes: list[Change] = []
        now = store.now()
        for key, raw in present.items():
            record = decode(Object, raw)
            locks.check_removal(record, now)  # copies have no locks: then it is none
            changes += [Check("object", key, raw), Delete("object", key), atimes.gone(key)]
            if times is not None:
                changes.append(Check(atimes.TABLE, key, times[key]))
            changes += await layouts.release(store, record, now)
        try:
            await store.index.commit(*changes)
        except RowChanged:
            present = await _again(store, present, times)
            continue
        return Dropped(len(present), sum(decode(Object, raw).size for raw in present.values()))
    raise WriteConflict("too many readers and writers are using these objects")


async def _again(
    store: Store, present: Mapping[bytes, bytes], times: Mapping[bytes, bytes] | None
) -> dict[bytes, bytes]:
    """Those that are left to drop, as they are now."""
    keys = list(present)
    rows = await store.index.get_many("object", keys)
    found = {key: raw for key, raw in zip(keys, rows, strict=True) if raw is not None}
    if times is None:
        return found
    used = await store.index.get_many(atimes.TABLE, keys)
    return {
        key: found[key]
        for key, when in zip(keys, used, strict=True)
        if found.get(key) == present[key] and when == times[key]
    }


async def evict_some(store: Store, bucket: BucketRow, after: bytes = b"") -> tuple[Dropped, bytes]:
    """Drop a batch of a window's copies behind the key `after`; the last key, `b""` at the end."""
    base = bucket.record.id
    start = base + after if after else b""
    rows = await store.index.scan("object", prefix=base, after=start, limit=BATCH)
    if not rows:
        return Dropped(), b""
    return await evict(store, rows), rows[-1][0][len(base) :]
