"""A window over a remote service in memory, and the jobs that prefetch and evict in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aisle.core.names import BucketName
from aisle.jobs.task import Task
from aisle.jobs.work.evict import evict_objects
from aisle.jobs.work.prefetch import prefetch_objects
from aisle.jobs.work.selection import bucket_args
from aisle.namespace import buckets
from aisle.namespace.records import Progress
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.window.registry import Remotes
from aisle.namespace.window.window import RemoteWindow
from aisle.store.memory import MemoryBlobs, MemoryIndex
from tests.backend.memory import MemoryProvider, MemoryRemote
from tests.jobs.support import begun
from tests.namespace.kept import kept
from tests.namespace.support import Interposed

CHUNK = 8 << 20


class Window:
    """A store with a window on the bucket `b` of a service in memory."""

    def __init__(self, store: Store, index: Interposed, bucket: BucketRow) -> None:
        self.store = store
        self.index = index
        self.bucket = bucket
        self.remote = MemoryRemote()
        self.remote.make("b")

    def fill(self, *names: str, size: int = 10) -> None:
        for name in names:
            self.remote.store("b", name, name.encode().ljust(size, b"."))

    def task(self, progress: Progress | None = None, **args: Any) -> Task:
        given = {"num_workers": 0, **bucket_args(self.bucket), **args}
        return begun(self.store, given, progress)

    async def prefetch(self, progress: Progress | None = None, **args: Any) -> Progress:
        task = self.task(progress, **args)
        await prefetch_objects(task)
        return task.progress

    async def evict(self, **args: Any) -> Progress:
        task = self.task(**args)
        await evict_objects(task)
        return task.progress

    async def kept(self) -> list[str]:
        return await kept(self.store, self.bucket)

    @property
    def fetched(self) -> list[str]:
        return [key for method, key in self.remote.log if method == "get"]


@asynccontextmanager
async def window() -> AsyncIterator[Window]:
    index = Interposed(MemoryIndex())
    store = Store(index, MemoryBlobs())
    bucket = await buckets.create(store, BucketName("b", "aws"), owner="me")
    made = Window(store, index, bucket)
    store.remotes = Remotes({"aws": MemoryProvider(made.remote)})
    store.window = remote = RemoteWindow(store.remotes)
    try:
        yield made
    finally:
        await remote.close()
        await store.remotes.close()
