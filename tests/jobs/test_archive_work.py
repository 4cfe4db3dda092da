"""The work of `archive` on the memory engine: what goes in, and what is left when it is cut off."""

from __future__ import annotations

from typing import Any

import pytest

from aisle.core.errors import ObjectNotFound
from aisle.jobs.task import TO, Task
from aisle.jobs.work.archive import archive_objects
from aisle.jobs.work.selection import bucket_args
from aisle.namespace import objects
from aisle.namespace.records import Progress
from aisle.namespace.store import BucketRow, Store
from tests.archives import files_of
from tests.jobs.support import begun, cut_off
from tests.namespace.support import (
    LARGE,
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

FILES = {"a/1": b"1", "a/2": pattern(LARGE), "a/b/3": b"", "b": b"4"}


async def filled(store: Store) -> tuple[BucketRow, BucketRow]:
    source, to = await make_bucket(store, "src"), await make_bucket(store, "dst")
    for key, data in FILES.items():
        await put(store, source, key.encode(), data)
    return source, to


def task_of(
    store: Store, source: BucketRow, to: BucketRow, progress: Progress | None = None, **args: Any
) -> Task:
    whole = {**bucket_args(source), **bucket_args(to, TO), "archname": "x.tar", **args}
    return begun(store, whole, progress)


async def content(store: Store, bucket: BucketRow) -> list[tuple[str, bytes]]:
    return files_of("x.tar", await get(store, bucket, b"x.tar"))


@pytest.mark.parametrize(
    ("args", "names"),
    [
        ({"template": ""}, ["a/1", "a/2", "a/b/3", "b"]),
        ({"template": "a/"}, ["a/1", "a/2", "a/b/3"]),
        ({"template": "a/", "nr": True}, ["a/1", "a/2"]),
        ({"template": "", "nr": True}, ["b"]),
        ({"template": "a/{1..4}"}, ["a/1", "a/2"]),
        ({"template": "a/{1..2}", "isbn": True}, ["src/a/1", "src/a/2"]),
        ({"objnames": ["b", "a/1"], "bnonly": True}, ["b", "1"]),
        ({"objnames": ["b", "none", "a/1"], "coer": True}, ["b", "a/1"]),
    ],
)
def test_what_is_selected_goes_in(args: dict[str, Any], names: list[str]) -> None:
    async def check() -> None:
        store = memory_store()
        source, to = await filled(store)
        task = task_of(store, source, to, **args)
        await archive_objects(task)
        found = await content(store, to)
        assert [name for name, _ in found] == names
        assert {data for _, data in found} <= set(FILES.values())
        assert task.progress.objects == len(names)
        assert task.progress.bytes == sum(len(data) for _, data in found)
        assert task.progress.errors == args.get("objnames", []).count("none")
        await nothing_leaks(store)

    run(check())


def test_a_run_begins_anew_and_counts_anew() -> None:
    async def check() -> None:
        store = memory_store()
        source, to = await filled(store)
        earlier = Progress(objects=3, bytes=100, errors=1)
        task = task_of(store, source, to, earlier, template="a/")
        await archive_objects(task)
        assert (task.progress.objects, task.progress.errors) == (3, 0)
        assert task.progress.bytes == LARGE + 1
        assert len(await content(store, to)) == 3

    run(check())


@pytest.mark.parametrize("aate", [False, True])
def test_what_is_cut_off_or_fails_leaves_nothing(aate: bool) -> None:
    async def check() -> None:
        store, index = interposed_store()
        source, to = await filled(store)
        if aate:
            await archive_objects(task_of(store, source, to, template="b"))
        before = await content(store, to) if aate else []
        task = task_of(store, source, to, objnames=["a/2", "none"], aate=aate)
        with pytest.raises(ObjectNotFound, match="none"):
            await archive_objects(task)
        task = task_of(store, source, to, template="", aate=aate)
        assert await cut_off(index, archive_objects, task, 1, method="get", table="body")
        if aate:
            assert await content(store, to) == before
        else:
            with pytest.raises(ObjectNotFound):
                await objects.head(store, to, b"x.tar")
        await nothing_leaks(store)

    run(check())


def test_another_writer_of_the_archive_loses_nothing() -> None:
    async def check() -> None:
        store, index = interposed_store()
        source, to = await filled(store)

        async def interfere() -> None:
            await archive_objects(task_of(store, source, to, template="b"))

        once(index, "get", "body", interfere)
        task = task_of(store, source, to, objnames=["a/1", "a/2"], aate=True)
        await archive_objects(task)
        assert [name for name, _ in await content(store, to)] == ["b", "a/1", "a/2"]
        assert task.progress.objects == 2

    run(check())


def test_an_archive_is_not_put_into_itself() -> None:
    async def check() -> None:
        store = memory_store()
        source, _ = await filled(store)
        for _ in range(2):
            await archive_objects(task_of(store, source, source, template=""))
        assert [name for name, _ in await content(store, source)] == list(FILES)

    run(check())
