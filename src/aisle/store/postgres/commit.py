"""The writers of a process: batches that wait together are committed together.

A few lanes, each with a connection of its own, take turns at the queue: while one waits for the
database's disk, the next gathers. A group is one transaction:

    BEGIN; lock the lane's own row        and nothing else can be the lane's transaction any more
    read and lock what is checked         unless it is only expected to be absent
    judge, write                          `postgres.group`; with one more row, the marker
    COMMIT

* A batch whose `Check` fails hears `RowChanged`; the others go on.
* A row that was there after all, a deadlock or a serialization failure make the group be judged
  again, a limited number of times.
* If the connection is lost before COMMIT was sent, nothing was applied, and the group starts again.
  If it is lost after, another connection locks the lane's row, for which it has to wait until the
  old transaction is over, and then looks for the marker. Only if that cannot be done in time do the
  batches hear that the outcome is unknown.

Rows of watched tables are checked by nearly every write, and change hardly ever. So they are read
without a lock, and who changes them locks the rows of all lanes instead: it waits until every
transaction that may have read the old rows is over, and no other begins before it has committed.
FOR SHARE would do as well, but for two things: PostgreSQL lets sharers overtake who waits for the
row, for many seconds on a busy bucket, and notes the sharers of each moment on disk
(docs/decisions/004).
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from time import monotonic
from typing import Final

import asyncpg
from asyncpg import Connection

from aisle.core.errors import StoreError, StoreUnavailable
from aisle.store.base import Change
from aisle.store.postgres.epoch import Epoch
from aisle.store.postgres.group import Batch, Clear, Group, Tables, statements
from aisle.store.postgres.link import (
    FAILURES,
    Link,
    Over,
    Server,
    is_contended,
    is_lost,
    jitter,
    store_error,
)
from aisle.store.postgres.schema import BEGIN_SQL, MARKERS_GONE_SQL, marker, register, unregister

GROUP_BATCHES: Final = 256
GROUP_BYTES: Final = 16 << 20
ATTEMPTS: Final = 50
_FIRST_PAUSE: Final = 0.005
_LONGEST_PAUSE: Final = 0.3
# A `drop` deletes as many rows as there are.
_CLEAR_SECONDS: Final = 3600.0
# Bytes a second that even a slow database takes.
_SLOWEST: Final = 1 << 20
# Markers of earlier transactions are deleted so many at a time.
_OLD_MARKERS: Final = 64
_SETTINGS: Final = (
    # What a gateway that hangs in its transaction has locked is free after so long.
    "SET idle_in_transaction_session_timeout = '{idle:.0f}ms'",
    "SET lock_timeout = '{lock:.0f}ms'",
    # Durable is durable, however the database is set up. (Other databases know nothing else.)
    "SELECT set_config('synchronous_commit', 'on', false)"
    " WHERE current_setting('synchronous_commit') = 'off'",
)


class _Again(Over):
    """The transaction has come to nothing, for a reason that is not the batches'."""


class _Taken(Over):
    """A row that was taken to be absent is there."""


class _Unknown(Exception):
    """COMMIT was sent, and no answer came. The argument is the marker."""


class GroupCommit:
    """The queue and its lanes."""

    def __init__(self, server: Server, tables: Tables, epoch: Epoch, lanes: int) -> None:
        self._tables = tables
        self._queue: deque[Batch] = deque()
        self._idle: list[asyncio.Future[None]] = []
        self._woken = False
        self._stopped = False
        self._lanes = [_Lane(self, server, tables, epoch) for _ in range(lanes)]
        self._tasks = [asyncio.create_task(lane.run()) for lane in self._lanes]

    def submit(self, changes: Sequence[Change] | Clear) -> asyncio.Future[None]:
        """Queue a batch; the future has its outcome."""
        if self._stopped:
            raise StoreUnavailable("the index is closed")
        batch = Batch(changes, asyncio.get_running_loop().create_future())
        self._queue.append(batch)
        self._wake()
        return batch.future

    def _wake(self) -> None:
        # One lane at a time: whatever is queued until it runs joins its group.
        while self._idle and not self._woken:
            self._woken = True
            self._idle.pop().set_result(None)

    async def next_group(self) -> Group | None:
        """What is to be committed next, as soon as there is something; `None` at the end."""
        while True:
            batches: list[Batch] = []
            size = 0
            while self._queue and len(batches) < GROUP_BATCHES and size < GROUP_BYTES:
                batch = self._queue.popleft()
                if not batch.future.done():  # its caller has been cancelled
                    batches.append(batch)
                    size += batch.size
            if self._queue:
                self._wake()
            if batches:
                return Group(batches, self._tables)
            if self._stopped:
                return None
            waiting = asyncio.get_running_loop().create_future()
            self._idle.append(waiting)
            await waiting
            self._woken = False

    def give_up(self, error: StoreError) -> None:
        """Everything queued hears `error`: the database has been out of reach for long enough."""
        batches, self._queue = list(self._queue), deque()
        _fail(batches, error)
        _answer(batches)

    async def close(self) -> None:
        """Commit what is queued, refuse the rest, end the lanes."""
        self._stopped = True
        idle, self._idle = self._idle, []
        for waiting in idle:
            waiting.set_result(None)
        await asyncio.gather(*self._tasks)


