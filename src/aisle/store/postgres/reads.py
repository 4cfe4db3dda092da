"""The readers of a process: point reads that come together are answered by one query.

A few connections, opened as they are needed. A read that finds one free goes out in the same turn
of the loop; while all are busy, reads gather, and the next connection that comes free takes them
together: a lookup of 16 rows costs a sixth of 16 lookups, on both sides (docs/decisions/004).

What reads is never cancelled with its caller, so that connections stay usable. A query that fails
with its connection is repeated on another one, until the time that the server is given is over.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeVar

from aisle.core.errors import StoreError, StoreUnavailable
from aisle.store.postgres.link import (
    FAILURES,
    Link,
    Server,
    is_contended,
    is_lost,
    jitter,
    store_error,
)
from aisle.store.postgres.schema import BODY

Row = Any  # asyncpg.Record: a sequence of columns
_Result = TypeVar("_Result")
# Rows that one lookup asks for. Bodies have kilobytes each.
_LOOKUP: Final = 256
_LOOKUP_BODIES: Final = 16
_PAUSE: Final = 0.01


class _Query(NamedTuple):
    sql: str
    arguments: tuple[object, ...]
    future: asyncio.Future[list[Row]]


class _Lookup(NamedTuple):
    physical: str
    keys: dict[bytes, list[asyncio.Future[bytes | None]]]  # and who waits for each value


class Readers:
    """See the module."""

    def __init__(self, server: Server, connections: int) -> None:
        self._patience = server.patience
        self._free = [Link(server) for _ in range(connections)]
        self._jobs: deque[_Query | _Lookup] = deque()
        self._lookups: dict[str, _Lookup] = {}  # those jobs that more keys may join
        self._running: set[asyncio.Task[None]] = set()
        self._closed = False

    def get(self, physical: str, key: bytes) -> asyncio.Future[bytes | None]:
        """The value of a full key."""
        self._check_open()
        future: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        lookup = self._lookups.get(physical)
        if lookup is None:
            lookup = self._lookups[physical] = _Lookup(physical, {})
            self._add(lookup)
        lookup.keys.setdefault(key, []).append(future)
        if len(lookup.keys) >= (_LOOKUP_BODIES if physical == BODY else _LOOKUP):
            del self._lookups[physical]
        return future

    def fetch(self, sql: str, *arguments: object) -> asyncio.Future[list[Row]]:
        """The rows of a query that changes nothing."""
        self._check_open()
        query = _Query(sql, arguments, asyncio.get_running_loop().create_future())
        self._add(query)
        return query.future

    async def close(self) -> None:
        """Answer what was asked for, refuse the rest."""
        self._closed = True
        await asyncio.gather(*self._running)
        for link in self._free:
            link.drop()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("the index is closed")

    def _add(self, job: _Query | _Lookup) -> None:
        self._jobs.append(job)
        if self._free:
            # The one used last: a quiet process keeps one connection open, not all. Whatever is
            # asked for until the task runs may still join the job.
            task = asyncio.get_running_loop().create_task(self._serve(self._free.pop()))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _serve(self, link: Link) -> None:
        try:
            while self._jobs:
                job = self._jobs.popleft()
                try:
                    if isinstance(job, _Query):
                        rows = await self._read(link, job.sql, job.arguments)
                        _resolve([job.future], rows)
                    else:
                        await self._look_up(link, job)
                except StoreError as error:
                    _fail(job, error)
                    # Who has waited meanwhile need not wait as long again to hear the same.
                    self._fail_waiting(error)
                except BaseException as error:
                    failure = StoreUnavailable(f"an index reader has failed: {error!r}")
                    failure.__cause__ = error
                    _fail(job, failure)
                    if not isinstance(error, Exception):
                        raise
        finally:
            self._free.append(link)

    async def _look_up(self, link: Link, job: _Lookup) -> None:
        if self._lookups.get(job.physical) is job:
            del self._lookups[job.physical]
        if len(job.keys) == 1:
            ((key, waiting),) = job.keys.items()
            sql = f"SELECT v FROM {job.physical} WHERE k = $1"  # noqa: S608
            rows = await self._read(link, sql, (key,))
            _resolve(waiting, rows[0][0] if rows else None)
            return
        sql = f"SELECT k, v FROM {job.physical} WHERE k = ANY($1::bytea[])"  # noqa: S608
        rows = await self._read(link, sql, (list(job.keys),))
        found: dict[bytes, bytes] = dict(rows)
        for key, waiting in job.keys.items():
            _resolve(waiting, found.get(key))

    async def _read(self, link: Link, sql: str, arguments: tuple[object, ...]) -> list[Row]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience
        while True:
            try:
                connection = await link.opened(deadline)
                with link.guard():
                    rows: list[Row] = await connection.fetch(sql, *arguments)
                return rows
            except FAILURES as error:
                again = is_lost(error) or is_contended(error)
                if not again or loop.time() >= deadline:
                    raise store_error(error) from error
                await asyncio.sleep(jitter(_PAUSE))

    def _fail_waiting(self, error: StoreError) -> None:
        jobs = list(self._jobs)
        self._jobs.clear()
        self._lookups.clear()
        for job in jobs:
            _fail(job, error)


def _resolve(futures: Sequence[asyncio.Future[_Result]], result: _Result) -> None:
    for future in futures:
        if not future.done():
            future.set_result(result)


def _fail(job: _Query | _Lookup, error: StoreError) -> None:
    futures: list[asyncio.Future[Any]] = (
        [job.future]
        if isinstance(job, _Query)
        else [future for waiting in job.keys.values() for future in waiting]
    )
    for future in futures:
        if not future.done():
            # One each: whoever raises it adds its own traceback.
            failure = type(error)(str(error))
            failure.__cause__ = error.__cause__
            future.set_exception(failure)
