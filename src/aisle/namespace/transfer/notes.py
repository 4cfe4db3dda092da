"""Annotations of an export as they are read, and of an import on their way to their objects.

They come behind their object and name it by what nobody can give another one: its place among the
versions of its key, its ETag, and its time. Where the target has another object there, they are
passed over: of that one something has been told already. Each is one commit, which checks the
object; whatever is there and the same is passed over.

The journal of a pull has an entry for each, by `entry_key`: what it says of an annotation is a
digest of what clients see of it, which stays when it is encrypted anew.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import Final

import msgspec

from aisle.core.errors import (
    RowChanged,
    SealingError,
    TooManyAnnotations,
    WriteConflict,
)
from aisle.namespace import locks
from aisle.namespace.notes import MOST, opened, without_text
from aisle.namespace.records import (
    Annotated,
    Annotation,
    Object,
    decode,
    encode,
    timed_id,
    unescape_key,
)
from aisle.namespace.sealing import frames, wishes
from aisle.namespace.store import RETRIES, BucketRow, Store
from aisle.namespace.transfer.frames import Note
from aisle.namespace.transfer.items import NoteItem, shown_note
from aisle.namespace.transfer.journal import digest
from aisle.namespace.transfer.terms import Kept, Terms
from aisle.namespace.transfer.verify import Unfit, check_note
from aisle.namespace.versions import arrival
from aisle.namespace.versions.ids import ID, PLACE, seq_of
from aisle.namespace.versions.ids import row_key as place_of
from aisle.namespace.versions.lookup import Place
from aisle.store.base import ABSENT, Change, Check, Delete, Put

TABLE: Final = "annotation"
_IDENTITY: Final = 16


def identity(etag: str, mtime: int) -> bytes:
    """What tells an object from another at its place."""
    return hashlib.blake2b(f"{mtime} {etag}".encode(), digest_size=_IDENTITY).digest()


def entry_key(bucket: bytes, item: NoteItem) -> bytes:
    """Where the journal has an annotation: behind the place of its object among versions."""
    return place_of(bucket, item.key, item.seq) + identity(item.etag, item.mtime) + item.name


def object_of(entry: bytes) -> tuple[bytes, int, bytes, bytes]:
    """The key, place and identity of the object, and the name, that an entry's key tells."""
    end = ID
    while (end := entry.index(b"\0", end) + 1) < len(entry) and entry[end] == 0xFF:
        pass
    place, behind = entry[: end + PLACE], entry[end + PLACE :]
    return unescape_key(entry[ID:end]), seq_of(place), behind[:_IDENTITY], behind[_IDENTITY:]


def told(row: Annotation) -> bytes:
    """What clients see of an annotation: the row without where its text is."""
    return encode(msgspec.structs.replace(row, note=b"", seal=b""))


async def find(terms: Terms, bucket: BucketRow, item: NoteItem) -> Place | None:
    """The object at the target that an annotation is of, if it is there."""
    known = identity(item.etag, item.mtime)
    return await place_at(terms.store, bucket, item.key, item.seq, known)


async def place_at(
    store: Store, bucket: BucketRow, key: bytes, seq: int, known: bytes
) -> Place | None:
    """The object of this identity, if it is at its place."""
    base = bucket.record.id
    place: Place | None = None
    if bucket.record.versions:
        place = (await arrival.look(store, base, key, seq, null=False)).there
    elif (raw := await store.index.get("object", base + key)) is not None:
        place = Place("object", base + key, raw, decode(Object, raw))
    if place is None or identity(place.record.etag, place.record.mtime) != known:
        return None
    return place


async def present(store: Store, record: Object, name: bytes) -> Annotation | None:
    """The annotation of this name that an object has."""
    raw = await store.index.get(TABLE, record.notes + name) if record.notes else None
    return decode(Annotation, raw) if raw is not None else None


async def object_at(store: Store, bucket: BucketRow, key: bytes, seq: int) -> Object | None:
    """The version at this place, or without one the object."""
    base = bucket.record.id
    if bucket.record.versions and seq:
        there = (await arrival.look(store, base, key, seq, null=False)).there
        return there.record if there is not None else None
    raw = await store.index.get("object", base + key)
    return decode(Object, raw) if raw is not None else None


async def read(store: Store, key: bytes, record: Object, name: bytes, *, text: bool) -> Note | None:
    """The annotation of this name that an object has by now, with its text if that is asked for.
    Raises `BlobMissing` and `SealingError`."""
    for _ in range(RETRIES if record.notes else 0):
        raw = await store.index.get(TABLE, record.notes + name)
        if raw is None:
            return None
        found, kept = decode(Annotation, raw), b""
        if text:
            sealed = await store.index.get("note", found.note)
            if sealed is None:
                continue  # replaced between the two reads
            kept = opened(found, sealed, wishes.key_for(store, record.sealed))
        return Note(key, record.seq, record.etag, record.mtime, name, raw, kept)
    return None


