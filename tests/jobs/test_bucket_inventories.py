"""Inventories of our own buckets: when one is begun, what is written, and how another worker goes
on with it."""

from __future__ import annotations

import csv
import gzip
import io
import json

import msgspec
import pytest

from aisle.core.names import BucketName
from aisle.jobs import rows
from aisle.jobs.inventorying import Inventorying
from aisle.jobs.leases import Sole
from aisle.jobs.rows import JobView
from aisle.jobs.work import listing as work
from aisle.jobs.work.listing import BEFORE, ID, WHEN, ConfigurationGone, write_inventory
from aisle.jobs.work.selection import bucket_args
from aisle.namespace import bodies, buckets, documents, objects
from aisle.namespace.inventories import configuration as configurations
from aisle.namespace.inventories.configuration import Configuration
from aisle.namespace.records import Progress
from aisle.namespace.store import BucketRow, Store
from tests.jobs.support import Steady, begun, cut_off, names
from tests.namespace.support import (
    DAY,
    Clock,
    interposed_store,
    make_bucket,
    memory_store,
    put,
    run,
)

ABOUT = Configuration(
    "<x/>", "all", True, "reports", "CSV", "inv", fields=("Size", "ETag"), versions=False
)
FOLDER = "inv/bucket/all/"


async def configure(store: Store, bucket: BucketRow, about: Configuration = ABOUT) -> None:
    await documents.change(
        store,
        bucket,
        {configurations.document(about.id): configurations.pack(about)},
        along=[configurations.scheduled(bucket, about.id, store.now())],
    )


async def filled(store: Store, count: int = 30) -> tuple[BucketRow, BucketRow]:
    """A bucket of some objects with a configuration, and the one its inventories go to."""
    bucket, reports = await make_bucket(store), await make_bucket(store, "reports")
    for number in range(count):
        await put(store, bucket, b"k%03d" % number, b"x" * number)
    await configure(store, bucket)
    return bucket, reports


async def read(store: Store, bucket: BucketRow, key: str) -> bytes:
    found, small = await objects.find_small(store, bucket, key.encode())
    if small is not None:
        return small
    stream = bodies.read_extents(store, found.extents, 0, found.record.size)
    return b"".join([piece async for piece in stream])


