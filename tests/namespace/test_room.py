"""How full a store is, and what is refused then: over an engine in memory of a set size."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from aisle.core.errors import OutOfSpace
from aisle.namespace import copies, housekeeping, objects, room, uploads
from aisle.namespace.objects import Description
from aisle.namespace.store import BucketRow, Store
from aisle.store.base import Space
from aisle.store.memory import MemoryBlobs, MemoryIndex
from tests.namespace.support import LARGE, SECOND, Clock, Data, begun, make_bucket, run


class Small(MemoryBlobs):
    """Blobs in a place of `size` bytes, of which others use `others`."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.others = 0

    async def space(self) -> Space:
        used = min(self.size, self.others + (await super().space()).used)
        return Space(self.size, used, self.size - used)


class Setup(NamedTuple):
    store: Store
    blobs: Small
    bucket: BucketRow
    clock: Clock


async def small_store(size: int = 100 * LARGE, **space: int) -> Setup:
    clock, blobs = Clock(), Small(size)
    store = Store(MemoryIndex(), blobs, now=clock)
    await store.change_config({f"space.{name}": value for name, value in space.items()})
    return Setup(store, blobs, await make_bucket(store), clock)


class Untouched(Data):
    """A body of which nothing may be read."""

    async def read(self) -> bytes:
        raise AssertionError("the body was taken in")


async def put(store: Store, bucket: BucketRow, key: str, body: Data) -> None:
    await objects.put(store, bucket, key.encode(), body, Description())


def test_above_out_of_space_no_new_bytes_are_taken_in_and_the_rest_goes_on() -> None:
    async def main() -> None:
        store, blobs, bucket, _ = await small_store()
        await put(store, bucket, "before", Data(b"x" * LARGE))
        blobs.others = 95 * LARGE
        await store.room.look()
        assert store.room.full
        for size in (1, LARGE):
            with pytest.raises(OutOfSpace, match="96% are used"):
                await put(store, bucket, "after", Untouched(b"x" * size))
        found = await objects.find(store, bucket, b"before")
        with pytest.raises(OutOfSpace):
            await copies.copy(store, found, bucket, b"copy", Description())
        assert found.record.size == LARGE
        assert await objects.delete(store, bucket, b"before")
        assert [info async for info in blobs.scan()]  # it waits in the garbage
        blobs.others = 50 * LARGE  # there is room again: nobody has looked yet
        await put(store, bucket, "after", Data(b"x"))

    run(main())


def test_parts_are_refused_like_objects() -> None:
    async def main() -> None:
        store, blobs, bucket, _ = await small_store()
        upload = await begun(store, bucket, b"key")
        blobs.others = 99 * LARGE
        await store.room.look()
        with pytest.raises(OutOfSpace):
            await uploads.put_part(store, bucket, upload, 1, Untouched(b"x"))

    run(main())


def test_watermarks_are_the_settings_of_the_moment() -> None:
    async def main() -> None:
        store, blobs, _, _ = await small_store(out_of_space=50, highwm=40, cleanupwm=10)
        for others, seen in (
            (9, (False, False, False)),
            (10, (True, False, False)),
            (40, (True, True, False)),
            (50, (True, True, True)),
        ):
            blobs.others = others * LARGE
            await store.room.look()
            assert (store.room.tight, store.room.high, store.room.full) == seen
        await store.change_config({"space.out_of_space": 60})
        await store.room.look()
        assert not store.room.full

    run(main())


def test_nothing_is_refused_before_the_first_look_and_where_there_is_no_bound() -> None:
    async def main() -> None:
        store, _, bucket, _ = await small_store(size=0)
        await put(store, bucket, "a", Data(b"x" * LARGE))
        await store.room.look()
        assert (store.room.percent, store.room.full) == (0, False)

    run(main())


def test_it_is_looked_at_more_often_when_it_matters() -> None:
    async def main() -> None:
        store, blobs, _, _ = await small_store()
        await store.room.look()
        assert await store.room.pause() == room.LOOK_SECONDS
        blobs.others = 85 * LARGE
        await store.room.look()
        assert await store.room.pause() == room.SOON_SECONDS
        await store.change_config({"lru.capacity_upd_time": "200ms"})
        assert await store.room.pause() == 0.2

    run(main())


def test_bytes_that_were_given_up_are_known_until_they_are_deleted() -> None:
    async def main() -> None:
        store, blobs, bucket, clock = await small_store()
        await put(store, bucket, "a", Data(b"x" * LARGE))
        await put(store, bucket, "a", Data(b"y" * (2 * LARGE)))
        assert await room.given_up(store) == LARGE
        await objects.delete(store, bucket, b"a")
        assert await room.given_up(store) == 3 * LARGE
        clock.now += 3600 * SECOND
        await housekeeping.collect_garbage(store, grace=60 * SECOND)
        assert await room.given_up(store) == 0
        assert (await blobs.space()).used == 0

    run(main())


def test_garbage_waits_no_longer_than_it_must_above_cleanupwm() -> None:
    async def main() -> None:
        store, blobs, _, _ = await small_store()
        await store.room.look()
        assert await housekeeping.grace(store) == 600 * SECOND
        blobs.others = 70 * LARGE
        await store.room.look()
        assert await housekeeping.grace(store) == 120 * SECOND
        await store.change_config({"space.garbage_grace": "8s"})
        assert await housekeeping.grace(store) == 8 * SECOND

    run(main())
