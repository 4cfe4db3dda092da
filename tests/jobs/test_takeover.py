"""Jobs that several processes share: each is done once, and goes on when its process does not."""

from __future__ import annotations

import asyncio

import pytest

from aisle.jobs import run as runs
from aisle.jobs import task as tasks
from aisle.jobs.task import Task
from aisle.namespace.records import Job, Lease, Progress, encode
from aisle.namespace.store import Store
from aisle.store.base import Put
from aisle.store.memory import MemoryBlobs, MemoryIndex
from tests.jobs.crew import Crew, Severed, count, crew, over, until, wait
from tests.namespace.support import run


def test_any_process_does_what_another_has_taken_in() -> None:
    async def story() -> None:
        async with crew(count=count) as all_:
            all_.start("worker")
            front = all_.jobs("front")
            done = await over(front, await front.submit("count", {"to": 2}))
            assert (done.record.node, done.record.state) == ("worker", "finished")

    run(story())


def test_no_job_is_begun_twice() -> None:
    begun: list[str] = []

    async def once(task: Task) -> object:
        begun.append(task.id)
        await asyncio.sleep(0)
        return None

    async def story() -> None:
        async with crew(once=once) as all_:
            several = [all_.start(name) for name in "abcd"]
            made = [await jobs.submit("once", {}) for _ in range(10) for jobs in several]
            for identity in made:
                await over(several[0], identity)
            assert sorted(begun) == sorted(made)

    run(story())


def test_a_process_that_stops_lets_its_jobs_go_on_where_they_are() -> None:
    begun: list[tuple[str, str]] = []

    async def long(task: Task) -> object:
        begun.append((task.record.node, task.progress.cursor))
        await task.advance(5, cursor="half way")
        if task.record.node == "a":
            await asyncio.Event().wait()
        return task.progress.objects

    async def story() -> None:
        async with crew(long=long) as all_:
            jobs = all_.start("a")
            made = await jobs.submit("long", {})

            async def has_begun() -> bool:
                return bool(begun)

            await until(has_begun)
            await all_.stop("a")
            left = await jobs.get(made)
            assert (left.record.state, left.record.runs) == ("queued", 0)
            all_.start("b")
            done = await over(jobs, made)
            assert begun == [("a", ""), ("b", "half way")]
            assert (done.record.result, done.record.node) == (10, "b")

    run(story())


def test_a_process_that_is_cut_off_loses_its_job_and_ends_its_work() -> None:
    """The other goes on from the saved place once the lease has run out, and not before."""
    shared = MemoryIndex()
    way = Severed(shared)
    ended: list[str] = []
    begun: list[tuple[str, str]] = []

    async def long(task: Task) -> object:
        begun.append((task.record.node, task.progress.cursor))
        if task.record.node == "b":
            return "by b"
        await task.advance(1, cursor="saved")
        await task.save()
        way.cut = True
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("a")
        return None

    async def story() -> None:
        async with crew(way, long=long) as first, crew(shared, long=long) as second:
            made = await first.start("a").submit("long", {})

            async def is_cut() -> bool:
                return way.cut

            await until(is_cut)
            jobs = second.start("b")
            done = await over(jobs, made)
            assert (done.record.state, done.record.result) == ("finished", "by b")
            assert begun == [("a", ""), ("b", "saved")]
            assert ended == ["a"]
            way.cut = False

    run(story())


def test_work_that_was_taken_over_stops_at_its_next_step() -> None:
    """Whatever errors of its objects it goes on after."""
    shared = MemoryIndex()
    steps: list[str] = []

    async def careless(task: Task) -> object:
        try:
            while True:
                try:
                    steps.append("step")
                    thief = encode(Lease("thief", 9))
                    await shared.commit(Put("lease", f"job/{task.id}".encode(), thief))
                    await task.save()
                except Exception:
                    continue
        finally:
            steps.append("end")

    async def story() -> None:
        async with crew(shared, careless=careless) as all_:
            jobs = all_.start("a")
            made = await jobs.submit("careless", {})

            async def has_ended() -> bool:
                return "end" in steps

            await until(has_ended)
            assert steps == ["step", "end"]
            assert (await jobs.get(made)).record.state == "running"

    run(story())


def test_a_job_that_ends_its_workers_is_given_up() -> None:
    """Runs that leave nothing behind, as of workers that were killed, are counted in its row."""
    shared = MemoryIndex()

    async def story() -> None:
        async with crew(shared, wait=wait) as all_:
            jobs = all_.jobs("front")
            made = await jobs.submit("wait", {})
            for turn in range(runs.RUNS):
                way = Severed(shared)
                doomed = Crew(way, wait=wait)
                doomed.start(f"worker {turn}")

                async def counted(turn: int = turn) -> bool:
                    return (await jobs.get(made)).record.runs == turn + 1

                await until(counted)
                way.cut = True
                await doomed.end()
            all_.start("last")
            done = await over(jobs, made)
            assert done.record.state == "failed"
            assert "5 runs in a row" in done.record.error

    run(story())


def test_work_that_no_process_here_can_do_waits_for_one_that_can() -> None:
    """As while nodes of two releases serve side by side."""

    async def story() -> None:
        shared = MemoryIndex()
        async with crew(shared, count=count) as old, crew(shared, new=count) as new:
            older = old.start("old")
            made = await new.jobs("front").submit("new", {"to": 1})
            await over(older, await older.submit("count", {"to": 1}))
            assert (await older.get(made)).record.state == "queued"
            new.start("new")
            assert (await over(older, made)).record.node == "new"

    run(story())


def test_progress_that_cannot_be_saved_ends_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "SAVE_SECONDS", 0.0)

    async def story() -> None:
        way = Severed(MemoryIndex())
        task = Task(Store(way, MemoryBlobs()), "abc", Job("count", {}, "", 1), Progress(), list)
        way.cut = True
        await task.advance(1, 10, errors=2, message="trouble")
        way.cut = False
        await task.advance(1, cursor="here")
        saved = await way.get("progress", b"abc")
        assert saved == encode(Progress(2, 10, errors=2, cursor="here", message="trouble"))

    run(story())
