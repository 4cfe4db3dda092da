"""A version of another store comes to the place in its key's sequence that it had there, with the
id that it had.

One that is newer than all that is here comes on top, as a write does; an older one goes below,
where it changes nothing that is current. Versions of a key come newest first: so what is current
here in between is what is current there.
"""

from __future__ import annotations

from typing import NamedTuple

from aisle.core.errors import AisleError
from aisle.namespace import layouts, locks
from aisle.namespace.records import Lock, Object, decode, encode
from aisle.namespace.store import Store
from aisle.namespace.versions.ids import hidden_seq, hiding, row_key
from aisle.namespace.versions.lookup import Place
from aisle.store.base import ABSENT, Change, Check, Delete, Put


class Taken(AisleError):
    """There is no place here for a version."""


class Standing(NamedTuple):
    """What is here of a key: its row in `object`, that in `hidden`, the version at the place in
    question, and the null version if that is at another place."""

    top: bytes | None
    hidden: bytes | None
    there: Place | None
    null: Place | None

    @property
    def newest(self) -> int:
        """The place of the newest version that is here, 0 if there is none."""
        if self.top is not None:
            return decode(Object, self.top).seq
        return hidden_seq(self.hidden) if self.hidden is not None else 0

    @property
    def raw(self) -> bytes | None:
        """The row of the version at the place."""
        return self.there.raw if self.there is not None else None


async def look(store: Store, bucket: bytes, key: bytes, seq: int, *, null: bool) -> Standing:
    """What is here of a key, and at this place; with `null` also where its null version is."""
    base, get = bucket + key, store.index.get
    top, hidden = await get("object", base), await get("hidden", base)
    current = Place("object", base, top, decode(Object, top)) if top is not None else None
    there = await _at(store, bucket, key, seq)
    if current is not None and current.record.seq == seq:
        there = current
    elsewhere: Place | None = None
    if null and current is not None and not current.record.version:
        elsewhere = current
    elif null:
        pointer = await get("null", base)
        if pointer is not None:
            elsewhere = await _at(store, bucket, key, int.from_bytes(pointer, "big"))
    if elsewhere is not None and elsewhere.record.seq == seq:
        elsewhere = None
    return Standing(top, hidden, there, elsewhere)


async def _at(store: Store, bucket: bytes, key: bytes, seq: int) -> Place | None:
    place = row_key(bucket, key, seq)
    raw = await store.index.get("version", place)
    return Place("version", place, raw, decode(Object, raw)) if raw is not None else None


async def changes_of(
    store: Store, bucket: bytes, key: bytes, record: Object, standing: Standing
) -> list[Change]:
    """The changes that put `record` in its place, in front of what `standing` says or below it, and
    instead of what is there. Raises `Taken`, and `ObjectLocked` where a locked version would have
    to go, or its compliance to be weaker."""
    base, place = bucket + key, row_key(bucket, key, record.seq)
    changes: list[Change] = [
        Check("object", base, ABSENT if standing.top is None else standing.top),
        Check("hidden", base, ABSENT if standing.hidden is None else standing.hidden),
    ]
    current = decode(Object, standing.top) if standing.top is not None else None
    newest = standing.newest
    on_top = record.seq >= newest
    leaving = [place for place in (standing.null, standing.there) if place is not None]
    for old in leaving:
        changes += await _without(store, base, record, old)
    if standing.there is None:
        changes.append(Check("version", place, ABSENT))
    gives_way = any(old.current for old in leaving)
    if on_top and current is not None and standing.top is not None and not gives_way:
        changes.append(Put("version", row_key(bucket, key, current.seq), standing.top))
        if not current.version:
            changes.append(Put("null", base, current.seq.to_bytes(8, "big")))
    if on_top and not record.marker:
        return [*changes, Put("object", base, encode(record)), Delete("hidden", base)]
    changes.append(Put("version", place, encode(record)))
    if not record.version:
        changes.append(Put("null", base, record.seq.to_bytes(8, "big")))
    if on_top:
        changes += [Delete("object", base), Put("hidden", base, hiding(record.seq))]
    else:  # whoever removes the lowest version at this moment must see that it is not
        changes.append(Put("hidden", base, hiding(0 if current is not None else newest)))
    return changes


def is_same(one: Object, other: Object) -> bool:
    """Whether two records are of one version, whatever is said of it beside its bytes."""
    return (one.version, one.seq, one.etag, one.size) == (
        *(other.version, other.seq, other.etag, other.size),
    )


async def _without(store: Store, base: bytes, record: Object, old: Place) -> list[Change]:
    """What goes for the sake of a version: one at its place, itself as it was among others, or the
    null version before it."""
    if old.record.seq > record.seq:
        raise Taken("there is a newer null version here")
    now, there = store.now(), old.record
    if not is_same(there, record):
        locks.check_removal(there, now)
    else:  # what anybody may do to its lock may be done like this too
        told = record.lock or Lock()
        locks.retained(there.lock, told.mode, told.until, now, bypass=True)
    changes: list[Change] = [Check(old.table, old.key, old.raw), Delete(old.table, old.key)]
    if not old.current and not there.version:
        changes.append(Delete("null", base))
    return changes + await layouts.release(store, there, now)
