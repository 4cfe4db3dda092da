"""Objects, versions and parts of an import, on their way into their places.

What may live here is one item's body and row. Each row is committed with a check of what it takes
the place of: a client that writes at that moment wins. Bodies are verified before their row is
committed. Whatever is there and the same is passed over; a body whose row certainly was not
committed is dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from aisle.core.errors import RowChanged, SealingError, StoreUnavailable, WriteConflict
from aisle.namespace import bodies, buckets, layouts, notes, objects, ownership
from aisle.namespace.conditions import WriteConditions
from aisle.namespace.records import Object, Part, Sealed, decode, encode, part_key
from aisle.namespace.sealing import wishes
from aisle.namespace.sealing.frames import DataKey
from aisle.namespace.store import RETRIES, BucketRow, Store
from aisle.namespace.transfer.containers import Upload
from aisle.namespace.transfer.items import ObjectItem, PartItem
from aisle.namespace.transfer.journal import TABLE as JOURNAL
from aisle.namespace.transfer.journal import digest
from aisle.namespace.transfer.placing import Placed, discard, place, same_object, same_part
from aisle.namespace.transfer.terms import Kept, Terms
from aisle.namespace.transfer.verify import Unfit
from aisle.namespace.versions import arrival
from aisle.namespace.versions.ids import row_key as place_of
from aisle.namespace.versions.lookup import Place
from aisle.store.base import ABSENT, Change, Check, Put


@dataclass(frozen=True, slots=True)
class _IfReplaceable(WriteConditions):
    """Conditions of a write that a row of an object's present value decides."""

    replaceable: Callable[[bytes | None], bool] = bool

    @property
    def empty(self) -> bool:
        return False

    def check(self, current: Object | None, *, bucket: str, key: str) -> None:
        if not self.replaceable(encode(current) if current is not None else None):
            raise Kept("the object at the target is another")


async def write_object(terms: Terms, bucket: BucketRow, item: ObjectItem) -> None:
    """An object or a version. Raises `Kept`, `Unfit`, and what placing and committing raise."""
    if bucket.record.behind is not None:
        raise Unfit(f"the bucket is a window on {bucket.record.behind}, which is left alone")
    if item.version or bucket.record.versions:
        await _version(terms, bucket, item)
        return
    row_key = bucket.record.id + item.key
    raw = await terms.store.index.get("object", row_key)
    entry = await terms.journal.get("object", row_key) if terms.journal else None
    if raw is not None and same_object(decode(Object, raw), item.record):
        terms.totals.skipped += 1
        if terms.journal and entry is None:
            await terms.journal.adopt([("object", row_key, raw)])
        return
    condition = _IfReplaceable(replaceable=lambda row: terms.replaceable(row, entry))
    condition.check(decode(Object, raw) if raw is not None else None, bucket="", key="")
    await ownership.note(terms.store, bucket, item.record.owner)
    sealed, secret = await _sealing(terms.store, bucket, item.record.sealed)
    placed = await place(terms.store, item, owner=row_key, key=secret)
    taken = await _annotations(terms.store, raw, item.record, secret)
    extents, parts, layout, extra = layouts.layout_of(placed.extents, item.parts)
    record = msgspec.structs.replace(
        item.record, extents=extents, parts=parts, layout=layout, sealed=sealed, notes=taken.notes
    )
    extra += [*placed.changes, *taken.changes]
    extra += terms.entered("object", row_key, entry, encode(record))
    try:
        await objects.commit(
            terms.store, bucket, item.key, None, lambda old, now: record, condition, *extra
        )
    except (StoreUnavailable, MemoryError):
        raise  # it may have been committed: the sweep decides what its bytes are
    except RowChanged:
        await discard(terms.store, placed)
        await taken.discard(terms.store)
        raise Kept("another import is writing the same") from None
    except Exception:
        await discard(terms.store, placed)
        await taken.discard(terms.store)
        raise
    terms.totals.objects += 1
    terms.totals.bytes += record.size


async def _annotations(
    store: Store, raw: bytes | None, record: Object, secret: DataKey | None
) -> notes.Taken:
    """What is to stay of the annotations of a row that `record` takes the place of: all of them, if
    it is the same object and only what is said of it differs."""
    old = decode(Object, raw) if raw is not None else None
    if old is None or not arrival.is_same(old, record) or old.mtime != record.mtime:
        return notes.NONE_TAKEN
    return await notes.taken(store, old, secret)


