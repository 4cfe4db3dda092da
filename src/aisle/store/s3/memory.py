"""How much memory the parts of all blobs being written may hold together.

S3 takes no part below 5 MiB but the last, so a writer has to collect that much before it can send
anything, however slowly its client delivers. A process with many slow clients would hold 5 MiB
for each; so bytes are counted as they arrive, and beyond `total` writers wait. Were that all, they
might all wait for each other with half a part each: so those who have the most are promised the
rest of their part, out of `reserve`, and go on; a part that was sent pays for the next promise.
Waiting for too long is `StoreUnavailable`.
"""

from __future__ import annotations

import asyncio
import heapq
from itertools import count
from typing import Final, NamedTuple

from aisle.core.errors import StoreUnavailable

TOTAL: Final = 128 << 20
RESERVE: Final = 32 << 20
PATIENCE: Final = 60.0


class _Waiting(NamedTuple):
    """A share in the queue; the one that has collected most is first."""

    missing: int  # -bytes collected
    order: int
    size: int
    part: int
    share: Share
    turn: asyncio.Future[None]


class PartMemory:
    """Counts the bytes that one process holds for parts. One event loop uses it.

    They are never more than `total` and `reserve`, or one part where that is larger than `reserve`.
    """

    def __init__(
        self, total: int = TOTAL, *, reserve: int = RESERVE, patience: float = PATIENCE
    ) -> None:
        self.total = total
        self.reserve = reserve
        self.patience = patience
        self.held = 0
        self.promised = 0
        self._waiting: list[_Waiting] = []
        self._order = count()

    @property
    def crowded(self) -> bool:
        """Whether somebody waits already."""
        return bool(self._waiting)

    def fits(self, size: int, *, beyond: int = 0) -> bool:
        return self.held + self.promised + size <= self.total + beyond

    def queue(self, share: Share, size: int, part: int) -> asyncio.Future[None]:
        """What is done once `size` bytes are counted for `share`."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        place = _Waiting(-share.collected, next(self._order), size, part, share, turn)
        heapq.heappush(self._waiting, place)
        self.admit()
        return turn

    def sent(self, size: int) -> None:
        """`size` bytes of a part are no longer held."""
        self.held -= size
        self.admit()

    def admit(self) -> None:
        """Let those go on who can."""
        while self._waiting:
            _, _, size, part, share, turn = self._waiting[0]
            if not turn.done():
                rest = part - share.collected
                if self.fits(size):
                    share.count(size)
                elif self.fits(rest, beyond=max(self.reserve, part)):
                    share.promise(rest)
                    share.count(size)
                else:
                    return
                turn.set_result(None)
            heapq.heappop(self._waiting)


class Share:
    """What one writer holds of the memory: the bytes of the part that it collects."""

    __slots__ = ("_memory", "_promised", "collected")

    def __init__(self, memory: PartMemory) -> None:
        self.collected = 0
        self._memory = memory
        self._promised = 0

    async def take(self, size: int, *, part: int) -> None:
        """Count `size` more bytes, of a part that will have `part`."""
        memory = self._memory
        if self._promised or (memory.fits(size) and not memory.crowded):
            self.count(size)
            return
        turn = memory.queue(self, size, part)
        try:
            async with asyncio.timeout(memory.patience):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.collected -= size
                memory.sent(size)
            turn.cancel()
            memory.admit()
            if isinstance(error, TimeoutError):
                raise StoreUnavailable(
                    "the bucket takes bytes more slowly than clients send them"
                ) from None
            raise

    def count(self, size: int) -> None:
        used = min(size, self._promised)
        self._promised -= used
        self._memory.promised -= used
        self._memory.held += size
        self.collected += size

    def promise(self, size: int) -> None:
        self._promised += size
        self._memory.promised += size

    def hand_over(self) -> int:
        """The part is whole and on its way: its size, for `sent`."""
        size, self.collected = self.collected, 0
        self._memory.promised -= self._promised
        self._promised = 0
        self._memory.admit()
        return size

    def drop(self) -> None:
        """The part is given up."""
        self._memory.sent(self.hand_over())
