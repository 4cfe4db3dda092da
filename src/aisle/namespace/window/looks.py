"""Looking at remote objects: one request for all who want to know at the same time.

An answer is never older than the question: who comes while a request is under way shares the next
one, with all others that have come since. So however many ask about one key at once, at most one
request runs and one waits, and nobody hears of a version that was replaced before they asked.
"""

from __future__ import annotations

import asyncio

from aisle.backend.base import Backend, RemoteObject


class Looks:
    """The requests of one process."""

    def __init__(self) -> None:
        self._running: dict[tuple[int, bytes], asyncio.Task[RemoteObject]] = {}
        self._waiting: dict[tuple[int, bytes], asyncio.Task[RemoteObject]] = {}

    async def head(self, backend: Backend, row_key: bytes, key: str) -> RemoteObject:
        """What the remote says of an object now. Raises `RemoteError`s."""
        name = (id(backend), row_key)
        task = self._waiting.get(name)
        if task is None:
            running = self._running.get(name)
            task = asyncio.create_task(self._ask(name, running, backend, key))
            task.add_done_callback(_seen)
            if running is None:
                self._running[name] = task
            else:
                self._waiting[name] = task
        try:
            return await asyncio.shield(task)
        except Exception as error:
            raise error.with_traceback(None) from None

    async def _ask(
        self,
        name: tuple[int, bytes],
        before: asyncio.Task[RemoteObject] | None,
        backend: Backend,
        key: str,
    ) -> RemoteObject:
        if before is not None:
            await asyncio.wait([before])
            task = self._waiting.pop(name)
            self._running[name] = task
        try:
            return await backend.head(key)
        finally:
            if self._running.get(name) is asyncio.current_task():
                del self._running[name]


def _seen(task: asyncio.Task[RemoteObject]) -> None:
    """Whoever asked may have gone: then nobody hears of a failure."""
    if not task.cancelled():
        task.exception()