async def removal(store: Store, place: Place, name: bytes) -> list[Change]:
    """The changes that take an annotation from an object, if nothing changes meanwhile."""
    known = place.record.notes
    head, raw = (
        await store.index.get("annotated", known),
        await store.index.get(TABLE, known + name),
    )
    if head is None or raw is None:
        return []
    before = decode(Annotated, head)
    return [
        Check(place.table, place.key, place.raw),
        Check("annotated", known, head),
        Put("annotated", known, encode(Annotated(before.count - 1, before.change + 1))),
        Delete(TABLE, known + name),
        without_text(decode(Annotation, raw)),
    ]


async def lacking(terms: Terms, bucket: BucketRow, items: Sequence[NoteItem]) -> list[NoteItem]:
    """Those whose texts to ask for; those that are there already become the pull's."""
    wanted: list[NoteItem] = []
    for item in items:
        place = await find(terms, bucket, item)
        if place is None:
            continue
        there = await present(terms.store, place.record, item.name)
        entry = await _entry(terms, bucket, item)
        if there is not None and told(there) == told(item.record):
            await _adopt(terms, bucket, item, place, entry)
        elif terms.replaceable(told(there) if there is not None else None, entry):
            wanted.append(item)
        else:
            note_kept(terms, bucket, item)
    return wanted


async def write(terms: Terms, bucket: BucketRow, item: NoteItem) -> None:
    """One annotation. Raises `Kept`, `Unfit`, `DigestMismatch`, `ObjectLocked`, and what the engine
    raises."""
    check_note(item)
    index = terms.store.index
    for _ in range(RETRIES):
        place = await find(terms, bucket, item)
        if place is None:
            return
        record = place.record
        known = record.notes or os.urandom(16)
        head = await index.get("annotated", known)
        raw = await index.get(TABLE, known + item.name)
        old = decode(Annotation, raw) if raw is not None else None
        before = decode(Annotated, head) if head is not None else Annotated(0, 0)
        entry = await _entry(terms, bucket, item)
        if old is not None and told(old) == told(item.record):
            await _adopt(terms, bucket, item, place, entry)
            return
        if not terms.replaceable(told(old) if old is not None else None, entry):
            raise Kept("the annotation at the target is another, or was deleted there")
        if old is not None:
            locks.check_removal(record, terms.store.now())
        elif before.count >= MOST:
            raise Unfit(str(TooManyAnnotations(MOST)))
        try:
            secret = wishes.key_for(terms.store, record.sealed)
        except SealingError as error:
            raise Unfit(str(error)) from None
        seal, text = (b"", item.text) if secret is None else frames.seal(secret, item.text)
        made = msgspec.structs.replace(item.record, note=timed_id(), seal=seal)
        after = Annotated(before.count + (old is None), before.change + 1)
        changes: list[Change] = [
            Check(place.table, place.key, place.raw),
            Check("annotated", known, head if head is not None else ABSENT),
            Put("annotated", known, encode(after)),
            Put(TABLE, known + item.name, encode(made)),
            Put("note", made.note, text),
            *terms.entered(TABLE, entry_key(bucket.record.id, item), entry, told(made)),
        ]
        if old is not None:
            changes.append(without_text(old))
        if not record.notes:
            annotated = encode(msgspec.structs.replace(record, notes=known))
            changes.append(Put(place.table, place.key, annotated))
            changes += await _object_entered(terms, bucket, item, place, annotated)
        try:
            await index.commit(*changes)
        except RowChanged:
            continue
        terms.totals.notes += 1
        return
    raise WriteConflict("too many writers are changing this object at once")


def note_kept(terms: Terms, bucket: BucketRow, item: NoteItem) -> None:
    terms.totals.kept += 1
    terms.tell(f"kept {shown_note(bucket.record, item)} as it is at the target")


async def _entry(terms: Terms, bucket: BucketRow, item: NoteItem) -> bytes | None:
    if terms.journal is None:
        return None
    return await terms.journal.get(TABLE, entry_key(bucket.record.id, item))


async def _adopt(
    terms: Terms, bucket: BucketRow, item: NoteItem, place: Place, entry: bytes | None
) -> None:
    """What is there and the same is passed over, and is the pull's from now on."""
    terms.totals.skipped += 1
    if terms.journal is not None and entry is None:
        there = (place.table, place.key, place.raw)
        row = told(item.record)
        await terms.journal.adopt_as((TABLE, entry_key(bucket.record.id, item)), there, row)


async def _object_entered(
    terms: Terms, bucket: BucketRow, item: NoteItem, place: Place, row: bytes
) -> list[Change]:
    """An object that is as the pull wrote it stays so with its first annotation."""
    if terms.journal is None:
        return []
    base = bucket.record.id
    for table, row_key in (
        ("version", place_of(base, item.key, item.seq)),
        ("object", base + item.key),
    ):
        entry = await terms.journal.get(table, row_key)
        if entry == digest(place.raw):
            return terms.journal.record(table, row_key, entry, row)
    return []
