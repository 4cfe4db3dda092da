"""What is told of lifecycle rules with an object or an upload: when it will be due, and by which.

Only buckets that have rules pay for it. Rules that this release cannot read are not told of: the
object is there all the same.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Final

from aisle.core.errors import StoreUnavailable
from aisle.namespace import documents
from aisle.namespace.lifecycle.plan import DAY, Due, Plan
from aisle.namespace.lifecycle.rules import decode
from aisle.namespace.records import Object
from aisle.namespace.store import BucketRow, Store

_log: Final = logging.getLogger("aisle.lifecycle")

SETTING: Final = "lifecycle.day"
_BIT: Final = documents.BITS[documents.LIFECYCLE]


async def expiration(store: Store, bucket: BucketRow, key: bytes, record: Object) -> Due | None:
    """When the current version of a key is due."""
    plan = await _plan_of(store, bucket)
    return plan.expires(key, record.size, record.mtime, lambda: record.tags) if plan else None


async def abort(store: Store, bucket: BucketRow, key: bytes, started: int) -> Due | None:
    """When an upload is due."""
    plan = await _plan_of(store, bucket)
    return plan.aborts(key, started) if plan else None


async def day(store: Store) -> int:
    """How long a day of rules is, in ns; one of no length is none, and counts as 24 hours."""
    return await store.duration(SETTING) or DAY


async def _plan_of(store: Store, bucket: BucketRow) -> Plan | None:
    if not bucket.record.has & _BIT or bucket.record.behind is not None:
        return None
    raw = (await documents.of(store, bucket, recent=True)).raw.get(documents.LIFECYCLE)
    if raw is None:
        return None
    try:
        return _plan(raw, await day(store))
    except StoreUnavailable as error:
        _log.error('the rules of bucket "%s": %s', bucket.record.name, error)
        return None


@lru_cache(maxsize=256)
def _plan(raw: bytes, day: int) -> Plan:
    return Plan(decode(raw), day)
