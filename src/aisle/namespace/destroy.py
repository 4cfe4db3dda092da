"""Delete many objects: those of a page, and a bucket with all that is in it (AIStore's
`destroy-bck`, which S3 does not have).

Objects go in batches, each one durable commit that checks the bucket's row (a bucket that is
renamed meanwhile loses no more), then the bucket as `buckets.delete` removes an empty one; whatever
a writer puts in between starts that over; a bucket that another has made under its name since is
left alone. A crash in the middle leaves a bucket with fewer objects, and destroying it again goes
on: where there are versions, a row of `hidden` stands for each current one that has gone, as long
as anything is left, so that whoever writes then comes behind what was there. Nothing here is needed
by S3's DeleteBucket.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aisle.core.errors import BucketNotEmpty, ObjectNotFound, RowChanged, WriteConflict
from aisle.core.names import BucketName
from aisle.namespace import buckets, documents, events, layouts, locks, objects, uploads
from aisle.namespace.conditions import UNCONDITIONAL, WriteConditions
from aisle.namespace.records import Object, decode
from aisle.namespace.store import RETRIES, BucketRow, Store
from aisle.namespace.versions.ids import hiding
from aisle.store.base import Change, Check, Delete, Put, Row

BATCH: Final = 500  # objects a commit


async def destroy(store: Store, name: BucketName) -> int:
    """Remove a bucket, its objects and its unfinished uploads; returns how many objects.

    Raises `BucketNotFound`, or `WriteConflict` if writers fill it as fast as it is emptied.
    """
    count = 0
    row = await buckets.get(store, name)
    for _ in range(RETRIES):
        count += await empty(store, row)
        try:
            await buckets.delete(store, name, identity=row.record.id)
        except BucketNotEmpty:
            row = await buckets.refresh(store, row)
            continue
        await uploads.discard_all(store, row.record.id)
        return count
    raise WriteConflict(f'bucket "{name}" is being written to while it is destroyed')


async def empty(store: Store, bucket: BucketRow) -> int:
    """Delete the objects of a bucket, with all their versions; returns how many objects there were.

    Raises `BucketNotFound`, and `ObjectLocked` with nothing deleted where a version is locked.
    """
    if bucket.record.has & documents.BITS[documents.LOCK]:
        await _refuse_locked(store, bucket)
    if bucket.record.versions:  # from the oldest on, so that a former version never comes up
        await _empty(store, bucket, "version", reverse=True)
    count = await _empty(store, bucket, "object")
    if bucket.record.versions:
        await _tidy(store, bucket, "null")
        await _tidy(store, bucket, "hidden")
    return count


async def _tidy(store: Store, bucket: BucketRow, table: str) -> None:
    """Remove the rows beside versions, as long as a writer has put none into the bucket. One that
    does so afterwards changes or removes its key's row, so that the check fails."""
    base, lost = bucket.record.id, 0
    while lost < RETRIES and (rows := await store.index.scan(table, prefix=base, limit=BATCH)):
        for other in ("object", "version"):
            if await store.index.scan(other, prefix=base, limit=1):
                return
        changes: list[Change] = []
        for key, raw in rows:
            changes += [Check(table, key, raw), Delete(table, key)]
        try:
            await store.index.commit(bucket.check, *changes)
        except RowChanged as changed:
            lost += 1
            if changed.table == "bucket":
                bucket = await buckets.refresh(store, bucket)


async def _empty(store: Store, bucket: BucketRow, table: str, *, reverse: bool = False) -> int:
    count = lost = 0
    prefix = bucket.record.id
    while rows := await store.index.scan(table, prefix=prefix, limit=BATCH, reverse=reverse):
        changes = await _removal(store, rows, table)
        if table == "object" and bucket.record.versions:
            changes += [Put("hidden", key, hiding(decode(Object, raw).seq)) for key, raw in rows]
        try:
            await store.index.commit(bucket.check, *changes)
        except RowChanged as changed:
            if changed.table == "bucket":
                bucket = await buckets.refresh(store, bucket)
            lost += 1
            if lost == RETRIES:
                raise WriteConflict("too many writers are changing these objects") from None
            continue
        lost = 0
        count += len(rows)
    return count


async def _refuse_locked(store: Store, bucket: BucketRow) -> None:
    """Raise `ObjectLocked` if a version of the bucket must stay."""
    now = store.now()
    for table in ("object", "version"):
        after = b""
        while rows := await store.index.scan(
            table, prefix=bucket.record.id, after=after, limit=BATCH
        ):
            after = rows[-1][0]
            for _, raw in rows:
                locks.check_removal(decode(Object, raw), now)


async def delete_present(store: Store, bucket: BucketRow, key: bytes, *, owner: str) -> bool:
    """Delete an object as `objects.delete` does, if there is one: where nothing is current no
    delete marker comes, so that this may be done twice. Raises what that raises."""
    present = WriteConditions(if_match="*") if bucket.record.versions else UNCONDITIONAL
    try:
        return (await objects.delete(store, bucket, key, conditions=present, owner=owner)).found
    except ObjectNotFound:
        return False


async def remove(store: Store, bucket: BucketRow, rows: Sequence[Row]) -> list[Row]:
    """Delete the objects of these rows of an unversioned bucket, in one commit, and what has
    replaced them meanwhile too.

    Returns the rows that were removed: one that is gone by now is not among them. Raises
    `WriteConflict` if the bucket is versioned by now, `BucketNotFound`.
    """
    present = list(rows)
    for _ in range(RETRIES):
        if not present:
            return []
        changes = await _removal(store, present, "object")
        if bucket.record.has & documents.TOLD:
            for key, raw in present:
                gone, name = decode(Object, raw), key[len(bucket.record.id) :]
                changes += await events.of(store, bucket, name, gone, events.DELETE)
        try:
            await store.index.commit(bucket.check, *changes)
        except RowChanged as lost:
            if lost.table == "bucket":
                bucket = await buckets.refresh(store, bucket)
                if bucket.record.versions:
                    break
            keys = [key for key, _ in present]
            found = await store.index.get_many("object", keys)
            present = [(key, raw) for key, raw in zip(keys, found, strict=True) if raw is not None]
            continue
        return present
    raise WriteConflict("too many writers are changing these objects")


async def _removal(store: Store, rows: Sequence[Row], table: str) -> list[Change]:
    changes: list[Change] = []
    now = store.now()
    for key, raw in rows:
        record = decode(Object, raw)
        locks.check_removal(record, now)
        changes += [Check(table, key, raw), Delete(table, key)]
        changes += await layouts.release(store, record, now)
    return changes
