"""Telling targets of events: on the one node that has the duty of a target, for ever.

* In order for a key: what waits for the same key of a bucket (a lane, see `notifications.queue`) is
  told one after the other, and nothing of it while what came before has failed and rests. Lanes go
  side by side, up to `CONCURRENCY`.
* At least once: a row goes after its target has taken it. A target hears it again if the node dies
  in between, or if another node takes over.
* A target that answers nobody is tried with one message at a time, at growing intervals, so that a
  message that it refuses for its own sake holds up no other, and a dead target costs next to
  nothing. Each target has a `Deliverer` of its own: none waits for another.
* What is older than `notifications.max_age`, or was refused `notifications.max_attempts` times, is
  given up: counted, logged, and kept for `notifications.keep_undelivered` where that is not 0
  (`notifications.undelivered`).
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

import msgspec

from aisle.core.errors import RowChanged, StoreError
from aisle.jobs.leases import Duty, Lease, Sole
from aisle.namespace.notifications import messages, queue
from aisle.namespace.records import Delivery, Notification, decode, encode
from aisle.namespace.store import Store
from aisle.store.base import Change, Check, Delete, Fold, Put, Row
from aisle.targets.base import Known, Message, TargetError, Targets

_log: Final = logging.getLogger("aisle.notifications")

DUTY: Final = "notifications/"
CONCURRENCY: Final = 32
DOWN_AFTER: Final = 8  # failures in a row
BACKOFF: Final = 0.5  # seconds, the first pause; it doubles
PAUSE: Final = 60.0  # the longest
LOOK_SECONDS: Final = 0.2
_BEAT_SECONDS: Final = 2.0
_TELL_SECONDS: Final = 1.0
_COUNT_SECONDS: Final = 2.0
_TIDY_SECONDS: Final = 60.0
_PAGE: Final = 500
_PAGES: Final = 20  # of a queue, looked through in one go
_LANE_PAGE: Final = 50
# More lanes than this at rest, and the target counts as down.
_RESTING: Final = 10_000
_SECOND: Final = 1_000_000_000


class Limits(NamedTuple):
    """The settings in force."""

    queue: int
    age: int
    attempts: int
    kept: int

    @classmethod
    async def read(cls, store: Store) -> Limits:
        return cls(
            int(await store.setting("notifications.max_queued")),
            await store.duration("notifications.max_age"),
            int(await store.setting("notifications.max_attempts")),
            await store.duration("notifications.keep_undelivered"),
        )


async def run(
    store: Store, targets: Targets, *, region: str, node: str, alone: bool, account: str = ""
) -> None:
    """Deliver to all targets for ever; `alone` if there is no other node."""

    def duty(name: str) -> Duty:
        return Sole() if alone else Lease(store.index, DUTY + name, node)

    if not len(targets):
        return
    async with asyncio.TaskGroup() as group:
        for known in targets:
            name = known.spec.name
            deliverer = Deliverer(store, known, duty(name), region=region, account=account)
            group.create_task(deliverer.run())
        group.create_task(_tidy(store, targets, duty("")))


class Deliverer:
    """What one process does for one target. `pause` grows a pause, in seconds, from the number of
    failures."""

    def __init__(
        self,
        store: Store,
        known: Known,
        duty: Duty,
        *,
        region: str,
        account: str = "",
        pause: Callable[[int], float] | None = None,
    ) -> None:
        self._store = store
        self._known = known
        self._name = known.spec.name
        self._prefix = queue.prefix_of(self._name)
        self._duty = duty
        self._region = region
        self._account = account
        self._pause = pause or _pause
        self._limits = Limits(0, 0, 0, 0)
        self._busy: dict[bytes, asyncio.Task[None]] = {}
        self._rests: dict[bytes, tuple[float, int]] = {}  # lane -> until when, failures in a row
        self._streak = 0  # failures since the last success
        self._until = 0.0  # no message goes out before
        self._lanes: deque[bytes] = deque()  # that wait for their turn
        self._cursor = b""  # up to where the queue was looked through for them
        self._wake = asyncio.Event()
        self._told: Delivery | None = None  # as others read it
        self._now = Delivery()
        self._tell_at = 0.0
        self._count_at = 0.0

    async def run(self) -> None:
        """For ever."""
        beat_at = 0.0
        try:
            while True:
                if time.monotonic() >= beat_at:
                    beat_at = time.monotonic() + _BEAT_SECONDS
                    await self._beat()
                if self._duty.held:
                    await self._turn()
                elif self._told is not None:
                    await self._stop()
                self._wake.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._wake.wait()
        finally:
            await self._stop()
            if isinstance(self._duty, Lease):
                with suppress(StoreError, RowChanged):
                    await self._duty.give_up()

    async def _beat(self) -> None:
        if isinstance(self._duty, Lease):
            try:
                await self._duty.turn()
            except StoreError as error:
                _log.warning("the duty of target %s cannot be kept: %s", self._name, error)

    async def _stop(self) -> None:
        """Begin nothing, and end what has begun: another node may do it by now."""
        tasks = list(self._busy.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        if self._told is not None and self._duty.held:
            with suppress(StoreError, RowChanged):
                await self._tell()
        self._busy.clear()
        self._rests.clear()
        self._lanes.clear()
        self._told = None

    async def _turn(self) -> None:
        try:
            if self._told is None:
                raw = await self._store.index.get(queue.TARGETS, self._name.encode())
                self._now = self._told = decode(Delivery, raw) if raw else Delivery()
                self._streak, self._until, self._cursor = 0, 0.0, b""
                self._count_at = 0.0
            now = time.monotonic()
            if now >= self._count_at:
                self._limits = await Limits.read(self._store)
                await self._count()
                self._count_at = now + max(_COUNT_SECONDS, 20 * (time.monotonic() - now))
            if now >= self._until:
                await self._pass()
            if now >= self._tell_at:
                self._tell_at = now + _TELL_SECONDS
                await self._tell()
        except RowChanged:
            pass  # the duty has been lost: the next beat tells
        except StoreError as error:
            _log.warning("target %s: the queue cannot be read: %s", self._name, error)
        except Exception:
            # A bug in one turn must not end all that would follow.
            _log.exception("delivery to target %s failed", self._name)

    @property
    def _down(self) -> bool:
        return self._streak >= DOWN_AFTER or len(self._rests) >= _RESTING

    async def _pass(self) -> None:
        """Begin with what waits, as far as there is room for it; the next pass goes on there."""
        for _ in range(_PAGES):
            while self._lanes:
                if len(self._busy) >= (1 if self._down else CONCURRENCY):
                    return
                lane = self._lanes.popleft()
                if self._can_begin(lane):
                    self._begin(lane)
            rows = await self._store.index.scan(
                queue.TABLE, prefix=self._prefix, after=self._cursor, limit=_PAGE
            )
            self._cursor = rows[-1][0] if len(rows) == _PAGE else b""
            lanes = dict.fromkeys(queue.lane_of(key) for key, _ in rows)
            self._lanes.extend(lane for lane in lanes if self._can_begin(lane))
            if not self._cursor and not self._lanes:
                return

    def _can_begin(self, lane: bytes) -> bool:
        resting = self._rests.get(lane, (0.0, 0))[0] > time.monotonic()
        return lane not in self._busy and not resting

    def _begin(self, lane: bytes) -> None:
        task = asyncio.create_task(self._deliver(lane))
        self._busy[lane] = task

        def ended(task: asyncio.Task[None]) -> None:
            self._wake.set()
            if self._busy.get(lane) is task:
                del self._busy[lane]
            if not task.cancelled() and task.exception() is not None:
                error = task.exception()
                self._fail(lane, "a failure of this node")
                if isinstance(error, StoreError | RowChanged):
                    _log.warning("target %s: %s", self._name, error)
                else:
                    _log.error("delivery to target %s failed", self._name, exc_info=error)

        task.add_done_callback(ended)

    async def _deliver(self, lane: bytes) -> None:
        """All that waits in a lane, in its order, until one fails."""
        while True:
            rows = await self._store.index.scan(queue.TABLE, prefix=lane, limit=_LANE_PAGE)
            for key, raw in rows:
                if not self._duty.held:
                    return
                if not await self._one(lane, key, raw):
                    return
            if len(rows) < _LANE_PAGE:
                # What comes now is found by a later pass.
                return

    async def _one(self, lane: bytes, key: bytes, raw: bytes) -> bool:
        """Whether one message is out of the way."""
        told = decode(Notification, raw)
        try:
            await self._known.send(self._message(key, told))
        except TargetError as error:
            return await self._failed(lane, key, raw, told, error)
        await self._store.index.commit(Delete(queue.TABLE, key))
        if self._streak >= DOWN_AFTER:
            _log.warning("target %s takes messages again", self._name)
        self._streak = 0
        self._rests.pop(lane, None)
        self._now = _changed(self._now, delivered=1, error="")
        return True

    async def _failed(
        self, lane: bytes, key: bytes, raw: bytes, told: Notification, error: TargetError
    ) -> bool:
        attempts = told.attempts + 1 if error.refused else told.attempts
        again = msgspec.structs.replace(told, attempts=attempts, error=str(error)[:200])
        limits = self._limits
        old = self._store.now() - told.since >= limits.age
        if old or (limits.attempts and attempts >= limits.attempts):
            await self._give_up([(key, encode(again))], str(error))
            self._streak += 1
            return True
        if error.refused:
            await self._store.index.commit(
                Check(queue.TABLE, key, raw), Put(queue.TABLE, key, encode(again))
            )
        self._fail(lane, str(error))
        return False

    def _fail(self, lane: bytes, error: str) -> None:
        """Let a lane rest, and the target if nothing else has gone through."""
        now = time.monotonic()
        failures = self._rests.get(lane, (0.0, 0))[1] + 1
        self._rests[lane] = now + self._pause(failures), failures
        self._streak += 1
        self._now = _changed(self._now, error=error)
        if self._down:
            self._until = now + self._pause(self._streak - DOWN_AFTER + 1)
        if self._streak == DOWN_AFTER:
            _log.warning("target %s takes no messages: %s", self._name, error)

    async def _give_up(self, rows: list[Row], why: str) -> None:
        """Tell a target of these no more."""
        changes: list[Change] = [Delete(queue.TABLE, key) for key, _ in rows]
        if self._limits.kept:
            changes += [Put(queue.DEAD, key, raw) for key, raw in rows]
        await self._store.index.commit(*changes)
        self._now = _changed(self._now, failed=len(rows))
        first = decode(Notification, rows[0][1])
        _log.error(
            "target %s has not been told of %d events, such as %s of %s/%s: %s",
            self._name,
            len(rows),
            first.event,
            first.bucket,
            first.key.decode("utf-8", "replace"),
            why,
        )

    def _message(self, key: bytes, told: Notification) -> Message:
        body = messages.of(
            self._name,
            told,
            region=self._region,
            account=self._account,
            sequencer=queue.sequencer(key),
        )
        return Message(body, f"{told.bucket}/".encode() + told.key)

    async def _count(self) -> None:
        """How many wait; those that have waited for too long are given up, unless the target has
        just begun to take messages and may still hear of them."""
        count, after = 0, b""
        oldest = self._store.now() - self._limits.age
        now = time.monotonic()
        for lane in [lane for lane, rest in self._rests.items() if now - rest[0] > 2 * PAUSE]:
            del self._rests[lane]  # nothing is left of it
        while True:
            rows = await self._store.index.scan(
                queue.TABLE, prefix=self._prefix, after=after, limit=_PAGE
            )
            late = [
                (key, raw)
                for key, raw in rows
                if queue.place_of(key) < oldest
                and queue.lane_of(key) not in self._busy
                and decode(Notification, raw).since < oldest
            ]
            if late and self._streak:
                why = f"it has waited for too long: {self._now.error}"
                await self._give_up([_because(row, why) for row in late], why)
                count -= len(late)
            count += len(rows)
            if len(rows) < _PAGE:
                break
            after = rows[-1][0]
        limit = self._limits.queue
        # A full queue takes more once a tenth of it is free.
        full = count >= (limit * 9 // 10 if self._now.full else limit)
        self._now = _changed(self._now, queued=count - self._now.queued, full=full)

    async def _tell(self) -> None:
        if self._now == self._told:
            return
        now = self._now
        await self._store.index.commit(
            *self._duty.checks, Put(queue.TARGETS, self._name.encode(), encode(now))
        )
        self._told = now


def _changed(
    before: Delivery,
    *,
    queued: int = 0,
    delivered: int = 0,
    failed: int = 0,
    full: bool | None = None,
    error: str | None = None,
) -> Delivery:
    return Delivery(
        before.queued + queued,
        before.delivered + delivered,
        before.failed + failed,
        before.full if full is None else full,
        before.error if error is None else error,
    )


def _because(row: Row, why: str) -> Row:
    """The row of an event that is given up, with the reason."""
    key, raw = row
    return key, encode(msgspec.structs.replace(decode(Notification, raw), error=why[:200]))


def _pause(failures: int) -> float:
    grown: float = min(PAUSE, BACKOFF * 2.0 ** min(failures - 1, 20))
    return grown * random.uniform(0.5, 1.0)  # noqa: S311 - nothing is guarded by it


# --- what no target asks for ----------------------------------------------------------------


async def _tidy(store: Store, targets: Targets, duty: Duty) -> None:
    """Drop what was kept for long enough, and what waits for targets that are no more."""
    tidied = 0.0
    while True:
        try:
            if isinstance(duty, Lease):
                await duty.turn()
            if duty.held and time.monotonic() - tidied >= _TIDY_SECONDS:
                tidied = time.monotonic()
                await tidy(store, frozenset(known.spec.name for known in targets))
        except (StoreError, RowChanged) as error:
            _log.warning("old notifications cannot be dropped: %s", error)
        except Exception:
            _log.exception("old notifications could not be dropped")
        await asyncio.sleep(_BEAT_SECONDS)


async def tidy(store: Store, names: frozenset[str]) -> None:
    """One round of it; `names` are the targets that there are."""
    limits = await Limits.read(store)
    await _drop_old(store, queue.DEAD, b"", limits.kept)
    after = b""
    # The first row of each target, and then the next target's.
    while rows := await store.index.scan(
        queue.TABLE, after=after, limit=_PAGE, fold=Fold(b"\0", 0)
    ):
        for key, _ in rows:
            target, end, _ = key.partition(b"\0")
            after = target + end + b"\xff" * 64
            if target.decode() not in names:
                await _drop_old(store, queue.TABLE, target + end, limits.age)


async def _drop_old(store: Store, table: str, prefix: bytes, age: int) -> None:
    """Remove the rows of a table whose place is further back than that."""
    oldest, after, dropped = store.now() - age, b"", 0
    while True:
        rows = await store.index.scan(table, prefix=prefix, after=after, limit=_PAGE)
        old = [key for key, _ in rows if queue.place_of(key) < oldest]
        if old:
            await store.index.commit(*(Delete(table, key) for key in old))
            dropped += len(old)
        if len(rows) < _PAGE:
            break
        after = rows[-1][0]
    if dropped and table == queue.TABLE:
        name = prefix[:-1].decode()
        _log.warning("%d events for %s are dropped: there is no such target", dropped, name)
