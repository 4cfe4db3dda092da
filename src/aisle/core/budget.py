"""How much memory streams may hold together, and so how large a slice each may read or write.

A worker moves many bodies at once; each holds a few slices in flight (the one being hashed or
written, the ones the HTTP server has queued). The slice shrinks as streams are added, so that
the sum stays near `total` whatever the number of clients and however slow they are.
"""

from __future__ import annotations

import asyncio
from collections import deque


class Budget:
    """Counts running streams of one direction in a worker and tells their slice size in bytes.

    `depth` is how many slices of one stream are in memory at once; see docs/decisions/001 for
    what was measured of the HTTP server.
    """

    __slots__ = ("active", "depth", "largest", "smallest", "total")

    def __init__(self, total: int, *, depth: int, smallest: int, largest: int) -> None:
        self.total = total
        self.depth = depth
        self.smallest = smallest
        self.largest = largest
        self.active = 0

    def slice(self) -> int:
        """The bytes that one stream may read, hash or write at a time now."""
        share = self.total // (max(self.active, 1) * self.depth)
        return min(self.largest, max(self.smallest, share))

    def __enter__(self) -> Budget:
        self.active += 1
        return self

    def __exit__(self, *exc: object) -> None:
        self.active -= 1


def reading() -> Budget:
    """Bodies on their way out: the server holds up to 14 slices of a client that reads slowly,
    and slices above 256 KiB save no CPU."""
    return Budget(48 << 20, depth=12, smallest=16 << 10, largest=256 << 10)


def writing() -> Budget:
    """Bodies on their way in: one slice is collected while another is hashed and written."""
    return Budget(48 << 20, depth=4, smallest=64 << 10, largest=1 << 20)


class Reserve:
    """Bytes that are taken before they are used, first come first served: who wants more than is
    left waits, and so does whoever comes after, however little they want."""

    __slots__ = ("_queue", "left", "total")

    def __init__(self, total: int) -> None:
        self.total = total
        self.left = total
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, size: int) -> int:
        """Wait for `size` bytes, or for all there are if that is less; how many it were."""
        size = min(size, self.total)
        if self._queue or size > self.left:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._queue.append((size, turn))
            try:
                await turn
            except asyncio.CancelledError:
                if not turn.cancelled():
                    self.give(size)  # it came in the same moment
                self._serve()
                raise
        else:
            self.left -= size
        return size

    def give(self, size: int) -> None:
        """Bytes that were taken are free again."""
        self.left += size
        self._serve()

    def _serve(self) -> None:
        while self._queue and (self._queue[0][1].done() or self._queue[0][0] <= self.left):
            size, turn = self._queue.popleft()
            if not turn.done():
                self.left -= size
                turn.set_result(None)


def fetching() -> Reserve:
    """Remote objects on their way into the store: eight large ones, each with the chunk that is
    being written and what has come since."""
    return Reserve(136 << 20)
