"""Evicting: what goes, in which order, and how far; over an engine in memory of a set size."""

from __future__ import annotations

import pytest

from aisle.core.errors import InvalidArgument
from aisle.core.names import BucketName
from aisle.namespace import buckets, housekeeping, room
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.window import atimes, lru
from aisle.namespace.window.evict import Dropped, evict, require_window
from aisle.store.base import Put
from tests.namespace.kept import keep, kept, make_window
from tests.namespace.support import (
    HOUR,
    LARGE,
    SECOND,
    memory_store,
    nothing_leaks,
    run,
)
from tests.namespace.test_room import Small, small_store


async def all_rows(store: Store, bucket: BucketRow) -> list[tuple[bytes, bytes]]:
    return await store.index.scan("object", prefix=bucket.record.id, limit=1000)


async def evicted(store: Store, need: int, ids: tuple[bytes, ...] = ()) -> Dropped:
    batches = [dropped async for dropped in lru.evict_oldest(store, ids, need=need)]
    return Dropped(sum(d.objects for d in batches), sum(d.bytes for d in batches))


# --- copies ---------------------------------------------------------------------------------


def test_an_evicted_copy_leaves_nothing_but_garbage() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_window(store)
        await keep(store, bucket, "small", 5)
        await keep(store, bucket, "large", LARGE)
        rows = await all_rows(store, bucket)
        assert await evict(store, rows) == Dropped(2, LARGE + 5)
        assert await evict(store, rows) == Dropped()
        assert await kept(store, bucket) == []
        assert await store.index.scan(atimes.TABLE, limit=10) == []
        assert await store.index.scan("body", limit=10) == []
        assert await room.given_up(store) == LARGE
        await nothing_leaks(store)

    run(main())


def test_a_copy_that_was_replaced_meanwhile_goes_as_it_is_now() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_window(store)
        await keep(store, bucket, "a", 5)
        rows = await all_rows(store, bucket)
        await keep(store, bucket, "a", 7)
        assert await evict(store, rows) == Dropped(1, 7)
        assert await kept(store, bucket) == []

    run(main())


def test_a_copy_that_is_used_or_replaced_meanwhile_is_not_the_oldest_any_more() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_window(store)
        for name in ("a", "b", "c"):
            await keep(store, bucket, name, 5, used=9)
        rows = await all_rows(store, bucket)
        await store.index.commit(Put("atime", bucket.record.id + b"a", atimes.packed(10)))
        await keep(store, bucket, "b", 6, used=9)
        times = {key: atimes.packed(9) for key, _ in rows}
        assert await evict(store, rows, times=times) == Dropped(1, 5)
        assert await kept(store, bucket) == ["a", "b"]

    run(main())


def test_only_windows_are_evicted_from() -> None:
    async def main() -> None:
        store = memory_store()
        own = await buckets.create(store, BucketName("own"), owner="me")
        with pytest.raises(InvalidArgument, match="evict ais://own: it is not a remote"):
            require_window(own.record, "evict")
        require_window((await make_window(store)).record, "evict")

    run(main())


# --- the oldest first -----------------------------------------------------------------------


def test_the_oldest_of_all_windows_go_first_and_no_more_than_needed() -> None:
    async def main() -> None:
        setup = await small_store()
        store = setup.store
        one, two = await make_window(store, "one"), await make_window(store, "two")
        for number in range(6):
            await keep(store, (one, two)[number % 2], f"{number}", LARGE, used=number)
        assert await evicted(store, 3 * LARGE - 1) == Dropped(3, 3 * LARGE)
        assert (await kept(store, one), await kept(store, two)) == (["4"], ["3", "5"])

    run(main())


def test_what_was_used_within_dont_evict_time_stays() -> None:
    async def main() -> None:
        setup = await small_store()
        store, now = setup.store, setup.clock.now
        bucket = await make_window(store)
        other = await make_window(store, "other", lru_dont_evict_time="0")
        for ago in (1, 3):
            await keep(store, bucket, f"{ago}h", LARGE, used=now - ago * HOUR)
        await keep(store, other, "now", LARGE)
        assert await evicted(store, 10 * LARGE) == Dropped(2, 2 * LARGE)
        assert (await kept(store, bucket), await kept(store, other)) == (["1h"], [])

    run(main())


