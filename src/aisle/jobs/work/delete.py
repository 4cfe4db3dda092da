"""Work of `delete-listrange`: delete the objects of a selection, a batch in each commit.

An object that does not exist (any more) is deleted already, so that a batch may be done twice.
"""

from __future__ import annotations

from aisle.jobs.task import Task
from aisle.jobs.work.selection import Selection, open_bucket
from aisle.namespace import destroy
from aisle.namespace.records import Listed, decode


async def delete_objects(task: Task) -> None:
    bucket = await open_bucket(task)
    selection = Selection(task.args)
    base = bucket.record.id
    async for batch in selection.batches(task.store, bucket, task.progress.cursor):
        # Once each: a list may name an object twice.
        present = {base + item.key: item.raw for item in batch if item.raw is not None}
        removed = await destroy.remove(task.store, list(present.items()))
        size = sum(decode(Listed, raw).size for _, raw in removed)
        await task.advance(len(removed), size, cursor=batch[-1].after)
    await open_bucket(task)  # nothing is found in a bucket that was destroyed meanwhile either
