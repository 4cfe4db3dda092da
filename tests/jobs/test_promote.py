"""Files become objects: what is taken, what never is, and going on where a run was cut off."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from aisle.core.errors import AccessDenied, InvalidArgument
from aisle.jobs.work import promote
from aisle.jobs.work.promote import promoted_name, promoting
from aisle.jobs.work.selection import bucket_args
from aisle.jobs.work.together import ObjectFailed
from aisle.jobs.work.tree import DEEPEST, Tree
from aisle.namespace import objects
from aisle.namespace.records import Progress
from aisle.namespace.store import BucketRow, Store
from tests.jobs.support import begun, cut_off, names
from tests.namespace.support import (
    LARGE,
    get,
    interposed_store,
    make_bucket,
    memory_store,
    pattern,
    put,
    run,
)


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A directory with files at two levels, and traps."""
    made = tmp_path / "in"
    (made / "sub" / "deep").mkdir(parents=True)
    (made / "a").write_bytes(b"a")
    (made / "sub" / "b").write_bytes(pattern(LARGE))
    (made / "sub" / "deep" / "c").write_bytes(b"")
    (made / "sub.txt").write_bytes(b"s")
    (tmp_path / "secret").write_text("secret")
    return made


async def promoted(
    store: Store,
    bucket: BucketRow,
    root: Path,
    src: Path,
    progress: Progress | None = None,
    **args: Any,
) -> Progress:
    task = begun(store, asked(bucket, src, **args), progress)
    await promoting(root)(task)
    return task.progress


def asked(bucket: BucketRow, src: Path, **args: Any) -> dict[str, Any]:
    plain = {"obj": "", "rcr": True, "ovw": False, "dls": False, "owner": "me"}
    return {**bucket_args(bucket), **plain, "src": str(src), **args}


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ({}, "a sub.txt sub/b sub/deep/c"),
        ({"rcr": False}, "a sub.txt"),
        ({"obj": "x"}, "x/a x/sub.txt x/sub/b x/sub/deep/c"),
        ({"obj": "x/"}, "x/a x/sub.txt x/sub/b x/sub/deep/c"),
    ],
)
def test_a_directory_is_promoted(top: Path, args: dict[str, Any], expected: str) -> None:
    async def check() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        progress = await promoted(store, bucket, top, top, **args)
        assert await names(store, bucket) == expected.split()
        assert progress.objects == len(expected.split())
        assert progress.errors == 0
        if not args:
            assert await get(store, bucket, b"sub/b") == pattern(LARGE)
            assert (await objects.head(store, bucket, b"a")).owner == "me"

    run(check())


@pytest.mark.parametrize(
    ("given", "below", "one", "name"),
    [
        ("", ("f",), True, "f"),
        ("x", ("f",), True, "x"),
        ("x/", ("f",), True, "x/f"),
        ("x", ("f",), False, "x/f"),
        ("", ("d", "f"), False, "d/f"),
    ],
)
def test_objects_are_named_after_files(
    given: str, below: tuple[str, ...], one: bool, name: str
) -> None:
    assert promoted_name(given, below, one=one) == name


def test_what_is_there_stays_unless_it_may_be_replaced(top: Path) -> None:
    async def check() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        await put(store, bucket, b"a", b"old")
        progress = await promoted(store, bucket, top, top / "a", dls=True)
        assert progress.objects == 0
        assert await get(store, bucket, b"a") == b"old"
        assert (top / "a").exists()
        progress = await promoted(store, bucket, top, top / "a", dls=True, ovw=True)
        assert (progress.objects, progress.bytes) == (1, 1)
        assert await get(store, bucket, b"a") == b"a"
        assert not (top / "a").exists()

    run(check())


