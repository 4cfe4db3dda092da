"""Take one version out for good: what S3 calls a permanent delete.

If it was the newest, the one below it takes its place: it becomes the current object, unless it is
a delete marker. A version that is locked stays (`locks`).
"""

from __future__ import annotations

from typing import NamedTuple

from aisle.core.errors import RowChanged, VersionNotFound, WriteConflict
from aisle.namespace import buckets, documents, events, layouts, locks
from aisle.namespace.conditions import UNCONDITIONAL, WriteConditions
from aisle.namespace.records import Object, decode
from aisle.namespace.store import RETRIES, BucketRow, Store
from aisle.namespace.versions.ids import PLACE, hidden_seq, hiding, row_key, scope
from aisle.namespace.versions.lookup import Place, find
from aisle.store.base import ABSENT, Change, Check, Delete, Put


class Removed(NamedTuple):
    """What was removed: its id, empty for the null version, and whether it was a marker."""

    version: str
    marker: bool


async def remove(
    store: Store,
    bucket: BucketRow,
    key: bytes,
    version: str,
    *,
    bypass: bool = False,
    conditions: WriteConditions = UNCONDITIONAL,
    event: str = events.DELETE,
) -> Removed | None:
    """Remove a version; `None` if there was none (which is not an error without conditions).

    Raises `ObjectLocked` while it is locked (`bypass` lifts governance), what the conditions raise
    of this version, and `InvalidArgument` for what is no version id.
    """
    for _ in range(RETRIES):
        try:
            place = await find(store, bucket, key, version)
        except VersionNotFound:
            conditions.check(None, bucket=bucket.record.name, key=key.decode())
            return None
        conditions.check(place.record, bucket=bucket.record.name, key=key.decode())
        locks.check_removal(place.record, store.now(), bypass=bypass)
        # A version that comes up must not escape whoever looks whether the bucket is empty.
        changes = buckets.guard(bucket)
        changes += await changes_of(store, bucket.record.id, key, place)
        if bucket.record.has & documents.TOLD:
            changes += await events.of(store, bucket, key, place.record, event)
        try:
            await store.index.commit(*changes)
        except RowChanged as lost:
            if lost.table == "bucket":
                bucket = await buckets.refresh(store, bucket)
            continue
        return Removed(place.record.version, place.record.marker)
    raise WriteConflict("too many writers are changing this object at once")


async def changes_of(store: Store, bucket: bytes, key: bytes, place: Place) -> list[Change]:
    """The changes that remove a version and put the one below it in its place."""
    record, base = place.record, bucket + key
    changes: list[Change] = [
        Check(place.table, place.key, place.raw),
        Delete(place.table, place.key),
    ]
    if place.current or record.marker:
        raw = await store.index.get("hidden", base)
        changes.append(Check("hidden", base, ABSENT if raw is None else raw))
        # Of a marker that has others above it, this is all: what is above it may go at the same
        # time, and would then find it here.
        if place.current or (raw is not None and hidden_seq(raw) == record.seq):
            if not place.current:
                changes.append(Check("object", base, ABSENT))
            changes += await _promotion(store, bucket, key, record.seq, raw)
    if not place.current and not record.version:
        changes.append(Delete("null", base))
    return changes + await layouts.release(store, record, store.now())


async def _promotion(
    store: Store, bucket: bytes, key: bytes, seq: int, hidden: bytes | None
) -> list[Change]:
    """What the version below becomes: the current object, or a marker that stays where it is."""
    base = bucket + key
    top = row_key(bucket, key, seq)
    rows = await store.index.scan("version", prefix=scope(bucket, key), after=top, limit=1)
    changes: list[Change] = [Delete("hidden", base)] if hidden is not None else []
    if not rows or rows[0][0][:-PLACE] != scope(bucket, key):
        return changes  # rows of a key that goes on with NUL begin like this one's, and come last
    place, raw = rows[0]
    record = decode(Object, raw)
    changes.append(Check("version", place, raw))
    if record.marker:
        changes.append(Put("hidden", base, hiding(record.seq)))
        return changes
    # Whoever lists the bucket reads the two tables one after the other: see `listing`.
    changes.append(Put("hidden", bucket, hiding(0)))
    changes += [Delete("version", place), Put("object", base, raw)]
    if not record.version:
        changes.append(Delete("null", base))
    return changes
