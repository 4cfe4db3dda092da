"""When the objects of windows were last used: noted, merged, kept, forgotten."""

from __future__ import annotations

import pytest

from aisle.core.errors import StoreUnavailable
from aisle.namespace.store import Store
from aisle.namespace.window import atimes, evict
from aisle.namespace.window.atimes import AccessTimes
from aisle.store.base import Delete
from tests.namespace.kept import keep, make_window
from tests.namespace.support import SECOND, Clock, interposed_store, memory_store, once, run


def other(store: Store, clock: Clock) -> AccessTimes:
    """The notes of another process."""
    return AccessTimes(store.index, clock)


def test_a_copy_has_the_time_it_came_until_it_is_used() -> None:
    async def main() -> None:
        clock = Clock()
        store = memory_store(clock)
        bucket = await make_window(store)
        await keep(store, bucket, "a", 5)
        key, came = bucket.record.id + b"a", clock.now
        clock.now += SECOND
        assert await store.atimes.of([key, bucket.record.id + b"none"]) == [came, 0]
        store.atimes.note(key)
        assert await store.atimes.of([key]) == [clock.now]  # here at once,
        assert await other(store, clock).of([key]) == [came]
        await store.atimes.write()
        assert await other(store, clock).of([key]) == [clock.now]  # elsewhere once it is written
        assert store.atimes.noted(key) == 0

    run(main())


def test_no_time_is_set_back() -> None:
    async def main() -> None:
        clock = Clock()
        store = memory_store(clock)
        bucket = await make_window(store)
        await keep(store, bucket, "a", 5)
        key = bucket.record.id + b"a"
        slow, quick = other(store, clock), other(store, clock)
        clock.now += SECOND
        slow.note(key)
        clock.now += SECOND
        quick.note(key)
        await quick.write()
        await slow.write()
        assert await store.atimes.of([key]) == [clock.now]

    run(main())


def test_processes_that_write_at_the_same_time_keep_the_later_use() -> None:
    async def main() -> None:
        clock = Clock()
        store, index = interposed_store(clock)
        bucket = await make_window(store)
        await keep(store, bucket, "a", 5)
        key = bucket.record.id + b"a"
        slow, quick = other(store, clock), other(store, clock)
        clock.now += SECOND
        slow.note(key)
        clock.now += SECOND
        quick.note(key)
        once(index, "get_many", "atime", quick.write)
        await slow.write()
        assert await store.atimes.of([key]) == [clock.now]

    run(main())


def test_the_use_of_what_has_no_copy_leaves_nothing() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_window(store)
        await keep(store, bucket, "a", 5)
        for name in (b"a", b"b"):
            store.atimes.note(bucket.record.id + name)
        rows = await store.index.scan("object", prefix=bucket.record.id, limit=10)
        await evict.evict(store, rows)
        await store.atimes.write()
        assert await store.index.scan(atimes.TABLE, limit=10) == []

    run(main())


def test_memory_is_bounded_and_many_notes_are_written_in_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(atimes, "MOST", 50)
    monkeypatch.setattr(atimes, "STEP", 7)

    async def main() -> None:
        clock = Clock()
        store = memory_store(clock)
        bucket = await make_window(store)
        keys = [bucket.record.id + b"%03d" % number for number in range(60)]
        for key in keys:
            await keep(store, bucket, key[8:].decode(), 1)
        clock.now += SECOND
        for key in keys:
            store.atimes.note(key)
        assert sum(bool(store.atimes.noted(key)) for key in keys) == 50
        await store.atimes.write()
        told = await other(store, clock).of(keys)
        assert told == [clock.now - SECOND] * 10 + [clock.now] * 50

    run(main())


def test_notes_are_kept_while_the_index_does_not_answer() -> None:
    async def main() -> None:
        store, index = interposed_store()
        bucket = await make_window(store)
        await keep(store, bucket, "a", 5)
        key = bucket.record.id + b"a"
        store.atimes.note(key)

        async def fail() -> None:
            raise StoreUnavailable("gone")

        once(index, "get_many", "atime", fail)
        with pytest.raises(StoreUnavailable):
            await store.atimes.write()
        assert store.atimes.noted(key)
        await store.atimes.write()
        assert not store.atimes.noted(key)

    run(main())


def test_tidying_drops_what_is_left_over_and_gives_a_time_to_copies_without() -> None:
    async def main() -> None:
        clock = Clock()
        store = memory_store(clock)
        bucket = await make_window(store)
        for name in ("a", "b", "c"):
            await keep(store, bucket, name, 5, used=7)
        key = bucket.record.id
        await store.index.commit(Delete("object", key + b"a"), Delete("atime", key + b"b"))
        assert await atimes.tidy(store.index, clock.now) == 2
        assert await store.index.scan(atimes.TABLE, limit=10) == [
            (key + b"b", atimes.packed(clock.now)),
            (key + b"c", atimes.packed(7)),
        ]
        assert await atimes.tidy(store.index, clock.now) == 0

    run(main())
