"""The work of `lru`: evict what was used longest ago, down to `space.lowwm`.

How much has to go is found out when it begins, and again when another worker takes it over: what
the first one gave up is counted by then, so nothing has to be remembered. Of several such jobs one
does the work: two would both evict for the same bytes.
"""

from __future__ import annotations

from typing import Final

from aisle.core.errors import BucketNotFound
from aisle.core.names import BucketName
from aisle.jobs import rows
from aisle.jobs.task import Task
from aisle.namespace import buckets, housekeeping
from aisle.namespace.window import lru

KIND: Final = "lru"
_QUEUE: Final = 10_000


async def evict_least_recent(task: Task) -> object:
    """The result tells how many objects and bytes were evicted."""
    store = task.store
    if await _is_second(task):
        return await _told(task, "another such job is at work")
    level = await lru.level(store)
    if not level.excess:
        return await _told(task, f"{level.percent:.0f}% are used: nothing has to be evicted")
    ids = await _ids(task)
    async for dropped in lru.evict_oldest(store, ids, need=level.excess):
        await task.advance(dropped.objects, dropped.bytes)
    await housekeeping.collect_garbage(store, grace=await housekeeping.grace(store))
    if not task.progress.objects:
        return await _told(task, f"{level.percent:.0f}% are used: nothing may be evicted")
    return _result(task)


async def _told(task: Task, message: str) -> object:
    await task.advance(message=message)
    return _result(task)


def _result(task: Task) -> object:
    return {"objects": task.progress.objects, "bytes": task.progress.bytes}


async def _is_second(task: Task) -> bool:
    """Whether a job of this kind was begun before this one and is not over."""
    for identity, entry in await rows.queue(task.store.index, _QUEUE):
        if identity == task.id:
            return False
        if entry.kind == KIND and not entry.stop:
            return True
    return False


async def _ids(task: Task) -> list[bytes]:
    """The buckets that were named, by id."""
    found = []
    for parts in task.args.get("buckets", ()):
        try:
            found.append((await buckets.get(task.store, BucketName(*parts))).record.id)
        except BucketNotFound:
            continue
    return found or ([b"\0"] if task.args.get("buckets") else [])
