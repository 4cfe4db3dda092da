"""Copies of objects inside the store, and onto themselves with another description."""

from __future__ import annotations

from dataclasses import replace

from aisle.core.errors import RowChanged
from aisle.namespace import bodies, buckets, documents, events, locks
from aisle.namespace.conditions import UNCONDITIONAL, WriteConditions
from aisle.namespace.objects import (
    Description,
    Found,
    check_conditions,
    commit,
    known_digests,
    new_object,
    plan_digests,
    settled,
)
from aisle.namespace.records import Object, decode, encode
from aisle.namespace.sealing import wishes
from aisle.namespace.store import BucketRow, Store
from aisle.store.base import Change, Check, Put


async def copy(
    store: Store,
    source: Found,
    bucket: BucketRow,
    key: bytes,
    description: Description,
    *,
    small: bytes | None = None,
    conditions: WriteConditions = UNCONDITIONAL,
) -> Object:
    """Store the bytes of `source` under another name, with another description.

    `source` and `small` are what `find_small` gave: the bytes of a source that is one row are
    gone as soon as it is replaced.

    The copy is an object of one piece, as in S3: its ETag is the MD5 of its bytes. Bytes pass
    through Python only if a digest is wanted that the source's record does not have.
    """
    if not conditions.empty:
        await check_conditions(store, bucket, key, conditions)
    description = await settled(store, bucket, description)
    plan = await plan_digests(store, bucket)
    sealed, secret = await wishes.begin(store, bucket, description.wish)
    if sealed is not None:
        description = replace(description, sealed=sealed)
    known = known_digests(source.record)
    wanted = plan.algorithms(description.checksum_algorithm)
    owner = bucket.record.id + key
    if wanted <= known.keys():
        stored = await bodies.copy_extents(
            store, source.extents, owner=owner, small=small, key=secret
        )
        stored = stored._replace(digests={name: known[name] for name in wanted})
    else:
        stretch = bodies.Stretch(store, source.extents, 0, source.record.size, small=small)
        stored = await bodies.ingest(
            store, stretch, owner=owner, algorithms=sorted(wanted), key=secret
        )
    etag, digest = plan.etag(stored.digests, sealed), plan.digest(stored.digests)

    def build(old: Object | None, mtime: int) -> Object:
        return new_object(stored, description, etag=etag, digest=digest, old=old, mtime=mtime)

    return await commit(store, bucket, key, stored, build, conditions, event=events.COPY)


async def redescribe(
    store: Store,
    source: Found,
    bucket: BucketRow,
    key: bytes,
    description: Description,
    *,
    conditions: WriteConditions = UNCONDITIONAL,
) -> Object | None:
    """Copy an object onto itself: new description, same bytes. `None` if it changed meanwhile.

    Works only where the description asks for no digest that the record lacks, and `None` is also
    what it returns where the bytes would have to be encrypted otherwise. Raises `ObjectLocked`.
    """
    if bucket.record.behind is not None or bucket.record.versions:
        return None  # the remote has to hear of it, with the bytes; a version stays as it is
    row_key = bucket.record.id + key
    raw = await store.index.get("object", row_key)
    if raw is None or decode(Object, raw) != source.record:
        return None
    old = source.record
    if not await wishes.stays(store, bucket, description.wish, old):
        return None
    conditions.check(old, bucket=bucket.record.name, key=key.decode())
    locks.check_removal(old, store.now())
    description = await settled(store, bucket, description)
    values = {name: getattr(old, name) for name in Object.__struct_fields__}
    values.update(
        mtime=store.now(),
        headers=dict(description.headers),
        meta=dict(description.meta),
        storage_class=description.storage_class,
        owner=description.owner,
        acl=description.acl,
        tags=dict(description.tags),
        lock=description.lock,
        restored=0,
        seq=old.seq + 1,
    )
    record = Object(**values)
    told: list[Change] = []
    if bucket.record.has & documents.TOLD:
        told = await events.of(store, bucket, key, record, events.COPY)
    try:
        await store.index.commit(
            *buckets.guard(bucket),
            Check("object", row_key, raw),
            Put("object", row_key, encode(record)),
            *told,
        )
    except RowChanged:
        return None
    return record
