"""From frames to items: a row with the body that follows it, and where the stream stands then.

The grammar of `frames` is held here for everyone who reads a stream: the import, the verification,
and the export that takes up a torn file. Nothing here touches a store.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Final, NamedTuple

import msgspec

from aisle.core.errors import AisleError, ConfigError
from aisle.namespace.records import (
    Annotation,
    Bucket,
    Config,
    Layout,
    Object,
    Part,
    PartInfo,
    Record,
    Upload,
    bucket_key,
    decode,
    upload_key,
)
from aisle.namespace.transfer.frames import (
    FORMAT,
    Counts,
    Documents,
    End,
    Frame,
    FrameReader,
    Kind,
    Note,
    ObjectHead,
    PartHead,
    Person,
    Start,
    StreamDamaged,
    UploadHead,
    Void,
    unpack,
)
from aisle.namespace.transfer.people import PeopleItem, item_of
from aisle.namespace.versions.ids import shown as shown_version


class Voided(AisleError):
    """What was being read has been taken back; the reason is empty if it was replaced."""


class Cursor(Record, frozen=True, array_like=True):
    """A place between two items: after an object, or after an upload or one of its parts.

    `bucket` is the row key of the bucket, `upload` the row key of the upload without the bucket's
    id, which another bucket of that name would not have.
    """

    bucket: bytes
    key: bytes = b""
    upload: bytes = b""
    part: int = 0
    seq: int = 0  # of the version, where the bucket has them
    note: bytes = b""  # the last annotation of the object, if any has been given


class ConfigItem(NamedTuple):
    config: Config


class BucketItem(NamedTuple):
    """A bucket, and once more with its documents by kind, which may be none."""

    bucket: Bucket
    documents: Mapping[bytes, bytes] | None = None


class ObjectItem(NamedTuple):
    """`parts` are those of the record or of its layout. A `version` is one of a bucket that has
    versions, and may be a former one or a delete marker."""

    key: bytes
    record: Object
    parts: list[PartInfo]
    body: ItemBody
    version: bool = False


class UploadItem(NamedTuple):
    key: bytes
    record: Upload


class PartItem(NamedTuple):
    upload: UploadItem
    record: Part
    body: ItemBody


class NoteItem(NamedTuple):
    """An annotation of the object that has this ETag and time at this place of its key; `text` is
    empty in a stream without bodies."""

    key: bytes
    seq: int
    etag: str
    mtime: int
    name: bytes
    record: Annotation
    text: bytes


Item = ConfigItem | PeopleItem | BucketItem | ObjectItem | UploadItem | PartItem | NoteItem


class ItemBody:
    """The bytes after a row, to be read before the next item is asked for."""

    def __init__(self, frames: FrameReader, size: int) -> None:
        self._frames = frames
        self._left = b""
        self._reason: str | None = None
        self.missing = size  # bytes that have not come

    async def read(self, size: int) -> bytes:
        """1 to `size` bytes, `b""` at the end. Raises `Voided`, and what frames raise."""
        if self._reason is not None:
            raise Voided(self._reason)
        if not self._left and self.missing:
            frame = await self._frames.next()
            if frame.kind is Kind.VOID:
                self._reason = unpack(Void, frame.payload).reason
                self.missing = 0
                raise Voided(self._reason)
            if frame.kind is not Kind.DATA or not 0 < len(frame.payload) <= self.missing:
                raise StreamDamaged("a body is not followed by as many bytes as its row says")
            self.missing -= len(frame.payload)
            self._left = frame.payload
        piece, self._left = self._left[:size], self._left[size:]
        return piece

    async def collect(self) -> ItemBody:
        """All of a small body as one that no longer depends on the stream. Raises as `read`."""
        pieces: list[bytes] = []
        while piece := await self.read(1 << 30):
            pieces.append(piece)
        kept = ItemBody(self._frames, 0)
        kept._left = b"".join(pieces)
        return kept

    @property
    def comes_again(self) -> bool:
        """Whether it was taken back because it was replaced while it was read."""
        return self._reason == ""

    async def drain(self) -> None:
        """Read what is left and drop it. Raises `Voided`."""
        while await self.read(1 << 30):
            pass


_PEOPLE: Final = frozenset({Kind.ROLE, Kind.CLUSTER, Kind.PERSON})


class ItemReader:
    """Reads a whole stream. `start` is known after `begin`, `end` once `items` has ended.

    `position` and `check` are the stream's after the last whole item, `counts` and `cursor` what
    it held up to there: all that is needed to go on from that place, once a bucket has `begun`.
    """

    start: Start
    end: End

    def __init__(self, frames: FrameReader) -> None:
        self._frames = frames
        self.counts = Counts()
        self.cursor: Cursor | None = None
        self.begun = False
        self.position = 0
        self.check = 0

    async def begin(self) -> Start:
        """Read the start. Raises `StreamDamaged`, `StreamCut`, and `ConfigError` if a later
        release has written this."""
        await self._frames.magic()
        frame = await self._frames.next()
        if frame.kind is not Kind.START:
            raise StreamDamaged("the first frame is not the start of an export")
        self.start = unpack(Start, frame.payload)
        if self.start.format > FORMAT:
            raise ConfigError(
                f"the export has format {self.start.format}, written by Aisle {self.start.release};"
                f" this release reads up to {FORMAT}"
            )
        return self.start

    async def items(self) -> AsyncGenerator[Item, None]:
        """Every item in order; a body that was not read is passed over.

        Raises `StreamDamaged` and `StreamCut`; an item given before is right as far as it goes.
        """
        bucket: Bucket | None = None
        upload: UploadItem | None = None
        while True:
            self.position, self.check = self._frames.position, self._frames.check
            frame = await self._frames.next()
            if frame.kind is Kind.END:
                self._finish(unpack(End, frame.payload))
                return
            if frame.kind is Kind.CONFIG:
                yield ConfigItem(decode(Config, frame.payload))
                continue
            if frame.kind in _PEOPLE:
                person = unpack(Person, frame.payload) if frame.kind is Kind.PERSON else None
                self.counts.users += person is not None and bool(person.user)
                yield item_of(frame.kind, person, frame.payload)
                continue
            if frame.kind is Kind.BUCKET:
                self.begun = True
                found = decode(Bucket, frame.payload)
                key = _row_key(found)
                if bucket is None or _row_key(bucket) != key:
                    self.counts.buckets += 1
                    upload = None
                    if self.cursor is None or self.cursor.bucket != key:
                        self.cursor = Cursor(key)
                bucket = found
                yield BucketItem(bucket)
            elif bucket is None:
                raise _misplaced(frame)
            elif frame.kind is Kind.DOCUMENTS:
                yield BucketItem(bucket, unpack(Documents, frame.payload).by_kind)
            elif frame.kind is Kind.UPLOAD:
                head = unpack(UploadHead, frame.payload)
                item = UploadItem(head.key, decode(Upload, head.row))
                row_key = upload_key(b"", item.key, item.record.id)
                if upload is None or upload.record.id != item.record.id:
                    self.counts.uploads += 1
                    self.cursor = Cursor(_row_key(bucket), b"", row_key)
                upload = item
                yield item
            elif frame.kind in (Kind.OBJECT, Kind.VERSION):
                head_of = unpack(ObjectHead, frame.payload)
                async for given in self._object(bucket, head_of, frame.kind is Kind.VERSION):
                    yield given
            elif frame.kind is Kind.NOTE:
                note = unpack(Note, frame.payload)
                row = decode(Annotation, note.row)
                yield NoteItem(note.key, note.seq, note.etag, note.mtime, note.name, row, note.text)
                self.counts.notes += 1
                if self.cursor is not None and self.cursor.key == note.key:
                    self.cursor = msgspec.structs.replace(self.cursor, note=note.name)
            elif frame.kind is Kind.PART and upload is not None:
                async for given in self._part(bucket, upload, unpack(PartHead, frame.payload)):
                    yield given
            else:
                raise _misplaced(frame)

    async def _object(self, bucket: Bucket, head: ObjectHead, version: bool) -> AsyncIterator[Item]:
        # Annotations come behind it, and those here of that name are another object's.
        record = msgspec.structs.replace(decode(Object, head.row), notes=b"")
        parts = decode(Layout, head.layout).parts if head.layout else record.parts
        body = self._body(record.size, head.offset)
        yield ObjectItem(head.key, record, parts, body, version)
        if await self._passed(body):
            self.counts.objects += 1
            self.counts.versions += version
            self.counts.bytes += record.size - head.offset
            self.cursor = Cursor(_row_key(bucket), head.key, seq=record.seq if version else 0)

    async def _part(
        self, bucket: Bucket, upload: UploadItem, head: PartHead
    ) -> AsyncIterator[Item]:
        record = decode(Part, head.row)
        body = self._body(record.size, head.offset)
        yield PartItem(upload, record, body)
        if await self._passed(body):
            self.counts.parts += 1
            self.counts.bytes += record.size - head.offset
            row_key = upload_key(b"", upload.key, upload.record.id)
            self.cursor = Cursor(_row_key(bucket), b"", row_key, record.number)

    def _body(self, size: int, offset: int) -> ItemBody:
        if not 0 <= offset <= size:
            raise StreamDamaged("a body begins behind its end")
        return ItemBody(self._frames, size - offset if self.start.bodies else 0)

    async def _passed(self, body: ItemBody) -> bool:
        """Go on after a body; false if it was void."""
        try:
            await body.drain()
        except Voided:
            return False
        return True

    def _finish(self, end: End) -> None:
        if end.counts != self.counts:
            raise StreamDamaged("the export does not hold what its end frame says")
        self.end = end


def shown(bucket: Bucket, key: bytes = b"") -> str:
    """A bucket or object as messages name it: nothing in a key can break out of its line."""
    name = key.decode("utf-8", "backslashreplace")
    printable = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)
    return f"{bucket.provider}://{bucket.name}" + (f"/{printable}" if key else "")


def shown_item(bucket: Bucket, item: ObjectItem | PartItem) -> str:
    """An object, or a part of an upload, as messages name it."""
    if isinstance(item, ObjectItem):
        name = shown(bucket, item.key)
        return f"{name}, version {shown_version(item.record.version)}" if item.version else name
    return f"{shown(bucket, item.upload.key)}, part {item.record.number} of an upload"


def shown_note(bucket: Bucket, item: NoteItem) -> str:
    """An annotation as messages name it."""
    return f"{shown(bucket, item.key)}, annotation {item.name.decode()!a}"


def _row_key(bucket: Bucket) -> bytes:
    return bucket_key(bucket.name, bucket.provider, bucket.namespace)


def _misplaced(frame: Frame) -> StreamDamaged:
    return StreamDamaged(f"a {frame.kind.name} frame stands where it cannot")
