"""What the tests of lifecycle rules share: rules in short, buckets that have them, whole walks."""

from __future__ import annotations

from aisle.namespace import buckets, documents, objects
from aisle.namespace.lifecycle.plan import DAY, Plan
from aisle.namespace.lifecycle.removing import Governed, Tally, governed
from aisle.namespace.lifecycle.rules import (
    Configuration,
    Expiration,
    Filter,
    NoncurrentExpiration,
    Rule,
    encode,
)
from aisle.namespace.lifecycle.walk import walk
from aisle.namespace.objects import Description
from aisle.namespace.records import Lock, Object, decode, unescape_key
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.versions.ids import ID, PLACE
from tests.namespace.support import Data


def rule(
    *,
    prefix: str = "",
    tags: dict[str, str] | None = None,
    larger: int | None = None,
    smaller: int | None = None,
    days: int | None = None,
    date: int | None = None,
    markers: bool | None = None,
    noncurrent: int | None = None,
    newer: int | None = None,
    abort: int | None = None,
    name: str = "rule",
    enabled: bool = True,
) -> Rule:
    """A rule; `date` is in seconds, everything that counts days is a number of them."""
    expires = any(each is not None for each in (days, date, markers))
    return Rule(
        name,
        "Enabled" if enabled else "Disabled",
        Filter("And", prefix, tags or {}, larger, smaller),
        Expiration(days, date, markers) if expires else None,
        NoncurrentExpiration(noncurrent, newer) if noncurrent is not None else None,
        abort,
    )


def plan(*rules: Rule, day: int = DAY) -> Plan:
    return Plan(Configuration(list(rules)), day)


async def put_rules(store: Store, bucket: BucketRow, *rules: Rule) -> BucketRow:
    raw = encode(Configuration(list(rules)))
    fresh = await buckets.refresh(store, bucket)
    return await documents.change(store, fresh, {documents.LIFECYCLE: raw})


async def under(store: Store, bucket: BucketRow) -> Governed:
    found = await governed(store, await buckets.refresh(store, bucket))
    assert found is not None
    return found


async def apply(store: Store, bucket: BucketRow, *, day: int = DAY, cursor: str = "") -> Tally:
    """One walk through a bucket, by its rules."""
    found = await under(store, bucket)
    done = Tally()
    async for step in walk(store, found, Plan(found.configuration, day), cursor):
        done = done.plus(step.done)
    return done


async def put(
    store: Store,
    bucket: BucketRow,
    key: bytes,
    size: int = 10,
    *,
    tags: dict[str, str] | None = None,
    lock: Lock | None = None,
) -> Object:
    described = Description(owner="me", tags=tags or {}, lock=lock)
    return await objects.put(store, bucket, key, Data(b"x" * size), described)


async def keys(store: Store, bucket: BucketRow) -> list[str]:
    """The keys that have a current object."""
    rows = await store.index.scan("object", prefix=bucket.record.id, limit=10_000)
    return [key[8:].decode() for key, _ in rows]


async def stacks(store: Store, bucket: BucketRow) -> dict[bytes, list[Object]]:
    """Every key's versions, the newest first, whatever holds them."""
    found: dict[bytes, list[Object]] = {}
    base = bucket.record.id
    for row, raw in await store.index.scan("object", prefix=base, limit=10_000):
        found[row[ID:]] = [decode(Object, raw)]
    for row, raw in await store.index.scan("version", prefix=base, limit=10_000):
        found.setdefault(unescape_key(row[ID:-PLACE]), []).append(decode(Object, raw))
    return found
