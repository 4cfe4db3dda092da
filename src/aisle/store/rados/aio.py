"""Asynchronous operations on the objects of one namespace, awaited from one event loop.

* Operations and bytes in flight are bounded a process, below the limits at which librados would
  block its caller, which here is the event loop. Who finds no room waits in line, not for ever.
* A completion arrives in a thread of librados. All that arrive together wake the loop once.
* A result is a number, negative for an errno; it is never an exception, so that an operation whose
  caller has gone away leaves nothing to complain about.
* A cancelled caller does not end an operation: it ends by itself, within the timeout, and only then
  gives its room back.

Nothing here knows what a blob is.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, NamedTuple

from aisle.core.errors import StoreUnavailable
from aisle.store.rados.lib import Completion, Ioctx, WriteOp, code_of, failures, store_error

OPERATIONS: Final = 128  # in flight at once, of each kind (reads, changes)
BYTES: Final = 64 << 20  # likewise


class Found(NamedTuple):
    """What a read or a stat came to: `code` is 0 or more, or a negative errno."""

    code: int
    data: bytes
    size: int
    mtime: float


Operation = asyncio.Future[Found]


class Room:
    """How much may be in flight, and the line of those who wait."""

    def __init__(self, loop: asyncio.AbstractEventLoop, timeout: float) -> None:
        self._loop = loop
        self._timeout = timeout
        self._operations = 0
        self._bytes = 0
        self._line: deque[tuple[int, asyncio.Future[None]]] = deque()
        self.closed = False

    @property
    def is_idle(self) -> bool:
        return self._operations == 0

    def fits(self, size: int) -> bool:
        """Whether `size` more bytes may go now. One operation may always go, however large."""
        if self._operations == 0:
            return True
        return self._operations < OPERATIONS and self._bytes + size <= BYTES

    def take(self, size: int) -> None:
        self._operations += 1
        self._bytes += size

    async def enter(self, size: int) -> None:
        """Wait for room for `size` bytes and take it. Raises `StoreUnavailable`."""
        if self.closed:
            raise StoreUnavailable("the blob store is closed")
        if not self._line and self.fits(size):
            self.take(size)
            return
        turn: asyncio.Future[None] = self._loop.create_future()
        self._line.append((size, turn))
        try:
            async with asyncio.timeout(self._timeout):
                await turn
        except BaseException as error:
            # A turn that was given in the same moment is passed on.
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.leave(size)
            else:
                with suppress(ValueError):  # `leave` has passed it by already
                    self._line.remove((size, turn))
            if isinstance(error, TimeoutError):
                raise StoreUnavailable("too many operations wait for the cluster") from None
            raise

    def leave(self, size: int) -> None:
        """Give room back, and turns to those who now fit."""
        self._operations -= 1
        self._bytes -= size
        while self._line:
            size, turn = self._line[0]
            if not turn.done():
                if not self.fits(size):
                    return
                self.take(size)
                turn.set_result(None)
            self._line.popleft()


class Aio:
    """The operations of one process on one namespace. `timeout` bounds the wait for room; the
    operations themselves are bounded by librados."""

    def __init__(self, ioctx: Ioctx, timeout: float) -> None:
        self._ioctx = ioctx
        self._loop = asyncio.get_running_loop()
        self._failures = failures()
        self.reads = Room(self._loop, timeout)
        self.changes = Room(self._loop, timeout)
        self._arrived: deque[tuple[Operation, Room, int, Found]] = deque()
        self._woken = False
        self._idle = asyncio.Event()

    # --- operations -------------------------------------------------------------------------

    async def read(self, name: str, offset: int, length: int) -> Operation:
        """Begin to read `length` bytes (not 0) of an object, when there is room."""
        await self.reads.enter(length)
        return self._read(name, offset, length)

    def read_if_room(self, name: str, offset: int, length: int) -> Operation | None:
        """As `read`, but only if it may begin now."""
        if self.reads.closed or not self.reads.fits(length):
            return None
        self.reads.take(length)
        return self._read(name, offset, length)

    def _read(self, name: str, offset: int, length: int) -> Operation:
        operation: Operation = self._loop.create_future()

        def done(completion: Completion, data: bytes | None) -> None:
            code = completion.get_return_value()
            # The binding hands out its whole buffer, never written to, when nothing was read.
            found = Found(code, data if data is not None and code > 0 else b"", 0, 0.0)
            self._arrive(operation, self.reads, length, found)

        self._submit(
            lambda: self._ioctx.aio_read(name, length, offset, done), self.reads, length, name
        )
        return operation

    async def stat(self, name: str) -> Found:
        """Size and modification time of an object, or a negative `code`."""
        await self.reads.enter(0)
        operation: Operation = self._loop.create_future()

        def done(completion: Completion, size: int | None, mtime: Any) -> None:
            code = completion.get_return_value()
            known = time.mktime(mtime) if mtime is not None else 0.0
            self._arrive(operation, self.reads, 0, Found(code, b"", size or 0, known))

        self._submit(lambda: self._ioctx.aio_stat(name, done), self.reads, 0, name)
        return await operation

    async def change(self, name: str, op: WriteOp, size: int) -> Operation:
        """Begin to apply `op`, which holds `size` bytes, when there is room. Releases `op`."""
        try:
            await self.changes.enter(size)
            operation: Operation = self._loop.create_future()

            def done(completion: Completion) -> None:
                found = Found(completion.get_return_value(), b"", 0, 0.0)
                self._arrive(operation, self.changes, size, found)

            # The binding says that it fills in the time, and sets that of 1970.
            now = int(time.time())
            self._submit(
                lambda: self._ioctx.operate_aio_write_op(op, name, done, mtime=now),
                self.changes,
                size,
                name,
            )
            return operation
        finally:
            op.release()

    def _submit(self, call: Callable[[], Completion], room: Room, size: int, name: str) -> None:
        try:
            call()
        except self._failures as error:
            room.leave(size)
            raise store_error(code_of(error), name) from error
        except BaseException:
            room.leave(size)
            raise

    # --- completions ------------------------------------------------------------------------

    def _arrive(self, operation: Operation, room: Room, size: int, found: Found) -> None:
        """In a thread of librados."""
        self._arrived.append((operation, room, size, found))
        if not self._woken:
            self._woken = True
            with suppress(RuntimeError):  # the loop has been closed meanwhile
                self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._woken = False  # before the queue is emptied: what comes later wakes the loop again
        while self._arrived:
            operation, room, size, found = self._arrived.popleft()
            room.leave(size)
            if not operation.done():
                operation.set_result(found)
        if self.reads.is_idle and self.changes.is_idle:
            self._idle.set()

    async def close(self) -> None:
        """Take nothing new, and wait until all that runs has ended."""
        self.reads.closed = self.changes.closed = True
        while not (self.reads.is_idle and self.changes.is_idle):
            self._idle.clear()
            await self._idle.wait()
