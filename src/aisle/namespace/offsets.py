"""Appends at an offset: a write that begins where the object ends makes it longer.

The new bytes are stored on their own and become visible in one commit with the row that names them
behind the old ones, which stay where they are. Whoever appends says how long the object is: of two
writers at the same place one wins, and the other is told. What is said of the object beside its
bytes stays. Each append is one of its parts, of which it may have 10,000; runs of small extents are
made one from time to time.

A checksum of the whole is kept where it follows from that of the two pieces: if the object has a
CRC. Encrypted objects go on with their own key.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from aisle.core import checksums
from aisle.core.errors import (
    BlobMissing,
    InvalidRequest,
    NotSupported,
    ObjectNotFound,
    PreconditionFailed,
    RowChanged,
    StoreUnavailable,
    TooManyAppends,
    WriteConflict,
    WriteOffsetWrong,
)
from aisle.namespace import appends, bodies, buckets, documents, events, layouts, locks, objects
from aisle.namespace.bodies import Incoming, Stored
from aisle.namespace.chains import with_key
from aisle.namespace.conditions import UNCONDITIONAL, WriteConditions
from aisle.namespace.objects import Description
from aisle.namespace.records import (
    Extent,
    Layout,
    Object,
    PartInfo,
    Sealed,
    decode,
    encode,
    timed_id,
)
from aisle.namespace.sealing import wishes
from aisle.namespace.sealing.frames import DataKey
from aisle.namespace.store import RETRIES, BucketRow, Store
from aisle.store.base import Change, Check, Delete, Put

MAX_PARTS: Final = 10_000


class _Piece(NamedTuple):
    """What came, stored, and how: with the key of the object as it then was."""

    stored: Stored
    sealed: Sealed | None
    secret: DataKey | None
    algorithm: str  # of the object's checksum, where it can be kept


async def extend(
    store: Store,
    bucket: BucketRow,
    key: bytes,
    offset: int,
    incoming: Incoming,
    description: Description,
    *,
    conditions: WriteConditions = UNCONDITIONAL,
    algorithms: frozenset[str] = frozenset(),
    customer: bytes = b"",
) -> Object:
    """Write a body at `offset`, which is the end of the object; at 0 it may be new, and is then
    what `description` says.

    Raises `WriteOffsetWrong`, `TooManyAppends`, `ObjectNotFound`, `ObjectLocked`, `InvalidRequest`
    where versions are kept, `EncryptionDiffers`, what the conditions and `objects.put` raise.
    """
    if bucket.record.behind is not None:
        raise NotSupported(f"objects of {bucket.record.behind} cannot be appended to")
    if bucket.record.versions:
        raise InvalidRequest(
            "Objects of a bucket that keeps versions cannot be appended to: a version stays what"
            " it is."
        )
    row_key = bucket.record.id + key
    raw = await store.index.get("object", row_key)
    if raw is None:
        conditions.check(None, bucket=bucket.record.name, key=key.decode())
        if offset:
            raise ObjectNotFound(bucket.record.name, key.decode())
        return await _first(store, bucket, key, incoming, description, algorithms)
    old = decode(Object, raw)
    conditions.check(old, bucket=bucket.record.name, key=key.decode())
    _check(old, offset, store.now())
    wishes.check_same(old.sealed, description.wish)
    piece = await _store(store, row_key, old, incoming, algorithms, customer)
    try:
        return await _commit(store, bucket, key, offset, piece, conditions)
    except (StoreUnavailable, MemoryError):
        raise  # the batch may have been applied: the sweep decides what its bytes are
    except Exception:
        await bodies.discard(store, piece.stored)
        raise


def _check(old: Object, offset: int, now: int) -> None:
    locks.check_removal(old, now)
    if old.size != offset:
        raise WriteOffsetWrong(offset, old.size)
    if max(old.part_count, 1) >= MAX_PARTS:
        raise TooManyAppends(MAX_PARTS)


async def _first(
    store: Store,
    bucket: BucketRow,
    key: bytes,
    incoming: Incoming,
    description: Description,
    algorithms: frozenset[str],
) -> Object:
    new = WriteConditions(if_none_match="*")
    try:
        return await objects.put(
            store, bucket, key, incoming, description, conditions=new, algorithms=algorithms
        )
    except PreconditionFailed:
        raise WriteConflict("another writer has made the object meanwhile") from None


async def _store(
    store: Store,
    owner: bytes,
    old: Object,
    incoming: Incoming,
    algorithms: frozenset[str],
    customer: bytes,
) -> _Piece:
    secret = wishes.key_for(store, old.sealed, customer)
    algorithm = next(iter(old.checksums), "") if old.checksum_type == "FULL_OBJECT" else ""
    if algorithm and not checksums.ALGORITHMS[algorithm].combines:
        algorithm = ""
    wanted = {*algorithms, *((algorithm,) if algorithm else ())}
    stored = await bodies.ingest(
        store, incoming, owner=owner, algorithms=sorted(wanted), key=secret
    )
    return _Piece(stored, old.sealed, secret, algorithm)


async def _commit(
    store: Store,
    bucket: BucketRow,
    key: bytes,
    offset: int,
    piece: _Piece,
    conditions: WriteConditions,
) -> Object:
    row_key = bucket.record.id + key
    for _ in range(RETRIES):
        raw = await store.index.get("object", row_key)
        if raw is None:
            raise ObjectNotFound(bucket.record.name, key.decode())
        old = decode(Object, raw)
        conditions.check(old, bucket=bucket.record.name, key=key.decode())
        _check(old, offset, store.now())
        if old.sealed != piece.sealed or bucket.record.versions:
            raise WriteConflict("the object has been replaced meanwhile")
        try:
            grown = await _grown(store, row_key, old, piece)
        except BlobMissing:
            if await store.index.get("object", row_key) == raw:
                raise
            continue  # replaced, and its bytes given up, since its row was read
        changes = [
            *buckets.guard(bucket),
            Check("object", row_key, raw),
            Put("object", row_key, encode(grown.record)),
            *piece.stored.changes(),
            *grown.changes,
        ]
        if bucket.record.has & documents.TOLD:
            changes += await events.of(store, bucket, key, grown.record, events.PUT)
        try:
            await store.index.commit(*changes)
        except RowChanged as lost:
            await grown.discard(store)
            if lost.table == "bucket":
                bucket = await buckets.refresh(store, bucket)
            continue
        except (StoreUnavailable, MemoryError):
            raise
        except Exception:
            await grown.discard(store)
            raise
        return grown.record
    raise WriteConflict("too many writers are changing this object at once")


class _Grown(NamedTuple):
    """The record of the longer object, and what it takes to have it so."""

    record: Object
    changes: list[Change]
    merged: Stored | None

    async def discard(self, store: Store) -> None:
        if self.merged is not None:
            await bodies.discard(store, self.merged)


async def _grown(store: Store, owner: bytes, old: Object, piece: _Piece) -> _Grown:
    before, parts = await _places(store, old)
    extents, merged = list(before), None
    changes: list[Change] = []
    start = appends.run_of(extents)
    if start < len(extents):
        run = extents[start:]
        readable = with_key(run, piece.secret)
        merged = await bodies.copy_extents(store, readable, owner=owner, key=piece.secret)
        changes += [*merged.changes(), *bodies.release(run, store.now())]
        extents[start:] = merged.extents
    stored = piece.stored
    values = _checksums(old, piece)
    own = {name: checksums.to_base64(stored.digests[name]) for name in values}
    if not parts:
        parts = [PartInfo(1, old.size, dict(old.checksums) if values else {})]
    parts = [*parts, PartInfo(parts[-1].number + 1, stored.size, own)]
    kept, kept_parts, layout, more = layouts.layout_of([*extents, *stored.extents], parts)
    changes += more
    if old.layout:
        changes.append(Delete("layout", old.layout))
    record = msgspec.structs.replace(
        old,
        size=old.size + stored.size,
        mtime=store.now(),
        etag=f"{timed_id().hex()}-{len(parts)}",
        extents=kept,
        layout=layout,
        parts=kept_parts,
        part_count=len(parts),
        checksums=values,
        checksum_type="FULL_OBJECT" if values else "",
        digest=("none", ""),
        seq=old.seq + 1,
    )
    return _Grown(record, changes, merged)


async def _places(store: Store, old: Object) -> tuple[Sequence[Extent], list[PartInfo]]:
    """The extents and parts of an object. Raises `BlobMissing` if they have gone."""
    if not old.layout:
        return old.extents, old.parts
    row = await store.index.get("layout", old.layout)
    if row is None:
        raise BlobMissing("extents of the object")
    layout = decode(Layout, row)
    return layout.extents, layout.parts


def _checksums(old: Object, piece: _Piece) -> dict[str, str]:
    """The checksum of the whole, in base64."""
    if not piece.algorithm or piece.algorithm not in old.checksums:
        return {}
    row = checksums.ALGORITHMS[piece.algorithm]
    left = base64.b64decode(old.checksums[piece.algorithm])
    right = piece.stored.digests[piece.algorithm]
    value = row.combine(left, right, piece.stored.size)
    return {piece.algorithm: checksums.to_base64(value)}
