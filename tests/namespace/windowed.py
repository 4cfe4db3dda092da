"""Windows over a remote service in memory: workers that share one store, and their reads.

A `Worker` is a process as far as windows are concerned: a `Store` of its own over engines that all
of them share, with its own fetches.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aisle.core.errors import BucketNotFound
from aisle.core.names import BucketName
from aisle.namespace import bodies, buckets, objects
from aisle.namespace.records import Object, decode
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.window.registry import Remotes
from aisle.namespace.window.window import RemoteWindow
from aisle.namespace.windows import PART, READ, How
from aisle.store.base import Blobs, Index
from aisle.store.memory import MemoryBlobs, MemoryIndex
from tests.backend.memory import MemoryProvider, MemoryRemote
from tests.namespace.support import Clock

NAME = "remote"


class Site:
    """One store, one remote service, and the workers on it. Everything is closed at the end."""

    def __init__(
        self, remote: MemoryRemote, index: Index | None = None, blobs: Blobs | None = None
    ) -> None:
        self.remote = remote
        self.clock = Clock()
        self.index = index or MemoryIndex()
        self.blobs = blobs or MemoryBlobs()
        self.workers: list[Worker] = []

    def worker(self) -> Worker:
        worker = Worker(self)
        self.workers.append(worker)
        return worker

    async def close(self) -> None:
        for worker in self.workers:
            await worker.window.close()


class Worker:
    """See the module."""

    def __init__(self, site: Site) -> None:
        self.store = Store(site.index, site.blobs, now=site.clock)
        self.remotes = Remotes({site.remote.provider: MemoryProvider(site.remote)})
        self.window = RemoteWindow(self.remotes)
        self.store.remotes = self.remotes
        self.store.window = self.window

    async def bucket(self, **props: Any) -> BucketRow:
        """The window, which is made with these props if there is none."""
        name = BucketName(NAME, "aws")
        try:
            return await buckets.get(self.store, name)
        except BucketNotFound:
            return await buckets.create(self.store, name, owner="me", props=props)

    async def find(self, key: str, how: How = READ) -> objects.Found:
        return await objects.find(self.store, await self.bucket(), key.encode(), how)

    async def get(self, key: str, how: How = READ) -> bytes:
        """All bytes of an object, as GetObject reads them."""
        return b"".join([piece async for piece in self.stream(key, how)])

    async def stream(self, key: str, how: How = READ) -> AsyncGenerator[bytes]:
        found, small = await objects.find_small(self.store, await self.bucket(), key.encode(), how)
        if small is not None:
            yield small
            return
        size = found.record.size
        async for piece in bodies.read_extents(self.store, found.extents, 0, size):
            yield piece

    async def range(self, key: str, start: int, length: int, how: How = PART) -> bytes:
        found, small = await objects.find_small(self.store, await self.bucket(), key.encode(), how)
        if small is not None:
            return small[start : start + length]
        stream = bodies.read_extents(self.store, found.extents, start, length)
        return b"".join([piece async for piece in stream])

    async def copy(self, key: str) -> Object | None:
        """The row of what is kept."""
        bucket = await self.bucket()
        raw = await self.store.index.get("object", bucket.record.id + key.encode())
        return decode(Object, raw) if raw is not None else None

    async def kept(self, key: str) -> bytes | None:
        """The bytes of what is kept, without the window."""
        copy = await self.copy(key)
        if copy is None:
            return None
        found = copy.extents or []
        if copy.layout:
            bucket = await self.bucket()
            found = list((await objects.find(self.store, bucket, key.encode())).extents)
        return b"".join(
            [piece async for piece in bodies.read_extents(self.store, found, 0, copy.size)]
        )


@asynccontextmanager
async def site(
    remote: MemoryRemote,
    *,
    props: dict[str, Any] | None = None,
    workers: int = 1,
    over: Store | None = None,
) -> AsyncIterator[Sequence[Worker]]:
    """Workers over one store (in memory unless it is given), with a window on the remote."""
    remote.make(NAME)
    made = Site(remote, over.index, over.blobs) if over is not None else Site(remote)
    try:
        team = [made.worker() for _ in range(workers)]
        await team[0].bucket(**(props or {}))
        yield team
    finally:
        await made.close()
