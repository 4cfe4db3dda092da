"""The `BlobWriter` of one blob on RADOS.

What is written goes out at once, up to the pool's alignment, and is acknowledged later: a writer
has at most `WINDOW` bytes in flight and holds less than one more operation. The first `PIECE` bytes
wait for more: a blob that ends before is written whole, with its owner and size, by one atomic
operation. Any other gets them last, when all its bytes have been acknowledged, which RADOS does
when they are durable on every acting copy.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

from aisle.core.errors import StoreError, StoreUnavailable
from aisle.store.base import Body
from aisle.store.rados.aio import Aio, Operation
from aisle.store.rados.blob import PIECE, SEAL, BlobId, encode_seal, object_name, remove_objects
from aisle.store.rados.lib import new_write_op, store_error

WINDOW: Final = 4 << 20
# After this many seconds without an operation a writer gives up. A sweep removes what was never
# sealed and not touched for a day; sealing what it has removed would make a blob with holes.
IDLE: Final = 6 * 3600.0

OpenSource = Callable[[bytes, int, int], Awaitable[Body]]
_Result = TypeVar("_Result")
InBackground = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


class RadosWriter:
    """One task uses it; `abort` may follow a call that failed or was cancelled."""

    def __init__(
        self,
        aio: Aio,
        unique: bytes,
        owner: bytes,
        *,
        stripe: int,
        alignment: int,
        whole_at_once: bool,
        open_source: OpenSource,
        in_background: InBackground,
    ) -> None:
        self._aio = aio
        self._unique = unique
        self._owner = owner
        self._stripe = stripe
        self._alignment = alignment
        self._piece = max(alignment, PIECE - PIECE % alignment)
        self._held = min(PIECE, stripe) if whole_at_once else 0
        self._open_source = open_source
        self._in_background = in_background
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._sent = 0
        self._running: deque[tuple[Operation, int]] = deque()
        self._running_size = 0
        self._last = -1  # the highest object that may exist
        self._touched = time.monotonic()
        self._busy = False  # a call has begun; one that fails or is cancelled leaves it so
        self._unavailable = False
        self._ended = False

    async def write(self, chunk: bytes) -> None:
        self._begin()
        await self._guarded(self._write(chunk))
        self._busy = False

    async def copy(self, blob: bytes, offset: int, length: int) -> None:
        self._begin()
        await self._guarded(self._copy(blob, offset, length))
        self._busy = False

    async def seal(self) -> bytes:
        self._begin()
        blob = BlobId(self._unique, self._stripe, self._sent + self._pending_size)
        await self._guarded(self._seal(blob))
        self._ended = True
        return blob.encode()

    async def abort(self) -> None:
        if self._ended:
            return
        self._ended = True
        discarding = self._in_background(self._discard())
        # While the cluster does not answer, the caller has waited long enough.
        if not self._unavailable:
            await asyncio.shield(discarding)

    # --- inside -----------------------------------------------------------------------------

    def _begin(self) -> None:
        if self._ended or self._busy:
            raise StoreUnavailable("this blob is no longer being written")
        if self._last >= 0 and time.monotonic() - self._touched > IDLE:
            raise StoreUnavailable("this blob was left alone for too long")
        self._busy = True

    async def _guarded(self, work: Awaitable[_Result]) -> _Result:
        try:
            return await work
        except StoreUnavailable:
            self._unavailable = True
            raise

    async def _write(self, chunk: bytes) -> None:
        if chunk:
            self._pending.append(chunk)
            self._pending_size += len(chunk)
            if self._sent or self._pending_size > self._held:
                await self._send(whole=False)

    async def _copy(self, blob: bytes, offset: int, length: int) -> None:
        # The binding has no copy between objects: the bytes come here and go back, in pieces.
        body = await self._open_source(blob, offset, length)
        try:
            while piece := await body.read(PIECE):
                await self._write(piece)
        finally:
            body.close()

    async def _send(self, *, whole: bool) -> None:
        """Send what is pending: all of it, or the part that ends at an alignment."""
        pending = self._pending[0] if len(self._pending) == 1 else b"".join(self._pending)
        end = self._sent + self._pending_size
        if not whole:
            end -= end % self._alignment
        blob = BlobId(self._unique, self._stripe, 0)
        used = 0
        for number, start, size in blob.pieces(self._sent, end - self._sent, self._piece):
            # The only operand of the usual write is the caller's own chunk, uncopied.
            piece = pending if size == len(pending) else pending[used : used + size]
            await self._append(number, start, piece)
            used += size
        self._sent = end
        self._pending = [pending[used:]] if used < len(pending) else []
        self._pending_size = len(pending) - used

    async def _append(self, number: int, start: int, piece: bytes) -> None:
        while self._running and self._running_size + len(piece) > WINDOW:
            await self._collect()
        if number > 0 and self._last == 0:
            await self._collect_all()  # object 0 is there before any other
        op = new_write_op()
        op.write(piece, start)
        await self._start(number, op, len(piece))

    async def _start(self, number: int, op: Any, size: int) -> None:
        self._last = max(self._last, number)
        operation = await self._aio.change(object_name(self._unique, number), op, size)
        self._running.append((operation, size))
        self._running_size += size
        self._touched = time.monotonic()

    async def _collect(self) -> None:
        """Wait for the oldest operation. Raises what it failed with."""
        operation, size = self._running[0]
        await asyncio.wait([operation])  # unlike `await`, leaves it alone when cancelled
        self._running.popleft()
        self._running_size -= size
        if operation.result().code < 0:
            raise store_error(operation.result().code, f"blob {self._unique.hex()}")

    async def _collect_all(self) -> None:
        while self._running:
            await self._collect()

    async def _seal(self, blob: BlobId) -> None:
        op = new_write_op()
        try:
            if blob.last == 0:
                await self._collect_all()
                if self._pending_size:
                    op.write(b"".join(self._pending), self._sent)
            else:
                await self._send(whole=True)
                await self._collect_all()
            op.set_xattr(SEAL, encode_seal(blob, self._owner))
        except BaseException:
            op.release()
            raise
        await self._start(0, op, self._pending_size)
        await self._collect_all()

    async def _discard(self) -> None:
        """Remove what was written, once nothing more can arrive."""
        if self._running:
            await asyncio.wait([operation for operation, _ in self._running])
        try:
            await remove_objects(self._aio, self._unique, self._last)
        except StoreError:
            return  # the sweep finds it: it is older than a day then, and not sealed
