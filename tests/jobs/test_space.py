"""When eviction begins by itself, and when it does not."""

from __future__ import annotations

import pytest

from aisle.core.errors import StoreUnavailable
from aisle.jobs import rows, space
from aisle.jobs.jobs import Jobs
from aisle.jobs.kinds import KINDS
from aisle.jobs.rows import JobView
from aisle.jobs.space import Evicting
from aisle.jobs.work.lru import evict_least_recent
from aisle.namespace import housekeeping
from aisle.namespace.store import BucketRow, Store
from tests.jobs.support import Steady, begun
from tests.namespace.kept import keep, kept, make_window
from tests.namespace.support import LARGE, SECOND, run
from tests.namespace.test_room import Setup, small_store


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> Steady:
    """The clock by which pauses are measured."""
    clock = Steady(1000.0)
    monkeypatch.setattr("time.monotonic", clock)
    return clock


async def full(count: int) -> tuple[Setup, BucketRow]:
    """A store for 100 objects that holds `count` of a window."""
    setup = await small_store(size=100 * LARGE)
    bucket = await make_window(setup.store)
    for number in range(count):
        await keep(setup.store, bucket, f"{number:03d}", LARGE, used=number)
    await setup.store.room.look()
    return setup, bucket


async def evictions(store: Store) -> list[JobView]:
    return [job for job in await rows.views(store.index, live=False) if job.record.kind == "lru"]


async def work(store: Store) -> None:
    """Do the eviction that waits in the queue, as a worker does."""
    for job in await rows.views(store.index, live=True):
        task = begun(store, job.record.args, kind="lru")
        task.id = job.id
        await evict_least_recent(task)
        await store.index.commit(
            *rows.ended(await rows.read(store.index, job.id), "finished", store.now()), task.saved
        )


def test_a_job_begins_above_the_high_watermark_once(steady: Steady) -> None:
    async def main() -> None:
        setup, bucket = await full(89)
        store, evicting = setup.store, Evicting(setup.store)
        await evicting.turn()
        assert await evictions(store) == []
        await keep(store, bucket, "last", LARGE)
        await store.room.look()
        for _ in range(3):
            steady.now += space.PAUSE
            await evicting.turn()
        await Evicting(store).turn()  # another node that has just taken over
        assert len(await evictions(store)) == 1
        await work(store)
        assert len(await kept(store, bucket)) == 75

    run(main())


def test_what_waits_to_be_deleted_begins_no_other_job(steady: Steady) -> None:
    async def main() -> None:
        setup, bucket = await full(92)
        store, evicting = setup.store, Evicting(setup.store)
        await store.change_config({"space.lowwm": 85, "space.out_of_space": 100})
        await evicting.turn()
        await work(store)
        assert len(await kept(store, bucket)) == 85
        for number in range(4):  # 96 % are used by now, 89 % of which are needed
            await keep(store, bucket, f"new-{number}", LARGE)
            await store.room.look()
            steady.now += space.PAUSE
            await evicting.turn()
        assert len(await evictions(store)) == 1
        await keep(store, bucket, "one more", LARGE)
        steady.now += space.PAUSE
        await evicting.turn()
        assert len(await evictions(store)) == 2

    run(main())


def test_a_job_in_vain_is_not_followed_by_another_at_once(steady: Steady) -> None:
    async def main() -> None:
        setup, bucket = await full(92)
        store, evicting = setup.store, Evicting(setup.store)
        for number in range(92):
            store.atimes.note(bucket.record.id + b"%03d" % number)
        await evicting.turn()
        await work(store)
        for _ in range(10):
            steady.now += space.PAUSE
            await evicting.turn()
        assert len(await evictions(store)) == 1
        steady.now += 600
        await evicting.turn()
        assert len(await evictions(store)) == 2

    run(main())


def test_without_a_window_nothing_begins(steady: Steady) -> None:
    async def main() -> None:
        setup, _ = await full(95)
        await setup.store.index.drop("bucket")
        await Evicting(setup.store).turn()
        assert await evictions(setup.store) == []

    run(main())


def test_trouble_with_the_index_is_survived(
    steady: Steady, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*args: object, **more: object) -> None:
        raise StoreUnavailable("gone")

    async def main() -> None:
        setup, _ = await full(95)
        evicting = Evicting(setup.store)
        with monkeypatch.context() as patch:
            patch.setattr(setup.store.index, "scan", fail)
            await evicting.turn()
        steady.now += space.PAUSE
        await evicting.turn()
        assert len(await evictions(setup.store)) == 1

    run(main())


def test_of_two_jobs_one_evicts() -> None:
    async def main() -> None:
        setup, bucket = await full(92)
        store = setup.store
        jobs = Jobs(store, "one", kinds=KINDS, lease_seconds=0.5)
        first = await jobs.submit("lru", {})
        setup.clock.now += 1
        second = await jobs.submit("lru", {})
        task = begun(store, {}, kind="lru")
        task.id = second
        await evict_least_recent(task)
        assert task.progress.message == "another such job is at work"
        assert len(await kept(store, bucket)) == 92
        task.id = first
        await evict_least_recent(task)
        assert len(await kept(store, bucket)) == 75

    run(main())


def test_evicted_bytes_are_deleted_when_their_time_has_come() -> None:
    async def main() -> None:
        setup, _ = await full(92)
        store = setup.store
        await store.change_config({"space.garbage_grace": "1s"})
        task = begun(store, {}, kind="lru")
        result = await evict_least_recent(task)
        assert result == {"objects": 17, "bytes": 17 * LARGE}
        setup.clock.now += 60 * SECOND
        await housekeeping.tidy(store)
        assert (await store.blobs.space()).used == 75 * LARGE

    run(main())
