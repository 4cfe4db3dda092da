"""The work of `evict-listrange` and `evict-remote-bck`: drop copies of remote objects.

What is named and has no copy is evicted already, so a batch may be done twice.
"""

from __future__ import annotations

from typing import Final

from aisle.core.errors import BucketNotFound
from aisle.jobs.task import Task
from aisle.jobs.work.selection import Selection, open_bucket
from aisle.namespace.destroy import destroy
from aisle.namespace.store import BucketRow
from aisle.namespace.window.adding import is_remote
from aisle.namespace.window.evict import evict, evict_some, require_window

_REMOVE: Final = "remove"  # the cursor of a job that has evicted all, and removes the bucket


async def evict_objects(task: Task) -> None:
    bucket = await open_window(task, "evict objects from")
    base = bucket.record.id
    selection = Selection(task.args)
    async for batch in selection.batches(task.store, bucket, task.progress.cursor):
        present = [(base + item.key, item.raw) for item in batch if item.raw is not None]
        # Once each: a list may name an object twice.
        dropped = await evict(task.store, list(dict(present).items()))
        await task.advance(dropped.objects, dropped.bytes, cursor=batch[-1].after)


async def evict_bucket(task: Task) -> None:
    """All copies, and then the bucket itself, unless it is to stay or only stands in front of a
    remote one."""
    try:
        bucket = await open_window(task, "evict")
    except BucketNotFound:
        if task.progress.cursor == _REMOVE:
            return  # an earlier run came as far as that
        raise
    after = b""
    while True:
        dropped, after = await evict_some(task.store, bucket, after)
        if not after:
            break
        await task.advance(dropped.objects, dropped.bytes)
    if not task.args["keep_md"] and is_remote(bucket.name):
        await task.advance(cursor=_REMOVE)
        await task.save()
        await destroy(task.store, bucket.name)


async def open_window(task: Task, what: str) -> BucketRow:
    """The bucket of a job, which has to be a window still. Raises `BucketNotFound` and
    `InvalidArgument`."""
    bucket = await open_bucket(task)
    require_window(bucket.record, what)
    return bucket
