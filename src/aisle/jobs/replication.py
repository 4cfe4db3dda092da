"""When replication runs: all the time, on the one node that has the duty.

The queue is walked from its start, a page at a time: the versions of a key one after the other,
several keys at once. What fails is tried again later, and everything that comes after it for its
key waits; what fails for longer than `replication.give_up` is given up, and its version says
`FAILED`. A version says `COMPLETED` once it is at all its destinations.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping
from typing import Final

import msgspec

from aisle.core.errors import (
    AisleError,
    DeleteMarkerNamed,
    ObjectNotFound,
    RowChanged,
    StoreError,
    VersionNotFound,
)
from aisle.jobs.leases import Duty
from aisle.namespace import buckets, edits
from aisle.namespace.records import Object, encode
from aisle.namespace.replication import delivery, queue
from aisle.namespace.replication.queue import TABLE, Item
from aisle.namespace.replication.rules import COMPLETED, FAILED
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.versions.ids import shown
from aisle.store.base import Check, Delete, Put

_log: Final = logging.getLogger("aisle.replication")

IDLE_SECONDS: Final = 0.5
AT_ONCE: Final = 16
PAGE: Final = 256
_SECOND: Final = 1_000_000_000
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 300.0


async def run(store: Store, duty: Duty) -> None:
    """Replicate for ever."""
    while True:
        done = 0
        if duty.held:
            try:
                done = await walk(store, duty)
            except RowChanged:
                _log.info("another node has taken over replication")
            except StoreError as error:
                _log.warning("replication was cut short: %s", error)
            except Exception:
                _log.exception("replication failed")
        if not done:
            await asyncio.sleep(IDLE_SECONDS)


async def walk(store: Store, duty: Duty) -> int:
    """Go through the queue once; how many items are off it."""
    after, done = b"", 0
    waiting: set[bytes] = set()  # keys that something failed for: what follows waits
    while duty.held and (items := await queue.page(store, after, PAGE)):
        after = items[-1].row[0]
        sources = await _sources(store, {item.bucket for item in items})
        gate = asyncio.Semaphore(AT_ONCE)
        groups = [
            _key(store, duty, gate, sources, scope, group, waiting)
            for scope, group in queue.by_key(items)
            if scope not in waiting
        ]
        # All of them end before a failure is told: what is still on its way must not be met by the
        # next walk, which would overtake it.
        ended = await asyncio.gather(*groups, return_exceptions=True)
        for one in ended:
            if isinstance(one, BaseException):
                raise one
            done += one
        if len(items) < PAGE:
            break
    return done


async def _sources(store: Store, wanted: set[bytes]) -> Mapping[bytes, BucketRow]:
    rows = await buckets.list_all(store, limit=1_000_000, wanted=lambda row: row.id in wanted)
    return {row.record.id: row for row in rows}


async def _key(
    store: Store,
    duty: Duty,
    gate: asyncio.Semaphore,
    sources: Mapping[bytes, BucketRow],
    scope: bytes,
    items: list[Item],
    waiting: set[bytes],
) -> int:
    """Do what there is for a key, in order, up to what fails; how many items are off the queue."""
    done = 0
    async with gate:
        for item in items:
            if item.wanted.due > store.now() or not await _item(store, duty, sources, item):
                waiting.add(scope)
                break
            done += 1
    return done


async def _item(store: Store, duty: Duty, sources: Mapping[bytes, BucketRow], item: Item) -> bool:
    """Do one item; whether it is off the queue."""
    source = sources.get(item.bucket)
    if source is None:
        await _drop(store, duty, item)  # with its bucket
        return True
    try:
        await delivery.deliver(store, source, item)
    except StoreError:
        raise  # ours, not the destination's
    except AisleError as error:
        return await _failed(store, duty, source, item, error)
    await _settle(store, source, item, COMPLETED)
    await _drop(store, duty, item)
    return True


async def _failed(
    store: Store, duty: Duty, source: BucketRow, item: Item, error: AisleError
) -> bool:
    wanted, now = item.wanted, store.now()
    if now - wanted.noted > await store.duration("replication.give_up"):
        _log.error(
            "%s/%s is not replicated to %s: %s",
            source.name,
            item.key.decode(),
            wanted.target,
            error,
        )
        await _settle(store, source, item, FAILED)
        await _drop(store, duty, item)
        return True
    pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**wanted.attempts) * random.uniform(0.5, 1)  # noqa: S311
    if not wanted.attempts:
        _log.warning("replication to %s has failed, and goes on: %s", wanted.target, error)
    later = msgspec.structs.replace(
        wanted,
        attempts=wanted.attempts + 1,
        due=now + int(pause * _SECOND),
        reason=str(error)[:500],
    )
    key, raw = item.row
    await store.index.commit(*duty.checks, Check(TABLE, key, raw), Put(TABLE, key, encode(later)))
    return False


async def _drop(store: Store, duty: Duty, item: Item) -> None:
    key, raw = item.row
    await store.index.commit(*duty.checks, Check(TABLE, key, raw), Delete(TABLE, key))


async def _settle(store: Store, source: BucketRow, item: Item, status: str) -> None:
    """Have the version say how its replication ended, if this was the last of its destinations;
    that it has failed for one outweighs that others have it."""
    if item.wanted.kind != "object":
        return
    left = await store.index.scan(TABLE, prefix=item.version_scope, limit=2)

    def said(old: Object) -> Object:
        ended = FAILED if FAILED in (status, old.replication) else COMPLETED
        more = len(left) > 1 and status != FAILED
        return old if more else msgspec.structs.replace(old, replication=ended)

    try:
        await edits.change(store, source, item.key, said, version=shown(item.wanted.version))
    except (ObjectNotFound, VersionNotFound, DeleteMarkerNamed):
        return  # removed since
