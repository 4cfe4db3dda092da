"""Changes of an object that leave its bytes where they are: a new name, other custom metadata,
another ACL.

Each is one batch that checks the row it was decided on, and is tried again if another writer was
faster. Blobs carry the name that they were written for; after a rename `moved` rows lead from a
blob to its present name, for the sweep.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from aisle.auth.acl import Grant
from aisle.core.errors import (
    BlobMissing,
    InvalidArgument,
    InvalidRequest,
    NotSupported,
    ObjectNotFound,
    RowChanged,
    WriteConflict,
)
from aisle.namespace import buckets, objects
from aisle.namespace.records import Extent, Layout, Object, decode, encode
from aisle.namespace.store import RETRIES, BucketRow, Store
from aisle.store.base import ABSENT, Change, Check, Delete, Put

# What HTTP clients and S3 still read back: each pair is a header, and S3 allows 2 KiB of them.
MAX_CUSTOM: Final = 64
MAX_CUSTOM_BYTES: Final = 2048


async def rename(store: Store, bucket: BucketRow, key: bytes, to: bytes) -> Object:
    """Move an object to another name in its bucket, in place of what is there.

    Raises `ObjectNotFound`, `InvalidRequest` for its own name, and `NotSupported` for objects of
    remote buckets.
    """
    if key == to:
        raise InvalidRequest("an object cannot be renamed to its own name")
    if bucket.record.behind is not None:
        raise NotSupported(f"objects of {bucket.record.behind} cannot be renamed: copy and delete")
    source, target = bucket.record.id + key, bucket.record.id + to
    for _ in range(RETRIES):
        raw, other = await store.index.get_many("object", [source, target])
        if raw is None:
            raise ObjectNotFound(bucket.record.name, key.decode())
        record = decode(Object, raw)
        old = decode(Object, other) if other is not None else None
        extents = await extents_of(store, record)
        if extents is None:
            if await store.index.get("object", source) == raw:
                raise BlobMissing(record.layout.hex())
            continue  # replaced between the two reads
        record = msgspec.structs.replace(record, seq=old.seq + 1 if old else 1)
        changes: list[Change] = [
            *buckets.guard(bucket),
            Check("object", source, raw),
            Delete("object", source),
            Check("object", target, other if other is not None else ABSENT),
            Put("object", target, encode(record)),
            *(Put("moved", extent.blob, target) for extent in extents if not extent.inline),
        ]
        if old is not None:
            changes += await objects.release(store, old, store.now())
        try:
            await store.index.commit(*changes)
        except RowChanged as lost:
            if lost.table == "bucket":
                bucket = await buckets.refresh(store, bucket)
            continue
        return record
    raise WriteConflict("too many writers are changing these objects at once")


async def extents_of(store: Store, record: Object) -> Sequence[Extent] | None:
    """The extents of an object; `None` if it was replaced since `record` was read."""
    if not record.layout:
        return record.extents
    row = await store.index.get("layout", record.layout)
    return decode(Layout, row).extents if row is not None else None


async def set_custom(
    store: Store,
    bucket: BucketRow,
    key: bytes,
    values: Mapping[str, str],
    *,
    replace: bool = False,
) -> Object:
    """Set custom metadata; with `replace` drop all other. Bytes, version and date stay.

    Of an object of a remote bucket only the copy changes, and loses it again when it is evicted;
    without a copy that is refused. Raises `ObjectNotFound`, and `InvalidArgument` if it would be
    too much.
    """

    def with_meta(old: Object) -> Object:
        meta = {**({} if replace else old.meta), **values}
        check_custom(meta)
        return msgspec.structs.replace(old, meta=meta)

    try:
        return await _change(store, bucket, key, with_meta)
    except ObjectNotFound:
        if bucket.record.behind is None:
            raise
        raise NotSupported(
            f'"{bucket.record.name}/{key.decode()}" is not in the cluster, and metadata of remote'
            " objects cannot be changed: prefetch it first"
        ) from None


async def set_acl(
    store: Store, bucket: BucketRow, key: bytes, acl: Callable[[Object], list[Grant] | None]
) -> Object:
    """Give an object another ACL: what `acl` says of the record it replaces, which is what it
    raises on too. Bytes, version and date stay. Raises `ObjectNotFound`."""
    return await _change(store, bucket, key, lambda old: msgspec.structs.replace(old, acl=acl(old)))


async def _change(
    store: Store, bucket: BucketRow, key: bytes, change: Callable[[Object], Object]
) -> Object:
    row_key = bucket.record.id + key
    for _ in range(RETRIES):
        raw = await store.index.get("object", row_key)
        if raw is None:
            raise ObjectNotFound(bucket.record.name, key.decode())
        record = change(decode(Object, raw))
        try:
            await store.index.commit(
                Check("object", row_key, raw), Put("object", row_key, encode(record))
            )
        except RowChanged:
            continue
        return record
    raise WriteConflict("too many writers are changing this object at once")


def check_custom(meta: Mapping[str, str]) -> None:
    size = sum(len(f"{name}{text}".encode("utf-8", "surrogatepass")) for name, text in meta.items())
    if len(meta) > MAX_CUSTOM or size > MAX_CUSTOM_BYTES:
        raise InvalidArgument(
            f"custom metadata may have {MAX_CUSTOM} entries and {MAX_CUSTOM_BYTES} bytes,"
            f" this has {len(meta)} and {size}",
            name="value",
        )
