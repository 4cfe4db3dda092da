"""TAR: reading its members from a stream, and the headers to write one (ustar, GNU and pax).

Headers are decoded and made by `tarfile`; what surrounds them is walked here, since `tarfile`
itself holds every header it has seen and reads extended ones whole, however large they say to be.
"""

from __future__ import annotations

import tarfile
from typing import Final

from aisle.core.errors import ArchiveError
from aisle.namespace.archives import limits
from aisle.namespace.archives.members import Kind, Member
from aisle.namespace.archives.streams import Stream

BLOCK: Final = 512
END: Final = bytes(2 * BLOCK)
_EMPTY: Final = bytes(BLOCK)
_KINDS: Final = {
    tarfile.DIRTYPE: Kind.DIRECTORY,
    tarfile.LNKTYPE: Kind.LINK,
    tarfile.SYMTYPE: Kind.LINK,
    tarfile.CHRTYPE: Kind.OTHER,
    tarfile.BLKTYPE: Kind.OTHER,
    tarfile.FIFOTYPE: Kind.OTHER,
    tarfile.GNUTYPE_SPARSE: Kind.SPARSE,
}
_NO_DATA: Final = frozenset({Kind.DIRECTORY, Kind.LINK, Kind.OTHER})
_PAX: Final = frozenset({tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE})
_LONG: Final = frozenset({tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK})
# Records of extended headers that are acted on.
_KNOWN: Final = frozenset({"path", "size", "mtime", "GNU.sparse.name", "GNU.sparse.realsize"})


class TarReader:
    """A `Reader` of a TAR. At the end, `end` is where its end marker begins."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._left = self._padding = 0
        self._count = 0
        self._global: dict[str, str] = {}
        self.end = 0

    async def next(self) -> Member | None:
        await self._stream.skip(self._left)
        await self._stream.take(self._padding)
        self._left = self._padding = 0
        self.end = self._stream.position
        pax, long_name = dict(self._global), ""
        for _ in range(limits.EXTENDED):
            info = await self._header()
            if info is None:
                return None
            if info.type in _LONG:
                data = await self._extended(info.size)
                if info.type == tarfile.GNUTYPE_LONGNAME:
                    long_name = _text(data.partition(b"\0")[0])
            elif info.type in _PAX:
                records = _records(await self._extended(info.size))
                if info.type == tarfile.XGLTYPE:
                    self._global |= records
                pax |= records
            else:
                return await self._member(info, pax, long_name)
        raise ArchiveError("it has too many extended headers in a row")

    async def read(self) -> bytes:
        if not self._left:
            return b""
        piece = await self._stream.some(min(self._left, limits.PIECE))
        if not piece:
            raise ArchiveError("it ends in the middle of a file")
        self._left -= len(piece)
        return piece

    async def _header(self) -> tarfile.TarInfo | None:
        block = await self._stream.take(BLOCK)
        if not block or block == _EMPTY:
            return None
        if len(block) < BLOCK:
            raise ArchiveError("it ends in the middle of a header")
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except (tarfile.HeaderError, ValueError) as error:
            raise ArchiveError(f"it has a header that is not one of a TAR: {error}") from None
        if info.size < 0:
            raise ArchiveError("it has a header with a negative size")
        if info.type == tarfile.GNUTYPE_SPARSE:
            await self._sparse_map(block)
        return info

    async def _sparse_map(self, block: bytes) -> None:
        """Pass over the blocks that go on with the map of an old sparse file."""
        more = block[482]
        for _ in range(limits.HEADER // BLOCK):
            if not more:
                return
            block = await self._stream.take(BLOCK)
            more = block[504] if len(block) == BLOCK else 0
        raise ArchiveError("it has a sparse file with too large a map")

    async def _extended(self, size: int) -> bytes:
        if size > limits.HEADER:
            raise ArchiveError(f"it has an extended header of {size:,} bytes")
        data = await self._stream.take(size)
        if len(data) < size:
            raise ArchiveError("it ends in the middle of a header")
        await self._stream.take(-size % BLOCK)
        return data

    async def _member(self, info: tarfile.TarInfo, pax: dict[str, str], long_name: str) -> Member:
        self._count += 1
        if self._count > limits.MEMBERS:
            raise ArchiveError(f"it has more than {limits.MEMBERS:,} members")
        name = pax.get("GNU.sparse.name") or pax.get("path") or long_name or info.name
        if len(name.encode("utf-8", "surrogateescape")) > limits.NAME:
            raise ArchiveError(f"it has a name of more than {limits.NAME:,} bytes")
        kind = _KINDS.get(info.type, Kind.FILE)
        if kind is Kind.FILE and name.endswith("/"):
            kind = Kind.DIRECTORY
        size = _number(pax.get("size", ""), info.size)
        shown = 0 if kind in _NO_DATA else size
        if any(record.startswith("GNU.sparse.") for record in pax):
            kind, shown = Kind.SPARSE, _number(pax.get("GNU.sparse.realsize", ""), size)
        self._left = 0 if info.type in _KINDS and kind in _NO_DATA else size
        self._padding = -self._left % BLOCK
        return Member(name, shown, _seconds(pax.get("mtime", ""), int(info.mtime)), kind)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _number(text: str, default: int) -> int:
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise ArchiveError("it has an extended header with a bad number")
    return int(text)


def _seconds(text: str, default: int) -> int:
    """A time, which may have a sign and a fraction; it is not worth an error."""
    whole = text.partition(".")[0]
    known = whole.isascii() and whole.removeprefix("-").isdigit() and len(whole) < 20
    return max(0, int(whole) if known else default)


def _records(data: bytes) -> dict[str, str]:
    """The records of a pax header that are acted on: each is `length key=value` and a newline."""
    found: dict[str, str] = {}
    at = 0
    while at < len(data) and data[at]:
        blank = data.find(b" ", at, at + 20)
        digits = data[at:blank] if blank > at else b""
        length = int(digits) if digits.isdigit() else 0
        # The shortest has a key of one letter, and a value of none.
        if length < blank - at + 4 or length == 0 or at + length > len(data):
            raise ArchiveError("it has an extended header that cannot be read")
        key, equals, value = data[blank + 1 : at + length - 1].partition(b"=")
        if not equals:
            raise ArchiveError("it has an extended header that cannot be read")
        name = _text(key)
        if name in _KNOWN or name.startswith("GNU.sparse."):
            found[name if name in _KNOWN else "GNU.sparse."] = _text(value)
        at += length
    return found


def header(name: str, size: int, mtime: int) -> bytes:
    """The header of a file, with a pax header where ustar's fields are too small."""
    info = tarfile.TarInfo(name)
    info.size = size
    info.mtime = mtime
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def padding(size: int) -> bytes:
    """What follows the data of a file of `size` bytes."""
    return bytes(-size % BLOCK)
