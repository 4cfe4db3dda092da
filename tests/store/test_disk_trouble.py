"""Full and read-only disks: what callers hear, that nothing is lost, and that work resumes."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from aisle.core.errors import ConfigError, OutOfSpace, ReadOnlyStore
from aisle.store.base import Check, Delete, Put
from aisle.store.files import FileBlobs
from aisle.store.sqlite import SqliteIndex
from tests.store.conftest import Run, command
from tests.store.test_blobs_contract import all_of, put, take

MIB = 1 << 20
Disk = Callable[[int], Path]


def fill_up(directory: Path) -> Path:
    """Take every byte that is left; the file that holds them."""
    filler = directory / "aisle-filler"
    fd = os.open(filler, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        for size in (MIB, 4096):
            while True:
                try:
                    os.write(fd, bytes(size))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    break
    finally:
        os.close(fd)
    return filler


def test_an_index_on_a_full_disk_refuses_loses_nothing_and_resumes(
    small_disk: Disk, run: Run
) -> None:
    directory = small_disk(16)
    index = SqliteIndex.open(directory / "index.db")
    kept: dict[bytes, bytes] = {}

    async def write_until_full(table: str) -> None:
        for number in range(1000):
            key = b"%s/%04d" % (table.encode(), number)
            group = [
                index.commit(
                    Put("row", key + b"%d" % n, key), Put(table, key + b"%d" % n, key * 4000)
                )
                for n in range(4)
            ]
            outcomes = await asyncio.gather(*group, return_exceptions=True)
            for n, outcome in enumerate(outcomes):
                if outcome is None:
                    kept[key + b"%d" % n] = key * 4000
                else:
                    assert isinstance(outcome, OutOfSpace), outcome
                    return
        pytest.fail("16 MiB took 4,000 rows of 40 KB")

    filler = fill_up(directory)
    filler_size = filler.stat().st_size
    os.truncate(filler, filler_size - 6 * MIB)
    run(write_until_full("body"))
    run(write_until_full("plain"))
    fill_up(directory)
    with pytest.raises(OutOfSpace):
        run(index.commit(*[Put("row", b"big%d" % n, bytes(MIB)) for n in range(12)]))
    assert run(index.get("row", b"big0")) is None

    def nothing_lost() -> None:
        for key, value in kept.items():
            table = key.split(b"/")[0].decode()
            assert run(index.get("row", key)) == key[:-1]
            assert run(index.get(table, key)) == value
        assert len(run(index.scan("row", limit=10**6))) == len(kept)

    assert len(kept) > 8
    nothing_lost()
    filler.unlink()
    run(index.commit(Put("body", b"after", bytes(MIB))))
    assert run(index.get("body", b"after")) == bytes(MIB)
    nothing_lost()
    run(index.close())
    index = SqliteIndex.open(directory / "index.db")
    nothing_lost()
    run(index.close())


def test_an_index_that_refuses_bodies_still_records_deletions(small_disk: Disk, run: Run) -> None:
    directory = small_disk(64)
    index = SqliteIndex.open(directory / "index.db")

    async def fill() -> int:
        for number in range(10_000):
            try:
                key = b"%d" % number
                await index.commit(Put("row", key, key), Put("body", key, bytes(65536)))
            except OutOfSpace:
                return number
        return -1

    stored = run(fill())
    assert stored > 10
    for number in range(stored):
        key = b"%d" % number
        run(
            index.commit(
                Check("row", key, key),
                Delete("row", key),
                Delete("body", key),
                Put("garbage", key, b"deleted"),
            )
        )
    assert run(index.scan("row", limit=9)) == []
    run(index.close())


def test_blobs_on_a_full_disk_refuse_lose_nothing_and_resume(small_disk: Disk, run: Run) -> None:
    directory = small_disk(16)
    blobs = FileBlobs.mount([directory], store="test")
    kept = run(put(blobs, b"k" * MIB))

    async def too_big(hint: int) -> None:
        writer = await blobs.create(b"owner", size_hint=hint)
        try:
            for _ in range(40):
                await writer.write(bytes(MIB))
            await writer.seal()
        finally:
            await writer.abort()

    for hint in (0, 40 * MIB):
        with pytest.raises(OutOfSpace):
            run(too_big(hint))
    filler = fill_up(directory)
    with pytest.raises(OutOfSpace):
        run(put(blobs, b""))
    assert set(run(all_of(blobs))) == {kept}
    assert run(take(blobs, kept, 0, MIB)) == b"k" * MIB
    filler.unlink()
    again = run(put(blobs, b"a" * MIB))
    assert run(take(blobs, again, 0, MIB)) == b"a" * MIB
    run(blobs.close())


def test_a_new_blob_goes_to_another_mountpath_when_one_is_full(small_disk: Disk, run: Run) -> None:
    full, roomy = small_disk(8), small_disk(8)
    blobs = FileBlobs.mount([full, roomy], store="test")
    fill_up(full)
    made = [run(put(blobs, b"%d" % number)) for number in range(20)]
    assert len(list(roomy.glob("blobs/*/*"))) == 20
    assert [run(take(blobs, blob, 0, 1)) for blob in made[:10]] == [b"%d" % n for n in range(10)]
    run(blobs.close())


def test_space_counts_a_disk_of_several_mountpaths_once(small_disk: Disk, run: Run) -> None:
    shared, other = small_disk(8), small_disk(4)
    paths = [shared / "a", shared / "b", other]
    for path in paths[:2]:
        path.mkdir()
    blobs = FileBlobs.mount(paths, store="test")
    assert run(blobs.space()).total == 12 * MIB
    run(blobs.close())


def test_blobs_on_a_read_only_disk_are_read_and_not_written(small_disk: Disk, run: Run) -> None:
    directory = small_disk(8)
    blobs = FileBlobs.mount([directory], store="test")
    kept = run(put(blobs, b"kept"))
    command("mount", "-o", "remount,ro", str(directory))
    assert run(take(blobs, kept, 0, 4)) == b"kept"
    with pytest.raises(ReadOnlyStore):
        run(put(blobs, b"new"))
    with pytest.raises(ReadOnlyStore):
        run(blobs.delete(kept))
    with pytest.raises(ConfigError, match="Read-only"):
        FileBlobs.mount([directory], store="test")
    command("mount", "-o", "remount,rw", str(directory))
    run(put(blobs, b"new"))
    run(blobs.close())


def test_an_index_on_a_read_only_disk_does_not_open(small_disk: Disk, run: Run) -> None:
    directory = small_disk(8)
    run(SqliteIndex.open(directory / "index.db").close())
    command("mount", "-o", "remount,ro", str(directory))
    with pytest.raises(ConfigError, match="Read-only"):
        SqliteIndex.open(directory / "index.db")


def test_an_index_whose_disk_turns_read_only_says_so_and_is_still_read(
    failing_disk: Path, run: Run
) -> None:
    index = SqliteIndex.open(failing_disk / "index.db")
    run(index.commit(Put("row", b"k", b"kept")))
    command("mount", "-o", "remount,abort", str(failing_disk))
    for _ in range(2):
        with pytest.raises(ReadOnlyStore):
            run(index.commit(Put("row", b"k", b"new")))
    assert run(index.get("row", b"k")) == b"kept"
    run(index.close())
