"""Connections to the database of a `PostgresIndex`: opening, losing and opening them again, and
what each failure means.

Only a server that takes writes is used, so that nothing is ever read from a replica. Addresses of
several servers are tried in turn. A connection that is lost is opened again with growing pauses
until the caller's deadline; then it is `StoreUnavailable`, or `ReadOnlyStore` if servers answered
and none of them takes writes.

Nothing here repeats the URL: an error may end up in a log or at a client, and a URL that cannot be
parsed may have its password anywhere.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from asyncpg import Connection

from aisle.core.errors import (
    ConfigError,
    OutOfSpace,
    ReadOnlyStore,
    StoreError,
    StoreUnavailable,
)

# Everything that asyncpg raises for what a server or the network does.
FAILURES: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
_CONNECT_SECONDS: Final = 3.0
_FIRST_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 0.5

# SQLSTATEs (postgresql.org/docs/current/errcodes-appendix.html).
_FULL: Final = "53100"
_READ_ONLY: Final = "25006"
# Serialization failure, deadlock, time limits of locks and statements: the transaction is gone, and
# may be tried again.
_CONTENDED: Final = frozenset({"40001", "40P01", "55P03", "57014"})
# The session is of no more use: connection exceptions, too many connections, out of memory,
# shutdown, crash, start-up, timeouts of idle sessions, a server that has become a replica.
_LOST: Final = ("08", "53", "57P", "25P03", _READ_ONLY)
# Trying again does not help: who we are, or which database, is wrong.
_REFUSED: Final = ("28", "3D", "42")


def sqlstate(error: BaseException) -> str:
    return str(getattr(error, "sqlstate", None) or "")


def is_lost(error: BaseException) -> bool:
    """True if another connection may do what failed with `error` on this one."""
    state = sqlstate(error)
    if state == _FULL:
        return False
    return not isinstance(error, asyncpg.PostgresError) or state.startswith(_LOST)


def is_contended(error: BaseException) -> bool:
    """True if the transaction was rolled back for the sake of another one."""
    return sqlstate(error) in _CONTENDED


def store_error(error: BaseException) -> StoreError:
    """`error` as a caller may be told."""
    state = sqlstate(error)
    if state == _FULL:
        return OutOfSpace("the index database is out of disk space")
    if state == _READ_ONLY or isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return ReadOnlyStore("the index database is read-only")
    return StoreUnavailable(f"the index database: {_sentence(error)}")


def _is_told(error: BaseException) -> bool:
    return isinstance(error, asyncpg.PostgresError | asyncpg.TargetServerAttributeNotMatched)


def _sentence(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text or type(error).__name__


class Server:
    """Where the database is, and how long to try to reach it (`patience`, in seconds)."""

    def __init__(self, url: str, patience: float) -> None:
        try:
            self._urls = _one_host_each(url)
        except ValueError:
            raise _bad_url() from None
        self.patience = patience
        self._where = urlsplit(url).netloc.rpartition("@")[2]

    def _unreachable(self, last: BaseException) -> StoreError:
        error = store_error(last)
        return type(error)(f"{error} ({self._where})")

    async def connect(self, deadline: float) -> Connection:
        """A new connection. Raises `StoreError` at the deadline (of the loop's clock), and
        `ConfigError` at once if no server knows the user or the database: a standby may be
        behind."""
        loop = asyncio.get_running_loop()
        pause = _FIRST_PAUSE
        last: BaseException = TimeoutError("no connection in time")
        while True:
            refusals: list[BaseException] = []
            for url in self._urls:
                left = deadline - loop.time()
                if left <= 0:
                    raise self._unreachable(last) from last
                try:
                    return await _connect(url, min(left, _CONNECT_SECONDS))
                except ValueError:  # asyncpg's ClientConfigurationError among them
                    raise _bad_url() from None
                except FAILURES as error:
                    if sqlstate(error).startswith(_REFUSED):
                        refusals.append(error)
                    # What a server said is worth more than that it did not answer in the time
                    # that was left, or that another one did not.
                    if _is_told(error) or not _is_told(last):
                        last = error
            if len(refusals) == len(self._urls):
                raise ConfigError(f"the index database: {_sentence(refusals[0])}") from refusals[0]
            await asyncio.sleep(min(jitter(pause), max(0.0, deadline - loop.time())))
            pause = min(2 * pause, _LONGEST_PAUSE)


def jitter(seconds: float) -> float:
    """About so many seconds: those who failed together do not try again together."""
    return seconds * random.uniform(0.5, 1.5)  # noqa: S311


async def _connect(url: str, seconds: float) -> Connection:
    return await asyncpg.connect(
        url,
        timeout=seconds,
        target_session_attrs="read-write",
        max_cached_statement_lifetime=0,
        server_settings={"application_name": "aisle"},
    )


def _bad_url() -> ConfigError:
    return ConfigError(
        "the URL of the index is not one of PostgreSQL: postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
        " with special characters in percent-encoding"
    )


def _one_host_each(url: str) -> list[str]:
    """`url` once for each host it names: a host that is down without a word must not take the
    time that the others need."""
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    return [
        urlunsplit((parts.scheme, user + at + host, parts.path, parts.query, ""))
        for host in hosts.split(",")
    ]


class Over(Exception):
    """What was begun on a connection is over, and the connection is as good as before."""


class Link:
    """One connection, opened at its first use and again after it was lost.

    `setup` is run on every new connection. One user at a time.
    """

    def __init__(
        self, server: Server, setup: Callable[[Connection], Awaitable[None]] | None = None
    ) -> None:
        self._server = server
        self._setup = setup
        self._connection: Connection | None = None

    async def opened(self, deadline: float) -> Connection:
        """The connection. Raises `StoreError` if there is none at the deadline."""
        if self._connection is not None and not self._connection.is_closed():
            return self._connection
        while True:
            try:
                connection = await self._server.connect(deadline)
            except ConfigError as error:
                # It was right once: whoever changed it may be about to change it back.
                raise StoreUnavailable(str(error)) from error
            self._connection = connection
            if self._setup is None:
                return connection
            try:
                with self.guard():
                    await self._setup(connection)
                return connection
            except FAILURES as error:
                self.drop()
                if not (is_lost(error) or is_contended(error)):
                    raise store_error(error) from error
                await asyncio.sleep(jitter(_FIRST_PAUSE))

    def guard(self, seconds: float | None = None) -> _Guard:
        """`with` it around what is done with the connection, which is closed if that takes longer
        than `seconds` (by default half of the server's patience: there is time for another
        attempt) or fails in a way that leaves it of no use."""
        return _Guard(self, self._server.patience / 2 if seconds is None else seconds)

    def drop(self) -> None:
        """Close the connection at once."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


class _Guard:
    __slots__ = ("_alarm", "_link", "_seconds")

    def __init__(self, link: Link, seconds: float) -> None:
        self._link = link
        self._seconds = seconds

    def __enter__(self) -> None:
        # Not asyncpg's own time limit: that one opens a connection to cancel what it waits for.
        loop = asyncio.get_running_loop()
        self._alarm = loop.call_later(self._seconds, self._link.drop)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._alarm.cancel()
        if error is None or isinstance(error, Over):
            return
        # Whoever was cancelled, or made a mistake, has left it in the middle of something.
        if not isinstance(error, FAILURES) or is_lost(error):
            self._link.drop()
