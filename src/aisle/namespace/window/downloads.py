"""The fetches of one process: one an object, so many at a time, first come first served.

How many run at once is bounded by `SLOTS`, and what they have in memory together by the worker's
`fetching` reserve; who has to wait is served in turn. They belong to nobody who waits for them.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from aisle.backend.base import Backend
from aisle.core.errors import NotSupported
from aisle.namespace.records import Bucket, Object
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.window.fetch import Fetch, Plan
from aisle.namespace.window.pump import CHUNK

SLOTS: Final = 64


async def fetch(
    store: Store,
    bucket: BucketRow,
    key: bytes,
    *,
    workers: int = 0,
    chunk: int = 0,
    latest: bool = False,
) -> Object:
    """Bring an object into the cluster and wait until it is there; its row. With `workers` it is
    fetched in `chunk`s by so many requests at once, if it is large enough for more than one.

    Raises `ObjectNotFound`, `RemoteError`s and `StoreError`s.
    """
    if store.window is None:
        raise NotSupported("remote buckets cannot be reached from this process")
    return await store.window.fetch(store, bucket, key, workers=workers, chunk=chunk, latest=latest)


async def plan_of(store: Store, bucket: Bucket, *, workers: int = 0, chunk: int = 0) -> Plan:
    """How objects of a bucket are fetched, by its settings or as somebody asks."""
    if workers > 0:
        return Plan(parallel_from=1, workers=workers, chunk=chunk or CHUNK)
    return Plan(
        parallel_from=await store.size("cold_get.parallel_from", bucket),
        workers=int(await store.setting("cold_get.parallel_workers", bucket)),
    )


class Downloads:
    """See the module."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(SLOTS)
        self._running: dict[bytes, Fetch] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def running(self, row_key: bytes) -> Fetch | None:
        """The fetch of an object that runs; what it fetches may be outdated by now."""
        return self._running.get(row_key)

    async def join(
        self, store: Store, bucket: BucketRow, key: bytes, backend: Backend, plan: Plan
    ) -> Fetch:
        """The fetch of an object that runs, or one that begins now."""
        row_key = bucket.record.id + key
        while True:
            fetch = self._running.get(row_key)
            if fetch is not None:
                if await fetch.current():
                    return fetch
                if self._running.get(row_key) is not fetch:
                    continue
            fetch = self._running[row_key] = Fetch(store, bucket, key, backend, plan)
            task = asyncio.create_task(fetch.run(self._slots))
            self._tasks.add(task)
            task.add_done_callback(lambda done, fetch=fetch: self._ended(done, fetch))  # type: ignore[misc]
            return fetch

    def _ended(self, task: asyncio.Task[None], fetch: Fetch) -> None:
        self._tasks.discard(task)
        if self._running.get(fetch.row_key) is fetch:
            del self._running[fetch.row_key]

    async def close(self) -> None:
        """End all fetches; what they have is given up."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
