"""Events that no target took: they are looked at, sent again, or dropped.

They are kept under the keys of rows that they had in the queue, so one that is sent again takes its
place there: before what waits of the same object and happened later, with the sequencer that it
always had. Its patience begins anew (`Notification.again`). An event is named by its row's key in
base64. Whatever is chosen is worked through in pages: no call looks at more than `LOOK` rows.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import msgspec

from aisle.core.errors import InvalidArgument, RowChanged
from aisle.namespace.notifications import queue
from aisle.namespace.records import Delivery, Notification, decode, encode
from aisle.namespace.store import Store
from aisle.store.base import Change, Check, Delete, Put

LOOK: Final = 1000
MOST: Final = 500  # events in one call
_SHORTEST: Final = 34  # bytes of a row's key: a name, a NUL, four words


class Kept(NamedTuple):
    """An event, with the row that keeps it."""

    row: bytes
    raw: bytes
    told: Notification

    @property
    def id(self) -> str:
        return _id(self.row)

    @property
    def target(self) -> str:
        return self.row.partition(b"\0")[0].decode()


class Page(NamedTuple):
    """Some events, and behind which one there may be more; empty if there are none."""

    events: list[Kept]
    next: str


async def page(
    store: Store, *, target: str = "", bucket: str = "", after: str = "", limit: int = MOST
) -> Page:
    """Events by target, and of an object in their order. Raises `InvalidArgument`."""
    rows = await store.index.scan(
        queue.DEAD,
        prefix=queue.prefix_of(target) if target else b"",
        after=_row(after) if after else b"",
        limit=LOOK,
    )
    found: list[Kept] = []
    for number, (key, raw) in enumerate(rows, start=1):
        told = decode(Notification, raw)
        if not bucket or told.bucket == bucket:
            found.append(Kept(key, raw, told))
        if len(found) >= limit:
            more = number < len(rows) or len(rows) == LOOK
            return Page(found, _id(key) if more else "")
    return Page(found, _id(rows[-1][0]) if len(rows) == LOOK else "")


async def named(store: Store, ids: Sequence[str]) -> list[Kept]:
    """The events of these ids that are kept. Raises `InvalidArgument`."""
    found = []
    for row in dict.fromkeys(map(_row, ids)):
        raw = await store.index.get(queue.DEAD, row)
        if raw is not None:
            found.append(Kept(row, raw, decode(Notification, raw)))
    return found


async def send_again(
    store: Store, events: Sequence[Kept], known: Callable[[str], bool]
) -> tuple[int, int]:
    """Put events back into the queues of their targets. Returns how many, and how many are left
    where they are, as their target is not `known` or its queue is full."""
    takes: dict[str, bool] = {}
    for name in {event.target for event in events}:
        raw = await store.index.get(queue.TARGETS, name.encode())
        takes[name] = known(name) and not (raw is not None and decode(Delivery, raw).full)
    chosen = [event for event in events if takes[event.target]]
    now = store.now()

    def queued(event: Kept) -> list[Change]:
        again = msgspec.structs.replace(event.told, attempts=0, error="", again=now)
        return [*_gone(event), Put(queue.TABLE, event.row, encode(again))]

    return await _commit(store, [queued(event) for event in chosen]), len(events) - len(chosen)


async def drop(store: Store, events: Sequence[Kept]) -> int:
    """Forget events; returns how many."""
    return await _commit(store, [_gone(event) for event in events])


def _gone(event: Kept) -> list[Change]:
    return [Check(queue.DEAD, event.row, event.raw), Delete(queue.DEAD, event.row)]


async def _commit(store: Store, changes: Sequence[list[Change]]) -> int:
    """How many of these were made: one whose row somebody else has changed is not."""
    if not changes:
        return 0
    try:
        await store.index.commit(*(one for change in changes for one in change))
    except RowChanged:
        pass
    else:
        return len(changes)
    made = 0
    for change in changes:
        try:
            await store.index.commit(*change)
        except RowChanged:
            continue
        made += 1
    return made


def _id(row: bytes) -> str:
    return base64.urlsafe_b64encode(row).rstrip(b"=").decode()


def _row(text: str) -> bytes:
    try:
        row = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        row = b""
    if len(row) < _SHORTEST or b"\0" not in row or _id(row) != text:
        raise InvalidArgument("this is not the id of an event", name="id", value=text[:128])
    return row
