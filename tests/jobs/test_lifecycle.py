"""Jobs of lifecycle rules: when one begins, what it does, how another worker goes on with it."""

from __future__ import annotations

import pytest

from aisle.core.names import BucketName
from aisle.jobs import expiring, rows
from aisle.jobs.expiring import Expiring
from aisle.jobs.leases import Lease, Sole
from aisle.jobs.rows import JobView
from aisle.jobs.task import Task
from aisle.jobs.work import lifecycle as work
from aisle.jobs.work.lifecycle import apply_lifecycle
from aisle.namespace import buckets, documents
from aisle.namespace.lifecycle import walk as walking
from aisle.namespace.records import Job, Progress, decode
from aisle.namespace.store import BucketRow, Store
from tests.jobs.crew import crew, over, until
from tests.jobs.support import Steady, begun, cut_off
from tests.namespace.lifecycles import keys, put, put_rules, rule, stacks
from tests.namespace.support import (
    DAY,
    SECOND,
    Clock,
    interposed_store,
    make_bucket,
    memory_store,
    once,
    run,
)
from tests.namespace.support import begun as upload_begun
from tests.namespace.versioned import check_invariants, versioned_bucket

NOTHING = {
    "objects": 0,
    "marked": 0,
    "versions": 0,
    "markers": 0,
    "uploads": 0,
    "locked": 0,
    "changed": 0,
    "size": 0,
}


@pytest.fixture
def steady(monkeypatch: pytest.MonkeyPatch) -> Steady:
    """The clock by which pauses are measured."""
    clock = Steady(1000.0)
    monkeypatch.setattr("time.monotonic", clock)
    return clock


async def applied(store: Store) -> list[JobView]:
    return [
        job for job in await rows.views(store.index, live=False) if job.record.kind == work.KIND
    ]


async def end(store: Store) -> None:
    """What waits is over."""
    for job in await rows.views(store.index, live=True):
        row = await rows.read(store.index, job.id)
        await store.index.commit(*rows.ended(row, "finished", store.now()))


class Turns:
    """A housekeeper whose clocks go on together."""

    def __init__(self, store: Store, clock: Clock, steady: Steady) -> None:
        self._store, self._clock, self._steady = store, clock, steady
        self._expiring = Expiring(store, Sole())

    async def later(self, seconds: float) -> int:
        """How many jobs there are so much later."""
        self._clock.now += int(seconds * SECOND)
        self._steady.now += seconds
        await self._expiring.turn()
        return len(await applied(self._store))


def test_a_job_begins_once_an_interval_where_a_bucket_has_rules(steady: Steady) -> None:
    async def main() -> None:
        clock = Clock()
        store = memory_store(clock)
        bucket = await make_bucket(store)
        turns = Turns(store, clock, steady)
        assert await turns.later(0) == 0
        await put_rules(store, bucket, rule(days=1))
        assert await turns.later(expiring.PAUSE) == 0
        assert await turns.later(expiring.IDLE) == 1
        await end(store)
        assert await turns.later(86_000) == 1
        restarted = Turns(store, clock, steady)
        assert await restarted.later(300) == 1
        assert await restarted.later(300) == 2
        assert await restarted.later(100_000) == 2  # the last is not over
        await end(store)
        assert await restarted.later(2) == 3

    run(main())


def test_the_settings_say_how_often(steady: Steady) -> None:
    async def main() -> None:
        clock = Clock()
        store = memory_store(clock)
        await put_rules(store, await make_bucket(store), rule(days=1))
        turns = Turns(store, clock, steady)
        await store.change_config({"lifecycle.interval": "0"})
        assert await turns.later(1_000_000) == 0
        await store.change_config({"lifecycle.interval": "10m"})
        assert await turns.later(10) == 1
        await end(store)
        assert await turns.later(590) == 1
        assert await turns.later(10) == 2
        await end(store)
        await store.change_config({"lifecycle.day": "5s"})
        assert await turns.later(5) == 3

    run(main())


