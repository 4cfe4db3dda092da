"""The work of jobs that operators start by name."""

from __future__ import annotations

from itertools import count

import pytest

from aisle.jobs.task import Task
from aisle.jobs.work import upkeep
from aisle.jobs.work.upkeep import clean, nothing, warm
from aisle.namespace import objects
from aisle.namespace.records import Progress
from aisle.namespace.store import BucketRow, Store
from tests.jobs.support import begun
from tests.namespace.support import make_bucket, memory_store, put, run

COUNT = 7


def started(store: Store, kind: str, *named: BucketRow, cursor: str = "") -> Task:
    """A run of what an operator started, for some buckets or for all."""
    args = {"buckets": [list(row.name) for row in named]} if named else {}
    return begun(store, args, Progress(cursor=cursor), kind=kind)


async def filled(store: Store, name: str) -> BucketRow:
    row = await make_bucket(store, name)
    for number in range(COUNT):
        await put(store, row, b"key-%d" % number, b"x")
    return row


@pytest.mark.parametrize("kind", ["resilver", "rebalance"])
def test_what_has_nothing_to_do_says_why(kind: str) -> None:
    async def story() -> None:
        task = started(memory_store(), kind)
        assert await nothing(task) == task.progress.message
        assert task.progress.message

    run(story())


def test_rows_of_all_or_of_some_buckets_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "_PAGE", 3)

    async def story() -> None:
        store = memory_store()
        made = [await filled(store, name) for name in ("one", "two", "three")]
        for named, buckets in (((), 3), ((made[1],), 1), ((made[2], made[0]), 2)):
            task = started(store, "load-lom-cache", *named)
            await warm(task)
            assert task.progress.objects == buckets * COUNT
            assert task.progress.bytes > buckets * COUNT

    run(story())


def test_reading_goes_on_after_the_cursor() -> None:
    async def story() -> None:
        store = memory_store()
        made = [await filled(store, name) for name in ("one", "two")]
        one, two = sorted(made, key=lambda row: row.record.id)
        for named in ((), (one, two)):
            for row, left in ((one, COUNT + 2), (two, 2)):
                cursor = (row.record.id + b"key-4").hex()
                task = started(store, "load-lom-cache", *named, cursor=cursor)
                await warm(task)
                assert task.progress.objects == left

    run(story())


def test_a_bucket_that_has_gone_is_no_failure() -> None:
    async def story() -> None:
        store = memory_store()
        row = await filled(store, "one")
        task = started(store, "load-lom-cache", row)
        task.record.args["buckets"].append(["absent", "ais", ""])
        await warm(task)
        assert task.progress.objects == COUNT

    run(story())


def test_cleaning_up_removes_what_is_due_and_tells_it() -> None:
    async def story() -> None:
        seconds = count(10**9)
        store = memory_store(lambda: next(seconds) * 10**9)
        await store.change_config({"space.garbage_grace": "0s", "space.sweep_age": "0s"})
        row = await make_bucket(store)
        await put(store, row, b"kept", b"x" * (1 << 20))
        await put(store, row, b"key", b"x" * (1 << 20))
        await objects.delete(store, row, b"key")
        orphan = await store.blobs.create(b"nobody", size_hint=5)
        await orphan.write(b"12345")
        await orphan.seal()
        task = started(store, "cleanup-store")
        told = await clean(task)
        assert isinstance(told, dict)
        assert (told["garbage"], told["orphans"], told["orphan_bytes"]) == (1, 1, 5)
        assert (told["missing"], task.progress.errors) == ([], 0)
        assert (task.progress.objects, task.progress.bytes) == (2, 5)

    run(story())


def test_objects_whose_bytes_are_missing_are_errors() -> None:
    async def story() -> None:
        store = memory_store()
        row = await make_bucket(store)
        await put(store, row, b"lost", b"x" * (1 << 20))
        async for info in store.blobs.scan():
            await store.blobs.delete(info.blob)
        task = started(store, "cleanup-store")
        told = await clean(task)
        assert isinstance(told, dict)
        assert (told["missing"], task.progress.errors) == (["lost"], 1)

    run(story())
