"""What the tests of the namespace share: stores with a clock of their own, bodies, interleavings.

The memory engines never suspend, so tasks over them run one after the other. `Unhurried` gives
other tasks a turn, at random, before and after every call of an `Index`; `Interposed` runs
something at one exact moment. Together they stand for other workers and gateways.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from aisle.core.names import BucketName
from aisle.namespace import bodies, buckets, copies, housekeeping, objects, uploads
from aisle.namespace.conditions import UNCONDITIONAL, WriteConditions
from aisle.namespace.objects import Description
from aisle.namespace.records import PARTS_IN_ROW, Extent, Object, Part, decode
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.uploads import Claims, NamedPart, UploadRow
from aisle.store.base import Blobs, Change, Fold, Index, IndexStats, Row
from aisle.store.files import FileBlobs
from aisle.store.memory import MemoryBlobs, MemoryIndex
from aisle.store.sqlite import SqliteIndex

SECOND = 1_000_000_000
HOUR, DAY = 3600 * SECOND, 86_400 * SECOND
LARGE = bodies.INLINE_LIMIT + 1
NO_CLAIMS = Claims({}, "", None)
T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


class Clock:
    """Nanoseconds since the epoch, set by hand."""

    def __init__(self, now: int = 1_800_000_000 * SECOND) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def memory_store(clock: Callable[[], int] | None = None) -> Store:
    return Store(MemoryIndex(), MemoryBlobs(), now=clock or Clock())


@asynccontextmanager
async def disk_store(
    directory: Path, clock: Callable[[], int] | None = None
) -> AsyncIterator[Store]:
    """A store over the embedded engines."""
    (directory / "disk").mkdir(parents=True, exist_ok=True)
    index = SqliteIndex.open(directory / "index.db", durability="relaxed")
    blobs = FileBlobs.mount([directory / "disk"], store="test", durability="relaxed")
    try:
        yield Store(index, blobs, now=clock or Clock())
    finally:
        await blobs.close()
        await index.close()


class Data:
    """A body that comes in pieces of `step` bytes; `wrong` is raised when it is verified."""

    def __init__(self, data: bytes, *, step: int = 1 << 16, wrong: Exception | None = None) -> None:
        self.size: int | None = len(data)
        self._pieces = [data[at : at + step] for at in range(0, len(data), step)][::-1]
        self._wrong = wrong

    async def read(self) -> bytes:
        await asyncio.sleep(0)
        return self._pieces.pop() if self._pieces else b""

    def verify(self, digests: Mapping[str, bytes], size: int) -> None:
        assert size == self.size
        if self._wrong is not None:
            raise self._wrong


def pattern(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def etag_of(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


async def make_bucket(store: Store, name: str = "bucket", **options: Any) -> BucketRow:
    return await buckets.create(store, BucketName(name), owner="me", **options)


async def put(
    store: Store,
    bucket: BucketRow,
    key: bytes,
    data: bytes,
    conditions: WriteConditions = UNCONDITIONAL,
) -> Object:
    return await objects.put(
        store, bucket, key, Data(data), Description(owner="me"), conditions=conditions
    )


async def get(store: Store, bucket: BucketRow, key: bytes) -> bytes:
    """The bytes of an object, as GetObject reads them."""
    found, small = await objects.find_small(store, bucket, key)
    if small is not None:
        return small
    stream = bodies.read_extents(store, found.extents, 0, found.record.size)
    return b"".join([piece async for piece in stream])


async def begin(store: Store, bucket: BucketRow, key: bytes) -> UploadRow:
    record = await uploads.create(store, bucket, key, Description(owner="me"), checksum_type="")
    return await uploads.find(store, bucket, key, record.id.hex())


async def put_part(
    store: Store, bucket: BucketRow, upload: UploadRow, number: int, data: bytes
) -> Part:
    return await uploads.put_part(store, bucket, upload, number, Data(data))


def named(*parts: Part) -> list[NamedPart]:
    return [NamedPart(part.number, part.etag, {}) for part in parts]


async def complete(
    store: Store,
    bucket: BucketRow,
    upload: UploadRow,
    *parts: Part,
    conditions: WriteConditions = UNCONDITIONAL,
) -> Object:
    return await uploads.complete(
        store, bucket, upload, named(*parts), NO_CLAIMS, conditions=conditions
    )


async def multipart(store: Store, bucket: BucketRow, key: bytes, sizes: Sequence[int]) -> Object:
    """An object of parts, the n-th of which is the pattern `n`."""
    upload = await begin(store, bucket, key)
    parts = [
        await put_part(store, bucket, upload, number, pattern(size, number))
        for number, size in enumerate(sizes, 1)
    ]
    return await complete(store, bucket, upload, *parts)


async def begun(store: Store, bucket: BucketRow, key: bytes, *sizes: int) -> UploadRow:
    """An upload that goes on."""
    upload = await begin(store, bucket, key)
    for number, size in enumerate(sizes, 1):
        await put_part(store, bucket, upload, number, pattern(size, number))
    return upload


async def rows(store: Store, table: str) -> list[bytes]:
    return [key for key, _ in await store.index.scan(table, limit=10**6)]


async def blob_ids(store: Store) -> set[bytes]:
    return {info.blob async for info in store.blobs.scan()}


async def nothing_leaks(store: Store) -> None:
    """Bodies are those of objects and parts, or wait in `garbage`."""
    extents: list[Extent] = []
    for _, raw in await store.index.scan("object", limit=10**6):
        extents += decode(Object, raw).extents
    for _, raw in await store.index.scan("part", limit=10**6):
        extents += decode(Part, raw).extents
    named_rows = {extent.blob for extent in extents if extent.inline}
    named_blobs = {extent.blob for extent in extents if not extent.inline}
    for key in await rows(store, "garbage"):
        (named_rows if key[8:9] == b"r" else named_blobs).add(key[9:])
    assert {*await rows(store, "body")} == named_rows
    assert await blob_ids(store) == named_blobs


async def sweep(store: Store, *, min_age: int = 0) -> housekeeping.Report:
    report = housekeeping.Report()
    await housekeeping.sweep_blobs(store, report, min_age=min_age)
    await housekeeping.find_missing(store, report)
    return report


async def everything(store: Store) -> set[bytes]:
    """Objects of every kind, and parts: what a sweep must not touch. Returns the blobs."""
    bucket = await make_bucket(store)
    await put(store, bucket, b"plain", pattern(LARGE))
    await multipart(store, bucket, b"few", [LARGE] * PARTS_IN_ROW)
    await multipart(store, bucket, b"many", [LARGE] * (PARTS_IN_ROW + 1))
    await begun(store, bucket, b"live", LARGE, LARGE)
    # The key of the upload is that of an object, and the beginning of another one's.
    await put(store, bucket, b"live", pattern(LARGE, 9))
    await put(store, bucket, b"live\x00er", pattern(LARGE, 8))
    found, small = await objects.find_small(store, bucket, b"many")
    await copies.copy(store, found, bucket, b"copy", objects.Description(), small=small)
    return await blob_ids(store)


Before = Callable[[str, str], Awaitable[None]]


class Interposed:
    """An `Index` that calls `before(method, table)` and `after(method, table)` around each use;
    a commit counts for the table of its first change."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self.before: Before | None = None
        self.after: Before | None = None

    async def _around(self, method: str, table: str, work: Awaitable[T]) -> T:
        try:
            if self.before is not None:
                await self.before(method, table)
        finally:
            result = await work
        if self.after is not None:
            await self.after(method, table)
        return result

    async def get(self, table: str, key: bytes) -> bytes | None:
        return await self._around("get", table, self.index.get(table, key))

    async def get_many(self, table: str, keys: Sequence[bytes]) -> list[bytes | None]:
        return await self._around("get_many", table, self.index.get_many(table, keys))

    async def scan(
        self,
        table: str,
        *,
        prefix: bytes = b"",
        after: bytes = b"",
        limit: int,
        reverse: bool = False,
        fold: Fold | None = None,
    ) -> list[Row]:
        work = self.index.scan(
            table, prefix=prefix, after=after, limit=limit, reverse=reverse, fold=fold
        )
        return await self._around("scan", table, work)

    async def commit(self, *changes: Change) -> None:
        await self._around("commit", changes[0].table, self.index.commit(*changes))

    async def drop(self, table: str) -> None:
        await self.index.drop(table)

    @property
    def lag(self) -> float:
        return self.index.lag

    async def time(self) -> int:
        return await self.index.time()

    def epoch(self) -> int:
        return self.index.epoch()

    async def stats(self) -> IndexStats:
        return await self.index.stats()

    async def close(self) -> None:
        await self.index.close()


