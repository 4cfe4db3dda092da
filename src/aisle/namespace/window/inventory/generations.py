"""Generations: the rows of inventories, and the one row that says which of them are listed.

Invariant: a row of `inventory` lies there only while a row of `inventories` names its generation,
as the one that is listed (`rows`), as one that a job is making (`making`), or as one to be deleted
(`dropped`). So nothing is ever left that nobody knows of, whatever crashes.

* A job claims an inventory in the commit that submits it. Every batch that it puts checks the row
  of `inventories`, which nobody changes meanwhile but who takes the claim away: then the job ends.
* `publish` makes a generation the one that is listed, in one commit; the former one is `dropped`.
* A claim is worth nothing once its job is over, however it ended.
* A page is of a generation that was the listed one before *and after* it was read: see `pages`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

import msgspec

from aisle.core.errors import RowChanged
from aisle.namespace import buckets
from aisle.namespace.records import Inventory, Job, decode, encode
from aisle.namespace.store import BucketRow, Store
from aisle.store.base import ABSENT, Change, Check, Delete, Put, Row

TABLE: Final = "inventories"
ROWS: Final = "inventory"
NATIVE: Final = b"native\0"
AMAZON: Final = b"s3\0"
STEP: Final = 5000
_ID: Final = 8
_OVER: Final = frozenset({"finished", "failed", "aborted"})
_BUCKETS: Final = 1_000_000


class InventoryRow(NamedTuple):
    """An inventory and the row it was read from, `None` where there is none yet."""

    key: bytes
    raw: bytes | None
    record: Inventory

    @property
    def check(self) -> Check:
        return Check(TABLE, self.key, ABSENT if self.raw is None else self.raw)


def native_key(bucket: BucketRow) -> bytes:
    """Of the one inventory that the cluster has made itself."""
    return bucket.record.id + NATIVE


def amazon_key(bucket: BucketRow, which: str) -> bytes:
    """Of one of those that Amazon has written."""
    return bucket.record.id + AMAZON + which.encode()


async def read(store: Store, key: bytes) -> InventoryRow:
    raw = await store.index.get(TABLE, key)
    record = decode(Inventory, raw) if raw is not None else Inventory("")
    return InventoryRow(key, raw, record)


async def is_made(store: Store, record: Inventory) -> bool:
    """Whether a job is at work on it, or about to be."""
    return bool(record.job) and not await _is_over(store, record.job)


async def _is_over(store: Store, job: str) -> bool:
    raw = await store.index.get("job", job.encode())
    return raw is None or decode(Job, raw).state in _OVER


def claimed(
    row: InventoryRow, job: str, source: str, *, name: str, prefix: str = "", chunk: int = 0,
    afresh: bool = False,
) -> list[Change]:  # fmt: skip
    """The changes by which `job` claims the inventory. With `afresh` what is listed goes at once,
    and the new one has a name and limits of its own."""
    old = row.record
    given_up = [old.making] if old.making else []
    if afresh:
        given_up += [old.rows] if old.rows else []
        old = Inventory(name, prefix=prefix, chunk=chunk, dropped=old.dropped)
    new = msgspec.structs.replace(
        old, name=name, job=job, making=os.urandom(_ID), making_of=source,
        dropped=[*old.dropped, *given_up],
    )  # fmt: skip
    return [row.check, Put(TABLE, row.key, encode(new))]


async def put(store: Store, row: InventoryRow, rows: Sequence[Row]) -> int:
    """Add rows to the generation that is being made, by key; returns their bytes. Raises
    `RowChanged` if the claim is gone."""
    base, size = row.record.making, 0
    changes: list[Change] = [row.check]
    for key, value in rows:
        changes.append(Put(ROWS, base + key, value))
        size += _ID + len(key) + len(value)
    await store.index.commit(*changes)
    return size


async def publish(
    store: Store, row: InventoryRow, *, count: int, size: int, started: int
) -> InventoryRow:
    """Have the generation that was made be the one that is listed. Raises `RowChanged`."""
    old = row.record
    new = msgspec.structs.replace(
        old, rows=old.making, source=old.making_of, started=started, finished=store.now(),
        count=count, size=size, job="", making=b"", making_of="",
        dropped=[*old.dropped, *([old.rows] if old.rows else [])],
    )  # fmt: skip
    raw = encode(new)
    await store.index.commit(row.check, Put(TABLE, row.key, raw))
    return InventoryRow(row.key, raw, new)


async def discard(store: Store, row: InventoryRow) -> None:
    """Have an inventory be none, and delete its rows. Whoever makes it ends. Raises `RowChanged`
    if it is another one by now."""
    old = row.record
    gone = [one for one in (old.rows, old.making) if one]
    new = Inventory(old.name, dropped=[*old.dropped, *gone])
    raw = encode(new)
    await store.index.commit(row.check, Put(TABLE, row.key, raw))
    await clear(store, InventoryRow(row.key, raw, new))


async def clear(store: Store, row: InventoryRow) -> None:
    """Delete the rows of generations that were dropped, and the row that named them if that is all
    it did. Losing a race to somebody who does the same is no harm."""
    old = row.record
    for generation in old.dropped:
        await _delete(store, generation)
    change: Change = Delete(TABLE, row.key)
    if old.rows or old.job:
        change = Put(TABLE, row.key, encode(msgspec.structs.replace(old, dropped=[])))
    with suppress(RowChanged):
        await store.index.commit(row.check, change)


async def _delete(store: Store, generation: bytes) -> None:
    while rows := await store.index.scan(ROWS, prefix=generation, limit=STEP):
        await store.index.commit(*(Delete(ROWS, key) for key, _ in rows))


def _decoded(rows: Iterable[Row]) -> list[InventoryRow]:
    return [InventoryRow(key, raw, decode(Inventory, raw)) for key, raw in rows]


async def sweep(store: Store) -> int:
    """Give up what crashed jobs and destroyed buckets have left; returns how many inventories were
    looked after. The round of housekeeping that comes now and then."""
    after, count = b"", 0
    while rows := await store.index.scan(TABLE, after=after, limit=STEP):
        after = rows[-1][0]
        # Read after the inventories: whichever of them has a bucket had it before.
        live = {row.record.id for row in await buckets.list_all(store, limit=_BUCKETS)}
        for row in _decoded(rows):
            count += await _settle(store, row, is_alone=row.key[:_ID] not in live)
    return count


async def _settle(store: Store, row: InventoryRow, *, is_alone: bool) -> bool:
    old = row.record
    with suppress(RowChanged):
        if is_alone:
            await discard(store, row)
            return True
        if old.job and await _is_over(store, old.job):
            given_up = [old.making] if old.making else []
            new = msgspec.structs.replace(
                old, job="", making=b"", making_of="", dropped=[*old.dropped, *given_up]
            )
            raw = encode(new)
            await store.index.commit(row.check, Put(TABLE, row.key, raw))
            row = InventoryRow(row.key, raw, new)
        if row.record.dropped and not row.record.job:
            await clear(store, row)
            return True
    return False
