"""The format of an export: a stream of frames, each checked together with all before it.

    stream   "AISLE-EXPORT\\n" frame ...
    frame    kind (1) length (4) check (8) payload; numbers big endian
    order    START [CONFIG] people... bucket... END
    people   ROLE, CLUSTER or PERSON
    bucket   BUCKET [DOCUMENTS] (OBJECT DATA... [VOID] NOTE...)...
             (UPLOAD (PART DATA... [VOID])...)...

Of a bucket that is or was versioned there are VERSION frames instead of OBJECT frames, by key and
of a key the newest first: its current version, its former ones, its delete markers.

`check` is the CRC-64/NVME of kind, length and payload, begun with the check of the frame before
(0 for the first): a frame that was changed, lost, doubled or moved shows. Rows travel as
`namespace.records` encodes them, version byte included, so that a later release reads them as it
reads its own old rows. DATA follows a row whose body is not empty, in pieces of `PIECE` bytes but
for the last; VOID takes back the OBJECT or PART before it. NOTE is an annotation of an object that
came before, or of one that the same bucket had in an earlier page. A BUCKET or UPLOAD that is
already the current one may come again: that is how a stream is taken up in the middle.

Only the encoding lives here: no store, no file, no meaning of a row.
"""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable
from enum import IntEnum
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from awscrt.checksums import crc64nvme

from aisle.core.errors import AisleError

MAGIC: Final = b"AISLE-EXPORT\n"
FORMAT: Final = 4  # 1 had no DOCUMENTS and no people, 2 no VERSION, 3 no NOTE
PIECE: Final = 1 << 20
# The largest payload is the layout of an object of 10,000 parts with their checksums.
LIMIT: Final = 32 << 20
_HEAD: Final = struct.Struct(">BI")
_CHECK: Final = struct.Struct(">Q")
_PREFIX: Final = _HEAD.size + _CHECK.size
_AHEAD: Final = 256 << 10

# Up to so many bytes more; `b""` only at the end.
Read = Callable[[int], Awaitable[bytes]]


class StreamDamaged(AisleError):
    """A frame is not what was written, or stands where it cannot."""


class StreamCut(AisleError):
    """The stream ended before its END."""


class Kind(IntEnum):
    """What a frame carries."""

    START = 1  # Start
    CONFIG = 2  # a row of `config`
    BUCKET = 3  # a row of `bucket`
    OBJECT = 4  # ObjectHead
    UPLOAD = 5  # UploadHead
    PART = 6  # PartHead
    DATA = 7  # bytes
    VOID = 8  # Void
    END = 9  # End
    DOCUMENTS = 10  # Documents
    ROLE = 11  # a row of `role`
    CLUSTER = 12  # a row of `cluster`
    PERSON = 13  # Person
    VERSION = 14  # ObjectHead
    NOTE = 15  # Note


class Payload(msgspec.Struct, frozen=True, array_like=True):
    """The base of payloads with fields; new ones are added at the end with a default."""


class Start(Payload, frozen=True, array_like=True):
    """`store` is the identity of the source; without `bodies` no row is followed by DATA."""

    format: int
    store: str
    release: str
    bodies: bool


class Documents(Payload, frozen=True, array_like=True):
    """What the bucket before it has beside its row: see `namespace.documents`."""

    by_kind: dict[bytes, bytes]


class Person(Payload, frozen=True, array_like=True):
    """Rows of an account and, where one comes with it, of a user of it and its access keys."""

    account: bytes
    user: bytes = b""
    keys: list[bytes] = []


class ObjectHead(Payload, frozen=True, array_like=True):
    """An object's key and row, and the row of its layout if it has one and bodies follow. The
    body begins at `offset`, where one is taken up in the middle."""

    key: bytes
    row: bytes
    layout: bytes = b""
    offset: int = 0


class Note(Payload, frozen=True, array_like=True):
    """An annotation: the object that it is of, by its key, place, ETag and time; its name, its row,
    and its text where bodies follow."""

    key: bytes
    seq: int
    etag: str
    mtime: int
    name: bytes
    row: bytes
    text: bytes = b""


class PartHead(Payload, frozen=True, array_like=True):
    """A part's row; `offset` as of an object."""

    row: bytes
    offset: int = 0


class UploadHead(Payload, frozen=True, array_like=True):
    """An upload's key and row; its parts follow."""

    key: bytes
    row: bytes


