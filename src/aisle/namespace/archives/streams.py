"""The bytes of an archive, forward only: as stored, or expanded. A little is held ahead.

What is stored is fetched range by range, so a long stretch that nobody wants is never read. What is
compressed is expanded in threads, a bounded piece at a time; a thread never waits for anything, so
however many archives are read at once, none can keep another from going on.
"""

from __future__ import annotations

import asyncio
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol, TypeVar

import lz4.frame

from aisle.core.errors import ArchiveError
from aisle.namespace import bodies
from aisle.namespace.archives.limits import PIECE
from aisle.namespace.objects import Found
from aisle.namespace.store import Store

_FIRST: Final = 32 << 10
# How deflated data is wrapped, as zlib numbers it.
_GZIP: Final = 31
_BARE: Final = -15
_THREADS: Final = ThreadPoolExecutor(max_workers=4, thread_name_prefix="aisle-archive")
T = TypeVar("T")


async def in_thread(work: Callable[..., T], *args: Any) -> T:
    """Run what takes some milliseconds of CPU and never waits."""
    return await asyncio.get_running_loop().run_in_executor(_THREADS, work, *args)


class Stored:
    """The bytes of an object, any range of them."""

    def __init__(self, store: Store, found: Found, small: bytes | None) -> None:
        self.size = found.record.size
        self._store = store
        self._found = found
        self._small = small

    async def read(self, start: int, length: int) -> bytes:
        """At most `length` bytes, fewer at the end: for lengths that may be held."""
        length = max(0, min(length, self.size - start))
        if self._small is not None:
            return self._small[start : start + length]
        pieces = bodies.read_extents(self._store, self._found.extents, start, length)
        return b"".join([piece async for piece in pieces])


class Stream(ABC):
    """Bytes one after the other, with what has been fetched ahead."""

    def __init__(self) -> None:
        self._held = b""
        self._at = 0
        self.position = 0

    @abstractmethod
    async def _more(self) -> bytes:
        """The next piece, `b""` at the end."""

    async def some(self, limit: int) -> bytes:
        """From 1 to `limit` bytes, `b""` at the end."""
        if self._at == len(self._held):
            self._held, self._at = await self._more(), 0
        piece = self._held[self._at : self._at + limit]
        self._at += len(piece)
        self.position += len(piece)
        return piece

    async def take(self, size: int) -> bytes:
        """`size` bytes, fewer only at the end."""
        piece = await self.some(size)
        if len(piece) in (0, size):
            return piece
        pieces = [piece]
        missing = size - len(piece)
        while missing and (piece := await self.some(missing)):
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)

    async def skip(self, size: int) -> None:
        """Go on behind the next `size` bytes. Raises `ArchiveError` if there are not so many."""
        while size:
            piece = await self.some(min(size, PIECE))
            if not piece:
                raise ArchiveError("it ends in the middle of a file")
            size -= len(piece)


class Plain(Stream):
    """What is stored, from `start` on to `end`."""

    def __init__(self, stored: Stored, start: int = 0, end: int | None = None) -> None:
        super().__init__()
        self._stored = stored
        self._end = stored.size if end is None else min(end, stored.size)
        self._next = start
        self._ahead = _FIRST

    async def _more(self) -> bytes:
        piece = await self._stored.read(self._next, min(self._ahead, self._end - self._next))
        self._next += len(piece)
        self._ahead = min(self._ahead * 2, PIECE)
        return piece

    async def skip(self, size: int) -> None:
        ahead = len(self._held) - self._at
        if size > ahead:
            if self._next + size - ahead > self._end:
                raise ArchiveError("it ends in the middle of a file")
            self._next += size - ahead
            self._held, self._at, self._ahead = b"", 0, _FIRST
        else:
            self._at += size
        self.position += size


class Codec(Protocol):
    """Expands a compressed stream a bounded piece at a time."""

    @property
    def whole(self) -> bool:
        """True where the compressed stream may end."""
        ...

    def expand(self, data: bytes) -> bytes:
        """At most `PIECE` bytes; `b""` when more `data` is needed. Raises `ArchiveError`."""
        ...


class _Deflated:
    """What zlib reads: `wbits` tells in which wrapping, and `what` what errors call it."""

    def __init__(self, wbits: int, what: str) -> None:
        self._engine = zlib.decompressobj(wbits=wbits)
        self._input = b""
        self._what = what

    @property
    def whole(self) -> bool:
        return self._engine.eof

    def _piece(self) -> bytes:
        try:
            return self._engine.decompress(self._input, PIECE)
        except zlib.error as error:
            raise ArchiveError(f"its {self._what} data is damaged: {error}") from None


class Gunzip(_Deflated):
    """One or more gzip members, as `gzip` itself reads them; zeros behind them are padding."""

    def __init__(self) -> None:
        super().__init__(_GZIP, "gzip")

    def expand(self, data: bytes) -> bytes:
        self._input += data
        while True:
            if self._engine.eof:
                self._input = self._input.lstrip(b"\0")
                if not self._input:
                    return b""
                self._engine = zlib.decompressobj(wbits=_GZIP)
            out = self._piece()
            self._input = self._engine.unconsumed_tail or self._engine.unused_data
            if out or not self._input:
                return out


class Unlz4:
    """One or more LZ4 frames."""

    def __init__(self) -> None:
        self._engine = lz4.frame.LZ4FrameDecompressor()
        self._input = b""

    @property
    def whole(self) -> bool:
        return bool(self._engine.eof)

    def expand(self, data: bytes) -> bytes:
        self._input += data
        while self._input or not self._engine.needs_input:
            if self._engine.eof:
                if not self._input.strip(b"\0"):
                    self._input = b""
                    return b""
                self._engine = lz4.frame.LZ4FrameDecompressor()
            try:
                out: bytes = self._engine.decompress(self._input, max_length=PIECE)
            except (RuntimeError, EOFError) as error:
                raise ArchiveError(f"its LZ4 data is damaged: {error}") from None
            self._input = bytes(self._engine.unused_data or b"") if self._engine.eof else b""
            if out:
                return out
        return b""


class Inflate(_Deflated):
    """The deflated data of one ZIP member."""

    def __init__(self) -> None:
        super().__init__(_BARE, "deflated")

    def expand(self, data: bytes) -> bytes:
        self._input += data
        if self._engine.eof:
            return b""
        out = self._piece()
        self._input = self._engine.unconsumed_tail
        return out


class Expanded(Stream):
    """What a compressed stream expands to."""

    def __init__(self, packed: Stream, codec: Codec) -> None:
        super().__init__()
        self._packed = packed
        self._codec = codec

    async def _more(self) -> bytes:
        data = b""
        while True:
            piece = await in_thread(self._codec.expand, data)
            if piece:
                return piece
            data = await self._packed.some(PIECE)
            if not data:
                if not self._codec.whole:
                    raise ArchiveError("its compressed data ends too early")
                return b""
