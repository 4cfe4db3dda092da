"""Processes that share the jobs of a store over the memory engine, with a shortened lease, and work
made for tests.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aisle.core.errors import StoreUnavailable
from aisle.jobs.jobs import Jobs, JobView
from aisle.jobs.kinds import Kind, Work
from aisle.jobs.task import Task
from aisle.namespace.store import Store
from aisle.store.base import Change, Row
from aisle.store.memory import MemoryBlobs, MemoryIndex

LEASE = 0.5
PATIENCE = 60.0


class Crew:
    """The processes of a test: each has its own `Jobs` over the one index."""

    def __init__(self, index: MemoryIndex | None = None, **work: Work) -> None:
        self.index = index or MemoryIndex()
        self.kinds = {name: Kind(name, one) for name, one in work.items()}
        self.store = Store(self.index, MemoryBlobs())
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def jobs(self, name: str, *, kinds: dict[str, Kind] | None = None) -> Jobs:
        """What a handler of the process `name` works with."""
        store = Store(self.index, self.store.blobs)
        return Jobs(store, name, node=name, kinds=kinds or self.kinds, lease_seconds=LEASE)

    def start(self, name: str) -> Jobs:
        """A process that takes jobs."""
        jobs = self.jobs(name)
        self._tasks[name] = asyncio.create_task(jobs.run())
        return jobs

    async def stop(self, name: str) -> None:
        """End a process in order."""
        task = self._tasks.pop(name)
        task.cancel()
        await asyncio.wait([task])

    async def end(self) -> None:
        for name in list(self._tasks):
            await self.stop(name)


@asynccontextmanager
async def crew(index: MemoryIndex | None = None, **work: Work) -> AsyncIterator[Crew]:
    made = Crew(index, **work)
    try:
        yield made
    finally:
        await made.end()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await condition():
            await asyncio.sleep(0.005)


async def over(jobs: Jobs, identity: str) -> JobView:
    """The job once it is over."""
    await until(lambda: is_over(jobs, identity))
    return await jobs.get(identity)


async def is_over(jobs: Jobs, identity: str) -> bool:
    return (await jobs.get(identity)).over


async def is_running(jobs: Jobs, identity: str) -> bool:
    return (await jobs.get(identity)).record.state == "running"


async def count(task: Task) -> object:
    """Count to `to`, saving at every step."""
    while task.progress.objects < task.args["to"]:
        await task.advance(1, 10, cursor=str(task.progress.objects + 1))
    return {"counted": task.progress.objects}


async def wait(task: Task) -> object:
    """Work that only ends when it is told to."""
    await asyncio.Event().wait()
    return None


class Severed(MemoryIndex):
    """One process's way to the shared rows, which can be cut: its end as others see it."""

    def __init__(self, shared: MemoryIndex) -> None:
        super().__init__()
        self._shared = shared
        self.cut = False

    def _check(self) -> None:
        if self.cut:
            raise StoreUnavailable("cut off")

    async def get(self, table: str, key: bytes) -> bytes | None:
        self._check()
        return await self._shared.get(table, key)

    async def scan(self, table: str, **how: Any) -> list[Row]:
        self._check()
        return await self._shared.scan(table, **how)

    async def get_many(self, table: str, keys: Sequence[bytes]) -> list[bytes | None]:
        self._check()
        return await self._shared.get_many(table, keys)

    async def commit(self, *changes: Change) -> None:
        self._check()
        await self._shared.commit(*changes)
