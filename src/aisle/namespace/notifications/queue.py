"""The rows that remember what targets are to be told: `Queue` is the sink that makes them.

A row's key is the target's name and a NUL, the bucket's id (8), a digest of the object's key (8),
its place (8), and eight bytes that no other row has. So the rows of one key lie beside each other
in the order in which they are told; this beginning of a row's key is called a *lane*. A place is
the time of the event in nanoseconds, or just above the last place in its lane where clocks
disagree; in hex it is S3's `sequencer`.

What a full queue cannot take is lost: the write goes on, and the loss is counted and logged. How
full it is, is told by whoever delivers, in `target` rows.
"""

from __future__ import annotations

import hashlib
import logging
import time
from itertools import count
from typing import Final

from aisle.namespace import documents
from aisle.namespace.events import CAUSE
from aisle.namespace.notifications import messages, rules
from aisle.namespace.records import Delivery, Notification, Object, decode, encode
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.versions.ids import shown
from aisle.store.base import Change, Put

_log: Final = logging.getLogger("aisle.notifications")

TABLE: Final = "notification"
DEAD: Final = "undelivered"
TARGETS: Final = "target"
LOST: Final = "notify.lost"
_ASKED: Final = documents.BITS[documents.NOTIFICATION]
_WORD: Final = 8
_TAIL: Final = 2 * _WORD  # place and what makes it one of its kind
_LANES: Final = 1000
_LOOK_SECONDS: Final = 1.0
_TOLD_SECONDS: Final = 60.0


def prefix_of(target: str) -> bytes:
    """What the rows of a target begin with."""
    return target.encode() + b"\0"


def lane_of(row: bytes) -> bytes:
    """What the rows for the same key of the same bucket begin with."""
    return row[:-_TAIL]


def place_of(row: bytes) -> int:
    return int.from_bytes(row[-_TAIL:-_WORD], "big")


def sequencer(row: bytes) -> str:
    """S3's sequencer: of two events of one key, the later one has the greater."""
    return f"{place_of(row):016X}"


def _lane(target: str, bucket: bytes, key: bytes) -> bytes:
    return prefix_of(target) + bucket + hashlib.blake2b(key, digest_size=_WORD).digest()


class Queue:
    """See the module and `events.Sink`."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._looked: dict[str, tuple[float, bool]] = {}  # when, and whether it was full
        self._given: dict[bytes, int] = {}  # the last places, by lane
        self._told: dict[str, float] = {}  # when the log heard of a loss

    async def changes(
        self, store: Store, bucket: BucketRow, key: bytes, record: Object, event: str
    ) -> list[Change]:
        if not bucket.record.has & _ASKED:
            return []
        raw = (await documents.of(store, bucket)).raw.get(documents.NOTIFICATION)
        if raw is None:
            return []
        name = key.decode("utf-8", "surrogateescape")
        found: list[Change] = []
        for rule, target in rules.decode(raw).matching(event, name):
            if not rule and not messages.bridged(event):
                continue
            if await self._is_full(store, target):
                self._lose(store, target)
                continue
            lane = _lane(target, bucket.record.id, key)
            # Whoever writes the same key checks its row in the same batch, so this is the last.
            last = await store.index.scan(TABLE, prefix=lane, limit=1, reverse=True)
            at = store.now()
            before = max(record.mtime, place_of(last[0][0]) if last else 0, self._after(lane))
            place = self._given[lane] = max(at, before + 1)
            unique = store.worker[:4] + (next(self._numbers) & 0xFFFFFFFF).to_bytes(4, "big")
            row = lane + place.to_bytes(_WORD, "big") + unique
            found.append(Put(TABLE, row, encode(_told(bucket, key, record, event, rule, at))))
        return found

    def _after(self, lane: bytes) -> int:
        """The last place that this process has given in a lane, lately: what is told in one batch
        has different ones."""
        if len(self._given) > _LANES:
            self._given.clear()
        return self._given.get(lane, 0)

    async def _is_full(self, store: Store, target: str) -> bool:
        now = time.monotonic()
        looked, full = self._looked.get(target, (-_LOOK_SECONDS, False))
        if now - looked >= _LOOK_SECONDS:
            raw = await store.index.get(TARGETS, target.encode())
            full = raw is not None and decode(Delivery, raw).full
            self._looked[target] = now, full
        return full

    def _lose(self, store: Store, target: str) -> None:
        store.count(LOST, 1, 0)
        now = time.monotonic()
        if now - self._told.get(target, -_TOLD_SECONDS) >= _TOLD_SECONDS:
            self._told[target] = now
            _log.error("the queue of target %s is full: events are lost until it is not", target)


def _told(
    bucket: BucketRow, key: bytes, record: Object, event: str, rule: str, at: int
) -> Notification:
    cause = CAUSE.get()
    known = bucket.record.versions or record.version
    return Notification(
        at=at,
        rule=rule,
        event=event,
        bucket=bucket.record.name,
        owner=bucket.record.owner,
        key=key,
        size=record.size,
        etag=record.etag,
        version=shown(record.version) if known else "",
        principal=cause.principal,
        address=cause.address,
        request=cause.request,
    )