async def _version(terms: Terms, bucket: BucketRow, item: ObjectItem) -> None:
    """A version, a marker among them, to where it was at the source."""
    if not bucket.record.versions:
        raise Unfit("the bucket at the target has no versions")
    store, base, given = terms.store, bucket.record.id, item.record
    place_key = place_of(base, item.key, given.seq)
    entry = await terms.journal.get("version", place_key) if terms.journal else None
    placed: Placed | None = None
    try:
        for _ in range(RETRIES):
            standing = await arrival.look(store, base, item.key, given.seq, null=not given.version)
            raw = standing.raw
            if raw is not None and same_object(decode(Object, raw), given):
                terms.totals.skipped += 1
                there = standing.there
                if terms.journal and entry is None and there is not None:
                    await terms.journal.adopt_as(("version", place_key), there[:3])
                break
            await _check_place(terms, base, item, standing, entry)
            if placed is None:
                await ownership.note(store, bucket, given.owner)
                sealed, secret = await _sealing(terms.store, bucket, given.sealed)
                placed = await place(store, item, owner=base + item.key, key=secret)
                extents, parts, layout, extra = layouts.layout_of(placed.extents, item.parts)
                record = msgspec.structs.replace(
                    given, extents=extents, parts=parts, layout=layout, sealed=sealed
                )
            taken = await _annotations(store, raw, record, secret)
            record = msgspec.structs.replace(record, notes=taken.notes)
            changes = await arrival.changes_of(store, base, item.key, record, standing)
            changes += [*placed.changes, *extra, *taken.changes]
            changes += terms.entered("version", place_key, entry, encode(record))
            try:
                await store.index.commit(*buckets.guard(bucket), *changes)
            except RowChanged as lost:
                await taken.discard(store)
                if lost.table == "bucket":
                    bucket = await buckets.refresh(store, bucket)
                elif lost.table == JOURNAL:
                    raise Kept("another import is writing the same") from None
                continue
            placed = None
            terms.totals.objects += 1
            terms.totals.bytes += record.size
            return
        else:
            raise WriteConflict("too many writers are changing this object at once")
    except (StoreUnavailable, MemoryError):
        raise
    except arrival.Taken as taken:
        if placed is not None:
            await discard(store, placed)
        raise Kept(str(taken)) from None
    except Exception:
        if placed is not None:
            await discard(store, placed)
        raise
    if placed is not None:
        await discard(store, placed)


async def _check_place(
    terms: Terms, base: bytes, item: ObjectItem, standing: arrival.Standing, entry: bytes | None
) -> None:
    """Raise `Kept` if a version must not come here: its place is another's, or it would cover
    or replace what is not the import's own."""
    if not terms.replaceable(standing.raw, entry):
        raise Kept("the version at the target is another, or was deleted there")
    covered = [standing.null] if standing.null is not None else []
    if standing.newest and item.record.seq > standing.newest:
        newest = await arrival.look(terms.store, base, item.key, standing.newest, null=False)
        covered += [newest.there] if newest.there is not None else []
    for there in covered:
        if not await _is_ours(terms, base, item.key, there):
            raise Kept("the object at the target is another")


async def _is_ours(terms: Terms, base: bytes, key: bytes, there: Place) -> bool:
    """Whether a version may be covered by a newer one."""
    if terms.journal is None:
        return terms.overwrite
    known = await terms.journal.get("version", place_of(base, key, there.record.seq))
    # Before the bucket had versions it was written as an object.
    known = known or await terms.journal.get("object", base + key)
    return known == digest(there.raw)


async def _sealing(
    store: Store, bucket: BucketRow, source: Sealed | None
) -> tuple[Sealed | None, DataKey | None]:
    """The key of an object that was encrypted so at the source: it comes as plain bytes."""
    try:
        return await wishes.begin(store, bucket, wishes.wish_of(source))
    except SealingError as error:
        raise Unfit(str(error)) from None


async def write_part(terms: Terms, bucket: BucketRow, upload: Upload, item: PartItem) -> None:
    """A part of an upload that is there. Raises as `write_object` does."""
    index = terms.store.index
    row_key = part_key(item.upload.record.id, item.record.number)
    raw = await index.get("part", row_key)
    entry = await terms.journal.get("part", row_key) if terms.journal else None
    if raw is not None and same_part(decode(Part, raw), item.record):
        terms.totals.skipped += 1
        if terms.journal and entry is None:
            await terms.journal.adopt([("part", row_key, raw)])
        return
    if not terms.replaceable(raw, entry):
        raise Kept("the part at the target is another")
    try:
        secret = wishes.key_for(terms.store, item.upload.record.sealed)
    except SealingError as error:
        raise Unfit(str(error)) from None
    owner = bucket.record.id + item.upload.key
    placed = await place(terms.store, item, owner=owner, key=secret)
    record = msgspec.structs.replace(item.record, extents=placed.extents)
    new = encode(record)
    changes: list[Change] = [
        Check("upload", *upload),
        Check("part", row_key, ABSENT if raw is None else raw),
        Put("part", row_key, new),
        *placed.changes,
        *terms.entered("part", row_key, entry, new),
    ]
    if raw is not None:
        changes += bodies.release(decode(Part, raw).extents, terms.store.now())
    try:
        await index.commit(*changes)
    except (StoreUnavailable, MemoryError):
        raise
    except RowChanged:
        await discard(terms.store, placed)
        raise Kept("the upload at the target has ended, or has another part") from None
    except Exception:
        await discard(terms.store, placed)
        raise
    terms.totals.parts += 1
    terms.totals.bytes += record.size
