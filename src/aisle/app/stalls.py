"""Clients that stand still: a request that waits for its client for too long is given up.

A timer for every read and write would cost more than the reads and writes of a small request; so
a waiting task only notes since when it has waited, and one sweep every moment ends those that have
waited for too long. The read or write then raises `RequestTimeout`, and nothing of the request
becomes visible.
"""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Any, Final

from aisle.core.errors import RequestTimeout

_SWEEP_SECONDS: Final = 5.0
_WORDS: Final = {
    True: "the client has sent nothing of its body for {:g} seconds",
    False: "the client has taken nothing of its reply for {:g} seconds",
}

_waiting: Final[dict[asyncio.Task[Any], Waiting]] = {}


class Waiting:
    """`with Waiting(60): await receive()`: the current task waits for its client.

    Raises `RequestTimeout` where the wait was ended by a sweep.
    """

    __slots__ = ("_limit", "_reads", "_since", "_task", "expired")

    def __init__(self, limit: float, *, reads: bool = True) -> None:
        self._limit = limit
        self._reads = reads
        self.expired = False

    def __enter__(self) -> None:
        self._task = asyncio.current_task()
        if self._task is not None:
            self._since = time.monotonic()
            _waiting[self._task] = self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._task is None:
            return
        _waiting.pop(self._task, None)
        if self.expired and kind is asyncio.CancelledError and self._task.uncancel() == 0:
            raise RequestTimeout(_WORDS[self._reads].format(self._limit)) from None

    def sweep(self, now: float) -> bool:
        """End this wait if it is older than it may be."""
        if self.expired or self._task is None or now - self._since < self._limit:
            return False
        self.expired = True
        self._task.cancel()
        return True


def sweep() -> int:
    """End the waits that have taken too long; returns how many."""
    now = time.monotonic()
    return sum([waiting.sweep(now) for waiting in list(_waiting.values())])


async def watch(shortest: float = 60.0) -> None:
    """Sweep for as long as the process serves; `shortest` is the least of the limits."""
    while True:
        await asyncio.sleep(min(_SWEEP_SECONDS, shortest / 4))
        sweep()
