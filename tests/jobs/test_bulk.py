"""Work over many objects on the memory engine: what is selected, copied and deleted, and that a run
which is cut off and gone on with elsewhere leaves the same."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aisle.core.errors import AisleError, BucketNotFound
from aisle.core.names import BucketName
from aisle.jobs.task import TO
from aisle.jobs.work import selection
from aisle.jobs.work.copy import copy_objects
from aisle.jobs.work.delete import delete_objects
from aisle.jobs.work.selection import Selection, bucket_args
from aisle.jobs.work.together import ObjectFailed
from aisle.namespace import buckets, destroy, objects
from aisle.namespace.objects import Description
from aisle.namespace.records import Progress
from aisle.namespace.store import BucketRow, Store
from tests.jobs.support import begun, cut_off, names
from tests.namespace.support import (
    LARGE,
    Clock,
    Data,
    get,
    interposed_store,
    make_bucket,
    memory_store,
    nothing_leaks,
    once,
    pattern,
    put,
    run,
)


async def fill(store: Store, bucket: BucketRow, *keys: str) -> None:
    for key in keys:
        await put(store, bucket, key.encode(), key.encode())


async def two(store: Store, *keys: str) -> tuple[BucketRow, BucketRow]:
    source, to = await make_bucket(store, "src"), await make_bucket(store, "dst")
    await fill(store, source, *keys)
    return source, to


async def copied(
    store: Store, source: BucketRow, to: BucketRow, progress: Progress | None = None, **args: Any
) -> Progress:
    task = begun(store, {**bucket_args(source), **bucket_args(to, TO), **args}, progress)
    await copy_objects(task)
    return task.progress


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ({"objnames": ["b2", "none", "a"]}, "b2 none a"),
        ({"template": "b{1..3}"}, "b1 b2 b3"),
        ({"template": "b"}, "b1 b2 b{1..2}"),
        ({"template": "*"}, "a b1 b2 b{1..2} c"),
        ({"template": ""}, "a b1 b2 b{1..2} c"),
        ({"prefix": "b{"}, "b{1..2}"),
        ({"prefix": ""}, "a b1 b2 b{1..2} c"),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_selection_goes_on_from_any_place(args: dict[str, Any], expected: str, size: int) -> None:
    async def check() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        await fill(store, bucket, "a", "b1", "b2", "b{1..2}", "c")
        chosen = Selection(args)
        found = [item async for batch in chosen.batches(store, bucket, size=size) for item in batch]
        assert [item.name for item in found] == expected.split()
        assert [item.raw is None for item in found] == [
            item.name in ("none", "b3") for item in found
        ]
        for at, item in enumerate(found):
            rest = [
                other.name
                async for batch in chosen.batches(store, bucket, item.after, size=size)
                for other in batch
            ]
            assert rest == expected.split()[at + 1 :]

    run(check())


def test_a_copy_has_all_that_the_source_says() -> None:
    async def check() -> None:
        store = memory_store()
        source, to = await two(store)
        said = Description(
            headers={"content-type": "text/x"},
            meta={"colour": "blue"},
            storage_class="STANDARD_IA",
            owner="them",
            checksum_algorithm="SHA256",
        )
        for key, size in ((b"small", 10), (b"large", LARGE)):
            await objects.put(store, source, key, Data(pattern(size)), said)
        progress = await copied(store, source, to, prefix="", owner="me")
        assert (progress.objects, progress.bytes, progress.errors) == (2, 10 + LARGE, 0)
        for key, size in ((b"small", 10), (b"large", LARGE)):
            assert await get(store, to, key) == pattern(size)
            old, new = await objects.head(store, source, key), await objects.head(store, to, key)
            assert new.owner == "me"
            for field in ("headers", "meta", "storage_class", "checksums", "etag", "digest"):
                assert getattr(new, field) == getattr(old, field)
        await nothing_leaks(store)

    run(check())


def test_copies_are_named_by_extension_and_prefix() -> None:
    async def check() -> None:
        store = memory_store()
        source, to = await two(store, "a.jpg", "b.png", "jpg", "d/c.jpg", "e.")
        await copied(store, source, to, prepend="x/", ext={"jpg": "txt"})
        assert await names(store, to) == ["x/a.txt", "x/b.png", "x/d/c.txt", "x/e.", "x/jpg"]

    run(check())


def test_a_dry_run_counts_and_changes_nothing() -> None:
    async def check() -> None:
        store = memory_store()
        source = await make_bucket(store, "src")
        await fill(store, source, "a", "bb", "c")
        args = {**bucket_args(source), TO: ["dst", "ais", ""], "dry_run": True, "prefix": ""}
        task = begun(store, args)
        await copy_objects(task)
        assert (task.progress.objects, task.progress.bytes) == (3, 4)
        with pytest.raises(BucketNotFound):
            await buckets.get(store, BucketName("dst"))

    run(check())


def test_copies_within_a_bucket_are_not_copied_again() -> None:
    async def check() -> None:
        clock = Clock()
        store = memory_store(clock)
        bucket = await make_bucket(store)
        await fill(store, bucket, "a", "b", "copy/old")
        clock.now += 1
        progress = await copied(store, bucket, bucket, prefix="", prepend="copy/")
        assert progress.objects == 3
        expected = ["a", "b", "copy/a", "copy/b", "copy/copy/old", "copy/old"]
        assert await names(store, bucket) == expected

    run(check())


def test_a_name_that_stays_the_same_within_a_bucket_is_left_alone() -> None:
    async def check() -> None:
        clock = Clock()
        store = memory_store(clock)
        bucket = await make_bucket(store)
        await fill(store, bucket, "a.jpg", "b")
        clock.now += 1
        before = await objects.head(store, bucket, b"b")
        progress = await copied(store, bucket, bucket, prefix="", ext={"jpg": "txt"})
        assert progress.objects == 1
        assert await objects.head(store, bucket, b"b") == before
        assert await names(store, bucket) == ["a.jpg", "a.txt", "b"]

    run(check())


@pytest.mark.parametrize(
    ("args", "left"),
    [
        ({"prefix": ""}, "a b"),
        ({"prefix": "b"}, "b c other x/b"),
        ({"prefix": "", "prepend": "x/"}, "bad c other x/a x/b"),
        ({"prefix": "", "ext": {"jpg": "txt"}}, "a b"),
        ({"template": "{a..c}"}, "a b bad other x/b"),
        ({"objnames": ["a", "bad"]}, "a c other x/b"),
    ],
)
def test_to_synchronize_deletes_what_the_source_lacks(args: dict[str, Any], left: str) -> None:
    async def check() -> None:
        store = memory_store()
        source, to = await two(store, "a", "b")
        await fill(store, to, "bad", "other", "x/b", "c")
        progress = await copied(store, source, to, synchronize=True, **args)
        assert await names(store, to) == sorted(left.split())
        assert progress.errors == 0

    run(check())


def test_synchronizing_knows_renamed_copies() -> None:
    async def check() -> None:
        store = memory_store()
        source, to = await two(store, "a.jpg", "b.txt")
        await fill(store, to, "x/c.txt", "x/d.jpg")
        await copied(
            store, source, to, prefix="", prepend="x/", ext={"jpg": "txt"}, synchronize=True
        )
        assert await names(store, to) == ["x/a.txt", "x/b.txt"]

    run(check())


def test_what_fails_is_counted_and_the_first_are_told() -> None:
    async def check() -> None:
        store = memory_store()
        source, to = await two(store, "a", "b")
        missing = [f"m{number}" for number in range(8)]
        listed = ["a", *missing, "b"]
        progress = await copied(store, source, to, objnames=listed, coer=True)
        assert (progress.objects, progress.errors) == (2, 8)
        assert progress.message.startswith("ais://src/m0: ")
        assert progress.message.endswith("; ...")
        assert progress.message.count(";") == 5
        with pytest.raises(ObjectFailed, match="ais://src/m0"):
            await copied(store, source, to, objnames=listed)
        assert (await copied(store, source, to, template="m{1..3}")).errors == 0

    run(check())


def test_a_name_that_becomes_too_long_is_one_error() -> None:
    async def check() -> None:
        store = memory_store()
        source, to = await two(store, "a", "b" * 1020)
        progress = await copied(store, source, to, prefix="", prepend="12345", coer=True)
        assert (progress.objects, progress.errors) == (1, 1)
        assert "1025 bytes" in progress.message
        assert await names(store, to) == ["12345a"]

    run(check())


def test_another_bucket_of_the_same_name_is_left_alone() -> None:
    async def check() -> None:
        store = memory_store()
        source, _ = await two(store)
        args = {**bucket_args(source), "template": ""}
        await buckets.delete(store, source.name)
        again = await make_bucket(store, "src")
        await fill(store, again, "precious")
        with pytest.raises(BucketNotFound):
            await delete_objects(begun(store, args))
        assert await names(store, again) == ["precious"]

    run(check())


@pytest.mark.parametrize(
    ("args", "left"),
    [
        ({"objnames": ["a", "a", "none", "b1"]}, "b2 c"),
        ({"template": "b{1..5}"}, "a c"),
        ({"template": "b"}, "a c"),
        ({"template": ""}, ""),
    ],
)
def test_what_is_selected_is_deleted(args: dict[str, Any], left: str) -> None:
    async def check() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        await fill(store, bucket, "a", "b1", "b2", "c")
        await put(store, bucket, b"b1", pattern(LARGE))
        task = begun(store, {**bucket_args(bucket), **args})
        await delete_objects(task)
        assert await names(store, bucket) == left.split()
        assert task.progress.objects == 4 - len(left.split())
        assert task.progress.bytes >= LARGE
        await nothing_leaks(store)

    run(check())


@pytest.mark.parametrize("work", [copy_objects, delete_objects], ids=["copy", "delete"])
def test_a_source_that_is_destroyed_meanwhile_fails_the_job(work: Any) -> None:
    async def check() -> None:
        store, index = interposed_store()
        source, to = await two(store, "a", "b")
        args = {**bucket_args(source), **bucket_args(to, TO), "template": "*", "num_workers": -1}
        once(index, "scan", "object", lambda: destroy.destroy(store, source.name))
        with pytest.raises(BucketNotFound):
            await work(begun(store, args))
        await nothing_leaks(store)

    run(check())


def test_what_is_put_while_it_is_deleted_goes_too() -> None:
    async def check() -> None:
        store, index = interposed_store()
        bucket = await make_bucket(store)
        await fill(store, bucket, "a", "b", "c")

        async def write() -> None:
            await put(store, bucket, b"a", pattern(LARGE))
            await objects.delete(store, bucket, b"b")

        once(index, "scan", "object", write)
        task = begun(store, {**bucket_args(bucket), "prefix": ""})
        await delete_objects(task)
        assert await names(store, bucket) == []
        assert (task.progress.objects, task.progress.bytes) == (2, LARGE + 1)
        await nothing_leaks(store)

    run(check())


KEYS = [f"k{number:02d}" for number in range(30)]


async def outcome(store: Store, bucket: BucketRow) -> dict[str, bytes]:
    return {name: await get(store, bucket, name.encode()) for name in await names(store, bucket)}


@pytest.mark.parametrize("work", [copy_objects, delete_objects], ids=["copy", "delete"])
@pytest.mark.parametrize(
    "args",
    [
        {"prefix": "", "synchronize": True},
        {"template": "k{00..40}", "synchronize": True},
        {"objnames": KEYS[::2]},
    ],
    ids=["all", "template", "list"],
)
def test_cut_off_anywhere_and_gone_on_with_the_outcome_is_the_same(
    work: Any, args: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {"size": 4, "remote": False, "delimiter": ""}
    monkeypatch.setattr(selection.Selection.batches, "__kwdefaults__", few)
    monkeypatch.setattr(selection.scan, "__kwdefaults__", {"size": 4})

    async def play(cut: int) -> tuple[dict[str, bytes], int, bool]:
        """Cancel the work at its `cut`-th commit (never for 0), then go on from its progress."""
        store, index = interposed_store()
        source, to = await two(store, *KEYS)
        await fill(store, to, "k35", "z")
        whole = {**bucket_args(source), **bucket_args(to, TO), "num_workers": 3, **args}
        task = begun(store, whole)
        was_cut = await cut_off(index, work, task, cut)
        if was_cut:
            task = begun(store, whole, task.progress)
            await work(task)
        await nothing_leaks(store)
        kept = to if work is copy_objects else source
        return await outcome(store, kept), task.progress.objects, was_cut

    async def check() -> None:
        expected, count, _ = await play(0)
        cut = 1
        while True:
            found, again, was_cut = await play(cut)
            assert found == expected
            if work is copy_objects:
                assert again == count
            if not was_cut:
                break
            cut += 1
        assert cut > 3

    run(check())


def test_no_more_objects_than_asked_are_worked_on_together() -> None:
    async def check() -> None:
        store, index = interposed_store()
        source, to = await two(store, *KEYS)
        together = most = 0

        async def before(method: str, table: str) -> None:
            nonlocal together, most
            if method == "commit":
                together += 1
                most = max(most, together)
                for _ in range(5):
                    await asyncio.sleep(0)
                together -= 1

        index.before = before
        for asked, expected in ((-1, 1), (3, 3), (0, 8), (1000, 30)):
            most = 0
            await copied(store, source, to, prefix="", num_workers=asked)
            assert most <= expected
            assert most == 1 or asked != -1

    run(check())


def test_a_store_that_fails_ends_the_job_whatever_it_was_told() -> None:
    async def check() -> None:
        store, _ = interposed_store()
        source, to = await two(store, "a")
        await buckets.delete(store, to.name)
        with pytest.raises(AisleError):
            await copied(store, source, to, prefix="", coer=True)

    run(check())
