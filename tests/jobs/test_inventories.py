"""Inventories over the memory engine and a remote in memory: found, read in once, listed, replaced,
damaged, given up; and the cluster's own, made of a remote's listing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from aisle.backend.base import RemoteEntry
from aisle.core.errors import (
    InvalidArgument,
    InventoryBusy,
    InventoryDamaged,
    InventoryExists,
    InventoryNotFound,
    NotSupported,
    RemoteUnavailable,
)
from aisle.core.names import BucketName
from aisle.jobs import inventories as module
from aisle.jobs.inventories import KIND, Inventories
from aisle.jobs.jobs import Jobs
from aisle.jobs.kinds import KINDS
from aisle.namespace import buckets
from aisle.namespace.listing import ID, Query
from aisle.namespace.records import Inventoried, Inventory, Listed, Object, decode, encode
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.window.inventory import finding, generations, pages, walking
from aisle.namespace.window.inventory.finding import Where
from aisle.namespace.window.listing import State
from aisle.namespace.window.registry import Remotes
from aisle.store.base import Delete, Put
from aisle.store.memory import MemoryBlobs, MemoryIndex
from tests.backend.memory import MemoryProvider, MemoryRemote
from tests.inventories import Entry, entries, resealed, written
from tests.jobs.crew import LEASE, over, until
from tests.namespace.support import run

BUCKET = "webdataset"
LATER = "2026-11-23T01-00Z"
ANY = Where()


class Site:
    """A window of each process on one bucket of a remote in memory."""

    def __init__(self, provider: str = "aws") -> None:
        self.remote = MemoryRemote(provider)
        self.remote.make(BUCKET)
        self.index = MemoryIndex()
        self.tasks: list[asyncio.Task[None]] = []
        self.bucket: BucketRow
        self.store = self._store()

    def _store(self) -> Store:
        store = Store(self.index, MemoryBlobs())
        store.remotes = Remotes({self.remote.provider: MemoryProvider(self.remote)})
        return store

    def jobs(self, name: str = "other", *, runs: bool = False) -> Jobs:
        jobs = Jobs(self._store(), name, node=name, kinds=KINDS, lease_seconds=LEASE)
        if runs:
            self.tasks.append(asyncio.create_task(jobs.run()))
        return jobs

    def inventories(self, name: str = "one", *, runs: bool = True) -> Inventories:
        """Those of a process, which does jobs if it `runs`."""
        return Inventories(self._store(), self.jobs(name, runs=runs))

    def put(self, files: Mapping[str, bytes], bucket: str = BUCKET) -> None:
        for key, data in files.items():
            self.remote.store(bucket, key, data)

    async def keys(self, row: Any, **query: Any) -> list[str]:
        """The keys that an inventory lists."""
        base = self.bucket.record.id
        found = await pages.page(self.store, row, Query(prefix=base, **query))
        return [key[ID:].decode() for key, _ in found.page.rows]

    async def count(self) -> int:
        """The rows there are of inventories, listed or not."""
        return len(await self.index.scan("inventory", limit=1_000_000))


@asynccontextmanager
async def site(provider: str = "aws") -> AsyncIterator[Site]:
    made = Site(provider)
    name = BucketName(BUCKET, provider, "")
    made.bucket = await buckets.create(made.store, name, owner="root")
    try:
        yield made
    finally:
        for task in made.tasks:
            task.cancel()
        if made.tasks:
            await asyncio.wait(made.tasks)


def names(some: list[Entry]) -> list[str]:
    return [entry.key for entry in some]


# --- Amazon's -------------------------------------------------------------------------------------


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


def damaged(how: str) -> dict[str, bytes]:
    files = written(BUCKET, [entries(5), entries(5, start=5)])
    data = [key for key in files if key.endswith(".csv.gz")][1]
    manifest = next(key for key in files if key.endswith("manifest.json"))
    match how:
        case "another file":
            return {**files, data: files[data][:-9] + b"damaged!!"}
        case "a short file":
            return {**files, data: files[data][:-9]}
        case "a long file":
            return {**files, data: files[data] + b"more"}
        case "no file":
            return {key: files[key] for key in files if key != data}
        case "another manifest":
            return {**files, manifest: files[manifest] + b" "}
        case "no manifest":
            return {key: files[key] for key in files if key != manifest}
        case "a huge manifest":
            return {**files, manifest: b" " * (17 << 20)}
        case _:
            return resealed(files, sourceBucket="other")


HOW = {
    "another file": "MD5",
    "a short file": "size",
    "a long file": "size",
    "no file": "not there",
    "another manifest": "not the one",
    "no manifest": "no manifest",
    "a huge manifest": "bytes",
    "another bucket": "another bucket",
}


@pytest.mark.parametrize("how", HOW)
def test_nothing_is_listed_of_a_damaged_inventory(how: str) -> None:
    async def story() -> None:
        async with site() as at:
            at.put(damaged(how))
            asked = at.inventories()
            with pytest.raises(InventoryDamaged, match=HOW[how]):
                await asked.listed(at.bucket, ANY)
            calls = at.remote.calls["get"]
            with pytest.raises(InventoryDamaged, match=HOW[how]):  # it is not tried at once again
                await asked.listed(at.bucket, ANY)
            assert at.remote.calls["get"] <= calls + 1
            ((_, raw),) = await at.index.scan("inventories", limit=9)
            assert not decode(Inventory, raw).rows
            await generations.sweep(at.store)
            assert await at.count() == 0
            assert await at.index.scan("inventories", limit=9) == []

    run(story())


def test_a_damaged_newer_inventory_leaves_the_former(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.0)

    async def story() -> None:
        async with site() as at:
            asked = at.inventories()
            at.put(written(BUCKET, [entries(5)]))
            first = await asked.listed(at.bucket, ANY)
            files = written(BUCKET, [entries(7)], date=LATER)
            data = next(key for key in files if key.endswith(".csv.gz"))
            at.put({**files, data: b"nothing"})

            async def has_failed() -> bool:
                row = await asked.listed(at.bucket, ANY)
                assert row.record.source == first.record.source
                jobs = await at.jobs().all()
                return any(job.record.state == "failed" for job in jobs)

            await until(has_failed)
            row = await asked.listed(at.bucket, ANY)
            assert await at.keys(row, limit=10) == names(entries(5))
            assert len(await at.jobs().all()) == 2  # not tried again and again

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


# --- pages ----------------------------------------------------------------------------------------


def copy_of(size: int) -> bytes:
    return encode(
        Object(
            size, 1, "etag", "STANDARD", {}, "", "", [], b"", {}, {}, ("md5", "x"), [], 0, 1,
        )
    )  # fmt: skip


def test_pages_have_prefixes_delimiters_and_places() -> None:
    async def story() -> None:
        async with site() as at:
            told = [Entry(key) for key in ("a", "b/1", "b/2", "b/c/3", "c/4", "d")]
            at.put(written(BUCKET, [told]))
            row = await at.inventories().listed(at.bucket, ANY)
            base = at.bucket.record.id
            found = await pages.page(at.store, row, Query(prefix=base, delimiter=b"/", limit=3))
            assert [key[ID:] for key, _ in found.page.rows] == [b"a"]
            assert [prefix[ID:] for prefix in found.page.prefixes] == [b"b/", b"c/"]
            assert found.page.truncated
            rest = Query(prefix=base, delimiter=b"/", skip=base + found.page.last[ID:], limit=3)
            after = await pages.page(at.store, row, rest)
            assert [key[ID:] for key, _ in after.page.rows] == [b"d"]
            assert await at.keys(row, after=base + b"b/2", limit=2) == ["b/c/3", "c/4"]
            inner = await pages.page(
                at.store, row, Query(prefix=base + b"b/", delimiter=b"/", limit=10)
            )
            assert [key[ID:] for key, _ in inner.page.rows] == [b"b/1", b"b/2"]

    run(story())


@pytest.mark.parametrize("delimiter", [b"", b"/"])
def test_copies_stand_in_the_place_of_their_entries(delimiter: bytes) -> None:
    async def story() -> None:
        async with site() as at:
            told = entries(6, folder="")
            at.put(written(BUCKET, [told]))
            row = await at.inventories().listed(at.bucket, ANY)
            base = at.bucket.record.id
            mine = {told[1].key: 100, told[4].key: 400, "0000002.bin-not-listed": 1}
            for key, size in mine.items():
                await at.index.commit(Put("object", base + key.encode(), copy_of(size)))
            query = Query(prefix=base, delimiter=delimiter, limit=5)
            found = await pages.page(at.store, row, query)
            sizes = [decode(Listed, raw).size for _, raw in found.page.rows]
            assert sizes == [0, 100, 2, 3, 400]
            assert found.states == {base + told[at].key.encode(): State.CACHED for at in (1, 4)}
            assert [key[ID:].decode() for key, _ in found.page.rows] == names(told[:5])

    run(story())


# --- the cluster's own ----------------------------------------------------------------------------


@pytest.mark.parametrize("provider", ["aws", "gcp", "azure"])
def test_the_clusters_own_is_made_of_a_listing(provider: str) -> None:
    async def story() -> None:
        async with site(provider) as at:
            keys = [f"{folder}/{number:04d}" for folder in "ab" for number in range(1300)]
            for key in keys:
                at.remote.store(BUCKET, key, key.encode())
            asked = at.inventories()
            job = await asked.create(
                at.bucket, name="mine", prefix="b/", chunk=0, force=False, user=""
            )
            view = await over(at.jobs(), job)
            assert view.record.result["objects"] == 1300
            row = await asked.listed(at.bucket, ANY)
            assert row.record.name == "mine"
            assert await at.keys(row, limit=5000) == keys[1300:]
            assert (await asked.listed(at.bucket, Where("mine"))).raw == row.raw
            with pytest.raises(InventoryNotFound):
                await asked.listed(at.bucket, Where("other"))
            shown = await asked.shown(at.bucket, "")
            assert shown is not None
            assert shown.record.finished >= shown.record.started > 0

    run(story())


def test_a_bucket_has_one_of_its_own_unless_it_is_replaced() -> None:
    async def story() -> None:
        async with site() as at:
            asked = at.inventories()
            more: dict[str, Any] = {"prefix": "", "chunk": 0, "user": ""}
            at.remote.store(BUCKET, "a", b"")
            await over(at.jobs(), await asked.create(at.bucket, name="x", force=False, **more))
            with pytest.raises(InventoryExists, match="already"):
                await asked.create(at.bucket, name="y", force=False, **more)
            at.remote.store(BUCKET, "b", b"")
            await over(at.jobs(), await asked.create(at.bucket, name="y", force=True, **more))
            row = await asked.listed(at.bucket, Where("y"))
            assert await at.keys(row, limit=9) == ["a", "b"]
            assert await at.count() == 2
            assert await asked.shown(at.bucket, "x") is None
            await asked.destroy(at.bucket, "")
            assert await asked.shown(at.bucket, "") is None
            assert await at.count() == 0
            with pytest.raises(InventoryNotFound):
                await asked.destroy(at.bucket, "")

    run(story())


@pytest.mark.parametrize(
    ("name", "chunk"), [("a b", 0), (".x", 0), ("x" * 65, 0), ("a", 1), ("a", 10**6)]
)
def test_what_the_clusters_own_cannot_be_is_refused(name: str, chunk: int) -> None:
    async def story() -> None:
        async with site() as at:
            with pytest.raises(InvalidArgument):
                await at.inventories(runs=False).create(
                    at.bucket, name=name, prefix="", chunk=chunk, force=False, user=""
                )

    run(story())


def test_one_that_is_being_made_is_busy_and_can_be_stopped() -> None:
    async def story() -> None:
        async with site() as at:
            held = asyncio.Event()

            async def hold(method: str, key: str) -> None:
                if method == "list":
                    await held.wait()

            at.remote.store(BUCKET, "a", b"")
            at.remote.before = hold
            asked = at.inventories()
            more: dict[str, Any] = {"prefix": "", "chunk": 0, "user": ""}
            job = await asked.create(at.bucket, name="x", force=False, **more)
            with pytest.raises(InventoryBusy, match=job):
                await asked.listed(at.bucket, ANY)
            with pytest.raises(InventoryExists, match=f"job {job} is making"):
                await asked.create(at.bucket, name="y", force=False, **more)
            await asked.destroy(at.bucket, "x")
            held.set()
            assert (await over(at.jobs(), job)).record.state == "aborted"
            assert await at.count() == 0

    run(story())


def test_another_worker_goes_on_where_one_ended() -> None:
    async def story() -> None:
        async with site() as at:
            keys = [f"{number:05d}" for number in range(walking.BATCH + 3000)]
            for key in keys:
                at.remote.store(BUCKET, key, b"")
            first = at.inventories("first", runs=False)
            job = await first.create(at.bucket, name="x", prefix="", chunk=0, force=False, user="")
            reached = asyncio.Event()

            async def hold(method: str, key: str) -> None:
                if method == "list" and await at.count() >= walking.BATCH:
                    reached.set()
                    await asyncio.Event().wait()

            at.remote.before = hold
            at.jobs("first", runs=True)
            await reached.wait()
            at.tasks[-1].cancel()
            await asyncio.wait([at.tasks.pop()])
            calls = at.remote.calls["list"]
            at.remote.before = None
            at.jobs("second", runs=True)
            view = await over(at.jobs(), job)
            assert view.record.state == "finished"
            assert view.record.result["objects"] == len(keys)
            assert at.remote.calls["list"] - calls == 3
            row = await first.listed(at.bucket, ANY)
            assert await at.keys(row, limit=10_000) == keys

    run(story())


def test_a_listing_that_would_never_end_is_refused() -> None:
    async def story() -> None:
        async with site() as at:
            at.remote.store(BUCKET, "a", b"")
            backend = await at.store.remotes.backend(at.store, at.bucket.record)  # type: ignore[union-attr]

            class Endless:
                async def list(self, **asked: Any) -> Any:
                    return (await backend.list())._replace(token="again")

            with pytest.raises(InventoryDamaged, match="out of place"):
                async for _ in walking.rows(Endless(), "", ""):  # type: ignore[arg-type]
                    pass

    run(story())


def test_names_that_are_no_text_are_passed_over() -> None:
    async def story() -> None:
        async with site() as at:
            for key in ("a", "b"):
                at.remote.store(BUCKET, key, b"")
            backend = await at.store.remotes.backend(at.store, at.bucket.record)  # type: ignore[union-attr]

            class Odd:
                async def list(self, **asked: Any) -> Any:
                    page = await backend.list()
                    return page._replace(entries=[*page.entries, RemoteEntry("c\udcff")])

            found = [key async for rows in walking.rows(Odd(), "", "") for key, _ in rows]  # type: ignore[arg-type]
            assert found == [b"a", b"b"]

    run(story())


# --- what is left over ----------------------------------------------------------------------------


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


def test_a_file_larger_than_it_is_said_to_be_is_not_fetched_whole() -> None:
    async def story() -> None:
        async with site() as at:
            files = written(BUCKET, [entries(5)])
            data = next(key for key in files if key.endswith(".csv.gz"))
            at.put({**files, data: b"x" * (4 << 20)})
            with pytest.raises(InventoryDamaged, match="size"):
                await at.inventories().listed(at.bucket, ANY)
            assert at.remote.bytes_read < 1 << 20
            assert at.remote.reading_now == 0

    run(story())
