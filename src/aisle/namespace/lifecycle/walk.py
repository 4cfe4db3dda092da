"""Go through a bucket, and remove what is due by its lifecycle rules.

Rows are read in pages, in the order of versions (`versions.listing`), and only those of keys that
rules are about. Of a key with any number of versions no more than a page is held: what has to be
known of the newer ones is when the last one was written, how many count, and one row that stays.

A walk that ends early is gone on with from the last `Step.cursor`: that is the last key of which
everything was done, so that a key is always judged from its newest version on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from functools import partial
from heapq import merge
from itertools import islice
from typing import Final, NamedTuple

from aisle.namespace.lifecycle.plan import Ages, Plan
from aisle.namespace.lifecycle.removing import Governed, Removing, Tally
from aisle.namespace.records import (
    Listed,
    Object,
    Upload,
    Versioned,
    decode,
    escape_key,
    unescape_key,
)
from aisle.namespace.store import Store
from aisle.namespace.uploads import UploadRow
from aisle.namespace.versions.ids import CURRENT, ID, PLACE
from aisle.store.base import Check, Row

PAGE: Final = 500
# After so many rows others get a turn: each may be asked of a thousand rules.
TURN: Final = 64
OBJECTS: Final = "o"
UPLOADS: Final = "u"
_UPLOAD_ID: Final = 16
# Behind every place of a key and before the next key, as in `versions.listing`.
_LAST: Final = b"\x80" + bytes(PLACE - 1)


class Step(NamedTuple):
    """A page: where to go on after it, how many rows it had, and what was done."""

    cursor: str
    looked: int
    done: Tally


async def walk(
    store: Store, under: Governed, plan: Plan, cursor: str = ""
) -> AsyncGenerator[Step, None]:
    """Do what `plan` asks for in a bucket. Raises `RulesChanged`, with nothing done that the rules
    in force do not ask for."""
    removing = Removing(store, under)
    phase, after = cursor[:1] or OBJECTS, bytes.fromhex(cursor[1:])
    if phase == OBJECTS:
        walked = _versions if under.bucket.record.versions else _objects
        async for step in walked(store, under, plan, removing, after):
            yield step
        after = b""
    async for step in _uploads(store, under, plan, removing, after):
        yield step


async def _objects(
    store: Store, under: Governed, plan: Plan, removing: Removing, done: bytes
) -> AsyncGenerator[Step, None]:
    """The objects of a bucket that has no versions, behind the key `done`."""
    base = under.bucket.record.id
    after = base + done if done else b""
    for prefix in plan.prefixes(former=False):
        while rows := await store.index.scan(
            "object", prefix=base + prefix, after=after, limit=PAGE
        ):
            now = store.now()
            for number, (row, raw) in enumerate(rows, 1):
                if not number % TURN:
                    await asyncio.sleep(0)
                record, key = decode(Listed, raw), row[ID:]
                due = plan.expires(key, record.size, record.mtime, partial(_tags, raw))
                if due is not None and due.at <= now:
                    await removing.current(key, raw)
            await removing.flush()
            after = rows[-1][0]
            yield Step(OBJECTS + after[ID:].hex(), len(rows), removing.done())
            await asyncio.sleep(0)


def _tags(raw: bytes) -> Mapping[str, str]:
    return decode(Object, raw).tags


async def _versions(
    store: Store, under: Governed, plan: Plan, removing: Removing, done: bytes
) -> AsyncGenerator[Step, None]:
    """The objects of a bucket that has, or may have, versions, behind the key `done`."""
    base = under.bucket.record.id
    after = base + escape_key(done) + _LAST if done else b""
    for prefix in plan.prefixes(former=True):
        judged = _Judging(plan, removing, base, done)
        while rows := await _read(store, base, prefix, after):
            now = store.now()
            for number, row in enumerate(rows, 1):
                if not number % TURN:
                    await asyncio.sleep(0)
                await judged.take(row, now)
            await removing.flush()
            judged.flushed()
            after = rows[-1][0]
            yield Step(OBJECTS + judged.done.hex(), len(rows), removing.done())
            await asyncio.sleep(0)
        await judged.close(store.now())
        await removing.flush()
        yield Step(OBJECTS + judged.done.hex(), 0, removing.done())
        done = judged.done


async def _read(store: Store, base: bytes, prefix: bytes, after: bytes) -> list[Row]:
    """A page of versions behind `after`: key after key, the newest first."""
    scope = base + escape_key(prefix)[:-1]
    former = await store.index.scan("version", prefix=scope, after=after, limit=PAGE)
    start = base + unescape_key(after[ID:-PLACE]) if after else b""
    current = await store.index.scan("object", prefix=base + prefix, after=start, limit=PAGE)
    listed = [(base + escape_key(key[ID:]) + CURRENT, raw) for key, raw in current]
    return list(islice(merge(listed, former), PAGE))


@dataclass(slots=True)
class _Key:
    """What is known of the versions of one key, as far as they were read. `newer` is when the last
    one was written (ns) and `seq` its place; `anchor` is the newest row that stays, `then` what it
    is once the batch has been committed. `lone` is a delete marker while no other version has been
    seen."""

    escaped: bytes
    key: bytes
    ages: Ages
    newer: int
    seq: int
    anchor: Check
    then: Check
    lone: tuple[bytes, bytes, int] | None = None


class _Judging:
    """The versions of key after key, each from the newest on."""

    def __init__(self, plan: Plan, removing: Removing, base: bytes, done: bytes) -> None:
        self._plan = plan
        self._removing = removing
        self._base = base
        self._now: _Key | None = None
        self.done = done  # the last key that was judged whole

    async def take(self, row: Row, now: int) -> None:
        place, raw = row
        record = decode(Versioned, raw)
        state = self._now
        if state is None or state.escaped != place[ID:-PLACE]:
            await self.close(now)
            self._now = await self._begun(place, raw, record, now)
            return
        if record.seq >= state.seq:
            return  # it has come, or become a former one, since its key was begun
        state.lone, state.seq = None, record.seq
        since, state.newer = max(record.mtime, state.newer), record.mtime
        at = state.ages.due(record.size, partial(_tags, raw), since, marker=record.marker)
        due = at is not None and at <= now
        if due and await self._removing.former(place, state.key, raw, state.anchor):
            return
        state.anchor = state.then = Check("version", place, raw)

    async def _begun(self, place: bytes, raw: bytes, record: Versioned, now: int) -> _Key:
        """A key, from its newest version."""
        escaped = place[ID:-PLACE]
        key = unescape_key(escaped)
        lone, anchor = None, Check("version", place, raw)
        then = anchor
        if place.endswith(CURRENT):
            anchor = then = Check("object", self._base + key, raw)
            due = self._plan.expires(key, record.size, record.mtime, partial(_tags, raw))
            if due is not None and due.at <= now:
                anchor, then = await self._removing.current(key, raw)
        elif record.marker:
            lone = (place, raw, record.mtime)
        ages = Ages(self._plan.former(key), self._plan.day)
        return _Key(escaped, key, ages, record.mtime, record.seq, anchor, then, lone)

    def flushed(self) -> None:
        """What was gathered has been committed."""
        if self._now is not None:
            self._now.anchor = self._now.then

    async def close(self, now: int) -> None:
        """All versions of the key have been seen."""
        state, self._now = self._now, None
        if state is None:
            return
        self.done = state.key
        if state.lone is not None:
            place, raw, mtime = state.lone
            due = self._plan.lone_marker(state.key, mtime)
            if due is not None and due.at <= now:
                await self._removing.marker(place, state.key, raw)


async def _uploads(
    store: Store, under: Governed, plan: Plan, removing: Removing, after: bytes
) -> AsyncGenerator[Step, None]:
    """The uploads of a bucket that have not been completed, behind the row `after`."""
    base = under.bucket.record.id
    for prefix in plan.abort_prefixes:
        scope = base + escape_key(prefix)[:-1]
        while rows := await store.index.scan("upload", prefix=scope, after=after, limit=PAGE):
            now = store.now()
            for row, raw in rows:
                key, record = unescape_key(row[ID:-_UPLOAD_ID]), decode(Upload, raw)
                due = plan.aborts(key, record.started)
                if due is not None and due.at <= now:
                    await removing.upload(UploadRow(row, raw, record, key))
            after = rows[-1][0]
            yield Step(UPLOADS + after.hex(), len(rows), removing.done())
            await asyncio.sleep(0)
