"""Reading a store as a stream of frames, while others may be writing to it.

Every object is as it was at one moment; the stream as a whole is not one moment. An object that is
replaced while its bytes are read is read on as it was: `Store.reading` keeps them. If they go all
the same (they were one row), what has been given of it is declared void and it is read again. One
whose bytes are missing is declared void with the reason, and named in `unreadable`.

Pieces, and with them the frames of an unchanging store, are always the same, so that an export
which is taken up after a break ends up as one that was not broken off.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final, NamedTuple

import msgspec

from aisle import __version__
from aisle.core.errors import (
    AisleError,
    BlobMissing,
    BucketNotFound,
    DeleteMarkerNamed,
    ObjectNotFound,
    SealingError,
    VersionNotFound,
)
from aisle.namespace import bodies, documents, notes, objects
from aisle.namespace.records import (
    Bucket,
    Extent,
    Layout,
    Object,
    Part,
    Upload,
    decode,
    encode,
    part_key,
    unescape_key,
)
from aisle.namespace.sealing import wishes
from aisle.namespace.store import CONFIG_KEY, RETRIES, BucketRow, Store
from aisle.namespace.transfer import notes as carried
from aisle.namespace.transfer import people
from aisle.namespace.transfer.frames import (
    FORMAT,
    MAGIC,
    PIECE,
    Counts,
    Documents,
    End,
    FrameWriter,
    Kind,
    ObjectHead,
    PartHead,
    Person,
    Start,
    UploadHead,
    Void,
    pack,
    unpack,
)
from aisle.namespace.transfer.items import Cursor, shown
from aisle.namespace.versions import arrival, listing
from aisle.namespace.versions.ids import row_key as place_of
from aisle.namespace.versions.ids import shown as shown_version
from aisle.namespace.windows import READ
from aisle.store.base import Row

# Rows read together, with their bodies where these are rows too: up to 4 MiB.
_STEP: Final = 64
_HEADS: Final = 500


class Limit(NamedTuple):
    """Where a stream that is one page of many ends: after so many items, or bytes of frames."""

    items: int
    size: int


class Taking(NamedTuple):
    """An export that is taken up at a bucket: the stream's check, and what it held."""

    check: int
    counts: Counts


class Asked(NamedTuple):
    """Objects and parts of one bucket; an upload is named by its row key without the bucket's
    id, of its parts by number; a version by its key and its `seq`. If it is one thing alone, its
    body may begin at `offset`."""

    objects: Sequence[bytes]
    uploads: Sequence[tuple[bytes, Sequence[int]]]
    offset: int = 0
    versions: Sequence[tuple[bytes, int]] = ()
    notes: Sequence[tuple[bytes, int, bytes]] = ()  # annotations: key, `seq`, name


