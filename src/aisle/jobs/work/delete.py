"""Work of `delete-listrange`: delete the objects of a selection, a batch in each commit.

An object that does not exist (any more) is deleted already, so that a batch may be done twice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from aisle.jobs.task import Task
from aisle.jobs.work.selection import Item, Selection, open_bucket
from aisle.jobs.work.together import AT_ONCE, in_order
from aisle.namespace import destroy
from aisle.namespace.records import Listed, decode
from aisle.namespace.store import BucketRow


async def delete_objects(task: Task) -> None:
    bucket = await open_bucket(task)
    if bucket.record.behind is not None or bucket.record.versions:
        await _delete_singly(task, bucket)
        return
    selection = Selection(task.args)
    base = bucket.record.id
    async for batch in selection.batches(task.store, bucket, task.progress.cursor):
        # Once each: a list may name an object twice.
        present = {base + item.key: item.raw for item in batch if item.raw is not None}
        removed = await destroy.remove(task.store, bucket, list(present.items()))
        size = sum(decode(Listed, raw).size for _, raw in removed)
        await task.advance(len(removed), size, cursor=batch[-1].after)
    await open_bucket(task)  # nothing is found in a bucket that was destroyed meanwhile either


async def _delete_singly(task: Task, bucket: BucketRow) -> None:
    """Objects of a window, since the remote bucket has to hear of each, and of a versioned bucket,
    where each gets a delete marker."""
    selection = Selection(task.args)
    remote = bucket.record.behind is not None

    async def items() -> AsyncIterator[Item]:
        async for batch in selection.batches(
            task.store, bucket, task.progress.cursor, remote=remote
        ):
            for item in batch:
                yield item

    async def remove(item: Item) -> bool:
        return await destroy.delete_present(task.store, bucket, item.key, owner=bucket.record.owner)

    async with aclosing(in_order(items(), remove, AT_ONCE)) as results:
        async for item, removed in results:
            await task.advance(int(removed), item.size if removed else 0, cursor=item.after)
