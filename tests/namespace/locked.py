"""What the tests of locks share: a moment and its locks, buckets with locks, locked objects."""

from __future__ import annotations

from aisle.namespace import documents, locks, objects
from aisle.namespace.locks import COMPLIANCE, GOVERNANCE, Rule
from aisle.namespace.objects import Description
from aisle.namespace.records import Lock, Object
from aisle.namespace.store import BucketRow, Store
from tests.namespace.support import DAY, SECOND, Data, make_bucket, pattern

NOW = 1_800_000_000 * SECOND
LATER, SOONER = NOW + 2 * DAY, NOW + DAY
GOVERNED = Lock(GOVERNANCE, LATER)
COMPLIANT = Lock(COMPLIANCE, LATER)
HELD = Lock(hold=True)


async def lock_bucket(store: Store, rule: Rule = Rule()) -> BucketRow:  # noqa: B008 - frozen
    made = {documents.LOCK: locks.encode_rule(rule)}
    return await make_bucket(
        store, props={"versioning.enabled": True}, documents=made, has=documents.bits(made)
    )


async def put(
    store: Store, bucket: BucketRow, lock: Lock | None = None, key: bytes = b"k", size: int = 10
) -> Object:
    described = Description(owner="me", lock=lock)
    return await objects.put(store, bucket, key, Data(pattern(size)), described)