class Void(Payload, frozen=True, array_like=True):
    """Why what came before is void: empty if it was replaced while it was read, and comes again
    if it is still there."""

    reason: str


class Counts(msgspec.Struct, array_like=True):
    """What a stream holds; `bytes` are those of objects and parts."""

    buckets: int = 0
    objects: int = 0
    uploads: int = 0
    parts: int = 0
    bytes: int = 0
    users: int = 0
    versions: int = 0  # of the objects: all versions and markers of buckets that have them
    notes: int = 0  # annotations


class End(Payload, frozen=True, array_like=True):
    """The last frame. `after` is where the next stream goes on, if this was not all."""

    counts: Counts
    after: bytes = b""


class Frame(NamedTuple):
    kind: Kind
    payload: bytes


P = TypeVar("P", bound=Payload)
pack: Final = msgspec.msgpack.Encoder().encode
_DECODERS: dict[type[Any], Callable[[bytes], Any]] = {}


def unpack(kind: type[P], payload: bytes) -> P:
    """The payload of a frame as a value. Raises `StreamDamaged`."""
    decode = _DECODERS.get(kind)
    if decode is None:
        decode = _DECODERS[kind] = msgspec.msgpack.Decoder(kind).decode
    try:
        value: P = decode(payload)
    except msgspec.MsgspecError as error:
        raise StreamDamaged(f"a {kind.__name__} frame cannot be read: {error}") from None
    return value


class FrameWriter:
    """Encodes frames, each with the check that follows from the one before."""

    __slots__ = ("check",)

    def __init__(self, check: int = 0) -> None:
        self.check = check

    def frame(self, kind: Kind, payload: bytes) -> bytes:
        head = _HEAD.pack(kind, len(payload))
        self.check = crc64nvme(payload, crc64nvme(head, self.check))
        return b"".join((head, _CHECK.pack(self.check), payload))


class FrameReader:
    """Takes a stream of bytes apart into frames that are as they were written."""

    __slots__ = ("_at", "_buffer", "_read", "check", "position")

    def __init__(self, read: Read) -> None:
        self._read = read
        self._buffer = b""
        self._at = 0
        self.check = 0
        self.position = 0  # bytes of the stream up to the end of the last frame

    async def magic(self) -> None:
        """Read what a stream begins with. Raises `StreamDamaged` and `StreamCut`."""
        whole = await self._have(len(MAGIC))
        found = self._buffer[self._at : self._at + len(MAGIC)]
        if not MAGIC.startswith(found):
            raise StreamDamaged("this is not an export of Aisle")
        if not whole:
            raise StreamCut("the export ends before it has begun")
        self._at += len(MAGIC)
        self.position += len(MAGIC)

    async def next(self) -> Frame:
        """The next frame. Raises `StreamDamaged`, and `StreamCut` if there is no whole one."""
        if not await self._have(_PREFIX):
            raise StreamCut(f"the export ends at byte {self.position}, without its end frame")
        head = self._buffer[self._at : self._at + _HEAD.size]
        kind, length = _HEAD.unpack(head)
        (check,) = _CHECK.unpack_from(self._buffer, self._at + _HEAD.size)
        if length > LIMIT:
            raise self._damaged()
        if not await self._have(_PREFIX + length):
            raise StreamCut(f"the export ends inside the frame at byte {self.position}")
        start = self._at + _PREFIX
        payload = self._buffer[start : start + length]
        if crc64nvme(payload, crc64nvme(head, self.check)) != check:
            raise self._damaged()
        try:
            frame = Frame(Kind(kind), payload)
        except ValueError:
            raise StreamDamaged(f"the frame at byte {self.position} is of no known kind") from None
        self.check = check
        self._at += _PREFIX + length
        self.position += _PREFIX + length
        return frame

    async def at_end(self) -> bool:
        """Whether no byte is left."""
        return not await self._have(1)

    def _damaged(self) -> StreamDamaged:
        return StreamDamaged(f"the frame at byte {self.position} is damaged")

    async def _have(self, size: int) -> bool:
        """Have `size` bytes from here in the buffer; false if the stream ends before."""
        missing = size - (len(self._buffer) - self._at)
        if missing <= 0:
            return True
        pieces = [self._buffer[self._at :]]
        while missing > 0 and (piece := await self._read(max(missing, _AHEAD))):
            pieces.append(piece)
            missing -= len(piece)
        self._buffer, self._at = b"".join(pieces), 0
        return missing <= 0
