"""Changes of an object that leave its bytes where they are: a new name, other custom metadata,
another ACL.

Each is one batch that checks the row it was decided on, and is tried again if another writer was
faster. Blobs carry the name that they were written for; after a rename `moved` rows lead from a
blob to its present name, for the sweep.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, NamedTuple

import msgspec

from aisle.auth.acl import Grant
from aisle.core.errors import (
    BlobMissing,
    InvalidArgument,
    InvalidRequest,
    NotSupported,
    ObjectNotFound,
    RowChanged,
    TokenReused,
    WriteConflict,
)
from aisle.namespace import buckets, copies, documents, events, layouts, locks, notes, objects
from aisle.namespace.conditions import UNCONDITIONAL, WriteConditions
from aisle.namespace.objects import Description
from aisle.namespace.records import Completed, Object, decode, encode
from aisle.namespace.sealing import wishes
from aisle.namespace.store import RETRIES, BucketRow, Store
from aisle.store.base import ABSENT, Change, Check, Delete, Put

# What HTTP clients and S3 still read back: each pair is a header, and S3 allows 2 KiB of them.
MAX_CUSTOM: Final = 64
MAX_CUSTOM_BYTES: Final = 2048


class Token(NamedTuple):
    """A client's name for a rename, and a digest of what it asks: what was done under a name is
    not done again."""

    name: bytes
    request: bytes

    def key(self, bucket: bytes) -> bytes:
        """Where it is remembered: among the completed uploads, whose ids are as long."""
        return hashlib.sha256(bucket + self.name).digest()[:16]


Judge = Callable[[Object, Object | None], None]


def _any(found: Object, replaced: Object | None) -> None:
    """Whatever is renamed, and whatever it replaces, may be."""


async def rename(
    store: Store,
    bucket: BucketRow,
    key: bytes,
    to: bytes,
    *,
    check: Judge = _any,
    token: Token | None = None,
) -> Object:
    """Move an object to another name in its bucket, in place of what is there.

    `check` raises unless it may replace that. Raises `ObjectNotFound`, `InvalidRequest` for its own
    name, `NotSupported` for objects of remote buckets, `ObjectLocked`, and `TokenReused` where
    something else was renamed under the token.
    """
    if key == to:
        raise InvalidRequest("an object cannot be renamed to its own name")
    if bucket.record.behind is not None:
        raise NotSupported(f"objects of {bucket.record.behind} cannot be renamed: copy and delete")
    source, target = bucket.record.id + key, bucket.record.id + to
    for _ in range(RETRIES):
        if token is not None and await _is_done(store, bucket, token):
            return await objects.head(store, bucket, to)
        if bucket.record.versions:
            return await _move_versioned(store, bucket, key, to, check, token)
        raw, other = await store.index.get_many("object", [source, target])
        if raw is None:
            raise ObjectNotFound(bucket.record.name, key.decode())
        record = decode(Object, raw)
        locks.check_removal(record, store.now())
        old = decode(Object, other) if other is not None else None
        check(record, old)
        extents = await layouts.extents_of(store, record)
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
            *_remembered(bucket, to, token, record),
        ]
        if old is not None:
            locks.check_removal(old, store.now())
            changes += await layouts.release(store, old, store.now())
        if bucket.record.has & documents.TOLD:
            changes += await events.of(store, bucket, key, record, events.DELETE)
            changes += await events.of(store, bucket, to, record, events.COPY)
        try:
            await store.index.commit(*changes)
        except RowChanged as lost:
            if lost.table == "bucket":
                bucket = await buckets.refresh(store, bucket)
            continue
        return record
    raise WriteConflict("too many writers are changing these objects at once")


async def _is_done(store: Store, bucket: BucketRow, token: Token) -> bool:
    """Whether the rename was done before. Raises `TokenReused` if another one was."""
    row = await store.index.get("done", token.key(bucket.record.id))
    if row is None:
        return False
    done = decode(Completed, row)
    if done.bucket != bucket.record.id or done.request != token.request:
        raise TokenReused
    return True


def _remembered(bucket: BucketRow, to: bytes, token: Token | None, record: Object) -> list[Change]:
    """What to commit with a rename, so that it is not done twice."""
    if token is None:
        return []
    identity, place = bucket.record.id, token.key(bucket.record.id)
    done = Completed(identity, to, record.mtime, record.etag, token.request, {}, "")
    return [Check("done", place, ABSENT), Put("done", place, encode(done))]


async def _move_versioned(
    store: Store, bucket: BucketRow, key: bytes, to: bytes, check: Judge, token: Token | None
) -> Object:
    """The same where former versions stay: a copy, and a delete marker in front of the source."""
    found, small = await objects.find_small(store, bucket, key)
    old = found.record
    if not bucket.record.keeps_versions and not old.version:  # the marker takes its place
        locks.check_removal(old, store.now())
    raw = await store.index.get("object", bucket.record.id + to)
    replaced = decode(Object, raw) if raw is not None else None
    check(old, replaced)
    unchanged = (
        WriteConditions(if_match=replaced.etag)
        if replaced is not None
        else WriteConditions(if_none_match="*")
    )
    description = Description(
        headers=old.headers,
        meta=old.meta,
        storage_class=old.storage_class,
        owner=old.owner,
        checksum_algorithm=next(iter(old.checksums), ""),
        acl=old.acl,
        tags=old.tags,
        wish=wishes.wish_of(old.sealed),
    )
    conditions = UNCONDITIONAL if check is _any else unchanged
    record = await copies.copy(
        store, found, bucket, to, description, small=small, conditions=conditions
    )
    if old.notes:
        await notes.copy_all(store, (bucket, key, old), (bucket, to, record))
    same = WriteConditions(if_match=old.etag)
    await objects.delete(store, bucket, key, conditions=same, owner=old.owner)
    if token is not None:
        with suppress(RowChanged):
            await store.index.commit(*_remembered(bucket, to, token, record))
    return record


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
        locks.check_removal(old, store.now())
        meta = {**({} if replace else old.meta), **values}
        check_custom(meta)
        return msgspec.structs.replace(old, meta=meta)

    try:
        return await change(store, bucket, key, with_meta)
    except ObjectNotFound:
        if bucket.record.behind is None:
            raise
        raise NotSupported(
            f'"{bucket.record.name}/{key.decode()}" is not in the cluster, and metadata of remote'
            " objects cannot be changed: prefetch it first"
        ) from None


async def set_acl(
    store: Store,
    bucket: BucketRow,
    key: bytes,
    acl: Callable[[Object], list[Grant] | None],
    *,
    version: str = "",
) -> Object:
    """Give an object, or one of its versions, another ACL: what `acl` says of the record it
    replaces, which is what it raises on too. Bytes, version and date stay. Raises what `change`
    does."""

    def with_acl(old: Object) -> Object:
        given = acl(old)
        # Nobody is told of what stays as it was.
        return old if given == old.acl else msgspec.structs.replace(old, acl=given)

    return await change(store, bucket, key, with_acl, version=version, event=events.ACL)


async def change(
    store: Store,
    bucket: BucketRow,
    key: bytes,
    to: Callable[[Object], Object],
    *,
    version: str = "",
    event: str = "",
    before: str = "",
) -> Object:
    """Replace the record of an object, or of one of its versions, by what `to` makes of it; it is
    called again when another writer was faster. Raises `ObjectNotFound`, `VersionNotFound`,
    `DeleteMarkerNamed`, and what `to` raises."""
    for _ in range(RETRIES):
        place = await objects.place_of(store, bucket, key, version)
        record = to(place.record)
        changes: list[Change] = [
            Check(place.table, place.key, place.raw),
            Put(place.table, place.key, encode(record)),
        ]
        if event and record is not place.record and bucket.record.has & documents.TOLD:
            for one in (before, event) if before else (event,):
                changes += await events.of(store, bucket, key, record, one)
        try:
            await store.index.commit(*changes)
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
