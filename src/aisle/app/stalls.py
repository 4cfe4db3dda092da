"""Clients that stand still: a request that waits for its client for too long is given up.

A timer for every read and write would cost more than the reads and writes of a small request; so
a waiting task only notes since when it has waited, and one sweep a few seconds ends those that
have waited for too long. Their connection is closed, and nothing of them becomes visible.
"""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Any, Final

STALL_SECONDS: Final = 300.0
_SWEEP_SECONDS: Final = 15.0

_waiting: Final[dict[asyncio.Task[Any], float]] = {}


class Waiting:
    """`with Waiting(): await receive()`: the current task waits for its client."""

    __slots__ = ("_task",)

    def __enter__(self) -> None:
        self._task = asyncio.current_task()
        if self._task is not None:
            _waiting[self._task] = time.monotonic()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._task is not None:
            _waiting.pop(self._task, None)


def sweep(limit: float = STALL_SECONDS) -> int:
    """Cancel the tasks that have waited for longer than `limit` seconds; returns how many."""
    oldest = time.monotonic() - limit
    stalled = [task for task, since in _waiting.items() if since < oldest]
    for task in stalled:
        task.cancel()
    return len(stalled)


async def watch() -> None:
    """Sweep for as long as the process serves."""
    while True:
        await asyncio.sleep(_SWEEP_SECONDS)
        sweep()
