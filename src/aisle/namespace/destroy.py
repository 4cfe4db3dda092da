"""Delete many objects: those of a page, and a bucket with all that is in it (AIStore's
`destroy-bck`, which S3 does not have).

Objects go in batches, each one durable commit that checks the bucket's row (a bucket that is
renamed meanwhile loses no more), then the bucket as `buckets.delete` removes an empty one; whatever
a writer puts in between starts that over. A crash in the middle leaves a bucket with fewer objects,
and destroying it again goes on. Nothing here is needed by S3's DeleteBucket.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aisle.core.errors import BucketNotEmpty, RowChanged, WriteConflict
from aisle.core.names import BucketName
from aisle.namespace import buckets, objects, uploads
from aisle.namespace.records import Object, decode
from aisle.namespace.store import RETRIES, BucketRow, Store
from aisle.store.base import Change, Check, Delete, Row

BATCH: Final = 500  # objects a commit


async def destroy(store: Store, name: BucketName) -> int:
    """Remove a bucket, its objects and its unfinished uploads; returns how many objects.

    Raises `BucketNotFound`, or `WriteConflict` if writers fill it as fast as it is emptied.
    """
    count = 0
    for _ in range(RETRIES):
        row = await buckets.get(store, name)
        count += await empty(store, row)
        try:
            await buckets.delete(store, name)
        except BucketNotEmpty:
            continue
        await uploads.discard_all(store, row.record.id)
        return count
    raise WriteConflict(f'bucket "{name}" is being written to while it is destroyed')


async def empty(store: Store, bucket: BucketRow) -> int:
    """Delete the objects of a bucket; returns how many there were. Raises `BucketNotFound`."""
    count = lost = 0
    while rows := await store.index.scan("object", prefix=bucket.record.id, limit=BATCH):
        try:
            await store.index.commit(bucket.check, *await _removal(store, rows))
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


async def remove(store: Store, rows: Sequence[Row]) -> list[Row]:
    """Delete the objects of these rows, in one commit, and what has replaced them meanwhile too.

    Returns the rows that were removed: one that is gone by now is not among them.
    """
    present = list(rows)
    for _ in range(RETRIES):
        if not present:
            return []
        try:
            await store.index.commit(*await _removal(store, present))
        except RowChanged:
            keys = [key for key, _ in present]
            found = await store.index.get_many("object", keys)
            present = [(key, raw) for key, raw in zip(keys, found, strict=True) if raw is not None]
            continue
        return present
    raise WriteConflict("too many writers are changing these objects")


async def _removal(store: Store, rows: Sequence[Row]) -> list[Change]:
    changes: list[Change] = []
    now = store.now()
    for key, raw in rows:
        changes += [Check("object", key, raw), Delete("object", key)]
        changes += await objects.release(store, decode(Object, raw), now)
    return changes