class Export:
    """One stream. `bodies` says whether rows are followed by their bytes."""

    def __init__(
        self,
        store: Store,
        store_id: str,
        *,
        bodies: bool = True,
        limit: Limit | None = None,
        taking: Taking | None = None,
    ) -> None:
        self._store = store
        self._id = store_id
        self._bodies = bodies
        self._limit = limit
        self._taking = taking
        self._frames = FrameWriter(taking.check if taking else 0)
        self._items = self._size = 0
        self._annotated = True  # whether objects are followed by their annotations
        self._at = Cursor(b"")
        self.counts = taking.counts if taking else Counts()
        self.unreadable: list[str] = []

    async def everything(self, after: Cursor | None = None) -> AsyncIterator[bytes]:
        """All that is behind `after`, up to the limit."""
        if self._taking is None:
            yield self._start()
        if after is None and self._taking is None:
            row = await self._store.index.get("config", CONFIG_KEY)
            if row is not None:
                yield self._frame(Kind.CONFIG, row)
            async for kind, payload in people.everyone(self._store):
                yield self._frame(kind, payload)
                self.counts.users += kind is Kind.PERSON and bool(unpack(Person, payload).user)
        self._at = after or Cursor(b"")
        async for row_key, raw in self._buckets(self._at.bucket):
            async for frame in self._bucket(row_key, raw):
                yield frame
            if self._full:
                yield self._frame(Kind.END, pack(End(self.counts, encode(self._at))))
                return
        yield self._frame(Kind.END, pack(End(self.counts)))

    async def asked(self, bucket: BucketRow | None, asked: Asked) -> AsyncIterator[bytes]:
        """What is still there of what was asked for; nothing if the bucket is gone."""
        self._annotated = False
        yield self._start()
        if bucket is not None:
            async for frame in self._asked(bucket, asked):
                yield frame
        yield self._frame(Kind.END, pack(End(self.counts)))

    async def _asked(self, bucket: BucketRow, asked: Asked) -> AsyncIterator[bytes]:
        yield self._frame(Kind.BUCKET, bucket.raw)
        self.counts.buckets += 1
        if bucket.record.behind is not None:
            asked = asked._replace(objects=(), versions=(), notes=())
        if asked.offset and asked.objects:
            async for frame in self._large(bucket, asked.objects[0], asked.offset):
                yield frame
            return
        for key, seq in asked.versions:
            there = (await arrival.look(self._store, bucket.record.id, key, seq, null=False)).there
            if there is None:
                continue
            version = shown_version(there.record.version)
            if asked.offset:
                async for frame in self._large(bucket, key, asked.offset, version=version):
                    yield frame
                return
            async for frame in self._given(bucket, [(key, there.raw)], versions=True):
                yield frame
        keys = [bucket.record.id + key for key in asked.objects]
        for start in range(0, len(keys), _STEP):
            step = keys[start : start + _STEP]
            found = await self._store.index.get_many("object", step)
            rows = [(key[len(bucket.record.id) :], raw)
                    for key, raw in zip(step, found, strict=True) if raw is not None]  # fmt: skip
            async for frame in self._given(bucket, rows):
                yield frame
        for key, seq, name in asked.notes:
            found_at = await carried.object_at(self._store, bucket, key, seq)
            if found_at is not None:
                async for frame in self._note(bucket, key, found_at, name):
                    yield frame
        for row_key, numbers in asked.uploads:
            row = await self._store.index.get("upload", bucket.record.id + row_key)
            if row is None:
                continue
            yield self._upload_head(row_key, row)
            keys = [part_key(row_key[-16:], number) for number in numbers]
            for key, part in zip(keys, await self._store.index.get_many("part", keys), strict=True):
                if part is not None:
                    async for frame in self._part(
                        bucket.record, row_key, row, key, part, asked.offset
                    ):
                        yield frame

    # --- walking --------------------------------------------------------------------------------

    @property
    def _full(self) -> bool:
        limit = self._limit
        if limit is None or not self._items:
            return False
        return self._items >= limit.items or self._size >= limit.size

    async def _buckets(self, first: bytes) -> AsyncIterator[Row]:
        """Bucket rows from `first` on, that one included."""
        if first:
            row = await self._store.index.get("bucket", first)
            if row is not None:
                yield first, row
        after = first
        while rows := await self._store.index.scan("bucket", after=after, limit=_STEP):
            for row_key, raw in rows:
                yield row_key, raw
            after = rows[-1][0]

    async def _bucket(self, row_key: bytes, raw: bytes) -> AsyncIterator[bytes]:
        """A bucket from the cursor on, as far as the limit goes."""
        again = self._at.bucket == row_key
        if not again:
            self._at = Cursor(row_key)
        yield self._frame(Kind.BUCKET, raw)
        self.counts.buckets += not (again and self._taking)
        bucket = BucketRow(row_key, raw, decode(Bucket, raw))
        base = bucket.record.id
        kept = (await documents.of(self._store, bucket)).raw
        yield self._frame(Kind.DOCUMENTS, pack(Documents(dict(kept))))
        if self._at.upload:
            row = await self._store.index.get("upload", base + self._at.upload)
            if row is not None:
                async for frame in self._upload(bucket.record, self._at.upload, row, again=True):
                    yield frame
        else:
            if self._at.key:  # the rest of what its last object has
                found = await carried.object_at(self._store, bucket, self._at.key, self._at.seq)
                if found is not None:
                    async for frame in self._notes(bucket, self._at.key, found, self._at.note):
                        yield frame
            # What a window has is in its remote bucket: copies stay here.
            while not self._full and bucket.record.behind is None:
                rows = await self._step(bucket)
                if not rows:
                    break
                async for frame in self._given(bucket, rows, versions=bool(bucket.record.versions)):
                    yield frame
        while not self._full:
            after = base + self._at.upload if self._at.upload else b""
            rows = await self._store.index.scan("upload", prefix=base, after=after, limit=1)
            if not rows:
                return
            name = rows[0][0][len(base) :]
            self._at = Cursor(row_key, b"", name)
            async for frame in self._upload(bucket.record, name, rows[0][1]):
                yield frame

    async def _step(self, bucket: BucketRow) -> list[Row]:
        """The next rows behind the cursor, by key."""
        base, limit = bucket.record.id, _STEP if self._bodies else _HEADS
        at = self._at
        if not bucket.record.versions:
            after = base + at.key if at.key else b""
            rows = await self._store.index.scan("object", prefix=base, after=after, limit=limit)
            return [(key[len(base) :], raw) for key, raw in rows]
        behind = place_of(base, at.key, at.seq) if at.seq else b""
        if at.key and not at.seq:
            behind = listing.behind(base, at.key)
        found = await listing.rows_after(self._store, bucket, behind, limit)
        return [(listing.key_of(place), raw) for place, raw in found]

    async def _given(
        self, bucket: BucketRow, rows: Sequence[Row], *, versions: bool = False
    ) -> AsyncIterator[bytes]:
        """Objects, or with `versions` versions, with their bodies."""
        kind = Kind.VERSION if versions else Kind.OBJECT
        records = [decode(Object, raw) for _, raw in rows]
        small = await self._small(records) if self._bodies else {}
        for (key, raw), record in zip(rows, records, strict=True):
            data = small.get(record.extents[0].blob) if record.extents else None
            if not self._bodies or not record.size:
                data = b""
            elif data is None or len(data) != record.size or record.sealed is not None:
                version = shown_version(record.version) if versions else ""
                self._at = self._behind(key, record, versions)
                async for frame in self._large(bucket, key, version=version):
                    yield frame
                continue
            yield self._frame(kind, pack(ObjectHead(key, raw)))
            if data:
                yield self._frame(Kind.DATA, data)
            self._count_object(key, record, record.size, versions)
            async for frame in self._notes(bucket, key, record):
                yield frame
            if self._full:
                return

    async def _notes(
        self, bucket: BucketRow, key: bytes, record: Object, after: bytes = b""
    ) -> AsyncIterator[bytes]:
        """The annotations of an object whose names are behind `after`."""
        base = record.notes
        if not base or not self._annotated:
            return
        rows = await self._store.index.scan(
            "annotation", prefix=base, after=base + after if after else b"", limit=2 * notes.MOST
        )
        for place, _ in rows:
            async for frame in self._note(bucket, key, record, place[len(base) :]):
                yield frame

    async def _note(
        self, bucket: BucketRow, key: bytes, record: Object, name: bytes
    ) -> AsyncIterator[bytes]:
        """One annotation, as it is by now."""
        try:
            note = await carried.read(self._store, key, record, name, text=self._bodies)
        except (BlobMissing, SealingError) as error:
            where = f"annotation {name.decode()!a}"
            self.unreadable.append(f"{shown(bucket.record, key)}, {where}: {error}")
            return
        if note is None:
            return
        yield self._frame(Kind.NOTE, pack(note))
        self.counts.notes += 1
        if self._annotated:
            self._at = msgspec.structs.replace(self._at, note=name)

    def _behind(self, key: bytes, record: Object, versions: bool) -> Cursor:
        return Cursor(self._at.bucket, key, seq=record.seq if versions else 0)

    def _count_object(self, key: bytes, record: Object, size: int, versions: bool) -> None:
        self.counts.objects += 1
        self.counts.versions += versions
        self.counts.bytes += size
        self._items += 1
        self._at = self._behind(key, record, versions)

    async def _small(self, records: Sequence[Object]) -> dict[bytes, bytes]:
        """The bodies that are one row, by the row's id."""
        ids = [
            record.extents[0].blob
            for record in records
            if len(record.extents) == 1 and record.extents[0].inline
        ]
        found = await self._store.index.get_many("body", ids) if ids else []
        return {key: data for key, data in zip(ids, found, strict=True) if data is not None}

    async def _large(
        self, bucket: BucketRow, key: bytes, offset: int = 0, *, version: str = ""
    ) -> AsyncIterator[bytes]:
        """One object or version, read again if it is replaced and its bytes go."""
        kind, how = Kind.VERSION if version else Kind.OBJECT, READ._replace(version=version)
        if not version:
            self._at = Cursor(self._at.bucket, key)
        previous: Object | None = None
        with self._store.reading():
            for _ in range(RETRIES):
                try:
                    found = await objects.find(self._store, bucket, key, how)
                except (ObjectNotFound, BucketNotFound, VersionNotFound, DeleteMarkerNamed):
                    return
                except (BlobMissing, SealingError) as error:
                    self._note_unreadable(bucket.record, key, error)
                    return
                record = found.record
                layout = encode(Layout(list(found.extents), list(found.parts)))
                start = offset if offset < record.size else 0
                head = ObjectHead(key, encode(record), layout if record.layout else b"", start)
                yield self._frame(kind, pack(head))
                try:
                    async for frame in self._body(found.extents, start, record.size):
                        yield frame
                except BlobMissing as error:
                    lost = str(error) if record == previous else ""
                    yield self._frame(Kind.VOID, pack(Void(lost)))
                    if lost:
                        self._note_unreadable(bucket.record, key, error)
                        return
                    previous = record
                    continue
                self._count_object(key, record, record.size - start, bool(version))
                async for frame in self._notes(bucket, key, record):
                    yield frame
                return

    def _upload_head(self, name: bytes, raw: bytes, *, again: bool = False) -> bytes:
        self.counts.uploads += not (again and self._taking)
        self._items += not again  # what is only told again gets a page no further
        return self._frame(Kind.UPLOAD, pack(UploadHead(unescape_key(name[:-16]), raw)))

    async def _upload(
        self, bucket: Bucket, name: bytes, raw: bytes, *, again: bool = False
    ) -> AsyncIterator[bytes]:
        """An upload and its parts behind the cursor; `name` is its row key without the bucket."""
        yield self._upload_head(name, raw, again=again)
        upload = name[-16:]
        while not self._full:
            after = part_key(upload, self._at.part)
            rows = await self._store.index.scan("part", prefix=upload, after=after, limit=_STEP)
            if not rows:
                return
            for key, part in rows:
                async for frame in self._part(bucket, name, raw, key, part):
                    yield frame
                self._at = Cursor(self._at.bucket, b"", name, int.from_bytes(key[16:], "big"))
                if self._full:
                    return

    async def _part(
        self,
        bucket: Bucket,
        upload: bytes,
        whole: bytes,
        row_key: bytes,
        raw: bytes | None,
        offset: int = 0,
    ) -> AsyncIterator[bytes]:
        """One part of the upload whose row is `whole`, read again if another takes its place and
        its bytes go."""
        sealed = decode(Upload, whole).sealed if self._bodies else None
        previous: Part | None = None
        with self._store.reading():
            while raw is not None:
                record = decode(Part, raw)
                start = offset if offset < record.size else 0
                try:
                    extents = wishes.opened(self._store, sealed, record.extents)
                except SealingError as error:
                    name = unescape_key(upload[:-16])
                    self._note_unreadable(bucket, name, error, part=record.number)
                    return
                yield self._frame(Kind.PART, pack(PartHead(raw, start)))
                try:
                    if self._bodies:
                        async for frame in self._body(extents, start, record.size):
                            yield frame
                except BlobMissing as error:
                    lost = str(error) if record == previous else ""
                    yield self._frame(Kind.VOID, pack(Void(lost)))
                    if lost:
                        name = unescape_key(upload[:-16])
                        self._note_unreadable(bucket, name, error, part=record.number)
                        return
                    previous = record
                    raw = await self._store.index.get("part", row_key)
                    continue
                self.counts.parts += 1
                self.counts.bytes += record.size - start
                self._items += 1
                return

    async def _body(self, extents: Sequence[Extent], start: int, size: int) -> AsyncIterator[bytes]:
        """DATA frames of exactly `PIECE` bytes but for the last. Raises `BlobMissing`."""
        pieces, held = list[bytes](), 0
        async for piece in bodies.read_extents(self._store, extents, start, size - start):
            pieces.append(piece)
            held += len(piece)
            while held >= PIECE:
                data = b"".join(pieces)
                yield self._frame(Kind.DATA, data[:PIECE])
                pieces, held = [data[PIECE:]], held - PIECE
        if held:
            yield self._frame(Kind.DATA, b"".join(pieces))

    # --- frames ---------------------------------------------------------------------------------

    def _start(self) -> bytes:
        start = Start(FORMAT, self._id, __version__, self._bodies)
        return MAGIC + self._frame(Kind.START, pack(start))

    def _frame(self, kind: Kind, payload: bytes) -> bytes:
        frame = self._frames.frame(kind, payload)
        self._size += len(frame)
        return frame

    def _note_unreadable(
        self, bucket: Bucket, key: bytes, error: AisleError, *, part: int = 0
    ) -> None:
        where = f", part {part} of an upload" if part else ""
        self.unreadable.append(f"{shown(bucket, key)}{where}: {error}")


async def gathered(frames: AsyncIterator[bytes], size: int = 256 << 10) -> AsyncIterator[bytes]:
    """The same bytes in fewer pieces: small frames are joined up to about `size`."""
    pieces, held = list[bytes](), 0
    async for frame in frames:
        pieces.append(frame)
        held += len(frame)
        if held >= size:
            yield b"".join(pieces)
            pieces, held = [], 0
    if pieces:
        yield b"".join(pieces)