def test_a_clock_that_was_set_back_puts_the_next_off_by_an_interval_at_most(
    steady: Steady,
) -> None:
    async def main() -> None:
        clock = Clock()
        store = memory_store(clock)
        await put_rules(store, await make_bucket(store), rule(days=1))
        turns = Turns(store, clock, steady)
        assert await turns.later(0) == 1
        await end(store)
        clock.now -= 1000 * DAY
        assert await turns.later(10) == 1
        assert await turns.later(86_000) == 1
        assert await turns.later(500) == 2

    run(main())


def test_who_has_lost_the_duty_begins_none(steady: Steady) -> None:
    async def main() -> None:
        store = memory_store()
        await put_rules(store, await make_bucket(store), rule(days=1))
        first, second = (Lease(store.index, "primary", name) for name in "ab")
        assert await first.turn()
        await first.give_up()
        assert await second.turn()
        await Expiring(store, first).turn()
        assert await applied(store) == []
        await Expiring(store, second).turn()
        assert len(await applied(store)) == 1

    run(main())


async def furnished(store: Store, clock: Clock) -> list[BucketRow]:
    """Two buckets with rules and what is due in them, one without, and one with a window's."""
    plain, versioned = await make_bucket(store, "a"), await versioned_bucket(store, "b")
    bare = await make_bucket(store, "c")
    for number in range(6):
        await put(store, plain, b"old %d" % number, 10)
        for size in (1, 2):
            await put(store, versioned, b"k%d" % number, size)
    await put(store, bare, b"k", 1)
    await upload_begun(store, plain, b"up", 10)
    clock.now += 2 * DAY
    await put(store, plain, b"young", 1)
    far = await buckets.create(store, BucketName("far", "aws"), owner="me")
    await put_rules(store, far, rule(days=1))
    return [
        await put_rules(store, plain, rule(days=1, abort=1)),
        await put_rules(store, versioned, rule(days=1, noncurrent=1)),
        bare,
    ]


DONE = NOTHING | {"buckets": 2, "objects": 6, "marked": 6, "versions": 6, "uploads": 1, "size": 66}


async def check_done(store: Store, made: list[BucketRow]) -> None:
    plain, versioned, bare = made
    assert await keys(store, plain) == ["young"]
    assert await keys(store, versioned) == []
    assert [len(each) for each in (await stacks(store, versioned)).values()] == [2] * 6
    assert await keys(store, bare) == ["k"]
    assert await store.index.scan("upload", limit=10) == []
    await check_invariants(store)


def told(result: object) -> dict[str, int]:
    assert isinstance(result, dict)
    return {name: number for name, number in result.items() if name != "looked"}


def test_every_bucket_with_rules_is_gone_through() -> None:
    async def main() -> None:
        clock = Clock()
        store = memory_store(clock)
        made = await furnished(store, clock)
        task = begun(store, {}, kind=work.KIND)
        result = await apply_lifecycle(task)
        await check_done(store, made)
        # The former versions were replaced two days ago, the markers have come just now.
        assert told(result) == DONE
        assert (task.progress.objects, task.progress.bytes) == (19, 66)

    run(main())


def test_buckets_that_are_named_are_gone_through_alone() -> None:
    async def main() -> None:
        clock = Clock()
        store = memory_store(clock)
        made = await furnished(store, clock)
        named = [list(made[1].name), list(made[2].name), ["absent", "ais", ""]]
        result = await apply_lifecycle(begun(store, {"buckets": named}, kind=work.KIND))
        assert told(result) == NOTHING | {"buckets": 1, "marked": 6, "versions": 6, "size": 6}
        assert len(await keys(store, made[0])) == 7

    run(main())


