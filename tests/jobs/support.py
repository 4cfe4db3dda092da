"""A steady clock set by hand, and runs of work over the memory engine, which may be cut off."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aisle.jobs.task import Task
from aisle.namespace.records import Job, Progress
from aisle.namespace.store import BucketRow, Store
from tests.namespace.support import Interposed


class Steady:
    """Seconds, moved by hand. Each process of a test has its own, with its own beginning."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def begun(
    store: Store, args: Mapping[str, Any], progress: Progress | None = None, *, kind: str = "kind"
) -> Task:
    """A run of a job over whose lease nobody quarrels."""
    record = Job(kind, dict(args), "me", store.now())
    return Task(store, "job", record, progress or Progress(), lambda: ())


async def cut_off(
    index: Interposed,
    work: Callable[[Task], Awaitable[object]],
    task: Task,
    at: int,
    *,
    method: str = "commit",
    table: str = "",
) -> bool:
    """Do the work, but cancel it at the `at`-th use of `method` (on `table`, if one is named), and
    not at all for 0. Returns whether it was cut off."""
    running = asyncio.ensure_future(work(task))
    seen = 0

    async def before(used: str, on: str) -> None:
        nonlocal seen
        await asyncio.sleep(0)
        if used != method or table not in ("", on):
            return
        seen += 1
        if seen == at:
            running.cancel()
            await asyncio.sleep(0)

    index.before = before
    try:
        await running
    except asyncio.CancelledError:
        return True
    finally:
        index.before = None
    return False


async def names(store: Store, bucket: BucketRow) -> list[str]:
    """The keys of a bucket."""
    rows = await store.index.scan("object", prefix=bucket.record.id, limit=10_000)
    return [key[8:].decode() for key, _ in rows]
