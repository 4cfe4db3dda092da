"""Any interleaving of readers, ranges, changes behind our back, evictions, lost bodies, slow disks
and workers that die: nobody ever gets bytes of two versions, a body is whole or it is an error, and
what is kept is one whole version.

Every call of the index and every piece from the remote gives the others a turn, at random; sizes
are scaled down so that small objects have many chunks.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Coroutine
from typing import Any, TypeVar, cast

import pytest

from aisle.core.errors import AisleError, OutOfSpace
from aisle.namespace import bodies, objects
from aisle.namespace.window import claims, evict, pump, steady, watch
from aisle.namespace.windows import PART, READ, How
from aisle.store.memory import MemoryBlobs, MemoryIndex
from tests.backend.memory import MemoryRemote
from tests.namespace.support import SECOND, Interposed, pattern, rows
from tests.namespace.windowed import NAME, Site, Worker

T = TypeVar("T")
KEY = "k"
SIZES = (0, 10, 40_000, bodies.INLINE_LIMIT + 1, 150_000, 400_000)
LATEST = How(latest=True, whole=True, used=True)


class Unhurried(Interposed):
    """Gives the others up to three turns around every use."""

    chance = random.Random()

    async def _around(self, method: str, table: str, work: Awaitable[T]) -> T:
        try:
            await self._turns()
        except BaseException:
            cast("Coroutine[Any, Any, T]", work).close()
            raise
        result = await work
        await self._turns()
        return result

    async def _turns(self) -> None:
        for _ in range(self.chance.randrange(4)):
            await asyncio.sleep(0)


class SlowBlobs(MemoryBlobs):
    """Refuses one blob in so many."""

    chance = random.Random()
    full = 0.0

    async def create(self, owner: bytes, *, size_hint: int = 0):  # type: ignore[no-untyped-def]
        await asyncio.sleep(0)
        if self.chance.random() < self.full:
            raise OutOfSpace("the disk is full")
        return await super().create(owner, size_hint=size_hint)


class World:
    """The remote, three workers, and all versions that there have ever been."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.remote = MemoryRemote(piece=10_007)
        self.remote.make(NAME)
        self.remote.reading = self._reading
        index = Unhurried(MemoryIndex())
        index.chance = chance
        self.blobs = SlowBlobs()
        self.blobs.chance = chance
        self.site = Site(self.remote, index, self.blobs)
        self.workers = [self.site.worker() for _ in range(3)]
        self.versions: dict[str, bytes] = {}
        self.reads = self.whole = 0

    async def _reading(self, key: str, place: int) -> None:
        for _ in range(self.chance.randrange(6)):
            await asyncio.sleep(0)

    def change(self) -> None:
        """Another version is there, behind everybody's back."""
        number = len(self.versions)
        data = pattern(self.chance.choice(SIZES), number)
        if data in self.versions.values():
            data += b"!"
        about = self.remote.store(NAME, KEY, data)
        self.versions[about.etag] = data

    async def read(self, worker: Worker) -> None:
        """Read as one of the dialects does, slowly or fast, perhaps not to the end."""
        how = self.chance.choice((READ, READ, PART, LATEST))
        found, small = await objects.find_small(
            worker.store, await worker.bucket(), KEY.encode(), how
        )
        expected = self.versions[found.record.etag]
        assert len(expected) == found.record.size
        start, length = 0, len(expected)
        if how is PART and length:
            start = self.chance.randrange(length)
            length = self.chance.randint(1, length - start)
        leaves = self.chance.random() < 0.2
        got = b""
        self.reads += 1
        async for piece in self._bytes(worker, found, small, start, length):
            got += piece
            assert expected[start : start + length].startswith(got)
            if leaves:
                return
            for _ in range(self.chance.choice((0, 0, 0, 9))):
                await asyncio.sleep(0)
        assert len(got) == length
        self.whole += 1

    async def _bytes(
        self, worker: Worker, found: objects.Found, small: bytes | None, start: int, length: int
    ) -> AsyncIterator[bytes]:
        if small is not None:
            yield small[start : start + length]
            return
        async for piece in bodies.read_extents(worker.store, found.extents, start, length):
            yield piece

    async def fetch(self, worker: Worker) -> None:
        workers = self.chance.choice((0, 1, 3))
        row = await worker.window.fetch(
            worker.store, await worker.bucket(), KEY.encode(), workers=workers, chunk=70_000
        )
        assert row.etag in self.versions

    async def evict(self, worker: Worker) -> None:
        bucket = await worker.bucket()
        row_key = bucket.record.id + KEY.encode()
        raw = await worker.store.index.get("object", row_key)
        if raw is not None:
            await evict.evict(worker.store, [(row_key, raw)])

    async def write(self, worker: Worker) -> None:
        """Somebody claims the object to write it, and does or does not."""
        held = await claims.writing(worker.store, await worker.bucket(), KEY.encode())
        await asyncio.sleep(0)
        self.change()
        await claims.leave(held)

    async def act(self) -> None:
        worker = self.chance.choice(self.workers)
        kind = self.chance.choices(
            ("read", "fetch", "evict", "change", "cut", "sleep", "write"), (10, 2, 2, 2, 3, 1, 1)
        )[0]
        try:
            if kind == "change":
                self.change()
            elif kind == "cut":
                self.remote.cut = self.chance.randrange(400_000)
            elif kind == "sleep":
                self.site.clock.now += claims.PATIENCE + SECOND
            else:
                await getattr(self, kind)(worker)
        except AisleError:
            pass  # told, which a client can act on

    async def check(self) -> None:
        """What is kept is one whole version."""
        worker = self.workers[0]
        copy = await worker.copy(KEY)
        if copy is not None:
            assert await worker.kept(KEY) == self.versions[copy.etag]


@pytest.mark.parametrize("seed", range(25))
def test_whatever_happens_a_read_is_of_one_version(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pump, "CHUNK", 80_000)
    monkeypatch.setattr(pump, "FIRST", 20_000)
    monkeypatch.setattr(pump, "AHEAD", 30_000)
    monkeypatch.setattr(pump, "SLICE", 16_000)
    monkeypatch.setattr(watch, "STALLED", 0.02)
    monkeypatch.setattr(steady, "_PAUSE", 0.001)

    async def check() -> None:
        chance = random.Random(seed)
        world = World(chance)
        await world.workers[0].bucket()
        world.blobs.full = chance.choice((0.0, 0.0, 0.1))
        world.change()
        running: set[asyncio.Task[None]] = set()
        async with asyncio.timeout(60):
            for _ in range(60):
                running.add(asyncio.create_task(world.act()))
                for _ in range(chance.randrange(25)):
                    await asyncio.sleep(0)
                done = {task for task in running if task.done()}
                running -= done
                for task in done:
                    task.result()
            await asyncio.gather(*running)
            await world.check()
            world.blobs.full = 0.0
            world.remote.cut = None
            current = world.remote.data(NAME, KEY)
            for worker in world.workers:
                assert await worker.get(KEY, LATEST) == current
            for worker in world.workers:
                await worker.window.close()
            await world.check()
            store = world.workers[0].store
            assert await rows(store, "claim") == []
            assert await rows(store, "chunk") == []
            assert world.remote.reading_now == 0
            assert world.whole > 5

    asyncio.run(check())