async def listed(store: Store, reports: BucketRow) -> list[list[str]]:
    """The records of the one inventory that is there; nothing else is."""
    keys = await names(store, reports)
    (key,) = [key for key in keys if key.endswith("manifest.json")]
    told = json.loads(await read(store, reports, key))
    files = [file["key"] for file in told["files"]]
    assert sorted(key for key in keys if "/data/" in key) == sorted(files)
    assert len([key for key in keys if key.endswith(("manifest.checksum", "symlink.txt"))]) == 2
    found: list[list[str]] = []
    for file in files:
        text = gzip.decompress(await read(store, reports, file)).decode()
        found += csv.reader(io.StringIO(text))
    return found


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages and files of a few records."""
    monkeypatch.setattr(work, "PAGE", 4)
    monkeypatch.setattr(work, "FILE_RECORDS", 8)


async def inventory_jobs(store: Store) -> list[JobView]:
    found = await rows.views(store.index, live=False)
    return [view for view in found if view.record.kind == work.KIND]


def test_an_inventory_is_begun_when_it_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    steady, clock = Steady(1000.0), Clock()
    monkeypatch.setattr("time.monotonic", steady)

    async def story() -> None:
        store = memory_store(clock)
        keeper = Inventorying(store, Sole())

        async def later(seconds: float) -> int:
            steady.now += seconds
            clock.now += int(seconds * 10**9)
            await keeper.turn()
            return len(await inventory_jobs(store))

        assert await later(5) == 0
        await filled(store, 1)
        assert await later(5) == 1
        day = DAY / 10**9
        assert await later(day) == 1, "the first one is not over yet"
        (job,) = await inventory_jobs(store)
        row = await rows.read(store.index, job.id)
        await store.index.commit(*rows.ended(row, "finished", store.now()))
        assert await later(5) == 2
        assert await later(day / 2) == 2
        views = await inventory_jobs(store)
        assert {view.record.args[BEFORE] for view in views} == {""}

    run(story())


def test_what_is_switched_off_or_gone_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        store = memory_store()
        bucket, _ = await filled(store, 1)
        await configure(store, bucket, msgspec.structs.replace(ABOUT, enabled=False))
        other = await make_bucket(store, "other")
        await configure(store, other)
        await documents.change(store, other, {configurations.document("all"): None})
        await Inventorying(store, Sole())._turn()
        assert await inventory_jobs(store) == []
        left = await store.index.scan(configurations.TABLE, prefix=b"", limit=10)
        assert [key for key, _ in left] == [configurations.row_key(bucket, "all")]

    run(story())


def test_a_configuration_without_a_row_gets_one() -> None:
    """As of a bucket that was imported, or has another name by now."""

    async def story() -> None:
        store = memory_store()
        bucket, _ = await filled(store, 1)
        await store.index.commit(configurations.dropped(bucket, "all"))
        await Inventorying(store, Sole())._turn()
        assert len(await inventory_jobs(store)) == 1

    run(story())


@pytest.mark.usefixtures("small")
def test_a_worker_that_is_cut_off_anywhere_leaves_what_another_finishes() -> None:
    async def story(at: int, *, saved: bool) -> bool:
        store, index = interposed_store()
        bucket, reports = await filled(store)
        args = {**bucket_args(bucket), ID: "all", WHEN: store.now(), BEFORE: ""}
        first = begun(store, args, kind=work.KIND)
        was_cut = await cut_off(index, write_inventory, first, at)
        again = begun(store, args, first.progress if saved else Progress(), kind=work.KIND)
        if was_cut:
            await write_inventory(again)
        found = await listed(store, reports)
        assert [row[1] for row in found] == [f"k{number:03}" for number in range(30)]
        assert [row[2] for row in found] == [str(number) for number in range(30)]
        return was_cut

    for saved in (True, False):
        at = 1
        while run(story(at, saved=saved)):
            at += 1
        assert at > 7, "four files and three of the manifest"


@pytest.mark.usefixtures("small")
def test_versions_go_on_in_the_middle_of_a_key() -> None:
    async def story(at: int) -> bool:
        store, index = interposed_store()
        bucket, reports = await make_bucket(store), await make_bucket(store, "reports")
        bucket = await buckets.set_versioning(store, bucket, suspended=False)
        for number in range(20):
            await put(store, bucket, b"key", b"x" * number)
        await objects.delete(store, bucket, b"key")
        await put(store, bucket, b"last", b"")
        await configure(store, bucket, msgspec.structs.replace(ABOUT, versions=True))
        bucket = await buckets.get(store, BucketName("bucket"))
        args = {**bucket_args(bucket), ID: "all", WHEN: store.now(), BEFORE: ""}
        first = begun(store, args, kind=work.KIND)
        was_cut = await cut_off(index, write_inventory, first, at)
        if was_cut:
            await write_inventory(begun(store, args, first.progress, kind=work.KIND))
        found = await listed(store, reports)
        assert [(row[1], row[3], row[4]) for row in found] == [
            ("key", "true", "true"),
            *[("key", "false", "false")] * 20,
            ("last", "true", "false"),
        ]
        assert len({row[2] for row in found}) == 22
        return was_cut

    at = 1
    while run(story(at)):
        at += 1


@pytest.mark.usefixtures("small")
def test_the_next_job_removes_what_an_aborted_one_left() -> None:
    async def story() -> None:
        store, index = interposed_store()
        bucket, reports = await filled(store)
        args = {**bucket_args(bucket), ID: "all", WHEN: store.now(), BEFORE: ""}
        assert await cut_off(index, write_inventory, begun(store, args, kind=work.KIND), 4)
        left = await names(store, reports)
        assert left
        assert all("/data/" in key for key in left)
        await put(store, reports, b"inv/bucket/all/data/others.csv.gz", b"")
        after = begun(store, {**args, BEFORE: "job"}, kind=work.KIND)
        after.id = "next"
        await write_inventory(after)
        await objects.delete(store, reports, b"inv/bucket/all/data/others.csv.gz")
        assert len(await listed(store, reports)) == 30

    run(story())


@pytest.mark.usefixtures("small")
def test_a_configuration_that_changes_ends_the_job_and_leaves_nothing() -> None:
    async def story() -> None:
        store, index = interposed_store()
        bucket, reports = await filled(store)
        args = {**bucket_args(bucket), ID: "all", WHEN: store.now(), BEFORE: ""}
        task = begun(store, args, kind=work.KIND)
        seen = 0

        async def before(used: str, on: str) -> None:
            nonlocal seen
            if used == "commit":
                seen += 1
                if seen == 3:
                    index.before = None
                    await configure(store, bucket, msgspec.structs.replace(ABOUT, only="other"))

        index.before = before
        with pytest.raises(ConfigurationGone):
            await write_inventory(task)
        assert await names(store, reports) == []

    run(story())
