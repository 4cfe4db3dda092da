"""Destroying a bucket with its contents, in the namespace over the memory engine."""

import asyncio
from collections.abc import Mapping

import pytest

from aisle.core.errors import BucketNotFound
from aisle.core.names import BucketName
from aisle.namespace import buckets, objects
from aisle.namespace.destroy import BATCH, destroy
from aisle.namespace.objects import Description
from aisle.namespace.store import BucketRow, Store
from aisle.store.memory import MemoryBlobs, MemoryIndex

NAME = BucketName("abc")


class Body:
    """An `Incoming` of some bytes."""

    def __init__(self, data: bytes) -> None:
        self.size: int | None = len(data)
        self._data = data

    async def read(self) -> bytes:
        data, self._data = self._data, b""
        return data

    def verify(self, digests: Mapping[str, bytes], size: int) -> None:
        assert size == self.size


async def fill(store: Store, row: BucketRow, first: int, count: int, size: int = 10) -> None:
    for number in range(first, first + count):
        key = f"{number:06}".encode()
        await objects.put(store, row, key, Body(bytes(size)), Description())


def test_everything_goes_in_batches_and_other_buckets_stay() -> None:
    async def main() -> None:
        store = Store(MemoryIndex(), MemoryBlobs())
        row = await buckets.create(store, NAME, owner="o")
        other = await buckets.create(store, BucketName("other"), owner="o")
        await fill(store, row, 0, BATCH * 2 + 1)
        await fill(store, row, BATCH * 3, 2, size=200_000)
        await fill(store, other, 0, 3)
        assert await destroy(store, NAME) == BATCH * 2 + 3
        with pytest.raises(BucketNotFound):
            await buckets.get(store, NAME)
        left = await store.index.scan("object", limit=10)
        assert [key[:8] for key, _ in left] == [other.record.id] * 3
        assert len(await store.index.scan("body", limit=10)) == 3
        assert len(await store.index.scan("garbage", limit=10)) == 2

    asyncio.run(main())


def test_writers_meanwhile_leave_nothing_behind() -> None:
    async def main() -> None:
        store = Store(MemoryIndex(), MemoryBlobs())
        row = await buckets.create(store, NAME, owner="o")
        await fill(store, row, 0, 50)
        results = await asyncio.gather(
            destroy(store, NAME),
            *(fill(store, row, n, 20) for n in (0, 40, 100)),
            return_exceptions=True,
        )
        assert isinstance(results[0], int)
        assert all(r is None or isinstance(r, BucketNotFound) for r in results[1:])
        assert await store.index.scan("bucket", limit=1) == []
        assert await store.index.scan("object", limit=1) == []
        assert await store.index.scan("body", limit=1) == []

    asyncio.run(main())
