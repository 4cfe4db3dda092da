"""Jobs as one process does them: begun, ended, stopped; over the memory engine."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aisle.core.errors import InvalidArgument, NotSupported, StoreUnavailable
from aisle.jobs import run as runs
from aisle.jobs.jobs import AT_ONCE, JobNotFound, new_id
from aisle.jobs.kinds import KINDS
from aisle.jobs.task import Task
from aisle.store.base import Row
from aisle.store.memory import MemoryIndex
from tests.jobs.crew import Crew, count, crew, is_running, over, until, wait
from tests.namespace.support import run


def test_an_id_looks_like_one_of_aistore() -> None:
    for _ in range(100):
        made = new_id()
        assert len(made) == 9
        assert made.isalnum()
        assert made[0].isalpha()


def test_a_job_is_done_and_leaves_its_result() -> None:
    async def story() -> None:
        async with crew(count=count) as all_:
            jobs = all_.start("a")
            made = await jobs.submit("count", {"to": 3}, user="ann")
            done = await over(jobs, made)
            assert (done.record.state, done.record.error) == ("finished", "")
            assert (done.record.user, done.record.node) == ("ann", "a")
            assert done.record.result == {"counted": 3}
            assert (done.progress.objects, done.progress.bytes) == (3, 30)
            assert done.record.created <= done.record.started <= done.record.ended

    run(story())


def test_nothing_but_the_remembered_job_is_left_of_it() -> None:
    async def story() -> None:
        async with crew(count=count) as all_:
            jobs = all_.start("a")
            await over(jobs, await jobs.submit("count", {"to": 1}))
            for table in ("queue", "lease", "beat"):
                assert await all_.index.scan(table, limit=10) == []
            assert len(await jobs.all()) == 1
            assert await jobs.all(live=True) == []

    run(story())


def test_a_long_argument_is_not_remembered() -> None:
    async def story() -> None:
        async with crew(count=count) as all_:
            jobs = all_.start("a")
            made = await jobs.submit("count", {"to": 1, "names": ["x" * 100] * 1000})
            assert (await over(jobs, made)).record.args == {"to": 1}

    run(story())


def test_unknown_jobs_are_not_found() -> None:
    async def story() -> None:
        jobs = Crew().jobs("a")
        for name in ("abc", "", "\udcff", "x" * 5000):
            with pytest.raises(JobNotFound):
                await jobs.get(name)
            with pytest.raises(JobNotFound):
                await jobs.stop(name)

    run(story())


def test_a_kind_without_work_is_refused() -> None:
    async def story() -> None:
        jobs = Crew().jobs("a", kinds=dict(KINDS))
        for kind in ("ec-encode", "unheard-of"):
            with pytest.raises(NotSupported):
                await jobs.submit(kind, {})
        assert await jobs.all() == []

    run(story())


def test_an_error_ends_the_job_and_is_told() -> None:
    async def fail(task: Task) -> object:
        await task.advance(7)
        raise InvalidArgument("no such thing")

    async def story() -> None:
        async with crew(fail=fail) as all_:
            jobs = all_.start("a")
            done = await over(jobs, await jobs.submit("fail", {}))
            assert (done.record.state, done.record.error) == ("failed", "no such thing")
            assert done.progress.objects == 7

    run(story())


@pytest.mark.parametrize("result", [ValueError("secret"), object()])
def test_a_bug_of_the_work_ends_the_job_and_keeps_its_text_to_the_log(
    result: object, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(task: Task) -> object:
        if isinstance(result, Exception):
            raise result
        return result

    async def story() -> None:
        async with crew(broken=broken) as all_:
            jobs = all_.start("a")
            done = await over(jobs, await jobs.submit("broken", {}))
            assert (done.record.state, done.record.error) == ("failed", runs.INTERNAL)

    run(story())
    assert "failed" in caplog.text


def test_a_store_that_does_not_answer_for_a_while_ends_no_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runs, "PAUSE", 0.001)
    begun = []

    async def flaky(task: Task) -> object:
        begun.append(task.progress.cursor)
        if len(begun) < 4:
            await task.advance(cursor=str(len(begun)))
            raise StoreUnavailable("the database is restarting")
        return "done"

    async def gone(task: Task) -> object:
        raise StoreUnavailable("the database is lost")

    async def story() -> None:
        async with crew(flaky=flaky, gone=gone) as all_:
            jobs = all_.start("a")
            assert (await over(jobs, await jobs.submit("flaky", {}))).record.result == "done"
            assert begun == ["", "1", "2", "3"]
            done = await over(jobs, await jobs.submit("gone", {}))
            assert (done.record.state, done.record.error) == ("failed", "the database is lost")

    run(story())


def test_no_more_than_so_many_are_done_at_once_and_all_in_the_end() -> None:
    gate = asyncio.Event()
    now, most = 0, 0

    async def held(task: Task) -> object:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await gate.wait()
        now -= 1
        return None

    async def story() -> None:
        async with crew(held=held) as all_:
            jobs = all_.start("a")
            made = [await jobs.submit("held", {}) for _ in range(AT_ONCE + 4)]

            async def full() -> bool:
                return now == AT_ONCE

            await until(full)
            gate.set()
            for identity in made:
                assert (await over(jobs, identity)).record.state == "finished"
            assert most == AT_ONCE

    run(story())


def test_jobs_are_told_oldest_first() -> None:
    async def story() -> None:
        async with crew(wait=wait) as all_:
            jobs = all_.jobs("a")
            made = [await jobs.submit("wait", {}) for _ in range(20)]
            assert [job.id for job in await jobs.all()] == made
            assert [job.id for job in await jobs.all(live=True)] == made

    run(story())


# --- stopping -----------------------------------------------------------------------------------


def test_a_running_job_is_stopped_from_another_process() -> None:
    async def story() -> None:
        async with crew(wait=wait) as all_:
            all_.start("a")
            other = all_.jobs("b")
            made = await other.submit("wait", {})
            await until(lambda: is_running(other, made))
            await other.stop(made, "enough")
            done = await over(other, made)
            assert (done.record.state, done.record.error) == ("aborted", "enough")
            assert await all_.index.scan("queue", limit=1) == []

    run(story())


def test_a_job_that_nobody_has_begun_is_stopped_at_once() -> None:
    async def story() -> None:
        async with crew(wait=wait) as all_:
            jobs = all_.jobs("a")
            made = await jobs.submit("wait", {})
            await jobs.stop(made)
            assert (await jobs.get(made)).record.state == "aborted"
            assert await jobs.all(live=True) == []

    run(story())


def test_whatis_over_stays_as_it_is() -> None:
    async def story() -> None:
        async with crew(count=count) as all_:
            jobs = all_.start("a")
            made = await jobs.submit("count", {"to": 1})
            before = await over(jobs, made)
            await jobs.stop(made)
            assert await jobs.get(made) == before

    run(story())


def test_work_that_comes_to_its_end_all_the_same_is_finished() -> None:
    async def stubborn(task: Task) -> object:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "done anyway"
        return None

    async def story() -> None:
        async with crew(stubborn=stubborn) as all_:
            jobs = all_.start("a")
            made = await jobs.submit("stubborn", {})
            await until(lambda: is_running(jobs, made))
            await jobs.stop(made)
            assert (await over(jobs, made)).record.result == "done anyway"

    run(story())


def test_a_stopped_job_that_fails_on_its_way_out_is_aborted() -> None:
    async def clumsy(task: Task) -> object:
        try:
            await asyncio.Event().wait()
        finally:
            raise InvalidArgument("while tidying up")

    async def story() -> None:
        async with crew(clumsy=clumsy) as all_:
            jobs = all_.start("a")
            made = await jobs.submit("clumsy", {})
            await until(lambda: is_running(jobs, made))
            await jobs.stop(made, "enough")
            assert (await over(jobs, made)).record.error == "enough"

    run(story())


def test_an_idle_process_reads_no_job_thatis_over() -> None:
    read: list[str] = []

    class Watched(MemoryIndex):
        async def scan(self, table: str, **how: Any) -> list[Row]:
            read.append(table)
            return await super().scan(table, **how)

    async def story() -> None:
        async with crew(Watched(), count=count) as all_:
            jobs = all_.start("a")
            await over(jobs, await jobs.submit("count", {"to": 1}))

            async def looked() -> bool:
                return len(read) > 5

            read.clear()
            await until(looked)
            assert set(read) == {"queue"}

    run(story())
