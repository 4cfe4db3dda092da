"""Buckets: create, resolve, list, change, delete.

Invariant: an object row exists only while its bucket's row does. Writers check the bucket's row in
their own batch; `delete` first marks the row, then looks for contents, then removes the row if it
still carries that mark. A writer that meets a mark takes it away in its own batch, so the delete
starts over. Nobody waits, and a crash between the steps leaves only a harmless mark. Multipart
uploads do not keep a bucket from being deleted; `uploads.discard_all` reclaims them afterwards.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec

from aisle.core.errors import (
    BucketExists,
    BucketNotEmpty,
    BucketNotFound,
    RowChanged,
    WriteConflict,
)
from aisle.core.names import BucketName
from aisle.namespace.records import Bucket, bucket_key, decode, encode
from aisle.namespace.store import RETRIES, BucketRow, Store
from aisle.store.base import ABSENT, Change, Check, Delete, Put


async def create(
    store: Store,
    name: BucketName,
    *,
    owner: str,
    location: str = "",
    props: Mapping[str, Any] | None = None,
) -> BucketRow:
    """Make a bucket. Raises `BucketExists` if its name is taken, under any provider."""
    taken = await store.index.scan("bucket", prefix=f"{name.name}\0".encode(), limit=1)
    if taken:
        raise BucketExists(name.name, owned=decode(Bucket, taken[0][1]).owner == owner)
    record = Bucket(
        id=os.urandom(8),
        name=name.name,
        provider=name.provider,
        namespace=name.namespace,
        created=store.now(),
        owner=owner,
        location=location,
        props=dict(props or {}),
    )
    key = bucket_key(*name)
    raw = encode(record)
    try:
        await store.index.commit(Check("bucket", key, ABSENT), Put("bucket", key, raw))
    except RowChanged:
        row = await get(store, name)
        raise BucketExists(name.name, owned=row.record.owner == owner) from None
    return BucketRow(key, raw, record)


async def get(store: Store, name: BucketName, *, recent: bool = False) -> BucketRow:
    """The bucket of this full name. Raises `BucketNotFound`.

    With `recent` it may be what it was up to `index.lag` seconds ago: enough to read an object
    that is there, since a bucket is empty before it goes; not to say that something is absent.
    """
    key = bucket_key(*name)
    epoch = store.index.epoch()
    cached = store.bucket_cache.get(key)
    if cached is not None and cached[0] == epoch and (recent or not store.index.lag):
        return cached[1]
    raw = await store.index.get("bucket", key)
    if raw is None:
        store.bucket_cache.pop(key, None)
        raise BucketNotFound(name.name)
    if cached is not None and cached[1].raw == raw:
        row = cached[1]
    else:
        row = BucketRow(key, raw, decode(Bucket, raw))
    if len(store.bucket_cache) > 10_000:
        store.bucket_cache.clear()
    store.bucket_cache[key] = (epoch, row)
    return row


async def refresh(store: Store, row: BucketRow) -> BucketRow:
    """The present row of the same bucket. Raises `BucketNotFound` also if another one has its
    name by now: what was begun for the old bucket must not end up under the new one's row."""
    fresh = await get(store, row.name)
    if fresh.record.id != row.record.id:
        raise BucketNotFound(row.record.name)
    return fresh


async def find(store: Store, name: str, *, recent: bool = False) -> BucketRow:
    """The bucket that S3 clients call `name`: see `get`. Raises `BucketNotFound`."""
    return await get(store, BucketName(name), recent=recent)


async def list_all(
    store: Store, *, prefix: str = "", after: bytes = b"", limit: int = 10_000
) -> list[BucketRow]:
    """Buckets in byte order of their names, above the row key `after`."""
    start = prefix.encode("utf-8", "surrogateescape")
    rows = await store.index.scan("bucket", prefix=start, after=after, limit=limit)
    return [BucketRow(key, raw, decode(Bucket, raw)) for key, raw in rows]


async def change_props(store: Store, name: BucketName, props: Mapping[str, Any]) -> BucketRow:
    """Set properties (flat names, already validated); a value of `None` drops one."""
    for _ in range(RETRIES):
        row = await get(store, name)
        merged = {**row.record.props, **props}
        record = msgspec.structs.replace(
            row.record, props={key: value for key, value in merged.items() if value is not None}
        )
        raw = encode(record)
        try:
            await store.index.commit(row.check, Put("bucket", row.key, raw))
        except RowChanged:
            continue
        return BucketRow(row.key, raw, record)
    raise WriteConflict(f'bucket "{name.name}" is being changed by too many writers')


async def delete(store: Store, name: BucketName) -> None:
    """Remove an empty bucket. Raises `BucketNotFound` or `BucketNotEmpty`."""
    for _ in range(RETRIES):
        row = await get(store, name)
        marked = encode(msgspec.structs.replace(row.record, mark=os.urandom(8)))
        try:
            await store.index.commit(row.check, Put("bucket", row.key, marked))
            if await _has_contents(store, row.record):
                with suppress(RowChanged):  # a writer has taken the mark away already
                    await store.index.commit(
                        Check("bucket", row.key, marked),
                        Put("bucket", row.key, _unmarked(row.record)),
                    )
                raise BucketNotEmpty(name.name)
            await store.index.commit(Check("bucket", row.key, marked), Delete("bucket", row.key))
        except RowChanged:
            continue
        return
    raise WriteConflict(f'bucket "{name.name}" is being changed by too many writers')


async def _has_contents(store: Store, bucket: Bucket) -> bool:
    return bool(await store.index.scan("object", prefix=bucket.id, limit=1))


def guard(row: BucketRow) -> list[Change]:
    """The changes that tie a write to its bucket: it still exists and is not being deleted."""
    if not row.record.mark:
        return [row.check]
    return [row.check, Put("bucket", row.key, _unmarked(row.record))]


def _unmarked(record: Bucket) -> bytes:
    return encode(msgspec.structs.replace(record, mark=b""))