def test_links_and_pipes_are_never_followed(top: Path) -> None:
    async def check() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        (top / "file-link").symlink_to(top.parent / "secret")
        (top / "dir-link").symlink_to(top.parent)
        os.mkfifo(top / "pipe")
        progress = await promoted(store, bucket, top, top)
        assert await names(store, bucket) == ["a", "sub.txt", "sub/b", "sub/deep/c"]
        assert progress.errors == 3
        assert "dir-link" in progress.message
        for path in ("file-link", "dir-link/secret", "pipe", "dir-link"):
            with pytest.raises(InvalidArgument):
                await promoted(store, bucket, top, top / path)

    run(check())


def test_a_link_that_takes_a_directorys_place_leads_nowhere(top: Path) -> None:
    tree = Tree(top)
    found = tree.below(("sub",), recursive=True, after=(), limit=10)
    assert found == [("b",), ("deep", "c")]
    (top / "sub").rename(top / "moved")
    (top / "sub").symlink_to(top.parent)
    with pytest.raises(InvalidArgument, match="symbolic link"):
        tree.open(("sub", "secret"))


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "{top}/../secret", "{top}/sub/../../secret", "{top}x", "/"]
)
def test_nothing_outside_is_touched(top: Path, path: str) -> None:
    async def check() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        with pytest.raises(AccessDenied, match="this node promotes what is in"):
            await promoted(store, bucket, top, Path(path.format(top=top)))
        assert await names(store, bucket) == []

    run(check())


@pytest.mark.parametrize("path", ["relative", "a\0b", ""])
def test_a_path_is_absolute(top: Path, path: str) -> None:
    with pytest.raises(InvalidArgument, match="absolute"):
        Tree(top).parts(path)


def test_without_a_directory_nothing_is_promoted(top: Path) -> None:
    async def check() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        with pytest.raises(AccessDenied, match="--promote-dir"):
            await promoting(None)(begun(store, asked(bucket, top)))

    run(check())


def test_names_that_are_not_text_and_paths_that_are_too_deep(tmp_path: Path) -> None:
    async def check() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / os.fsdecode(b"\xff")).write_text("x")
        (tmp_path / "in" / "ok").write_text("x")
        progress = await promoted(store, bucket, tmp_path / "in", tmp_path / "in")
        assert (progress.objects, progress.errors) == (1, 1)
        progress.message.encode()
        progress.cursor.encode()
        (tmp_path / "in").joinpath(*["d"] * (DEEPEST + 1)).mkdir(parents=True)
        with pytest.raises(InvalidArgument, match="deeper"):
            await promoted(store, bucket, tmp_path / "in", tmp_path / "in")

    run(check())


def test_a_file_that_changes_while_it_is_read_is_neither_stored_nor_deleted(top: Path) -> None:
    async def check() -> None:
        store, index = interposed_store()
        bucket = await make_bucket(store)

        async def grow(method: str, table: str) -> None:
            # Read by now, and about to be made visible.
            if (method, table) == ("commit", "bucket"):
                (top / "a").write_bytes(b"other")

        index.before = grow
        with pytest.raises(ObjectFailed, match="has been changed since it was read"):
            await promoted(store, bucket, top, top / "a", dls=True)
        assert (top / "a").read_bytes() == b"other"

    run(check())


def test_cut_off_anywhere_and_gone_on_with_the_outcome_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promote, "_PAGE", 3)
    monkeypatch.setattr(promote, "AT_ONCE", 2)
    top = tmp_path / "in"
    for name in ("a", "b/1", "b/2", "b/c/3", "b.txt", "d", "e/f"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(name)

    async def play(cut: int) -> tuple[list[str], bool]:
        store, index = interposed_store()
        bucket = await make_bucket(store)
        task = begun(store, asked(bucket, top, ovw=True))
        was_cut = await cut_off(index, promoting(top), task, cut)
        if was_cut:
            again = begun(store, task.args, task.progress)
            await promoting(top)(again)
            assert again.progress.objects == 7
        return await names(store, bucket), was_cut

    async def check() -> None:
        expected = ["a", "b.txt", "b/1", "b/2", "b/c/3", "d", "e/f"]
        cut = 1
        while True:
            found, was_cut = await play(cut)
            assert found == expected
            if not was_cut:
                break
            cut += 1
        assert cut == 8

    run(check())
