"""Inventories of Amazon over the memory engine and a remote in memory: found, read in once, listed,
replaced, and removed with their bucket.
"""

from __future__ import annotations

import asyncio

import pytest

from aisle.core.errors import (
    InvalidArgument,
    InventoryBusy,
    InventoryDamaged,
    InventoryNotFound,
    NotSupported,
    RemoteUnavailable,
)
from aisle.core.names import BucketName
from aisle.jobs import inventories as module
from aisle.jobs.inventories import KIND
from aisle.namespace import buckets
from aisle.namespace.listing import Query
from aisle.namespace.records import Inventoried, decode
from aisle.namespace.window.inventory import finding, generations, pages
from aisle.namespace.window.inventory.finding import Where
from aisle.store.base import Delete
from tests.inventories import entries, written
from tests.jobs.crew import until
from tests.jobs.inventoried import ANY, BUCKET, LATER, names, site
from tests.namespace.support import run


@pytest.mark.parametrize("format", ["CSV", "ORC", "Parquet"])
def test_an_inventory_of_several_files_is_listed_in_order(format: str) -> None:
    async def story() -> None:
        async with site() as at:
            told = entries(30)
            at.put(written(BUCKET, [told[1::2], told[::2]], format=format))
            row = await at.inventories().listed(at.bucket, ANY)
            assert row.record.count == 30
            assert await at.keys(row, limit=100) == names(told)
            page = await at.inventories(runs=False).listed(at.bucket, ANY)
            assert page.raw == row.raw
            found = await pages.page(at.store, row, Query(prefix=at.bucket.record.id, limit=1))
            kept = decode(Inventoried, found.page.rows[0][1])
            assert (kept.size, kept.mtime, kept.etag) == (
                told[0].size, told[0].mtime, told[0].etag,
            )  # fmt: skip

    run(story())


def test_the_newest_whole_inventory_counts() -> None:
    async def story() -> None:
        async with site() as at:
            at.put(written(BUCKET, [entries(2)]))
            files = written(BUCKET, [entries(3)], date=LATER)
            begun = [key for key in files if not key.endswith("checksum")]
            at.put({key: files[key] for key in begun})  # the checksum is written last
            row = await at.inventories().listed(at.bucket, ANY)
            assert await at.keys(row, limit=10) == names(entries(2))

    run(story())


@pytest.mark.parametrize("asked", [Where("inv"), Where("inv", "weekly"), Where("inv/", "weekly")])
def test_it_is_looked_for_where_it_is_said_to_be(asked: Where) -> None:
    async def story() -> None:
        async with site() as at:
            at.put(written(BUCKET, [entries(1)]))
            at.put(written(BUCKET, [entries(2)], prefix="inv", id="weekly"))
            where = finding.where(asked.name, asked.id)
            row = await at.inventories().listed(at.bucket, where)
            assert await at.keys(row, limit=10) == names(entries(2))

    run(story())


def test_of_several_ids_the_newest_inventory_counts() -> None:
    async def story() -> None:
        async with site() as at:
            at.put(written(BUCKET, [entries(1)], id="z"))
            at.put(written(BUCKET, [entries(2)], id="a", date=LATER))
            row = await at.inventories().listed(at.bucket, ANY)
            assert row.record.count == 2

    run(story())


def test_it_may_lie_in_another_bucket() -> None:
    async def story() -> None:
        async with site() as at:
            at.put(written(BUCKET, [entries(3)], prefix=""), bucket="webdataset-inv")
            row = await at.inventories().listed(at.bucket, Where("s3://webdataset-inv"))
            assert row.record.count == 3

    run(story())


def test_what_is_not_there_is_told_with_where_it_was_looked_for() -> None:
    async def story() -> None:
        async with site() as at:
            asked = Where("inv", "weekly")
            with pytest.raises(InventoryNotFound, match=f"s3://{BUCKET}/inv/{BUCKET}/weekly"):
                await at.inventories().listed(at.bucket, asked)

    run(story())


def test_many_who_ask_at_once_have_it_read_in_once() -> None:
    async def story() -> None:
        async with site() as at:
            files = written(BUCKET, [entries(20)])
            at.put(files)
            processes = [at.inventories("one"), at.inventories("two")]
            rows = await asyncio.gather(
                *(one.listed(at.bucket, ANY) for one in processes for _ in range(20))
            )
            assert len({row.raw for row in rows}) == 1
            data = next(key for key in files if key.endswith(".csv.gz"))
            assert at.remote.log.count(("get", data)) == 1
            assert at.remote.calls["list"] <= 2 * 3
            jobs = [job for job in await at.jobs().all() if job.record.kind == KIND]
            assert len(jobs) == 1
            assert await at.count() == 20

    run(story())


