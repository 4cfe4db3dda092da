"""The shared epoch: forked processes see each other's changes, and a killed writer does no harm."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from aisle.store.base import Put
from aisle.store.epoch import Epoch
from aisle.store.sqlite import SqliteIndex


def test_it_stays_while_nothing_changes_and_moves_with_every_change() -> None:
    epoch = Epoch()
    before = epoch.read()
    assert epoch.read() == before
    epoch.begin()
    epoch.end()
    assert epoch.read() not in (before, epoch.read() + 1)
    assert epoch.read() == epoch.read()


def test_while_a_commit_is_under_way_no_two_readings_are_equal() -> None:
    epoch = Epoch()
    epoch.begin()
    assert len({epoch.read() for _ in range(10)}) == 10


def test_a_writer_killed_in_its_commit_leaves_readers_without_caches_not_with_old_ones() -> None:
    epoch = Epoch()
    epoch.begin()  # and dies
    assert epoch.read() != epoch.read()
    epoch.begin()
    assert epoch.read() != epoch.read()
    epoch.end()
    assert epoch.read() == epoch.read()


def test_a_forked_process_moves_it_for_its_parent() -> None:
    epoch = Epoch()
    before = epoch.read()
    child = os.fork()
    if child == 0:
        epoch.begin()
        epoch.end()
        os._exit(0)
    os.waitpid(child, 0)
    assert epoch.read() != before


def test_an_index_watches_buckets_and_settings_and_not_objects(tmp_path: Path) -> None:
    async def main() -> None:
        epoch = Epoch()
        ours = SqliteIndex.open(tmp_path / "index.db", epoch=epoch)
        theirs = SqliteIndex.open(tmp_path / "index.db", epoch=epoch)
        for table in ("bucket", "config"):
            before = ours.epoch()
            await theirs.commit(Put(table, b"k", b"v"))
            assert ours.epoch() != before
        before = ours.epoch()
        await theirs.commit(Put("object", b"k", b"v"))
        assert ours.epoch() == before
        await theirs.drop("bucket")
        assert ours.epoch() != before
        await ours.close()
        await theirs.close()

    asyncio.run(main())
