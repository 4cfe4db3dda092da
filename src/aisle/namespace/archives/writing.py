"""Writing archives: members become a stream of bytes, of which a piece is held at a time.

TAR headers come from `tarfile`, ZIP from `zipfile`, which is made to write forward only (sizes and
checksums then follow the data). Compressing goes to threads, a bounded piece at a time.
"""

from __future__ import annotations

import io
import time
import zipfile
import zlib
from collections.abc import AsyncIterator
from typing import IO, Final, NamedTuple, Protocol

import lz4.frame

from aisle.core.errors import InvalidRequest, WriteConflict
from aisle.namespace.archives import limits, tars
from aisle.namespace.archives.formats import Format
from aisle.namespace.archives.streams import in_thread
from aisle.namespace.archives.zips import Directory

_LARGE: Final = 0x7FFFFFFF  # from here on, sizes in a ZIP are written as those of ZIP64
_EARLIEST: Final = 315_532_800  # 1980, when the time of ZIP begins
_LATEST: Final = 4_354_819_198  # and 2107, when it ends


class NewMember(NamedTuple):
    """A file to be put into an archive."""

    name: str
    size: int
    mtime: int  # seconds since the epoch
    data: AsyncIterator[bytes]


class Writer(Protocol):
    """Makes the bytes of an archive. Each method returns what is to be written next."""

    async def begin(self, name: str, size: int, mtime: int) -> bytes: ...
    async def data(self, piece: bytes) -> bytes: ...
    async def end(self) -> bytes: ...
    async def finish(self) -> bytes: ...
    async def drop(self) -> None:
        """Give up what is held: nothing more will be written."""
        ...


class TarWriter:
    """A plain TAR."""

    def __init__(self) -> None:
        self._size = 0

    async def begin(self, name: str, size: int, mtime: int) -> bytes:
        self._size = size
        return tars.header(name, size, mtime)

    async def data(self, piece: bytes) -> bytes:
        return piece

    async def end(self) -> bytes:
        return tars.padding(self._size)

    async def finish(self) -> bytes:
        return tars.END

    async def drop(self) -> None:
        pass


class _Gzip:
    def __init__(self) -> None:
        self._engine = zlib.compressobj(wbits=31)

    def compress(self, data: bytes) -> bytes:
        return self._engine.compress(data)

    def flush(self) -> bytes:
        return self._engine.flush()


class _Lz4:
    def __init__(self) -> None:
        self._engine = lz4.frame.LZ4FrameCompressor()
        self._begun = False

    def compress(self, data: bytes) -> bytes:
        start = b""
        if not self._begun:
            start, self._begun = self._engine.begin(), True
        return bytes(start + self._engine.compress(data))

    def flush(self) -> bytes:
        return bytes(self._engine.flush())


class PackedTarWriter:
    """A TAR that is compressed as a whole."""

    def __init__(self, form: Format) -> None:
        self._tar = TarWriter()
        self._engine: _Gzip | _Lz4 = _Gzip() if form is Format.TGZ else _Lz4()

    async def begin(self, name: str, size: int, mtime: int) -> bytes:
        return await self.data(await self._tar.begin(name, size, mtime))

    async def data(self, piece: bytes) -> bytes:
        return await in_thread(self._engine.compress, piece)

    async def end(self) -> bytes:
        return await self.data(await self._tar.end())

    async def finish(self) -> bytes:
        last = await self.data(await self._tar.finish())
        return last + await in_thread(self._engine.flush)

    async def drop(self) -> None:
        pass


class _Sink(io.RawIOBase):
    """What `zipfile` writes to: it cannot seek, and what it was given is taken away in between."""

    def __init__(self, position: int) -> None:
        self._pieces: list[bytes] = []
        self._position = position

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        self._pieces.append(piece)
        self._position += len(piece)
        return len(piece)

    def taken(self) -> bytes:
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data


class ZipWriter:
    """A ZIP, or what is appended to one whose `directory` is given, from where that begins."""

    def __init__(self, directory: Directory | None = None) -> None:
        self._sink = _Sink(directory.start if directory else 0)
        self._zip = zipfile.ZipFile(self._sink, "w")
        if directory is not None:
            self._zip.filelist.extend(directory.infos)
            self._zip.comment = directory.comment
        self._member: IO[bytes] | None = None

    async def begin(self, name: str, size: int, mtime: int) -> bytes:
        if len(self._zip.filelist) >= limits.MEMBERS:
            raise InvalidRequest(f"the archive would have more than {limits.MEMBERS:,} members")
        date = time.gmtime(min(max(mtime, _EARLIEST), _LATEST))[:6]
        info = zipfile.ZipInfo(name, date)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o644 << 16
        # The same name may occur twice, as in a TAR; `zipfile` would warn of it.
        self._zip.NameToInfo.clear()
        self._member = self._zip.open(info, "w", force_zip64=size > _LARGE)
        return self._sink.taken()

    async def data(self, piece: bytes) -> bytes:
        assert self._member is not None
        await in_thread(self._member.write, piece)
        return self._sink.taken()

    async def end(self) -> bytes:
        assert self._member is not None
        self._member.close()
        self._member = None
        return self._sink.taken()

    async def finish(self) -> bytes:
        await in_thread(self._zip.close)
        return self._sink.taken()

    async def drop(self) -> None:
        if self._member is not None:
            self._member.close()
        self._zip.close()


def writer_of(form: Format) -> Writer:
    """A writer of a new archive."""
    if form is Format.ZIP:
        return ZipWriter()
    return TarWriter() if form is Format.TAR else PackedTarWriter(form)


async def written(
    writer: Writer, members: AsyncIterator[NewMember], *, before: AsyncIterator[bytes] | None = None
) -> AsyncIterator[bytes]:
    """The bytes of an archive of `members`; `before` are those that come first as they are."""
    try:
        if before is not None:
            async for piece in before:
                yield piece
        async for member in members:
            yield await writer.begin(member.name, member.size, member.mtime)
            size = 0
            async for piece in member.data:
                size += len(piece)
                for at in range(0, len(piece), limits.PIECE):
                    yield await writer.data(piece[at : at + limits.PIECE])
            if size != member.size:
                raise WriteConflict(f'"{member.name}" changed its size while it was archived')
            yield await writer.end()
        yield await writer.finish()
    finally:
        await writer.drop()