def _fail(batches: Sequence[Batch], error: StoreError) -> None:
    for batch in batches:
        # One each: whoever raises it adds its own traceback.
        batch.error = type(error)(str(error))
        batch.error.__cause__ = error.__cause__


def _answer(batches: Sequence[Batch]) -> None:
    for batch in batches:
        if batch.future.done():
            continue
        if batch.error is None:
            batch.future.set_result(None)
        else:
            batch.future.set_exception(batch.error)


class _Lane:
    """One connection that writes, one group at a time."""

    def __init__(self, queue: GroupCommit, server: Server, tables: Tables, epoch: Epoch) -> None:
        self._queue = queue
        self._patience = server.patience
        self._tables = tables
        self._epoch = epoch
        self._link = Link(server, self._set_up)
        self._id = b""
        self._numbers = count(1)
        self._old_markers: list[bytes] = []

    async def run(self) -> None:
        while (group := await self._queue.next_group()) is not None:
            try:
                await self._commit(group)
            except Exception as error:  # a bug; the next group may do without it
                failure = StoreUnavailable(f"the index writer has failed: {error!r}")
                failure.__cause__ = error
                _fail(group.batches, failure)
            except BaseException:
                _fail(group.batches, StoreUnavailable("the index writer was ended"))
                raise
            finally:
                _answer(group.batches)
        await self._leave()

    async def _set_up(self, connection: Connection) -> None:
        idle, lock = self._patience * 1000 / 2, self._patience * 1000 / 3
        for setting in _SETTINGS:
            try:
                await connection.execute(setting.format(idle=idle, lock=lock))
            except asyncpg.PostgresError as error:
                if is_lost(error):
                    raise
        self._id = await register(connection)
        self._old_markers.clear()

    async def _leave(self) -> None:
        if self._id:
            deadline = asyncio.get_running_loop().time() + 1.0
            with suppress(StoreError, *FAILURES):
                connection = await self._link.opened(deadline)
                with self._link.guard(1.0):
                    await unregister(connection, self._id)
        self._link.drop()

    async def _commit(self, group: Group) -> bool:
        """Bring the group to its end: every batch has its `error`, or none. False if the database
        is out of reach."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience
        pause = _FIRST_PAUSE
        guess = True
        last: BaseException = TimeoutError("no attempt in time")
        for _ in range(ATTEMPTS):
            try:
                await self._attempt(group, deadline, guess=guess)
                return True
            except StoreError as error:  # no connection
                _fail(group.batches, error)
                self._queue.give_up(error)
                return False
            except _Unknown as error:
                if group.changes_watched:
                    self._epoch.forget()
                try:
                    if await self._has_committed(*error.args):
                        return True
                except StoreError as why:
                    _fail(group.batches, why)
                    return False
                last = error
            except _Taken as error:
                last = error
                if guess:
                    guess = False
                    continue
            except (_Again, *FAILURES) as error:
                if not (isinstance(error, _Again) or is_contended(error) or is_lost(error)):
                    return await self._commit_each(group, error)
                last = error
            guess = False
            if loop.time() + pause > deadline:
                break
            await asyncio.sleep(jitter(pause))
            pause = min(2 * pause, _LONGEST_PAUSE)
        _fail(group.batches, store_error(last))
        return True

    async def _commit_each(self, group: Group, error: BaseException) -> bool:
        """Something about one of the batches does not please the server: let it be alone with it.
        A full disk may still take deletions."""
        if len(group.batches) == 1:
            _fail(group.batches, store_error(error))
            return True
        for number, batch in enumerate(group.batches):
            if not await self._commit(Group([batch], self._tables)):
                assert batch.error is not None
                _fail(group.batches[number:], batch.error)
                return False
        return True

    async def _attempt(self, group: Group, deadline: float, *, guess: bool) -> None:
        size = sum(batch.size for batch in group.batches)
        seconds = _CLEAR_SECONDS if group.clears else self._patience / 2 + size / _SLOWEST
        connection = await self._link.opened(deadline)
        with self._link.guard(seconds):
            try:
                await self._transaction(connection, group, guess=guess)
            except FAILURES as error:
                if not is_lost(error):
                    await connection.execute("ROLLBACK")
                raise

    async def _transaction(self, connection: Connection, group: Group, *, guess: bool) -> None:
        token, began = os.urandom(8) if group.changes_watched else b"", monotonic()
        await self._begin(connection, token)
        found: dict[bytes, bytes] = {}
        if (reading := group.read(guess=guess)) is not None:
            sql, keys = reading
            found = dict(await connection.fetch(sql, *keys))
        rounds = group.judge(found, guess=guess)
        if not rounds:
            await connection.execute("ROLLBACK")
            return
        mark = marker(self._id, next(self._numbers))
        for sql, arguments, inserted in statements(rounds, mark):
            if not inserted:
                await connection.execute(sql, *arguments)
            elif await connection.fetchval(sql, *arguments) != inserted:
                await connection.execute("ROLLBACK")
                raise _Taken("a row that should be absent is there")
        old = self._old_markers
        if len(old) >= _OLD_MARKERS:
            await connection.execute(MARKERS_GONE_SQL, old)
            self._old_markers = old = []
        await self._end(connection, mark)
        old.append(mark)
        if token:
            self._epoch.observe(token, began)

    async def _begin(self, connection: Connection, token: bytes) -> None:
        """Begin, and hold the lane's row; with a `token` be the only one who writes."""
        sql = BEGIN_SQL
        if token:
            sql += f"; UPDATE aisle_state SET value = '\\x{token.hex()}' WHERE name = 'epoch'"  # noqa: S608
            sql += "; UPDATE aisle_lane SET fence = fence + 1"
        sql += f"; SELECT 1 FROM aisle_lane WHERE id = '\\x{self._id.hex()}' FOR UPDATE"  # noqa: S608
        if await connection.execute(sql) != "SELECT 1":
            # Taken for dead, after a day: enter again.
            await connection.execute("ROLLBACK")
            self._id = await register(connection)
            raise _Again("the writer was not in the register")

    async def _end(self, connection: Connection, mark: bytes) -> None:
        try:
            told = await connection.execute("COMMIT")
        except FAILURES as error:
            if is_contended(error):
                raise
            raise _Unknown(self._id, mark) from error
        if told != "COMMIT":
            raise _Again("the server has rolled back")

    async def _has_committed(self, lane: bytes, mark: bytes) -> bool:
        """Whether the transaction that wrote `mark` has committed. Raises `StoreUnavailable` if
        that cannot be found out in time."""
        deadline = asyncio.get_running_loop().time() + self._patience
        while True:
            try:
                connection = await self._link.opened(deadline)
                with self._link.guard():
                    return await _find_out(connection, lane, mark)
            except (StoreError, _Again, *FAILURES) as error:
                if isinstance(error, StoreError) or asyncio.get_running_loop().time() > deadline:
                    raise StoreUnavailable(
                        "the connection to the index database was lost during a commit, and could"
                        " not be made again in time: the outcome is unknown"
                    ) from error
                await asyncio.sleep(jitter(_FIRST_PAUSE))


async def _find_out(connection: Connection, lane: bytes, mark: bytes) -> bool:
    try:
        # Waits for the old transaction. The marker is looked for in another one, because this
        # one's view may be from before the wait.
        held = await connection.execute(
            f"{BEGIN_SQL}; SELECT 1 FROM aisle_lane WHERE id = '\\x{lane.hex()}' FOR UPDATE"  # noqa: S608
        )
    finally:
        if not connection.is_closed():
            await connection.execute("ROLLBACK")
    if held != "SELECT 1":
        raise StoreUnavailable("the register of writers has no such entry")
    return bool(await connection.fetchval("SELECT 1 FROM aisle_row WHERE k = $1", mark))