@pytest.mark.parametrize("method", ["commit", "scan"])
def test_a_job_that_is_cut_off_anywhere_goes_on_where_it_was(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walking, "PAGE", 2)
    monkeypatch.setattr("aisle.jobs.task.SAVE_SECONDS", 0.0)

    async def story(at: int) -> bool:
        clock = Clock()
        store, index = interposed_store(clock)
        made = await furnished(store, clock)
        first = begun(store, {}, kind=work.KIND)
        was_cut = await cut_off(index, apply_lifecycle, first, at, method=method)
        second = begun(store, {}, (await _saved(store, first)), kind=work.KIND)
        result = await apply_lifecycle(second)
        await check_done(store, made)
        # What was committed and not yet saved is found done, and not counted again.
        counted = told(result)
        assert DONE["marked"] - 2 <= counted["marked"] <= DONE["marked"]
        assert DONE["objects"] - 2 <= counted["objects"] <= DONE["objects"]
        return was_cut

    async def main() -> None:
        at = 1
        while await story(at):
            at += 1
        assert at > 10

    run(main())


async def _saved(store: Store, task: Task) -> Progress:
    """The progress that another worker finds."""
    raw = await store.index.get("progress", task.id.encode())
    return decode(Progress, raw) if raw is not None else Progress()


def test_rules_that_change_meanwhile_are_gone_on_with() -> None:
    async def main() -> None:
        clock = Clock()
        store, index = interposed_store(clock)
        bucket = await make_bucket(store)
        for key in (b"a", b"b", b"c"):
            await put(store, bucket, key, 1)
        await put_rules(store, bucket, rule(days=1))
        clock.now += 2 * DAY

        async def meddle() -> None:
            await put_rules(store, bucket, rule(prefix="b", days=1))

        once(index, "scan", "object", meddle)
        result = await apply_lifecycle(begun(store, {}, kind=work.KIND))
        assert told(result) == NOTHING | {"buckets": 1, "objects": 1, "size": 1}
        assert await keys(store, bucket) == ["a", "c"]

    run(main())


def test_rules_or_buckets_that_go_meanwhile_end_it_there() -> None:
    async def main() -> None:
        clock = Clock()
        store, index = interposed_store(clock)
        first, second = await make_bucket(store, "a"), await make_bucket(store, "b")
        for bucket in (first, second):
            await put(store, bucket, b"k", 1)
            await put_rules(store, bucket, rule(days=1))
        clock.now += 2 * DAY

        async def meddle() -> None:
            fresh = await buckets.refresh(store, first)
            await documents.change(store, fresh, {documents.LIFECYCLE: None})

        once(index, "scan", "object", meddle)
        result = await apply_lifecycle(begun(store, {}, kind=work.KIND))
        assert told(result) == NOTHING | {"buckets": 2, "objects": 1, "size": 1}
        assert await keys(store, first) == ["k"]

    run(main())


def test_of_several_jobs_one_does_the_work() -> None:
    async def main() -> None:
        clock = Clock()
        store = memory_store(clock)
        await furnished(store, clock)
        await rows.add(store.index, "first", Job(work.KIND, {}, "", store.now()))
        task = begun(store, {}, kind=work.KIND)
        assert told(await apply_lifecycle(task)) == {"buckets": 0, **NOTHING}
        assert task.progress.message == "another such job is at work"
        assert len(await store.index.scan("upload", limit=10)) == 1

    run(main())


def test_a_job_that_is_stopped_ends_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "PAGE", 1)

    async def main() -> None:
        async with crew(lifecycle=apply_lifecycle) as all_:
            store = all_.store
            store.now = Clock(10**18)  # long ago, by the clock of the process that does the job
            bucket = await make_bucket(store)
            for number in range(4000):
                await put(store, bucket, b"%04d" % number, 1)
            bucket = await put_rules(store, bucket, rule(days=1))
            jobs = all_.start("a")
            identity = await jobs.submit(work.KIND, {})

            async def has_begun() -> bool:
                return len(await keys(store, bucket)) < 4000

            await until(has_begun)
            await jobs.stop(identity)
            done = await over(jobs, identity)
            assert done.record.state == "aborted"
            left = await keys(store, bucket)
            assert left == [f"{number:04}" for number in range(4000 - len(left), 4000)]
            assert left
            await check_invariants(store)
            again = await over(jobs, await jobs.submit(work.KIND, {}))
            assert again.record.result["objects"] == len(left)

    run(main())