def interposed_store(
    clock: Callable[[], int] | None = None, *, blobs: Blobs | None = None
) -> tuple[Store, Interposed]:
    index = Interposed(MemoryIndex())
    return Store(index, blobs or MemoryBlobs(), now=clock or Clock()), index


def unhurried_store(seed: int) -> Store:
    """A store whose every index call gives other tasks a turn, some longer than others."""
    store, index = interposed_store()
    choose = random.Random(seed)

    async def pause(method: str, table: str) -> None:
        for _ in range(choose.choice((0, 0, 1, 2, 5))):
            await asyncio.sleep(0)

    index.before = index.after = pause
    return store


def once(index: Interposed, method: str, table: str, work: Callable[[], Awaitable[object]]) -> None:
    """Run `work` right after the next `method` on `table`, and never again."""

    async def look(used: str, on: str) -> None:
        if (used, on) == (method, table):
            index.after = None
            await work()

    index.after = look


async def once_over(done: Callable[[], bool]) -> None:
    """Wait until something holds that other tasks bring about."""
    async with asyncio.timeout(60):
        while not done():
            await asyncio.sleep(0.001)


async def outcomes(*work: Awaitable[T]) -> list[T | BaseException]:
    """Run all together; what each returned or raised."""
    return await asyncio.gather(*work, return_exceptions=True)
