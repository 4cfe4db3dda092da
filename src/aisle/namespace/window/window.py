"""The window of one process: what `objects` and `bodies` hand on, to whoever does it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from aisle.backend.base import Backend
from aisle.namespace.bodies import Stored
from aisle.namespace.conditions import WriteConditions
from aisle.namespace.records import Extent, Object
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.window.cold import Cold
from aisle.namespace.window.registry import Remotes
from aisle.namespace.window.writing import Writing
from aisle.namespace.windows import How
from aisle.store.base import Change


class RemoteWindow:
    """See `namespace.windows.Window`."""

    def __init__(self, remotes: Remotes) -> None:
        self._cold = Cold(remotes)
        self._writing = Writing(remotes)

    def present(
        self, store: Store, bucket: BucketRow, key: bytes, cached: Object | None, how: How
    ) -> Coroutine[Any, Any, Object]:
        return self._cold.present(store, bucket, key, cached, how)

    def read(self, store: Store, extent: Extent, offset: int, length: int) -> AsyncIterator[bytes]:
        return self._cold.read(store, extent, offset, length)

    async def fetch(
        self,
        store: Store,
        bucket: BucketRow,
        key: bytes,
        *,
        workers: int = 0,
        chunk: int = 0,
        latest: bool = False,
    ) -> Object:
        return await self._cold.fetch(
            store, bucket, key, workers=workers, chunk=chunk, latest=latest
        )

    async def commit(
        self,
        store: Store,
        bucket: BucketRow,
        key: bytes,
        stored: Stored | None,
        build: Callable[[Object | None, int], Object],
        conditions: WriteConditions,
        extra: tuple[Change, ...],
        via: Backend | None = None,
    ) -> Object:
        return await self._writing.commit(store, bucket, key, stored, build, conditions, extra, via)

    async def delete(
        self, store: Store, bucket: BucketRow, key: bytes, conditions: WriteConditions
    ) -> bool:
        return await self._writing.delete(store, bucket, key, conditions)

    async def close(self) -> None:
        """End what runs for itself; what it has is given up."""
        await self._writing.close()
        await self._cold.close()