def test_a_use_that_is_not_written_yet_counts() -> None:
    async def main() -> None:
        store = (await small_store()).store
        bucket = await make_window(store)
        await keep(store, bucket, "a", LARGE, used=1)
        store.atimes.note(bucket.record.id + b"a")
        assert await evicted(store, LARGE) == Dropped()

    run(main())


def test_windows_without_lru_and_buckets_of_our_own_lose_nothing() -> None:
    async def main() -> None:
        store = (await small_store()).store
        bucket = await make_window(store, lru_enabled=False)
        await keep(store, bucket, "a", LARGE, used=1)
        assert await evicted(store, LARGE) == Dropped()
        assert await kept(store, bucket) == ["a"]

    run(main())


def test_only_the_buckets_that_are_named_lose_something() -> None:
    async def main() -> None:
        store = (await small_store()).store
        one, two = await make_window(store, "one"), await make_window(store, "two")
        for bucket in (one, two):
            await keep(store, bucket, "a", LARGE, used=1)
        assert await evicted(store, 9 * LARGE, (two.record.id,)) == Dropped(1, LARGE)
        assert (await kept(store, one), await kept(store, two)) == (["a"], [])

    run(main())


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_it_goes_in_batches_that_are_held_in_memory(batch: int) -> None:
    async def main() -> None:
        store = (await small_store()).store
        await store.change_config({"lru.batch_size": batch})
        bucket = await make_window(store)
        for number in range(8):
            await keep(store, bucket, f"{number}", 10, used=100 - number)
        cutoffs = await lru.windows(store)
        picked = await lru.pick(store, cutoffs, batch)
        assert [aged.key[8:] for aged in picked] == [b"%d" % n for n in range(7, -1, -1)][:batch]
        assert await evicted(store, 55) == Dropped(6, 60)
        assert await kept(store, bucket) == ["0", "1"]

    run(main())


def test_times_without_a_copy_are_dropped_and_do_not_stop_it() -> None:
    async def main() -> None:
        store = (await small_store()).store
        await store.change_config({"lru.batch_size": 1})
        bucket = await make_window(store)
        await store.index.commit(Put("atime", bucket.record.id + b"gone", atimes.packed(1)))
        await keep(store, bucket, "a", 10, used=2)
        assert await evicted(store, 10) == Dropped(1, 10)
        assert await store.index.scan(atimes.TABLE, limit=10) == []

    run(main())


# --- how much -------------------------------------------------------------------------------


async def fill(store: Store, bucket: BucketRow, blobs: Small, count: int) -> None:
    for number in range(count):
        await keep(store, bucket, f"{number:03d}", LARGE, used=number)
    await store.room.look()


def test_what_was_given_up_is_not_evicted_for_again() -> None:
    async def main() -> None:
        store, blobs, _, clock = await small_store(size=100 * LARGE)
        bucket = await make_window(store)
        await fill(store, bucket, blobs, 92)
        level = await lru.level(store)
        assert (level.percent, level.excess) == (92, 17 * LARGE)
        assert await evicted(store, level.excess) == Dropped(17, 17 * LARGE)
        assert (await blobs.space()).used == 92 * LARGE  # nothing is free yet
        level = await lru.level(store)
        assert (level.percent, level.excess) == (75, 0)
        clock.now += 700 * SECOND
        await housekeeping.collect_garbage(store, grace=600 * SECOND)
        assert (await blobs.space()).used == 75 * LARGE
        assert (await lru.level(store)).excess == 0
        assert (await kept(store, bucket))[0] == "017"

    run(main())


def test_a_low_watermark_above_the_high_one_is_no_reason_to_evict_below_that() -> None:
    async def main() -> None:
        store, blobs, _, _ = await small_store(size=100 * LARGE, lowwm=95, highwm=50)
        bucket = await make_window(store)
        await fill(store, bucket, blobs, 60)
        assert (await lru.level(store)).excess == 10 * LARGE

    run(main())
