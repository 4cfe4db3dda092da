"""Rows that are kept once read: never an old one, whoever writes, and never more than allowed."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import time
from pathlib import Path

from aisle.store.base import Delete, Put
from aisle.store.epoch import MARKS, Epoch
from aisle.store.recentrows import BESIDE, RecentRows
from aisle.store.sqlite import SqliteIndex
from tests.store.conftest import Run

# `fork` as the node does; nothing is open at that moment.
PROCESSES = multiprocessing.get_context("fork")


def test_a_row_is_known_until_somebody_writes_it() -> None:
    epoch = Epoch()
    rows = RecentRows(epoch, 10_000)
    mark, value = rows.get(b"k")
    assert value is None
    rows.keep(b"k", mark, b"v")
    assert rows.get(b"k") == (mark, b"v")
    epoch.begin_rows([Epoch.place(b"k")])
    assert rows.get(b"k")[1] is None
    epoch.end_rows([Epoch.place(b"k")])
    assert rows.get(b"k")[1] is None


def test_what_was_read_during_a_write_is_not_kept() -> None:
    epoch = Epoch()
    rows = RecentRows(epoch, 10_000)
    epoch.begin_rows([Epoch.place(b"k")])
    mark, _ = rows.get(b"k")
    rows.keep(b"k", mark, b"old")
    assert rows.get(b"k")[1] is None
    epoch.end_rows([Epoch.place(b"k")])
    assert rows.get(b"k")[1] is None


def test_what_was_read_before_a_write_and_is_kept_after_it_is_not_taken() -> None:
    epoch = Epoch()
    rows = RecentRows(epoch, 10_000)
    mark, _ = rows.get(b"k")
    epoch.begin_rows([Epoch.place(b"k")])
    epoch.end_rows([Epoch.place(b"k")])
    rows.keep(b"k", mark, b"old")
    assert rows.get(b"k")[1] is None


def test_a_writer_killed_in_its_commit_leaves_the_row_to_be_read() -> None:
    epoch = Epoch()
    rows = RecentRows(epoch, 10_000)
    place = [Epoch.place(b"k")]
    epoch.begin_rows(place)  # and dies
    for _ in range(2):
        mark, value = rows.get(b"k")
        assert value is None
        rows.keep(b"k", mark, b"v")
    epoch.begin_rows(place)
    assert rows.get(b"k")[1] is None
    epoch.end_rows(place)
    mark, _ = rows.get(b"k")
    rows.keep(b"k", mark, b"v")
    assert rows.get(b"k") == (mark, b"v")


def test_no_more_is_kept_than_allowed_and_the_oldest_goes_first() -> None:
    rows = RecentRows(Epoch(), 10 * (BESIDE + 101))
    for number in range(25):
        rows.keep(b"%c" % number, 0, bytes(100))
        rows.keep(b"%c" % number, 0, bytes(100))  # counts once
    known = [number for number in range(25) if rows.get(b"%c" % number)[1] is not None]
    assert known == list(range(15, 25))
    rows.keep(b"large", 0, bytes(1 << 20))
    assert rows.get(b"large")[1] is None


def test_a_dropped_table_is_forgotten(tmp_path: Path, run: Run) -> None:
    index = SqliteIndex.open(tmp_path / "index.db", epoch=Epoch())
    run(index.commit(Put("object", b"k", b"v")))
    assert run(index.get("object", b"k")) == b"v"
    run(index.drop("object"))
    assert run(index.get("object", b"k")) is None
    run(index.close())


def test_rows_that_share_a_mark_are_rows_of_their_own(tmp_path: Path, run: Run) -> None:
    first = b"0"
    second = next(
        key for n in range(1, 10 * MARKS) if Epoch.place(key := b"%d" % n) == Epoch.place(first)
    )
    index = SqliteIndex.open(tmp_path / "index.db", epoch=Epoch())
    run(index.commit(Put("object", first, b"1"), Put("object", second, b"2")))
    for _ in range(2):
        assert run(index.get_many("object", [first, second])) == [b"1", b"2"]
    run(index.commit(Put("object", second, b"3")))
    for _ in range(2):
        assert run(index.get_many("object", [first, second])) == [b"1", b"3"]
    run(index.close())


# --- several processes ----------------------------------------------------------------------

KEYS = 4
SECONDS = 4.0


def _write(path: Path, epoch: Epoch, number: int) -> None:
    """Count up in rows of its own and in one that all share, now and then away from it."""

    async def main() -> None:
        index = SqliteIndex.open(path, epoch=epoch, durability="relaxed")
        until, count = time.monotonic() + SECONDS, 0
        while time.monotonic() < until:
            count += 1
            key = b"%d/%d" % (number, count % KEYS)
            await index.commit(Put("object", key, b"%d" % count))
            assert await index.get("object", key) == b"%d" % count  # one's own, at once
            if count % 50 == 0:
                await index.commit(Delete("object", key))
                assert await index.get("object", key) is None
        await index.close()

    asyncio.run(main())
    os._exit(0)


def _read(path: Path, epoch: Epoch, writers: int) -> None:
    """What was seen once is never followed by what came before it, through whichever connection:
    `mine` keeps rows, `bare` reads them all."""

    async def main() -> None:
        mine = SqliteIndex.open(path, epoch=epoch)
        bare = SqliteIndex.open(path)
        until, seen = time.monotonic() + SECONDS, dict[bytes, int]()
        chosen = random.Random(7)
        while time.monotonic() < until:
            key = b"%d/%d" % (chosen.randrange(writers), chosen.randrange(KEYS))
            for index in (mine, bare, mine):
                value = int(await index.get("object", key) or b"0")
                if value:
                    assert value >= seen.get(key, 0), (key, value, seen)
                    seen[key] = value
        assert len(seen) == writers * KEYS
        await mine.close()
        await bare.close()

    asyncio.run(main())
    os._exit(0)


def test_no_process_reads_what_another_has_written_over(tmp_path: Path) -> None:
    epoch, path, writers = Epoch(), tmp_path / "index.db", 2
    processes = [
        PROCESSES.Process(target=_write, args=(path, epoch, number)) for number in range(writers)
    ]
    processes += [PROCESSES.Process(target=_read, args=(path, epoch, writers)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 4
