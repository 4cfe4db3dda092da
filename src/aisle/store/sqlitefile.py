"""The SQLite file under `SqliteIndex`: how it is opened, laid out, locked and checkpointed.

Invariants:

* Whoever writes, checkpoints, recovers or closes holds `FileLock`. Readers hold nothing.
* A table is `t_<name>(k, v)` in key order. Ordinary tables are WITHOUT ROWID, so a scan walks one
  B-tree. Bulky ones are rowid tables with a unique index: a value of kilobytes inside a key-ordered
  tree is split over overflow pages and costs twice the CPU (docs/decisions/002).
* Page size, application id and schema version are set once, by whoever creates the file.

The format is https://www.sqlite.org/fileformat2.html; the WAL is https://www.sqlite.org/wal.html.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Final, Literal

from aisle.core.errors import ConfigError, OutOfSpace, ReadOnlyStore, StoreError, StoreUnavailable
from aisle.store.disk import is_exhausted, store_error, sync_directory

Durability = Literal["strict", "relaxed"]

APPLICATION_ID: Final = 0x4169736C  # "Aisl"
SCHEMA_VERSION: Final = 1
PAGE_SIZE: Final = 4096
CACHE_KIB: Final = 16 << 10
WAL_KEPT: Final = 64 << 20
BUSY_SECONDS: Final = 5.0
STATEMENTS_CACHED: Final = 512


class FileLock:
    """The advisory lock shared by the processes that write the database at `path`.

    `flock` puts waiters in a queue; SQLite's own busy timeout polls, and a process can starve for
    seconds (reference measurements: p99 of 1.7 s against 6 ms). The kernel releases it with the
    process, so a killed writer blocks nobody.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(lock_path(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def __enter__(self) -> FileLock:
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def lock_path(path: Path) -> Path:
    """Where the lock of the database at `path` is."""
    return path.with_name(path.name + "-lock")


def open_database(path: Path, lock: FileLock, durability: Durability) -> list[sqlite3.Connection]:
    """Two connections (writer, reader) to the database at `path`, created if it is not there.

    Raises `ConfigError` if it is not ours to use.
    """
    opened: list[sqlite3.Connection] = []
    try:
        # Under the lock, because opening may recover a WAL that a killed process left behind.
        with lock:
            _create(path)
            for _ in range(2):
                connection = _connect(path)
                opened.append(connection)
                _configure(connection, durability)
                _check_identity(connection, path)
    except BaseException as error:
        for connection in opened:
            connection.close()
        if isinstance(error, sqlite3.Error):
            raise ConfigError(f"{path} cannot be used as an index: {error}") from error
        raise
    return opened


def _create(path: Path) -> None:
    # Never open an existing file here: closing any descriptor of it would drop the POSIX locks
    # that SQLite holds on it elsewhere in this process (sqlite.org/howtocorrupt.html, 2.2).
    # Mode 0600 is inherited by the WAL: the index holds the users' secret keys.
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return
    sync_directory(path.parent)


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        path,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=STATEMENTS_CACHED,
    )


def _configure(connection: sqlite3.Connection, durability: Durability) -> None:
    for pragma in (
        f"page_size={PAGE_SIZE}",
        "journal_mode=WAL",
        f"synchronous={'FULL' if durability == 'strict' else 'NORMAL'}",
        f"cache_size=-{CACHE_KIB}",
        # Memory-mapped reads save 2 us a get, and turn a disk's I/O error into SIGBUS.
        "mmap_size=0",
        # Some builds overwrite deleted bytes with zeros by default: I/O for no promise of ours.
        "secure_delete=OFF",
        # The writer checkpoints under the lock; nobody else may (see `checkpoint`).
        "wal_autocheckpoint=0",
        f"journal_size_limit={WAL_KEPT}",
    ):
        connection.execute("PRAGMA " + pragma).fetchall()


def _check_identity(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application == 0 and version == 0 and tables == 0:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        connection.execute("COMMIT")
    elif application != APPLICATION_ID:
        raise ConfigError(f"{path} is a database of another program")
    elif version > SCHEMA_VERSION:
        raise ConfigError(
            f"{path} was written by a newer version of Aisle (index format {version}, "
            f"this one knows {SCHEMA_VERSION})"
        )


def known_tables(connection: sqlite3.Connection) -> set[str]:
    """The tables that exist by now."""
    names = connection.execute("SELECT name FROM sqlite_master WHERE type='table'").fetchall()
    return {name[2:] for (name,) in names if name.startswith("t_")}


def create_table(connection: sqlite3.Connection, table: str, *, bulky: bool) -> None:
    """Create `table` (already validated) inside the open transaction."""
    layout = "" if bulky else "WITHOUT ROWID"
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS t_{table}"
        f"(k BLOB PRIMARY KEY NOT NULL, v BLOB NOT NULL) {layout}"
    )


def checkpoint(
    connection: sqlite3.Connection, mode: Literal["PASSIVE", "RESTART", "TRUNCATE"]
) -> int:
    """Copy the WAL into the database; the WAL's length in frames. The caller holds the lock.

    Before 3.51.3 a checkpoint in one connection may race with a writer in another that resets
    the WAL, and lose a transaction (sqlite.org/wal.html, "the WAL-reset bug"). Writers and
    checkpoints both run under `FileLock`, so the two never meet. PASSIVE does not wait for
    readers; RESTART waits until none needs the old WAL, for at most `BUSY_SECONDS`.
    """
    _, frames, _ = connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
    return int(frames)


def close_database(connections: list[sqlite3.Connection], lock: FileLock) -> None:
    """Close for good. The last process to close empties the WAL, under the lock as above."""
    with lock:
        for connection in connections:
            connection.close()


def wal_size(path: Path) -> int:
    """The bytes that the WAL of the database at `path` takes; its content may be less."""
    try:
        return path.with_name(path.name + "-wal").stat().st_size
    except FileNotFoundError:
        return 0


def bytes_on_disk(path: Path) -> int:
    """The size of the database and its WAL."""
    return path.stat().st_size + wal_size(path)


def index_error(error: sqlite3.Error, path: Path) -> StoreError:
    """`error` as callers of the port hear it.

    SQLite says IOERR for several failed calls and drops errno; the disk itself is asked then.
    """
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    message = f"index {path.name}: {error}"
    if code == sqlite3.SQLITE_FULL:
        return OutOfSpace(message)
    if code == sqlite3.SQLITE_READONLY:
        return ReadOnlyStore(message)
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN):
        if is_exhausted(path.parent):
            return OutOfSpace(message)
        try:
            _probe(lock_path(path))
        except OSError as cause:
            return store_error(cause, message)
    return StoreUnavailable(message)


def _probe(path: Path) -> None:
    # statvfs does not tell that ext4 made itself read-only after an error; a write does. Only
    # the lock file may be opened and closed here (see `_create`).
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.pwrite(fd, b"\n", 0)
    finally:
        os.close(fd)
