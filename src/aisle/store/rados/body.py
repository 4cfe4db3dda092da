"""The `Body` of a range of one blob on RADOS: reads ahead of the reader, in parallel, bounded.

A body reads ahead as much as its reader has shown to need: one piece at first, and twice as many,
up to `AHEAD`, each time the reader had to wait. A reader that is slow, or stops, never waits and so
keeps one piece. All bodies of a process together keep at most `Ahead.limit` bytes that nobody has
asked for; beyond that a body reads only what it is asked for.
"""

from __future__ import annotations

import asyncio
import errno
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

from aisle.core.errors import BlobMissing, StoreError, StoreUnavailable
from aisle.store.rados.aio import Aio, Operation
from aisle.store.rados.blob import PIECE, BlobId, object_name
from aisle.store.rados.lib import store_error

AHEAD: Final = 4  # pieces


@dataclass(slots=True)
class Ahead:
    """Bytes read ahead, or being read ahead, in one process."""

    limit: int = 64 << 20
    used: int = 0

    def forget(self, size: int, operation: Operation) -> None:
        self.used -= size


class _Asked(NamedTuple):
    """A read that has begun: where it starts in the blob, and how much of it counts as ahead."""

    operation: Operation
    position: int
    length: int
    counted: int


class RadosBody:
    """One task reads; `close` may come at any time. A read that failed may be tried again."""

    def __init__(self, aio: Aio, ahead: Ahead, blob: BlobId, offset: int, length: int) -> None:
        self._aio = aio
        self._ahead = ahead
        self._blob = blob
        self._position = offset  # of the next byte to ask the cluster for
        self._end = offset + length
        self._asked: deque[_Asked] = deque()
        self._rest = memoryview(b"")
        self._depth = 1
        self._closed = False

    async def read(self, size: int) -> bytes:
        self._check_open()
        if not self._rest:
            self._rest = memoryview(await self._next(min(size, PIECE)))
        piece, self._rest = self._rest[:size], self._rest[size:]
        # Whole pieces, which is what callers read, are handed on without a copy.
        whole = piece.obj
        return whole if isinstance(whole, bytes) and len(whole) == len(piece) else bytes(piece)

    async def _next(self, size: int) -> bytes:
        """The next piece: the oldest asked for, or one of up to `size` bytes."""
        if not self._asked:
            if self._position >= self._end or size <= 0:
                return b""
            number, start, length = self._piece(size)
            operation = await self._aio.read(self._name(number), start, length)
            self._check_open()
            self._ask(operation, length, 0)
        self._read_ahead(size)
        oldest = self._asked[0]
        if not oldest.operation.done():
            if oldest.counted:
                self._depth = min(self._depth * 2, AHEAD)
            await asyncio.wait([oldest.operation])  # unlike `await`, leaves it alone when cancelled
        self._check_open()
        found = oldest.operation.result()
        if found.code < 0 or len(found.data) < oldest.length:
            # What comes after it must not be taken for it by the next read.
            self._drop()
            self._position = oldest.position
            raise self._failure(found.code)
        self._asked.popleft()
        self._ahead.used -= oldest.counted
        return found.data

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("this body is closed")

    def _failure(self, code: int) -> StoreError:
        if code == -errno.ENOENT:
            return BlobMissing(self._blob.encode().hex())
        if code < 0:
            return store_error(code, f"blob {self._blob.unique.hex()}")
        return BlobMissing(self._blob.encode().hex(), "truncated")

    def _ask(self, operation: Operation, length: int, counted: int) -> None:
        self._asked.append(_Asked(operation, self._position, length, counted))
        self._position += length
        self._ahead.used += counted

    def _read_ahead(self, size: int) -> None:
        while len(self._asked) <= self._depth and self._position < self._end:
            number, start, length = self._piece(size)
            if self._ahead.used + length > self._ahead.limit:
                return
            operation = self._aio.read_if_room(self._name(number), start, length)
            if operation is None:
                return
            self._ask(operation, length, length)

    def _piece(self, size: int) -> tuple[int, int, int]:
        pieces: Iterator[tuple[int, int, int]]
        pieces = self._blob.pieces(self._position, self._end - self._position, size)
        return next(pieces)

    def _name(self, number: int) -> str:
        return object_name(self._blob.unique, number)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._rest = memoryview(b"")
        self._drop()

    def _drop(self) -> None:
        for asked in self._asked:
            # What is under way keeps its buffer until it ends.
            asked.operation.add_done_callback(partial(self._ahead.forget, asked.counted))
        self._asked.clear()
