"""What a write in a replicated bucket remembers: its version's status, and what is to be done.

A replica is not replicated further: buckets that replicate to each other do not do so for ever.
Delete markers that lifecycle rules make, and versions that are removed for good, stay where they
are, as at Amazon.
"""

from __future__ import annotations

from typing import Final

import msgspec

from aisle.namespace import documents, events
from aisle.namespace.records import Object
from aisle.namespace.replication import queue
from aisle.namespace.replication.queue import Wanted
from aisle.namespace.replication.rules import PENDING, REPLICA, Rule, applying, decode
from aisle.namespace.store import BucketRow, Store
from aisle.store.base import Change

_BIT: Final = documents.BITS[documents.REPLICATION]
_CREATED: Final = "s3:ObjectCreated:"
_MARKED: Final = events.marked(events.DELETE)
_TAGGED: Final = "s3:ObjectTagging:"


async def rules_of(store: Store, bucket: BucketRow) -> list[Rule]:
    """The replication rules of a bucket, none if it has no configuration."""
    if not bucket.record.has & _BIT:
        return []
    raw = (await documents.of(store, bucket)).raw.get(documents.REPLICATION)
    return decode(raw).rules if raw is not None else []


class Replicating:
    """The sink of replication: see `namespace.events`."""

    async def stamp(self, store: Store, bucket: BucketRow, key: bytes, record: Object) -> Object:
        """A new version with the status that it has from the start."""
        if record.replication == REPLICA:
            return record
        rules = applying(await rules_of(store, bucket), key.decode(), record.tags)
        status = PENDING if rules else ""
        if status == record.replication:
            return record
        return msgspec.structs.replace(record, replication=status)

    async def changes(
        self, store: Store, bucket: BucketRow, key: bytes, record: Object, event: str
    ) -> list[Change]:
        kind = _kind(event)
        if kind is None or record.replication == REPLICA:
            return []
        rules = applying(await rules_of(store, bucket), key.decode(), record.tags)
        return [
            queue.note(
                bucket.record.id,
                key,
                record.seq,
                Wanted(kind, record.version, rule.bucket, store.now()),
            )
            for rule in rules
            if kind != "marker" or rule.markers
        ]


def _kind(event: str) -> queue.Kind | None:
    if event.startswith(_CREATED):
        return "object"
    if event == _MARKED:
        return "marker"
    return "tags" if event.startswith(_TAGGED) else None
