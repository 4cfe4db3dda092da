"""Amazon's inventories that are damaged: nothing of them is listed, kept or fetched without end."""

from __future__ import annotations

import pytest

from aisle.core.errors import InventoryDamaged
from aisle.jobs import inventories as module
from aisle.namespace.records import Inventory, decode
from aisle.namespace.window.inventory import generations
from tests.inventories import entries, resealed, written
from tests.jobs.crew import until
from tests.jobs.inventoried import ANY, BUCKET, LATER, names, site
from tests.namespace.support import run


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
