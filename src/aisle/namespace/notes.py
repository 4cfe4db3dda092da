"""Annotations: named texts of up to 1 MiB beside an object, up to 1,000 of them.

They belong to one version, are no versions themselves, and go with it. `Object.notes` names them
once there is one. Their rows are checked by way of `annotated`, which every change of one rewrites:
so nobody adds one to an object that is being removed, and no two changes make it too many. The text
of each is a row of its own, that listings do not read; where the object is encrypted it is
encrypted with the same key.
"""

from __future__ import annotations

import hashlib
import os
from typing import Final, NamedTuple

import msgspec

from aisle.core import checksums
from aisle.core.errors import (
    AnnotationNotFound,
    InvalidRequest,
    NotSupported,
    PreconditionFailed,
    RowChanged,
    TooManyAnnotations,
    WriteConflict,
)
from aisle.namespace import documents, events, locks, objects
from aisle.namespace.conditions import etag_matches
from aisle.namespace.records import (
    Annotated,
    Annotation,
    Extent,
    Object,
    decode,
    encode,
    timed_id,
)
from aisle.namespace.sealing import frames, wishes
from aisle.namespace.sealing.frames import DataKey
from aisle.namespace.store import RETRIES, BucketRow, Store
from aisle.namespace.versions.ids import shown
from aisle.store.base import ABSENT, Change, Check, Delete, Put

MOST: Final = 1000
MAX_NAME: Final = 512
MAX_SIZE: Final = 1 << 20
_TOGETHER: Final = 4 << 20  # bytes of texts in one commit


class Page(NamedTuple):
    """Annotations in order of their names; `truncated` if there are more."""

    record: Object
    found: list[tuple[bytes, Annotation]]
    truncated: bool


async def put(
    store: Store,
    bucket: BucketRow,
    key: bytes,
    name: bytes,
    data: bytes,
    *,
    version: str = "",
    if_match: str = "",
    algorithm: str = "",
) -> tuple[Object, Annotation]:
    """Set an annotation. Raises what `objects.place_of` does, `PreconditionFailed` where the object
    has another ETag, `TooManyAnnotations`, `ObjectLocked` where one would be replaced."""
    _refuse_window(bucket)
    for _ in range(RETRIES):
        place = await objects.place_of(store, bucket, key, version)
        record = place.record
        _check_match(record, if_match)
        if record.sealed is not None and record.sealed.mode == wishes.CUSTOMER:
            raise InvalidRequest(
                "Objects that are encrypted with a key of the client's cannot have annotations."
            )
        notes = record.notes or os.urandom(16)
        head = await store.index.get("annotated", notes)
        raw, old = await store.index.get("annotation", notes + name), None
        before = decode(Annotated, head) if head is not None else Annotated(0, 0)
        if raw is not None:
            locks.check_removal(record, store.now())
            old = decode(Annotation, raw)
        elif before.count >= MOST:
            raise TooManyAnnotations(MOST)
        made, text = _sealed(store, record, data, algorithm)
        after = Annotated(before.count + (raw is None), before.change + 1)
        changes: list[Change] = [
            Check(place.table, place.key, place.raw),
            Check("annotated", notes, head if head is not None else ABSENT),
            Put("annotated", notes, encode(after)),
            Put("annotation", notes + name, encode(made)),
            Put("note", made.note, text),
        ]
        if old is not None:
            changes.append(Delete("note", old.note))
        if not record.notes:
            record = msgspec.structs.replace(record, notes=notes)
            changes.append(Put(place.table, place.key, encode(record)))
        if bucket.record.has & documents.TOLD:
            changes += await events.of(store, bucket, key, record, events.ANNOTATED)
        try:
            await store.index.commit(*changes)
        except RowChanged:
            continue
        return record, made
    raise WriteConflict("too many writers are changing this object at once")


def _sealed(store: Store, record: Object, data: bytes, algorithm: str) -> tuple[Annotation, bytes]:
    """The row of an annotation, and its text as it is to be kept."""
    etag = hashlib.md5(data, usedforsecurity=False).hexdigest()
    row = checksums.ALGORITHMS[algorithm or "CRC64NVME"]
    values = {row.name: checksums.to_base64(row.compute(data))}
    secret = wishes.key_for(store, record.sealed)
    seal, text = (b"", data) if secret is None else frames.seal(secret, data)
    return Annotation(len(data), store.now(), etag, values, timed_id(), seal), text


def opened(found: Annotation, text: bytes, secret: DataKey | None) -> bytes:
    """The text of an annotation from what its `note` row has."""
    if not found.seal:
        return text
    return frames.open_whole(secret, Extent(found.note, 0, found.size, seal=found.seal), text)


async def get(
    store: Store, bucket: BucketRow, key: bytes, name: bytes, *, version: str = ""
) -> tuple[Object, Annotation, bytes]:
    """An annotation and its text. Raises `AnnotationNotFound` and what `objects.place_of` does."""
    _refuse_window(bucket)
    for _ in range(RETRIES):
        place = await objects.place_of(store, bucket, key, version)
        record = place.record
        raw = await store.index.get("annotation", record.notes + name) if record.notes else None
        if raw is None:
            if record.notes and await store.index.get(place.table, place.key) != place.raw:
                continue  # written anew since, with the same annotations perhaps
            raise AnnotationNotFound(name.decode())
        found = decode(Annotation, raw)
        text = await store.index.get("note", found.note)
        if text is None:
            continue  # replaced between the two reads
        return record, found, opened(found, text, wishes.key_for(store, record.sealed))
    raise WriteConflict("the annotation is being replaced faster than it can be read")


