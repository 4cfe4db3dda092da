"""What `SqliteIndex` promises beyond the port: many processes, opening errors, a bounded WAL."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sqlite3
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from aisle.core.errors import ConfigError, RowChanged, StoreUnavailable
from aisle.store.base import ABSENT, Check, Delete, Index, Put
from aisle.store.epoch import Epoch
from aisle.store.groupcommit import CHECKPOINT_BYTES
from aisle.store.sqlite import SqliteIndex
from aisle.store.sqlitefile import WAL_KEPT
from tests.store.conftest import Run

# `fork` as the node does; nothing is open at that moment.
PROCESSES = multiprocessing.get_context("fork")


async def increment(index: Index, times: int) -> None:
    """Add to the counter by compare-and-set, again and again until it went through."""
    done = 0
    while done < times:
        now = await index.get("counter", b"n")
        try:
            await index.commit(
                Check("counter", b"n", ABSENT if now is None else now),
                Put("counter", b"n", b"%d" % (int(now or 0) + 1)),
            )
        except RowChanged:
            continue
        done += 1


def _increment_in_process(path: Path, tasks: int, times: int) -> None:
    async def main() -> None:
        index = SqliteIndex.open(path)
        await asyncio.gather(*[increment(index, times) for _ in range(tasks)])
        await index.close()

    asyncio.run(main())


def test_a_check_of_a_watched_row_sees_what_others_have_changed(tmp_path: Path, run: Run) -> None:
    # The writer keeps such rows from one group to the next.
    epoch = Epoch()
    mine = SqliteIndex.open(tmp_path / "index.db", epoch=epoch)
    other = SqliteIndex.open(tmp_path / "index.db", epoch=epoch)

    async def holds(index: SqliteIndex, value: bytes | None) -> bool:
        expected = ABSENT if value is None else value
        try:
            await index.commit(Check("bucket", b"b", expected), Put("object", b"k", b"v"))
        except RowChanged:
            return False
        return True

    async def attempt() -> None:
        present: bytes | None = None
        for number in range(12):
            writer = (mine, other)[number % 2]
            for index in (mine, other):
                assert await holds(index, present)
                assert not await holds(index, b"another")
            old, present = present, None if number % 3 == 2 else b"%d" % number
            await writer.commit(
                Delete("bucket", b"b") if present is None else Put("bucket", b"b", present)
            )
            for index in (other, mine):
                assert not await holds(index, old)
        await mine.drop("bucket")
        assert await holds(other, None)
        assert await holds(mine, None)
        await mine.close()
        await other.close()

    run(attempt())


def test_a_counter_of_several_processes_ends_exact(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "index.db"
    workers = [
        PROCESSES.Process(target=_increment_in_process, args=(path, 4, 50)) for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    index = SqliteIndex.open(path)
    assert run(index.get("counter", b"n")) == b"600"
    run(index.close())


def _write_for_ever(path: Path, name: bytes, acks: Connection) -> None:
    async def main() -> None:
        index = SqliteIndex.open(path)

        async def one(task: int) -> None:
            number = 0
            while True:
                key = b"%s/%d/%08d" % (name, task, number)
                await index.commit(Put("row", key, key), Put("body", key, key * 300))
                # A pipe writes so few bytes at once or not at all.
                acks.send_bytes(key)
                number += 1

        await asyncio.gather(*[one(task) for task in range(8)])

    asyncio.run(main())


def test_a_killed_writer_loses_nothing_it_acknowledged_and_blocks_nobody(
    tmp_path: Path, run: Run
) -> None:
    path = tmp_path / "index.db"
    acknowledged: list[bytes] = []
    for round_number in range(3):
        pairs = []
        for worker in range(2):
            ours, theirs = PROCESSES.Pipe(duplex=False)
            name = b"%d-%d" % (round_number, worker)
            process = PROCESSES.Process(target=_write_for_ever, args=(path, name, theirs))
            process.start()
            theirs.close()
            pairs.append((process, ours))
        ends = time.monotonic() + 1.0
        while time.monotonic() < ends:
            for _, acks in pairs:
                while acks.poll(0.005):
                    acknowledged.append(acks.recv_bytes())
        # One dies first: the other has to go on, whatever the first one held.
        for process, acks in pairs:
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
            process.join(10)
            while acks.poll(0):
                try:
                    acknowledged.append(acks.recv_bytes())
                except EOFError:
                    break
            acks.close()
    assert len(acknowledged) > 300
    index = SqliteIndex.open(path)
    assert run(index.get_many("row", acknowledged)) == acknowledged
    assert run(index.get_many("body", acknowledged)) == [key * 300 for key in acknowledged]
    # Both rows of a batch are there, or neither.
    rows = run(index.scan("row", limit=10**6))
    assert [key for key, _ in run(index.scan("body", limit=10**6))] == [key for key, _ in rows]
    run(index.close())


def test_the_epoch_tells_that_another_connection_has_committed(tmp_path: Path, run: Run) -> None:
    ours, theirs = (SqliteIndex.open(tmp_path / "index.db") for _ in range(2))
    before = ours.epoch()
    assert run(ours.get("row", b"k")) is None
    assert ours.epoch() == before
    run(theirs.commit(Put("row", b"k", b"1")))
    assert ours.epoch() != before
    assert run(ours.get("row", b"k")) == b"1"
    run(ours.close())
    run(theirs.close())


def test_the_wal_stays_bounded_while_others_read_all_the_time(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "index.db"
    index, reading = SqliteIndex.open(path, durability="relaxed"), threading.Event()

    def read_all_the_time() -> None:
        other = SqliteIndex.open(path)
        while not reading.is_set():
            asyncio.run(other.scan("body", limit=20))
        asyncio.run(other.close())

    async def write() -> None:
        for number in range(4 * WAL_KEPT // (1 << 20)):
            await index.commit(Put("body", b"%d" % (number % 8), bytes(1 << 20)))

    reader = threading.Thread(target=read_all_the_time)
    reader.start()
    try:
        run(write())
    finally:
        reading.set()
        reader.join()
    wal = path.with_name("index.db-wal").stat().st_size
    assert wal <= WAL_KEPT + 2 * CHECKPOINT_BYTES
    run(index.close())
    assert not path.with_name("index.db-wal").exists()


def test_nothing_hangs_when_the_writer_thread_dies(tmp_path: Path, run: Run) -> None:
    index = SqliteIndex.open(tmp_path / "index.db")
    run(index.commit(Put("row", b"k", b"1")))
    index._lock.close()

    async def several() -> list[object]:
        return await asyncio.gather(
            *[index.commit(Put("row", b"k", b"2")) for _ in range(5)], return_exceptions=True
        )

    for _ in range(2):
        assert {type(outcome) for outcome in run(several())} == {StoreUnavailable}
    assert run(index.get("row", b"k")) == b"1"
    for connection in index._connections:
        connection.close()


def test_commit_after_close_is_refused(tmp_path: Path, run: Run) -> None:
    index = SqliteIndex.open(tmp_path / "index.db")
    run(index.close())
    with pytest.raises(StoreUnavailable, match="closed"):
        run(index.commit(Put("row", b"k", b"")))
    with pytest.raises(StoreUnavailable):
        run(index.get("row", b"k"))


def test_batches_queued_before_close_are_committed(tmp_path: Path, run: Run) -> None:
    index = SqliteIndex.open(tmp_path / "index.db")

    async def close_at_once() -> None:
        queued = [asyncio.ensure_future(index.commit(Put("row", b"%d" % n, b""))) for n in range(9)]
        await asyncio.sleep(0)
        await index.close()
        await asyncio.gather(*queued)

    run(close_at_once())
    again = SqliteIndex.open(tmp_path / "index.db")
    assert len(run(again.scan("row", limit=99))) == 9
    run(again.close())


def test_the_files_are_private_to_the_owner(tmp_path: Path, run: Run) -> None:
    index = SqliteIndex.open(tmp_path / "index.db")
    run(index.commit(Put("row", b"k", b"")))
    modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}, modes
    run(index.close())


def _foreign(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs(x)")
    other.close()


def _newer(path: Path) -> None:
    asyncio.run(SqliteIndex.open(path).close())
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version=999")
    other.close()


@pytest.mark.parametrize(
    ("prepare", "sentence"),
    [
        (lambda path: path.parent.rmdir(), "No such file or directory"),
        (lambda path: path.mkdir(), "cannot be used as an index|cannot be opened"),
        (lambda path: path.write_bytes(b"hello, this is text\n" * 100), "not a database"),
        (_foreign, "another program"),
        (_newer, "newer version"),
    ],
    ids=["no directory", "a directory", "text", "foreign", "newer"],
)
def test_a_file_that_cannot_be_the_index_is_a_config_error(
    tmp_path: Path, prepare: object, sentence: str
) -> None:
    path = tmp_path / "data" / "index.db"
    path.parent.mkdir()
    assert callable(prepare)
    prepare(path)
    with pytest.raises(ConfigError, match=sentence) as caught:
        SqliteIndex.open(path)
    assert "\n" not in str(caught.value)