def test_a_newer_inventory_takes_the_place_of_the_former(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.0)

    async def story() -> None:
        async with site() as at:
            asked = at.inventories()
            at.put(written(BUCKET, [entries(5)]))
            first = await asked.listed(at.bucket, ANY)
            at.put(written(BUCKET, [entries(3, start=1)], date=LATER))

            async def is_newer() -> bool:
                row = await asked.listed(at.bucket, ANY)
                assert row.record.rows  # there is always one to list
                return row.record.source != first.record.source

            await until(is_newer)
            row = await asked.listed(at.bucket, ANY)
            assert await at.keys(row, limit=10) == names(entries(3, start=1))

            async def is_tidy() -> bool:
                return await at.count() == 3

            await until(is_tidy)
            # A page of the former one, which is gone: the next is of the present one.
            assert await at.keys(first, limit=10) == names(entries(3, start=1))

    run(story())


def test_the_remote_is_looked_at_now_and_then_only() -> None:
    async def story() -> None:
        async with site() as at:
            at.put(written(BUCKET, [entries(1)]))
            asked = at.inventories()
            await asked.listed(at.bucket, ANY)
            before = at.remote.calls.total()
            for begins in (True, False):
                for _ in range(50):
                    await asked.listed(at.bucket, ANY, begins=begins)
            assert at.remote.calls.total() == before

    run(story())


def test_it_is_listed_while_the_remote_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.0)

    async def story() -> None:
        async with site() as at:
            at.put(written(BUCKET, [entries(1)]))
            asked = at.inventories()
            first = await asked.listed(at.bucket, ANY)
            at.remote.fail("list", RemoteUnavailable(f"aws://{BUCKET}", "gone"), times=2)
            assert (await asked.listed(at.bucket, ANY)).raw == first.raw
            assert (await asked.listed(at.bucket, ANY)).raw == first.raw
            at.remote.fail("list", RemoteUnavailable(f"aws://{BUCKET}", "gone"), times=1)
            with pytest.raises(RemoteUnavailable):
                await at.inventories("new").listed(at.bucket, ANY)

    run(story())


def test_who_would_wait_for_too_long_hears_that_it_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.05)

    async def story() -> None:
        async with site() as at:
            at.put(written(BUCKET, [entries(1)]))
            asked = at.inventories(runs=False)
            with pytest.raises(InventoryBusy, match="try again later") as told:
                await asked.listed(at.bucket, ANY)
            assert told.value.retry_after > 0
            at.jobs("worker", runs=True)

            async def is_there() -> bool:
                try:
                    await asked.listed(at.bucket, ANY)
                except InventoryBusy:
                    return False
                return True

            await until(is_there)

    run(story())


def test_only_windows_on_s3_have_inventories_of_amazon() -> None:
    async def story() -> None:
        async with site("gcp") as at:
            with pytest.raises(InventoryNotFound, match="ais nbi create"):
                await at.inventories().listed(at.bucket, ANY)
            own = await buckets.create(at.store, BucketName("own"), owner="root")
            with pytest.raises(NotSupported, match="of a remote bucket"):
                await at.inventories().listed(own, ANY)

    run(story())


@pytest.mark.parametrize(
    ("name", "id"), [("a\nb", ""), ("", "a/b"), ("é", ""), ("x" * 1025, ""), ("s3:///a", "")]
)
def test_names_that_cannot_be_are_refused(name: str, id: str) -> None:
    with pytest.raises(InvalidArgument):
        finding.where(name, id)


def test_nothing_is_left_of_a_bucket_that_is_gone() -> None:
    async def story() -> None:
        async with site() as at:
            at.put(written(BUCKET, [entries(5)]))
            await at.inventories().listed(at.bucket, ANY)
            await generations.sweep(at.store)
            assert await at.count() == 5
            await at.index.commit(Delete("bucket", at.bucket.key))
            await generations.sweep(at.store)
            assert await at.count() == 0
            assert await at.index.scan("inventories", limit=10) == []

    run(story())


def test_a_bucket_that_goes_ends_the_job_that_reads_its_inventory_in() -> None:
    async def story() -> None:
        async with site() as at:
            at.put(written(BUCKET, [entries(5)]))
            asked = at.inventories(runs=False)
            waiting = asyncio.create_task(asked.listed(at.bucket, ANY))

            async def is_asked() -> bool:
                return bool(await at.jobs().all())

            await until(is_asked)
            await at.index.commit(Delete("bucket", at.bucket.key))
            at.jobs("worker", runs=True)
            with pytest.raises(InventoryDamaged, match="does not exist"):
                await waiting
            await generations.sweep(at.store)
            assert await at.count() == 0

    run(story())
