"""The work of `move-bck`: a bucket gets another name.

One commit does it (`buckets.rename`), so there is nothing to go on from: done twice, it stays done.
The bucket goes by its id, and a new one that has taken its old name meanwhile is left alone.
"""

from __future__ import annotations

from aisle.core.errors import InvalidRequest
from aisle.jobs.task import TO, Task, bucket_in
from aisle.namespace import buckets


async def move_bucket(task: Task) -> object:
    old, new = bucket_in(task.args), bucket_in(task.args, TO)
    if old is None or new is None:
        raise InvalidRequest("a bucket is moved from a name to another")
    identity = bytes.fromhex(str(task.args.get("id", "")))
    await buckets.rename(task.store, old, new, identity=identity)
    return None