async def listed(
    store: Store,
    bucket: BucketRow,
    key: bytes,
    *,
    prefix: bytes = b"",
    after: bytes = b"",
    limit: int = MOST,
    version: str = "",
) -> Page:
    """The annotations whose names begin with `prefix`, behind the name `after`."""
    _refuse_window(bucket)
    record = (await objects.place_of(store, bucket, key, version)).record
    if not record.notes:
        return Page(record, [], False)
    base = record.notes
    rows = await store.index.scan(
        "annotation", prefix=base + prefix, after=base + after if after else b"", limit=limit + 1
    )
    found = [(place[len(base) :], decode(Annotation, raw)) for place, raw in rows[:limit]]
    return Page(record, found, len(rows) > limit)


async def delete(
    store: Store,
    bucket: BucketRow,
    key: bytes,
    name: bytes,
    *,
    version: str = "",
    if_match: str = "",
    bypass: bool = False,
) -> Object:
    """Remove an annotation, if there is one. Raises what `put` does."""
    _refuse_window(bucket)
    for _ in range(RETRIES):
        place = await objects.place_of(store, bucket, key, version)
        record = place.record
        _check_match(record, if_match)
        if not record.notes:
            return record
        head = await store.index.get("annotated", record.notes)
        raw = await store.index.get("annotation", record.notes + name)
        if raw is None or head is None:
            return record
        locks.check_removal(record, store.now(), bypass=bypass)
        before = decode(Annotated, head)
        after = Annotated(before.count - 1, before.change + 1)
        changes: list[Change] = [
            Check(place.table, place.key, place.raw),
            Check("annotated", record.notes, head),
            Put("annotated", record.notes, encode(after)),
            Delete("annotation", record.notes + name),
            Delete("note", decode(Annotation, raw).note),
        ]
        if bucket.record.has & documents.TOLD:
            changes += await events.of(store, bucket, key, record, events.UNANNOTATED)
        try:
            await store.index.commit(*changes)
        except RowChanged:
            continue
        return record
    raise WriteConflict("too many writers are changing this object at once")


def without_text(row: Annotation) -> Change:
    """The change that removes the text of an annotation that is replaced or removed."""
    return Delete("note", row.note)


class Taken(NamedTuple):
    """Annotations of a version for the one that is written from it: what to have as its `notes`,
    what to commit with it, and the texts that are there already."""

    notes: bytes
    changes: list[Change]
    staged: list[bytes]

    async def discard(self, store: Store) -> None:
        """Give up what a version that was certainly not written would have had."""
        if self.staged:
            await store.index.commit(*(Delete("note", note) for note in self.staged))


NONE_TAKEN: Final = Taken(b"", [], [])


async def taken(store: Store, old: Object, secret: DataKey | None) -> Taken:
    """The annotations of `old` once more, encrypted with the key of the version that gets them; the
    changes check that `old` has no others by then. Texts are many bytes: all but the last few MiB
    are written ahead, and a crash leaves those where nobody sees them."""
    head = await store.index.get("annotated", old.notes) if old.notes else None
    if head is None:
        return NONE_TAKEN
    notes, before = os.urandom(16), wishes.key_for(store, old.sealed)
    changes: list[Change] = [Check("annotated", old.notes, head), Put("annotated", notes, head)]
    texts: list[Change] = []
    staged: list[bytes] = []
    size = 0
    for place, raw in await store.index.scan("annotation", prefix=old.notes, limit=2 * MOST):
        row = decode(Annotation, raw)
        text = await store.index.get("note", row.note)
        if text is None:
            continue  # replaced meanwhile, so that the check fails
        data, seal = opened(row, text, before), b""
        if secret is not None:
            seal, data = frames.seal(secret, data)
        row = msgspec.structs.replace(row, note=timed_id(), seal=seal)
        changes.append(Put("annotation", notes + place[len(old.notes) :], encode(row)))
        texts.append(Put("note", row.note, data))
        size += len(data)
        if size > _TOGETHER:
            await store.index.commit(*texts)
            staged += [one.key for one in texts if isinstance(one, Put)]
            texts, size = [], 0
    return Taken(notes, changes + texts, staged)


Annotatable = tuple[BucketRow, bytes, Object]  # a version: its bucket, its key, its record


async def copy_all(store: Store, source: Annotatable, target: Annotatable) -> None:
    """Give a copy the annotations of its source, one by one. Raises what `put` does, and
    `WriteConflict` where another source is there by now."""
    bucket, key, record = source
    to, copy_key, copied = target
    page = await listed(store, bucket, key, version=_named(bucket, record))
    if page.record.notes != record.notes:
        raise WriteConflict("the object has been replaced since it was copied")
    for name, row in page.found:
        _, _, data = await get(store, bucket, key, name, version=_named(bucket, record))
        algorithm = next(iter(row.checksums), "")
        version = _named(to, copied)
        await put(store, to, copy_key, name, data, version=version, algorithm=algorithm)


def _named(bucket: BucketRow, record: Object) -> str:
    """The version to ask for, where the bucket has any."""
    return shown(record.version) if bucket.record.versions else ""


def _check_match(record: Object, if_match: str) -> None:
    if if_match and not etag_matches(if_match, record.etag):
        raise PreconditionFailed("x-amz-object-if-match")


def _refuse_window(bucket: BucketRow) -> None:
    if bucket.record.behind is not None:
        raise NotSupported(f"objects of {bucket.record.behind} have no annotations here")
