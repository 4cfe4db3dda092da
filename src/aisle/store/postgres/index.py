"""`PostgresIndex`: the `Index` of many gateways, on PostgreSQL or a database that speaks its
protocol and its SQL (CockroachDB, YugabyteDB).

* Reads: `postgres.reads`. They see everything that was committed before they began, by whichever
  gateway, because they only ever ask a server that takes writes.
* Writes: `postgres.commit`, group commit over a few connections.
* `epoch`: `postgres.epoch`, up to a second behind other processes, never behind this one.
* Tables and their register of writers: `postgres.schema`. Connections and errors: `postgres.link`.

Open it after forking, once a process. A `commit` whose task is cancelled may still be applied.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic
from typing import Any, Final

from aisle.core.errors import ConfigError, StoreError, StoreUnavailable
from aisle.store.base import Change, Fold, IndexStats, Row
from aisle.store.postgres.commit import GroupCommit
from aisle.store.postgres.epoch import LAG, Epoch
from aisle.store.postgres.group import Clear, Tables, full_key
from aisle.store.postgres.link import Server
from aisle.store.postgres.reads import Readers
from aisle.store.postgres.schema import (
    BODY,
    EPOCH_SQL,
    OBJECT,
    ROW,
    prepare,
)
from aisle.store.rows import bounds, check_limits, check_table, fold_end, successor

BULKY: Final = frozenset({"body"})
# Tables of about as many rows as there are objects, most of which stay.
LASTING: Final = frozenset({"object", "version", "layout"})
# Rows that every request reads and few requests change.
WATCHED: Final = frozenset(
    {"bucket", "config", "document", "account", "user", "accesskey", "role", "revoked"}
)
LANES: Final = 2
READERS: Final = 3
PATIENCE: Final = 8.0
# Making the tables may take longer than any operation on a database that is busy.
PREPARE_SECONDS: Final = 60.0

_NOW_SQL: Final = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_SIZE_SQL: Final = "SELECT " + " + ".join(
    f"pg_total_relation_size('{physical}')" for physical in (OBJECT, ROW, BODY)
)
_UP: Final = "SELECT k, v FROM {physical} WHERE k >= $1 AND k < $2 ORDER BY k LIMIT $3"
_DOWN: Final = "SELECT k, v FROM {physical} WHERE k >= $1 AND k < $2 ORDER BY k DESC LIMIT $3"
# Seeks from row to row. `$4` bytes are skipped before the delimiter `$5` is looked for; `$6` in its
# place is past every key that it folds.
_FOLDED: Final = """
    WITH RECURSIVE found(k, v, n) AS (
        (SELECT k, v, 1::bigint FROM {physical} WHERE k >= $1 AND k < $2 ORDER BY k LIMIT 1)
        UNION ALL
        SELECT next.k, next.v, found.n + 1 FROM found, LATERAL (
            SELECT k, v FROM {physical}
            WHERE k < $2 AND k >= CASE position($5::bytea IN substring(found.k FROM $4::int + 1))
                WHEN 0 THEN found.k || '\\x00'::bytea
                ELSE substring(found.k FROM 1 FOR $4::int - 1
                    + position($5::bytea IN substring(found.k FROM $4::int + 1))) || $6::bytea
                END
            ORDER BY k LIMIT 1) next
        WHERE found.n < $3)
    SELECT k, v FROM found ORDER BY n LIMIT $3"""


class PostgresIndex:
    """See the module. `open` it; the constructor is for `open`."""

    def __init__(self, server: Server, tables: Tables, lanes: int, readers: int) -> None:
        self._tables = tables
        self._epoch = Epoch()
        self._readers = Readers(server, readers)
        self._writers = GroupCommit(server, tables, self._epoch, lanes)
        self._following = asyncio.create_task(self._epoch.follow(self._token))
        self._closed = False

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        bulky: frozenset[str] = BULKY,
        lasting: frozenset[str] = LASTING,
        watched: frozenset[str] = WATCHED,
        lanes: int = LANES,
        readers: int = READERS,
        patience: float = PATIENCE,
    ) -> PostgresIndex:
        """Open the database at `url`, and make its tables if it has none.

        `bulky` and `lasting` tell where the rows of a table lie: they must not change while the
        table has rows. `watched` are the tables that `epoch` covers; all gateways have to agree
        on them. It takes up to `lanes` + `readers` connections. For `patience` seconds an
        operation waits for a database that does not answer. Raises `ConfigError` if the URL is
        not one, if nobody answers, or if the database cannot be used.
        """
        for table in bulky | lasting | watched:
            check_table(table)
        server = Server(url, patience)
        loop = asyncio.get_running_loop()
        try:
            connection = await server.connect(loop.time() + patience)
        except StoreError as error:
            raise ConfigError(str(error)) from error
        alarm = loop.call_later(max(patience, PREPARE_SECONDS), connection.terminate)
        try:
            await prepare(connection)
        finally:
            alarm.cancel()
            connection.terminate()
        index = cls(server, Tables(bulky, lasting, watched), lanes, readers)
        with suppress(StoreError):  # the first one; later ones come by themselves
            began = monotonic()
            index._epoch.observe(await index._token(), began)
        return index

    # --- reading ----------------------------------------------------------------------------

    async def get(self, table: str, key: bytes) -> bytes | None:
        return await self._readers.get(self._physical(table), full_key(table, key))

    async def get_many(self, table: str, keys: Sequence[bytes]) -> list[bytes | None]:
        if not keys:
            return []
        full = [full_key(table, key) for key in keys]
        sql = f"SELECT k, v FROM {self._physical(table)} WHERE k = ANY($1::bytea[])"  # noqa: S608
        rows: list[Any] = await self._readers.fetch(sql, list(set(full)))
        found: dict[bytes, bytes] = dict(rows)
        return [found.get(key) for key in full]

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
        physical = self._physical(table)
        low, high = bounds(prefix, after, reverse=reverse)
        start = full_key(table, b"")
        end = successor(start) if high is None else start + high
        arguments: tuple[object, ...] = (start + low, end, max(limit, 0))
        if fold is not None:
            sql = _FOLDED.format(physical=physical)
            past = len(start) + fold.start
            arguments += (past, fold.delimiter, fold_end(fold.delimiter))
        else:
            sql = (_DOWN if reverse else _UP).format(physical=physical)
        rows = await self._readers.fetch(sql, *arguments)
        skipped = len(start)
        return [(key[skipped:], value) for key, value in rows]

    def _physical(self, table: str) -> str:
        return self._tables.physical(check_table(table))

    @property
    def lag(self) -> float:
        return LAG

    def epoch(self) -> int:
        return self._epoch.read()

    async def _token(self) -> bytes:
        rows = await self._readers.fetch(EPOCH_SQL)
        if not rows:
            raise StoreUnavailable("the index database has lost its epoch")
        token: bytes = rows[0][0]
        return token

    async def time(self) -> int:
        rows = await self._readers.fetch(_NOW_SQL)
        return int(rows[0][0]) * 1000

    async def stats(self) -> IndexStats:
        rows = await self._readers.fetch(_SIZE_SQL)
        return IndexStats("postgres", int(rows[0][0]))

    # --- writing ----------------------------------------------------------------------------

    async def commit(self, *changes: Change) -> None:
        check_limits(changes)
        for change in changes:
            check_table(change.table)
        if changes:
            await self._writers.submit(changes)

    async def drop(self, table: str) -> None:
        await self._writers.submit(Clear(check_table(table)))

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._following.cancel()
        with suppress(asyncio.CancelledError):
            await self._following
        await self._writers.close()
        await self._readers.close()
