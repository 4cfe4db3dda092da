"""The work of `lifecycle`: do what the lifecycle rules of buckets ask for, bucket after bucket.

Its cursor is the bucket that it is at, the place in it, and what was done so far; another worker
goes on from there, and what is done twice is found done. A bucket whose rules change while it is
gone through is gone on with by the new ones. Windows are passed over: what they show is the remote
bucket's to expire. Of several such jobs one does the work.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Final

import msgspec

from aisle.core.errors import BucketNotFound
from aisle.core.names import BucketName
from aisle.jobs import rows
from aisle.jobs.task import Task
from aisle.namespace import buckets, documents
from aisle.namespace.lifecycle.plan import Plan
from aisle.namespace.lifecycle.removing import Governed, RulesChanged, Tally, governed
from aisle.namespace.lifecycle.told import day
from aisle.namespace.lifecycle.walk import walk
from aisle.namespace.records import Bucket
from aisle.namespace.store import BucketRow

KIND: Final = "lifecycle"
_QUEUE: Final = 10_000
_BUCKETS: Final = 100
_BIT: Final = documents.BITS[documents.LIFECYCLE]


class Place(msgspec.Struct):
    """See the module. `done` is the row key of the last bucket that is done, in hex; `at` the id of
    the one that was begun, in hex, and `cursor` the place in it; `looked` counts rows."""

    done: str = ""
    at: str = ""
    cursor: str = ""
    looked: int = 0
    buckets: int = 0
    counts: tuple[int, ...] = ()


async def apply_lifecycle(task: Task) -> object:
    """The result tells what was removed, by name."""
    if await _is_second(task):
        await task.advance(message="another such job is at work")
        return _result(Place())
    place = msgspec.json.decode(task.progress.cursor or "{}", type=Place)
    async for row in _rows(task, place):
        if place.at != row.record.id.hex():
            place.at, place.cursor = row.record.id.hex(), ""
        await _apply(task, place, row)
        place.done, place.at, place.cursor = row.key.hex(), "", ""
        place.buckets += 1
        await task.advance(cursor=_encoded(place))
    return _result(place)


async def _apply(task: Task, place: Place, row: BucketRow) -> None:
    """Do what is left to do in one bucket."""
    while True:
        under = await governed(task.store, row)
        if under is None:
            return
        try:
            await _walk(task, place, under)
            return
        except RulesChanged:
            try:
                row = await buckets.refresh(task.store, row)
            except BucketNotFound:
                return


async def _walk(task: Task, place: Place, under: Governed) -> None:
    plan = Plan(under.configuration, await day(task.store))
    async with aclosing(walk(task.store, under, plan, place.cursor)) as steps:
        async for step in steps:
            done = _tally(place).plus(step.done)
            place.cursor, place.counts = step.cursor, tuple(done)
            place.looked += step.looked
            await task.advance(_removed(step.done), step.done.size, cursor=_encoded(place))


def _removed(tally: Tally) -> int:
    return tally.objects + tally.marked + tally.versions + tally.markers + tally.uploads


def _tally(place: Place) -> Tally:
    return Tally(*place.counts)


def _encoded(place: Place) -> str:
    return msgspec.json.encode(place).decode()


def _result(place: Place) -> dict[str, int]:
    return {"buckets": place.buckets, "looked": place.looked, **_tally(place)._asdict()}


async def _rows(task: Task, place: Place) -> AsyncIterator[BucketRow]:
    """The buckets with rules that are left: those that were named, or all."""
    named = [BucketName(*parts) for parts in task.args.get("buckets", ())]
    after = bytes.fromhex(place.done)
    if named:
        found = []
        for name in named:
            try:
                found.append(await buckets.get(task.store, name))
            except BucketNotFound:
                continue
        for row in sorted(found, key=lambda row: row.key):
            if row.key > after and has_rules(row.record):
                yield row
        return
    while page := await buckets.list_all(task.store, after=after, limit=_BUCKETS, wanted=has_rules):
        for row in page:
            yield row
        after = page[-1].key


def has_rules(bucket: Bucket) -> bool:
    """Whether a bucket of our own has lifecycle rules."""
    return bool(bucket.has & _BIT) and bucket.behind is None


async def _is_second(task: Task) -> bool:
    """Whether a job of this kind was begun before this one and is not over."""
    for identity, entry in await rows.queue(task.store.index, _QUEUE):
        if identity == task.id:
            return False
        if entry.kind == KIND and not entry.stop:
            return True
    return False
