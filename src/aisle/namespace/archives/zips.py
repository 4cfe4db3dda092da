"""ZIP: its directory, read by `zipfile` from the end of the object, and the data of its members.

`zipfile` reads through a file object that blocks, so it is given the directory alone, once that is
known to be small enough; local headers and data are streamed here. ZIP64 is read and written.
"""

from __future__ import annotations

import calendar
import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from aisle.core.errors import ArchiveError
from aisle.namespace.archives import limits
from aisle.namespace.archives.members import Kind, Member
from aisle.namespace.archives.streams import Expanded, Inflate, Plain, Stored, Stream, in_thread

# The end record, with the longest comment, and the ZIP64 locator and record before it.
_TAIL: Final = 22 + (1 << 16) + 20 + 56
_END: Final = b"PK\x05\x06"
_LOCATOR: Final = b"PK\x06\x07"
_LOCAL: Final = struct.Struct("<4s2B4HL2L2H")
_ENCRYPTED: Final = 0x1 | 0x40

Wanted = Callable[[Member], bool]


class _Tail(io.RawIOBase):
    """The end of a file whose beginning is not there: what `zipfile` reads a directory from."""

    def __init__(self, data: bytes, start: int) -> None:
        self._data = data
        self._start = start
        self._at = start + len(data)

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = (0, self._at, self._start + len(self._data))[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        first = self._at - self._start
        if first < 0:
            raise zipfile.BadZipFile("the directory is not where it should be")
        piece = self._data[first:] if size < 0 else self._data[first : first + size]
        self._at += len(piece)
        return piece


class Entry(NamedTuple):
    """A member and where its local header is."""

    member: Member
    start: int
    packed: int  # bytes of its data as stored
    deflated: bool
    crc: int


class Directory(NamedTuple):
    """A ZIP's directory as `zipfile` understood it, and where it begins."""

    infos: Sequence[zipfile.ZipInfo]
    start: int
    comment: bytes


async def read_directory(stored: Stored) -> Directory:
    """The whole directory, where it has to be kept. Raises `ArchiveError`."""
    data, start = await _tail(stored)
    return await in_thread(_parse, data, start)


class ZipReader:
    """A `Reader` of the members of a ZIP that are `wanted`, in the order of its directory."""

    def __init__(self, stored: Stored, wanted: Wanted) -> None:
        self._stored = stored
        self._wanted = wanted
        self._entries: list[Entry] | None = None
        self._current: Entry | None = None
        self._data: Stream | None = None
        self._crc = self._size = 0

    async def next(self) -> Member | None:
        if self._entries is None:
            data, start = await _tail(self._stored)
            self._entries = await in_thread(_select, data, start, self._wanted)
            self._entries.reverse()
        self._current = self._entries.pop() if self._entries else None
        self._data, self._crc, self._size = None, 0, 0
        return self._current.member if self._current is not None else None

    async def read(self) -> bytes:
        entry = self._current
        if entry is None or entry.member.kind is not Kind.FILE:
            return b""
        if self._data is None:
            self._data = await self._open(entry)
        piece = await self._data.some(limits.PIECE)
        self._crc = zlib.crc32(piece, self._crc)
        self._size += len(piece)
        if self._size > entry.member.size:
            raise ArchiveError(f'"{entry.member.name}" expands to more than it should')
        # The last piece is given only if all of them were right.
        ended = not piece or self._size == entry.member.size
        if ended and (self._size, self._crc) != (entry.member.size, entry.crc):
            raise ArchiveError(f'"{entry.member.name}" is damaged')
        return piece

    async def _open(self, entry: Entry) -> Stream:
        raw = await self._stored.read(entry.start, _LOCAL.size)
        if len(raw) < _LOCAL.size or not raw.startswith(b"PK\x03\x04"):
            raise ArchiveError(f'"{entry.member.name}" is not where the directory says')
        *_, name, extra = _LOCAL.unpack(raw)
        start = entry.start + _LOCAL.size + name + extra
        if start + entry.packed > self._stored.size:
            raise ArchiveError("it ends in the middle of a file")
        packed = Plain(self._stored, start, start + entry.packed)
        return Expanded(packed, Inflate()) if entry.deflated else packed


async def _tail(stored: Stored) -> tuple[bytes, int]:
    """The end of the object, with all of its directory, and where that stretch begins."""
    start = max(0, stored.size - _TAIL)
    data = await stored.read(start, _TAIL)
    at = data.rfind(_END)
    if at < 0 or len(data) < at + 22:
        raise ArchiveError("it is not a ZIP: there is no directory at its end")
    (size,) = struct.unpack_from("<L", data, at + 12)
    if size == 0xFFFFFFFF and data[at - 20 : at - 16] == _LOCATOR and at >= 76:
        (size,) = struct.unpack_from("<Q", data, at - 20 - 56 + 40)
    if size > limits.DIRECTORY:
        raise ArchiveError(f"its directory has {size:,} bytes, the limit is {limits.DIRECTORY:,}")
    first = max(0, start + at - 76 - size)
    if first < start:
        data = await stored.read(first, start - first) + data
        start = first
    return data, start


def _parse(data: bytes, start: int) -> Directory:
    try:
        with zipfile.ZipFile(_Tail(data, start)) as opened:
            return Directory(opened.filelist, opened.start_dir, opened.comment)
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        ValueError,
        struct.error,
        OverflowError,
    ) as error:
        raise ArchiveError(f"its directory cannot be read: {error}") from None


def _select(data: bytes, start: int, wanted: Wanted) -> list[Entry]:
    chosen = []
    for info in _parse(data, start).infos:
        entry = _entry(info)
        if len(info.orig_filename) > limits.NAME:
            raise ArchiveError(f"it has a name of more than {limits.NAME:,} bytes")
        if wanted(entry.member):
            chosen.append(entry)
    return chosen


def _entry(info: zipfile.ZipInfo) -> Entry:
    mode = info.external_attr >> 28
    kind = Kind.FILE
    if info.is_dir():
        kind = Kind.DIRECTORY
    elif info.create_system == 3 and mode == 0o12:
        kind = Kind.LINK
    elif info.flag_bits & _ENCRYPTED:
        kind = Kind.ENCRYPTED
    elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        kind = Kind.PACKED
    try:
        mtime = calendar.timegm((*info.date_time, 0, 0, 0))
    except ValueError:
        mtime = 0
    size = 0 if kind in (Kind.DIRECTORY, Kind.LINK) else info.file_size
    return Entry(
        Member(info.filename, size, max(0, mtime), kind),
        info.header_offset,
        info.compress_size,
        info.compress_type == zipfile.ZIP_DEFLATED,
        info.CRC,
    )
