"""The tables of a `PostgresIndex`, and the register of its writers.

| table          | rows                                                                        |
|----------------|-----------------------------------------------------------------------------|
| `aisle_object` | of the port's lasting tables: as many as there are objects, few of them new |
| `aisle_body`   | of its bulky ones: values of kilobytes, written once                        |
| `aisle_row`    | of all others: they come and go, so the table must be cheap to vacuum       |
| `aisle_lane`   | one for each connection that writes: see `postgres.commit`                   |
| `aisle_state`  | `schema`: the version of all this; `epoch`: moves with watched rows         |

The first three are alike: `k` is the name of the port's table, NUL, and the key; `v` the value.
In which of them a table lies must not change while it has rows.
Nothing is created after the first start, and everything is SQL that CockroachDB and YugabyteDB
know too. `bytea` compares as `memcmp` does, which is the order of the port.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import Final

import asyncpg
from asyncpg import Connection

from aisle.core.errors import ConfigError
from aisle.store.postgres.link import (
    FAILURES,
    is_lost,
    jitter,
    store_error,
)

VERSION: Final = 1
OBJECT: Final = "aisle_object"
ROW: Final = "aisle_row"
BODY: Final = "aisle_body"
EPOCH_SQL: Final = "SELECT value FROM aisle_state WHERE name = 'epoch'"
# Whoever changes the register, or rows that are checked without a lock, goes one at a time. It is
# an update, not a lock: at stricter levels of isolation only that makes a later one start again.
TURN_SQL: Final = "UPDATE aisle_state SET value = value WHERE name = 'epoch'"
BEGIN_SQL: Final = "BEGIN ISOLATION LEVEL READ COMMITTED"
# Each transaction leaves a row of `aisle_row` that tells that it has committed: `_MARKER`, the id
# of its writer, its number. No table's name begins so.
_MARKER: Final = b"\0"
MARKERS_GONE_SQL: Final = "DELETE FROM aisle_row WHERE k = ANY($1::bytea[])"

_TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS aisle_object (k BYTEA PRIMARY KEY, v BYTEA NOT NULL)",
    "CREATE TABLE IF NOT EXISTS aisle_row (k BYTEA PRIMARY KEY, v BYTEA NOT NULL)",
    "CREATE TABLE IF NOT EXISTS aisle_body (k BYTEA PRIMARY KEY, v BYTEA NOT NULL)",
    "CREATE TABLE IF NOT EXISTS aisle_lane"
    " (id BYTEA PRIMARY KEY, fence BIGINT NOT NULL, since TIMESTAMPTZ NOT NULL)",
    "CREATE TABLE IF NOT EXISTS aisle_state (name VARCHAR(64) PRIMARY KEY, value BYTEA NOT NULL)",
)
# PostgreSQL alone: bodies are not worth compressing. Other databases know no such thing.
_TUNING: Final = "ALTER TABLE aisle_body ALTER COLUMN v SET STORAGE EXTERNAL"
_ATTEMPTS: Final = 20
# A writer that finds its entry gone makes a new one, so this need not be a sign of life.
_LANE_LIVES: Final = "1 day"


async def prepare(connection: Connection) -> None:
    """Create what is missing. Any number of nodes may do so at once. Raises `ConfigError` if the
    database is of a newer version, or does not let us."""
    for attempt in range(_ATTEMPTS):
        try:
            version = await _version(connection)
            if version == 0:
                await _create(connection)
                version = await _version(connection)
            break
        except FAILURES as error:
            # Two creations of one table at once may collide in the catalogue.
            if is_lost(error) or attempt == _ATTEMPTS - 1:
                raise ConfigError(str(store_error(error))) from error
            if isinstance(error, asyncpg.InsufficientPrivilegeError):
                raise ConfigError(
                    "the user of the index database may not create tables in it"
                ) from error
            await asyncio.sleep(jitter(0.05))
    if version > VERSION:
        raise ConfigError(
            f"the index database has version {version}, written by a newer version of Aisle;"
            f" this one reads up to {VERSION}"
        )


async def _version(connection: Connection) -> int:
    """0 if there is nothing yet, or not everything."""
    try:
        value = await connection.fetchval("SELECT value FROM aisle_state WHERE name = 'schema'")
    except asyncpg.UndefinedTableError:
        return 0
    return int(value or 0)


async def _create(connection: Connection) -> None:
    for statement in _TABLES:
        await connection.execute(statement)
    with suppress(asyncpg.PostgresError):
        await connection.execute(_TUNING)
    sql = "INSERT INTO aisle_state(name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING"
    await connection.execute(sql, "epoch", os.urandom(8))
    # The last: whoever finds it finds everything.
    await connection.execute(sql, "schema", str(VERSION).encode())


# --- the register of writers ----------------------------------------------------------------


async def register(connection: Connection) -> bytes:
    """Enter a new writer: its id."""
    lane = os.urandom(16)
    new = f"INSERT INTO aisle_lane(id, fence, since) VALUES ('\\x{lane.hex()}', 0, now())"  # noqa: S608
    await connection.execute(f"{BEGIN_SQL}; {TURN_SQL}; {new}; COMMIT")
    await _forget_old(connection)
    return lane


async def unregister(connection: Connection, lane: bytes) -> None:
    """Take a writer out, and its markers: it must have nothing left to ask."""
    gone = f"DELETE FROM aisle_lane WHERE id = '\\x{lane.hex()}'"  # noqa: S608
    await connection.execute(f"{BEGIN_SQL}; {TURN_SQL}; {gone}; COMMIT")
    await _forget_markers(connection, lane)


def marker(lane: bytes, number: int) -> bytes:
    """The full key of the row that tells that the lane's transaction of this number committed."""
    return _MARKER + lane + number.to_bytes(8, "big")


async def _forget_old(connection: Connection) -> None:
    old = f"since < now() - interval '{_LANE_LIVES}'"
    if not await connection.fetchval(f"SELECT count(*) FROM aisle_lane WHERE {old}"):  # noqa: S608
        return
    await connection.execute(f"{BEGIN_SQL}; {TURN_SQL}")
    lanes = await connection.fetch(f"DELETE FROM aisle_lane WHERE {old} RETURNING id")  # noqa: S608
    await connection.execute("COMMIT")
    for (lane,) in lanes:
        await _forget_markers(connection, lane)


async def _forget_markers(connection: Connection, lane: bytes) -> None:
    await connection.execute(
        "DELETE FROM aisle_row WHERE k >= $1 AND k < $2", marker(lane, 0), marker(lane, 2**63)
    )
