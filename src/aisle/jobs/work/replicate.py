"""The work of `replicate-bck`: put what a bucket held before it had replication rules, or what has
failed, on the queue of replication.

Current objects whose version says nothing of its replication, or that it has failed, and to which
a rule applies. Each is noted in the batch that makes it say `PENDING`, so that doing a page twice
is harmless. Replicas stay where they are.
"""

from __future__ import annotations

from typing import Final

import msgspec

from aisle.core.errors import InvalidRequest, RowChanged
from aisle.jobs.task import Task, bucket_in
from aisle.namespace import buckets
from aisle.namespace.records import Object, decode, encode
from aisle.namespace.replication import queue
from aisle.namespace.replication.queue import Wanted
from aisle.namespace.replication.rules import FAILED, PENDING, Rule, applying
from aisle.namespace.replication.sink import rules_of
from aisle.namespace.store import BucketRow, Store
from aisle.store.base import Change, Check, Put

KIND: Final = "replicate-bck"
_PAGE: Final = 200


async def replicate_existing(task: Task) -> object:
    """The result tells how many objects were noted. With `asked_by_rule` only rules count that ask
    for what was there before them. Raises `InvalidRequest` for a bucket without rules."""
    name = bucket_in(task.args)
    if name is None:
        raise InvalidRequest("name the bucket whose objects are to be replicated")
    bucket = await buckets.get(task.store, name)
    rules = await rules_of(task.store, bucket)
    if not rules:
        raise InvalidRequest(f"{bucket.name} has no replication rules")
    if task.args.get("asked_by_rule"):
        rules = [rule for rule in rules if rule.existing]
    base = bucket.record.id
    after = base + bytes.fromhex(task.progress.cursor)
    while rows := await task.store.index.scan("object", prefix=base, after=after, limit=_PAGE):
        after = rows[-1][0]
        for row_key, raw in rows:
            size = await _note(task.store, bucket, rules, row_key, raw)
            if size is not None:
                await task.advance(1, size)
        await task.advance(cursor=after[len(base) :].hex())
    return {"objects": task.progress.objects}


async def _note(
    store: Store, bucket: BucketRow, rules: list[Rule], row_key: bytes, raw: bytes
) -> int | None:
    """Put an object on the queue, if it belongs there; its size."""
    record = decode(Object, raw)
    if record.replication not in ("", FAILED):
        return None
    key = row_key[len(bucket.record.id) :]
    wanted = applying(rules, key.decode(), record.tags)
    if not wanted:
        return None
    now = store.now()
    changes: list[Change] = [
        Check("object", row_key, raw),
        Put("object", row_key, encode(msgspec.structs.replace(record, replication=PENDING))),
        *(
            queue.note(
                bucket.record.id,
                key,
                record.seq,
                Wanted("object", record.version, rule.bucket, now),
            )
            for rule in wanted
        ),
    ]
    try:
        await store.index.commit(*changes)
    except RowChanged:
        return None  # written or removed meanwhile, which is noted by itself
    return record.size
