"""Jobs that one node alone can do."""

from __future__ import annotations

from aisle.jobs.task import Task
from tests.jobs.crew import crew, over, until
from tests.namespace.support import run


async def quick(task: Task) -> object:
    return task.record.node


def test_only_its_own_node_does_a_job() -> None:
    async def check() -> None:
        async with crew(work=quick) as workers:
            handler = workers.jobs("one")
            waiting = await handler.submit("work", {}, only="two")
            workers.start("one")
            other = await over(handler, await handler.submit("work", {}))
            assert other.record.result == "one"
            assert (await handler.get(waiting)).record.state == "queued"
            workers.start("two")
            assert (await over(handler, waiting)).record.result == "two"

    run(check())


def test_a_job_whose_node_is_gone_can_be_stopped_by_any() -> None:
    async def check() -> None:
        async def endless(task: Task) -> object:
            await until(never)
            return None

        async def never() -> bool:
            return False

        async with crew(work=endless) as workers:
            handler = workers.jobs("one")
            identity = await handler.submit("work", {}, only="two")
            workers.start("two")

            async def begun() -> bool:
                return (await handler.get(identity)).record.state == "running"

            await until(begun)
            await workers.stop("two")
            await handler.stop(identity)
            workers.start("one")
            assert (await over(handler, identity)).record.state == "aborted"

    run(check())
