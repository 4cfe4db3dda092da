"""What `FileBlobs` promises beyond the port: mountpaths, markers, and files that are damaged."""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path

import pytest

from aisle.core.errors import BlobMissing, ConfigError
from aisle.store.files import FileBlobs
from aisle.store.mountpaths import MARKER
from tests.store.conftest import Run
from tests.store.test_blobs_contract import all_of, put, take


def disks(tmp_path: Path, count: int) -> list[Path]:
    paths = [tmp_path / f"disk{number}" for number in range(count)]
    for path in paths:
        path.mkdir(exist_ok=True)
    return paths


def files_of(paths: list[Path]) -> list[Path]:
    return [file for path in paths for file in (path / "blobs").glob("*/*")]


def test_blobs_spread_over_all_mountpaths(tmp_path: Path, run: Run) -> None:
    paths = disks(tmp_path, 3)
    blobs = FileBlobs.mount(paths, store="test", durability="relaxed")
    for _ in range(150):
        run(put(blobs, b"x"))
    assert all(len(files_of([path])) > 25 for path in paths)
    run(blobs.close())


def test_blobs_are_found_after_disks_were_added_reordered_and_moved(
    tmp_path: Path, run: Run
) -> None:
    paths = disks(tmp_path, 4)
    first = FileBlobs.mount(paths[:2], store="test")
    made = [run(put(first, b"%d" % number)) for number in range(40)]
    run(first.close())
    moved = paths[0].rename(tmp_path / "elsewhere")
    second = FileBlobs.mount([*paths[:0:-1], moved], store="test")
    for number, blob in enumerate(made):
        assert run(take(second, blob, 0, len(str(number)))) == b"%d" % number
    run(second.delete(made[0]))
    assert set(run(all_of(second))) == set(made[1:])
    run(second.close())


def test_a_file_cut_short_anywhere_is_a_missing_blob_without_owner(
    tmp_path: Path, run: Run
) -> None:
    paths = disks(tmp_path, 1)
    blobs = FileBlobs.mount(paths, store="test")
    blob = run(put(blobs, b"d" * 100, owner=b"somebody"))
    (file,) = files_of(paths)
    size = file.stat().st_size
    for cut in (size - 1, size - 20, 110, 100, 50, 0):
        os.truncate(file, cut)
        with pytest.raises(BlobMissing, match="truncated"):
            run(take(blobs, blob, 0, 10))
        assert run(all_of(blobs))[blob].owner is None
    run(blobs.close())


def test_a_file_cut_short_while_it_is_read_is_a_missing_blob(tmp_path: Path, run: Run) -> None:
    paths = disks(tmp_path, 1)
    blobs = FileBlobs.mount(paths, store="test")

    async def attempt() -> None:
        body = await blobs.open(await put(blobs, bytes(10_000)), 0, 10_000)
        try:
            assert await body.read(1000) == bytes(1000)
            os.truncate(files_of(paths)[0], 1500)
            assert await body.read(1000) == bytes(500)
            await body.read(1000)
        finally:
            body.close()

    with pytest.raises(BlobMissing, match="truncated"):
        run(attempt())
    run(blobs.close())


def test_a_file_under_the_name_of_another_blob_is_not_taken_for_it(
    tmp_path: Path, run: Run
) -> None:
    """The trailer's digest is keyed with the id, so nothing a client uploads can look sealed."""
    paths = disks(tmp_path, 1)
    blobs = FileBlobs.mount(paths, store="test")
    run(put(blobs, b"data", owner=b"real"))
    (file,) = files_of(paths)
    file.rename(file.with_name(file.name[:-2] + ("00" if file.name[-2:] != "00" else "11")))
    ((info),) = run(all_of(blobs)).values()
    assert info.owner is None
    run(blobs.close())


def test_files_that_are_not_blobs_are_left_alone(tmp_path: Path, run: Run) -> None:
    paths = disks(tmp_path, 1)
    blobs = FileBlobs.mount(paths, store="test")
    (paths[0] / "blobs" / "00" / "notes.txt").write_text("mine")
    (paths[0] / "blobs" / "00" / ("AB" * 16)).write_text("mine")
    assert run(all_of(blobs)) == {}
    run(blobs.close())


def test_descriptors_are_given_back(tmp_path: Path, run: Run) -> None:
    blobs = FileBlobs.mount(disks(tmp_path, 1), store="test")

    async def cycle() -> None:
        blob = await put(blobs, bytes(5000))
        await take(blobs, blob, 10, 4000)
        with pytest.raises(BlobMissing):
            await blobs.open(blob, 0, 6000)
        writer = await blobs.create(b"")
        await writer.copy(blob, 0, 100)
        await writer.abort()

    run(cycle())
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        run(cycle())
    assert len(os.listdir("/proc/self/fd")) == before
    run(blobs.close())


def _mount(paths: list[Path]) -> None:
    FileBlobs.mount(paths, store="test")


def test_several_workers_may_mark_a_new_mountpath_at_once(tmp_path: Path) -> None:
    paths = disks(tmp_path, 2)
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_mount, args=(paths,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
        assert worker.exitcode == 0
    assert sorted(entry.name for entry in paths[0].iterdir()) == [MARKER, "blobs"]
    assert json.loads((paths[0] / MARKER).read_text())["store"] == "test"


def _write_marker(path: Path, **changes: object) -> None:
    FileBlobs.mount([path], store="test")
    marker = json.loads((path / MARKER).read_text()) | changes
    (path / MARKER).write_text(json.dumps(marker))


@pytest.mark.parametrize(
    ("prepare", "sentence"),
    [
        (lambda path: path.rmdir(), "is not a directory"),
        (lambda path: (path.rmdir(), path.write_text("")), "is not a directory"),
        (lambda path: (path / "thesis.tex").write_text(""), "not empty and not ours"),
        (lambda path: (path / "blobs").mkdir(), "not empty and not ours"),
        (lambda path: _write_marker(path, store="other"), 'belongs to the store "other"'),
        (lambda path: _write_marker(path, format=99), "newer version"),
        (lambda path: _write_marker(path, mountpath="xyz"), "cannot be read"),
        (lambda path: _write_marker(path, mountpath="ab"), "no usable"),
        (lambda path: (path / MARKER).write_text("{"), "cannot be read"),
    ],
    ids=[
        "absent",
        "a file",
        "foreign",
        "blobs without marker",
        "other store",
        "newer",
        "bad id",
        "short id",
        "damaged",
    ],
)
def test_a_directory_that_cannot_be_a_mountpath_is_a_config_error(
    tmp_path: Path, prepare: object, sentence: str
) -> None:
    (path,) = disks(tmp_path, 1)
    assert callable(prepare)
    prepare(path)
    with pytest.raises(ConfigError, match=sentence) as caught:
        FileBlobs.mount([path], store="test")
    assert "\n" not in str(caught.value)


def test_the_index_and_what_mkfs_left_may_share_a_new_mountpath(tmp_path: Path, run: Run) -> None:
    (path,) = disks(tmp_path, 1)
    (path / "lost+found").mkdir()
    (path / "index.db-lock").touch()
    run(FileBlobs.mount([path], store="test").close())


def test_one_directory_named_twice_is_a_config_error(tmp_path: Path) -> None:
    (path,) = disks(tmp_path, 1)
    with pytest.raises(ConfigError, match="same directory"):
        FileBlobs.mount([path, path.parent / "." / path.name], store="test")


def test_no_mountpath_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="at least one"):
        FileBlobs.mount([], store="test")
