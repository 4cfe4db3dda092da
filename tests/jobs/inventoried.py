"""A remote bucket in memory that has inventories, and the processes with a window on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aisle.core.names import BucketName
from aisle.jobs.inventories import Inventories
from aisle.jobs.jobs import Jobs
from aisle.jobs.kinds import KINDS
from aisle.namespace import buckets
from aisle.namespace.listing import ID, Query
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.window.inventory import pages
from aisle.namespace.window.inventory.finding import Where
from aisle.namespace.window.registry import Remotes
from aisle.store.memory import MemoryBlobs, MemoryIndex
from tests.backend.memory import MemoryProvider, MemoryRemote
from tests.inventories import Entry
from tests.jobs.crew import LEASE

BUCKET = "webdataset"
LATER = "2026-11-23T01-00Z"
ANY = Where()


class Site:
    """A window of each process on one bucket of a remote in memory."""

    def __init__(self, provider: str = "aws") -> None:
        self.remote = MemoryRemote(provider)
        self.remote.make(BUCKET)
        self.index = MemoryIndex()
        self.tasks: list[asyncio.Task[None]] = []
        self.bucket: BucketRow
        self.store = self._store()

    def _store(self) -> Store:
        store = Store(self.index, MemoryBlobs())
        store.remotes = Remotes({self.remote.provider: MemoryProvider(self.remote)})
        return store

    def jobs(self, name: str = "other", *, runs: bool = False) -> Jobs:
        jobs = Jobs(self._store(), name, node=name, kinds=KINDS, lease_seconds=LEASE)
        if runs:
            self.tasks.append(asyncio.create_task(jobs.run()))
        return jobs

    def inventories(self, name: str = "one", *, runs: bool = True) -> Inventories:
        """Those of a process, which does jobs if it `runs`."""
        return Inventories(self._store(), self.jobs(name, runs=runs))

    def put(self, files: Mapping[str, bytes], bucket: str = BUCKET) -> None:
        for key, data in files.items():
            self.remote.store(bucket, key, data)

    async def keys(self, row: Any, **query: Any) -> list[str]:
        """The keys that an inventory lists."""
        base = self.bucket.record.id
        found = await pages.page(self.store, row, Query(prefix=base, **query))
        return [key[ID:].decode() for key, _ in found.page.rows]

    async def count(self) -> int:
        """The rows there are of inventories, listed or not."""
        return len(await self.index.scan("inventory", limit=1_000_000))


@asynccontextmanager
async def site(provider: str = "aws") -> AsyncIterator[Site]:
    made = Site(provider)
    name = BucketName(BUCKET, provider, "")
    made.bucket = await buckets.create(made.store, name, owner="root")
    try:
        yield made
    finally:
        for task in made.tasks:
            task.cancel()
        if made.tasks:
            await asyncio.wait(made.tasks)


def names(some: list[Entry]) -> list[str]:
    return [entry.key for entry in some]
