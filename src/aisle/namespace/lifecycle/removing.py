"""Take out what lifecycle rules have found due, in batches.

Every batch checks the rules that the decisions were made by, the bucket, and each row that one
stood on: what was overwritten, tagged or locked meanwhile, and what is of a bucket whose rules have
been changed, stays. If one row has changed, the others go one by one. What must not go yet
(`locks`) stays too. Events are told of in the same batches.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from aisle.core.errors import AisleError, ObjectLocked, RowChanged, UploadNotFound, WriteConflict
from aisle.namespace import buckets, documents, events, layouts, locks, uploads
from aisle.namespace.lifecycle.rules import Configuration, decode
from aisle.namespace.records import Object
from aisle.namespace.records import decode as decode_record
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.uploads import UploadRow
from aisle.namespace.versions import stack
from aisle.namespace.versions.ids import PLACE, hidden_seq, row_key, scope
from aisle.store.base import ABSENT, Change, Check, Delete, Put

_SUSPENDED: Final = "Suspended"


class RulesChanged(AisleError):
    """The bucket, or its rules, are others by now: look again at what they ask for."""


class Tally(NamedTuple):
    """What was done: current objects removed for good, and those that got a delete marker; former
    versions and delete markers removed; uploads aborted. `locked` is what was due and must not go
    yet, `changed` what somebody else has changed at that moment; `size` are bytes."""

    objects: int = 0
    marked: int = 0
    versions: int = 0
    markers: int = 0
    uploads: int = 0
    locked: int = 0
    changed: int = 0
    size: int = 0

    def plus(self, other: Tally) -> Tally:
        return Tally(*(mine + more for mine, more in zip(self, other, strict=True)))


class Governed(NamedTuple):
    """A bucket and its rules, as they were read."""

    bucket: BucketRow
    document: bytes

    @property
    def configuration(self) -> Configuration:
        return decode(self.document)

    @property
    def check(self) -> Check:
        return Check("document", self.bucket.record.id + documents.LIFECYCLE, self.document)


async def governed(store: Store, bucket: BucketRow) -> Governed | None:
    """The bucket with its rules, if it has any and is no window."""
    if not bucket.record.has & documents.BITS[documents.LIFECYCLE] or bucket.record.behind:
        return None
    raw = await store.index.get("document", bucket.record.id + documents.LIFECYCLE)
    return Governed(bucket, raw) if raw is not None else None


class Anchors(NamedTuple):
    """The newest row of a key that stays: as it is now, and once the batch has been committed."""

    now: Check
    then: Check


class _Item(NamedTuple):
    """The changes of one removal, and how it counts."""

    changes: list[Change]
    tally: Tally


class Removing:
    """What is to be removed from one bucket, until `flush`."""

    def __init__(self, store: Store, under: Governed) -> None:
        self._store = store
        self._under = under
        self._bucket = under.bucket
        self._told = bool(under.bucket.record.has & documents.TOLD)
        self._items: list[_Item] = []
        self._done = Tally()

    async def current(self, key: bytes, raw: bytes) -> Anchors:
        """Expire the current version of a key: for good, or behind a delete marker."""
        base = self._bucket.record.id + key
        check = Check("object", base, raw)
        old = decode_record(Object, raw)
        try:
            if not self._bucket.record.versions:
                locks.check_removal(old, self._store.now())
                changes = [check, Delete("object", base), *await self._released(old)]
                await self._add(changes, Tally(objects=1, size=old.size), key, old, events.EXPIRED)
                return Anchors(check, check)
            return await self._mark(key, old, check)
        except ObjectLocked:
            self._count(Tally(locked=1))
            return Anchors(check, check)

    async def _mark(self, key: bytes, old: Object, check: Check) -> Anchors:
        store, record = self._store, self._bucket.record
        pushed = await stack.mark(store, record, key, old, store.now(), owner=record.owner)
        place = row_key(record.id, key, pushed.record.seq)
        then = next(
            Check("version", place, change.value)
            for change in pushed.changes
            if isinstance(change, Put) and (change.table, change.key) == ("version", place)
        )
        event = events.marked(events.EXPIRED)
        changes = [check, *buckets.guard(self._bucket)[1:], *pushed.changes]
        if record.versions != _SUSPENDED:
            await self._add(changes, Tally(marked=1), key, pushed.record, event)
            return Anchors(check, then)
        # It takes the place of the null version, which may be due as a former one just as well.
        await self.flush()
        await self._add(changes, Tally(marked=1), key, pushed.record, event)
        await self.flush()
        return Anchors(then, then)

    async def former(self, place: bytes, key: bytes, raw: bytes, anchor: Check) -> bool:
        """Remove a former version or delete marker, at `place`; `anchor` is a newer row of the key
        that stays. False if it must not go."""
        old = decode_record(Object, raw)
        try:
            locks.check_removal(old, self._store.now())
        except ObjectLocked:
            self._count(Tally(locked=1))
            return False
        count = Tally(markers=1) if old.marker else Tally(versions=1, size=old.size)
        changes = [anchor, *self._taken(place, key, raw, old), *await self._released(old)]
        await self._add(changes, count, key, old, events.EXPIRED)
        return True

    async def marker(self, place: bytes, key: bytes, raw: bytes) -> None:
        """Remove a delete marker that is all there is of its key, if it still is."""
        old = decode_record(Object, raw)
        identity = self._bucket.record.id
        hidden = await self._store.index.get("hidden", identity + key)
        below = await self._store.index.scan(
            "version", prefix=scope(identity, key), after=place, limit=1
        )
        alone = not below or below[0][0][:-PLACE] != place[:-PLACE]
        if hidden is None or hidden_seq(hidden) != old.seq or not alone:
            self._count(Tally(changed=1))
            return
        changes = [
            Check("object", identity + key, ABSENT),
            Check("hidden", identity + key, hidden),
            Delete("hidden", identity + key),
            *self._taken(place, key, raw, old),
        ]
        await self._add(changes, Tally(markers=1), key, old, events.EXPIRED)

    async def upload(self, row: UploadRow) -> None:
        """Abort an upload, at once. Raises `RulesChanged`."""
        check = self._under.check
        if await self._store.index.get(check.table, check.key) != check.expected:
            raise RulesChanged("the rules have been changed")
        try:
            await uploads.abort(self._store, row)
        except (UploadNotFound, WriteConflict):
            self._count(Tally(changed=1))  # it has just ended, or is in use after all
            return
        self._count(Tally(uploads=1))

    async def flush(self) -> None:
        """Commit what has been gathered. Raises `RulesChanged`."""
        items, self._items = self._items, []
        if not items:
            return
        try:
            await self._commit(items)
        except RowChanged:
            for item in items:
                try:
                    await self._commit([item])
                except RowChanged:
                    self._count(Tally(changed=1))

    def done(self) -> Tally:
        """What was done since this was asked last."""
        done, self._done = self._done, Tally()
        return done

    def _count(self, more: Tally) -> None:
        self._done = self._done.plus(more)

    async def _add(
        self, changes: list[Change], count: Tally, key: bytes, record: Object, event: str
    ) -> None:
        if self._told:
            changes += await events.of(self._store, self._bucket, key, record, event)
        self._items.append(_Item(changes, count))

    async def _released(self, old: Object) -> list[Change]:
        return await layouts.release(self._store, old, self._store.now())

    def _taken(self, place: bytes, key: bytes, raw: bytes, old: Object) -> list[Change]:
        changes: list[Change] = [Check("version", place, raw), Delete("version", place)]
        if not old.version:
            changes.append(Delete("null", self._bucket.record.id + key))
        return changes

    async def _commit(self, items: list[_Item]) -> None:
        changes = _once(change for item in items for change in item.changes)
        try:
            await self._store.index.commit(self._bucket.check, self._under.check, *changes)
        except RowChanged as lost:
            if lost.table in ("bucket", "document"):
                raise RulesChanged("the bucket or its rules have been changed") from None
            raise
        for item in items:
            self._count(item.tally)


def _once(changes: Iterable[Change]) -> list[Change]:
    """Several removals of one key check the same row: once is enough."""
    seen = set[tuple[str, bytes]]()
    kept: list[Change] = []
    for change in changes:
        if isinstance(change, Check):
            if (change.table, change.key) in seen:
                continue
            seen.add((change.table, change.key))
        kept.append(change)
    return kept
