"""The cluster's own inventories, made of a remote's listing: replaced, stopped, gone on with."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aisle.backend.base import RemoteEntry
from aisle.core.errors import (
    InvalidArgument,
    InventoryBusy,
    InventoryDamaged,
    InventoryExists,
    InventoryNotFound,
)
from aisle.namespace.window.inventory import walking
from aisle.namespace.window.inventory.finding import Where
from tests.jobs.crew import over
from tests.jobs.inventoried import ANY, BUCKET, site
from tests.namespace.support import run


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
