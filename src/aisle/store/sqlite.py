"""`SqliteIndex`: the embedded `Index`, one SQLite file shared by the worker processes.

* Reads run inline in the calling thread on one connection; every statement is read to its end, so
  no read transaction outlives a call and readers never hold a checkpoint back.
* Writes go to the process's writer thread (`groupcommit`), which commits queued batches together.
* The processes share a file and a lock (`sqlitefile`). Open it after forking, once a process.
* `strict` fsyncs the WAL in every commit. `relaxed` does so at checkpoints only: a power loss may
  take the last moments, and leaves the file consistent.

A `commit` whose task is cancelled may still be applied.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from aisle.core.errors import ConfigError
from aisle.store.base import Change, Fold, IndexStats, Row
from aisle.store.disk import store_error
from aisle.store.epoch import Epoch
from aisle.store.groupcommit import Batch, Clear, GroupCommit
from aisle.store.recentrows import RecentRows
from aisle.store.rows import bounds, check_limits, check_table, fold_end
from aisle.store.sqlitefile import (
    Durability,
    FileLock,
    bytes_on_disk,
    close_database,
    index_error,
    open_database,
)

BULKY: Final = frozenset({"body"})
# Rows that every request reads and few requests change.
WATCHED: Final = frozenset(
    {"bucket", "config", "document", "account", "user", "accesskey", "role", "revoked"}
)


def shares(size: int) -> dict[str, int]:
    """Of which tables rows are kept for a while once they were read, and how many bytes of them at
    most: `size` altogether. A row of a body is some five times as large as one of an object."""
    return {"object": size // 5, "body": size - size // 5} if size else {}


RECENT: Final[Mapping[str, int]] = shares(64 << 20)


class SqliteIndex:
    """See the module. `open` it; the constructor is for `open`."""

    def __init__(
        self,
        path: Path,
        lock: FileLock,
        connections: list[sqlite3.Connection],
        bulky: frozenset[str],
        epoch: Epoch | None = None,
        watched: frozenset[str] = WATCHED,
        recent: Mapping[str, int] = RECENT,
    ) -> None:
        self._path = path
        self._lock = lock
        self._connections = connections
        writer, self._reader = connections
        self._epoch = epoch
        self._recent: dict[str, RecentRows] = {}
        if epoch is not None:
            self._recent = {table: RecentRows(epoch, limit) for table, limit in recent.items()}
        self._writer = GroupCommit(writer, lock, path, bulky, epoch, watched, frozenset(recent))
        self._select: dict[str, str] = {}
        self._closed = False

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        durability: Durability = "strict",
        bulky: frozenset[str] = BULKY,
        epoch: Epoch | None = None,
        watched: frozenset[str] = WATCHED,
        recent: Mapping[str, int] = RECENT,
    ) -> SqliteIndex:
        """Open or create the database at `path`; its directory must exist. Blocks.

        `bulky` names the tables of values of kilobytes that are never scanned. With an `epoch`
        that all processes share which write this database, `epoch()` watches the tables that are
        `watched` through it, and of the tables of `recent` so many bytes of rows are kept once they
        were read; without one it asks SQLite, watches all tables and keeps nothing. Raises
        `ConfigError` if the file cannot be opened, is not ours, or is of a newer version.
        """
        for table in bulky:
            check_table(table)
        try:
            lock = FileLock(path)
        except OSError as error:
            raise ConfigError(f"the index {path} cannot be opened: {error.strerror}") from error
        try:
            connections = open_database(path, lock, durability)
        except OSError as error:
            lock.close()
            raise ConfigError(f"the index {path} cannot be opened: {error.strerror}") from error
        except BaseException:
            lock.close()
            raise
        return cls(path, lock, connections, bulky, epoch, watched, recent)

    # --- reading ----------------------------------------------------------------------------

    def _rows(
        self, table: str, sql: str, arguments: tuple[object, ...] | dict[str, object]
    ) -> list[tuple[bytes, ...]]:
        try:
            return self._reader.execute(sql, arguments).fetchall()
        except sqlite3.Error as error:
            # A table is created by its first row; before that it has none.
            if str(error) == f"no such table: t_{table}":
                return []
            raise index_error(error, self._path) from error

    async def get(self, table: str, key: bytes) -> bytes | None:
        recent = self._recent.get(table)
        if recent is None:
            return self._read(table, key)
        mark, value = recent.get(key)
        if value is None:
            value = self._read(table, key)
            if value is not None:
                recent.keep(key, mark, value)
        return value

    def _read(self, table: str, key: bytes) -> bytes | None:
        sql = self._select.get(table)
        if sql is None:
            sql = f"SELECT v FROM t_{check_table(table)} WHERE k = ?"  # noqa: S608
            self._select[table] = sql
        rows = self._rows(table, sql, (key,))
        return rows[0][0] if rows else None

    async def get_many(self, table: str, keys: Sequence[bytes]) -> list[bytes | None]:
        return [await self.get(table, key) for key in keys]

    async def scan(
        self,
        table: str,
        *,
        prefix: bytes = b"",
        after: bytes = b"",
        limit: int,
        reverse: bool = False,
        fold: Fold | None = None,
    ) -> list[Row]:
        low, high = bounds(prefix, after, reverse=reverse)
        name = check_table(table)
        if fold is not None:
            return self._folded(name, low, high, fold, limit)
        order = "DESC" if reverse else "ASC"
        limit = max(limit, 0)  # SQLite reads a negative limit as none
        if high is None:
            sql = f"SELECT k, v FROM t_{name} WHERE k >= ? ORDER BY k {order} LIMIT ?"  # noqa: S608
            return self._rows(table, sql, (low, limit))  # type: ignore[return-value]
        sql = f"SELECT k, v FROM t_{name} WHERE k >= ? AND k < ? ORDER BY k {order} LIMIT ?"  # noqa: S608
        return self._rows(table, sql, (low, high, limit))  # type: ignore[return-value]

    def _folded(
        self, table: str, low: bytes, high: bytes | None, fold: Fold, limit: int
    ) -> list[Row]:
        """One statement that seeks from row to row: a third of what a statement a row costs."""
        below = "" if high is None else "AND k < :high"
        arguments: dict[str, object] = {
            "low": low,
            "high": high,
            "skipped": fold.start,
            "rest": fold.start + 1,
            "delimiter": fold.delimiter,
            "end": fold_end(fold.delimiter),
            "limit": max(limit, 0),
        }
        # A CASE picks the next place; what `||` makes of blobs is text until it is cast back.
        sql = f"""
            WITH RECURSIVE found(k, v) AS (
                SELECT k, v FROM (
                    SELECT k, v FROM t_{table} WHERE k >= :low {below} ORDER BY k LIMIT 1)
                UNION ALL
                SELECT t.k, t.v FROM found JOIN t_{table} t ON t.k = (
                    SELECT k FROM t_{table}
                    WHERE k >= CASE instr(substr(found.k, :rest), :delimiter)
                        WHEN 0 THEN CAST(found.k || x'00' AS BLOB)
                        ELSE CAST(substr(found.k, 1, :skipped
                            + instr(substr(found.k, :rest), :delimiter) - 1) || :end AS BLOB)
                        END {below}
                    ORDER BY k LIMIT 1)
                LIMIT :limit)
            SELECT k, v FROM found"""  # noqa: S608
        return self._rows(table, sql, arguments)  # type: ignore[return-value]

    @property
    def lag(self) -> float:
        return 0.0

    async def time(self) -> int:
        return time.time_ns()

    def epoch(self) -> int:
        if self._epoch is not None:
            return self._epoch.read()
        # It counts what other connections commit, and our own writer is another connection:
        # so one number covers this process and the others (sqlite.org/pragma.html).
        try:
            row = self._reader.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error as error:
            raise index_error(error, self._path) from error
        return int(row[0])

    async def stats(self) -> IndexStats:
        try:
            return IndexStats("sqlite", bytes_on_disk(self._path))
        except OSError as error:
            raise store_error(error, f"index {self._path.name}") from error

    # --- writing ----------------------------------------------------------------------------

    async def commit(self, *changes: Change) -> None:
        check_limits(changes)
        for change in changes:
            check_table(change.table)
        if changes:
            await self._queue(changes)

    async def drop(self, table: str) -> None:
        await self._queue(Clear(check_table(table)))

    async def _queue(self, changes: Sequence[Change] | Clear) -> None:
        batch = Batch(changes, asyncio.get_running_loop())
        self._writer.submit(batch)
        await batch.future

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._writer.stop()
        close_database(self._connections, self._lock)
        self._lock.close()
