"""The work of jobs on whole buckets: it may end anywhere, and another worker goes on."""

from __future__ import annotations

from typing import Any

import pytest

from aisle.core.errors import BucketExists, BucketNotFound, InvalidRequest
from aisle.core.names import BucketName
from aisle.jobs.work import summary
from aisle.jobs.work.rename import move_bucket
from aisle.jobs.work.summary import summarise
from aisle.namespace import buckets
from aisle.namespace.destroy import destroy
from aisle.namespace.store import BucketRow, Store
from tests.jobs.support import begun, cut_off
from tests.namespace.support import interposed_store, make_bucket, memory_store, put, run

COUNT = 7


def on(row: BucketRow, **more: Any) -> dict[str, Any]:
    return {"bck": list(row.name), "id": row.record.id.hex(), **more}


async def filled(store: Store, name: str = "bucket", count: int = COUNT) -> BucketRow:
    row = await make_bucket(store, name)
    for number in range(count):
        await put(store, row, b"key-%d" % number, b"x" * (number + 1))
    return row


def told(result: object) -> list[tuple[str, int, int, int, int]]:
    assert isinstance(result, dict)
    return [
        (row["name"], row["count"], row["size"], row["least"], row["most"])
        for row in result["tallies"]
    ]


def test_a_summary_of_one_and_of_all() -> None:
    async def main() -> None:
        store = memory_store()
        row = await filled(store)
        await filled(store, "empty", 0)
        assert told(await summarise(begun(store, on(row)))) == [("bucket", 7, 28, 1, 7)]
        only = on(row, prefix="key-3")
        assert told(await summarise(begun(store, only))) == [("bucket", 1, 4, 4, 4)]
        task = begun(store, {"provider": "", "namespace": None, "prefix": ""})
        whole = [("bucket", 7, 28, 1, 7), ("empty", 0, 0, 0, 0)]
        assert told(await summarise(task)) == whole
        assert (task.progress.objects, task.progress.bytes) == (7, 28)
        for none in ({"provider": "aws"}, {"namespace": "ns"}):
            assert told(await summarise(begun(store, none))) == []

    run(main())


@pytest.mark.parametrize("scans", range(1, 13))
def test_a_summary_goes_on_where_it_was_left(scans: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker is stopped before the n-th page; the next one counts nothing twice."""
    monkeypatch.setattr(summary, "PAGE", 2)

    async def main() -> None:
        store, index = interposed_store()
        for name in ("one", "three", "two"):
            await filled(store, name)
        args = {"provider": "ais", "namespace": "", "prefix": ""}
        first = begun(store, args)
        assert await cut_off(index, summarise, first, scans, method="scan", table="object")
        again = begun(store, args, first.progress)
        assert told(await summarise(again)) == [
            (name, 7, 28, 1, 7) for name in ("one", "three", "two")
        ]
        assert again.progress.objects == 21

    run(main())


@pytest.mark.parametrize("renamed", [True, False])
def test_a_bucket_that_is_renamed_or_goes_while_it_is_counted(
    renamed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summary, "PAGE", 2)

    async def main() -> None:
        store, index = interposed_store()
        first = await filled(store, "one")
        await filled(store, "two")
        args = {"provider": "", "namespace": None}
        task = begun(store, args)
        assert await cut_off(index, summarise, task, 2, method="scan", table="object")
        if renamed:
            await buckets.rename(store, first.name, BucketName("a"), identity=first.record.id)
        else:
            await destroy(store, first.name)
        result = told(await summarise(begun(store, args, task.progress)))
        assert result == [("a", 7, 28, 1, 7)] * renamed + [("two", 7, 28, 1, 7)]

    run(main())


def test_another_bucket_of_that_name_is_not_the_one_to_count() -> None:
    async def main() -> None:
        store = memory_store()
        old = await make_bucket(store)
        await buckets.delete(store, old.name)
        await make_bucket(store)
        with pytest.raises(BucketNotFound):
            await summarise(begun(store, on(old)))

    run(main())


def test_moving_a_bucket_twice_moves_it_once() -> None:
    async def main() -> None:
        store = memory_store()
        row = await filled(store)
        args = on(row, to=["new", "ais", "ns"])
        await move_bucket(begun(store, args))
        other = await make_bucket(store)
        await move_bucket(begun(store, args))
        moved = await buckets.get(store, BucketName("new", "ais", "ns"))
        assert moved.record.id == row.record.id
        assert (await buckets.get(store, row.name)).record.id == other.record.id

    run(main())


def test_a_move_that_cannot_be_is_an_error_of_the_job() -> None:
    async def main() -> None:
        store = memory_store()
        row = await make_bucket(store)
        await make_bucket(store, "new")
        with pytest.raises(BucketExists):
            await move_bucket(begun(store, on(row, to=["new", "ais", ""])))
        with pytest.raises(InvalidRequest):
            await move_bucket(begun(store, on(row)))

    run(main())
