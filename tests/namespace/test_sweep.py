"""The sweep: nothing is deleted on suspicion, and what is amiss is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from aisle.core.errors import BlobMissing
from aisle.namespace import bodies, buckets, housekeeping, objects
from aisle.namespace.records import PARTS_IN_ROW
from aisle.store.base import Delete
from tests.namespace.support import (
    HOUR,
    LARGE,
    begin,
    blob_ids,
    complete,
    disk_store,
    everything,
    get,
    interposed_store,
    make_bucket,
    memory_store,
    once,
    pattern,
    put,
    put_part,
    rows,
    run,
    sweep,
)


def test_orphans_are_removed_when_old_and_not_before(tmp_path: Path) -> None:
    async def main() -> None:
        async with disk_store(tmp_path) as store:
            bucket = await make_bucket(store)
            await put(store, bucket, b"k", pattern(LARGE))
            for owner in (bucket.record.id + b"k", bucket.record.id + b"gone", b"", b"x"):
                writer = await store.blobs.create(owner)
                await writer.write(bytes(1000))
                await writer.seal()
            await (await store.blobs.create(b"unsealed")).write(b"cut off")
            assert (await sweep(store, min_age=HOUR)).orphans == 0
            report = await sweep(store)
            assert (report.orphans, report.missing) == (5, [])
            assert report.orphan_bytes >= 4000
            assert await get(store, bucket, b"k") == pattern(LARGE)
            assert (await sweep(store)).orphans == 0

    run(main())


def test_a_sweep_touches_nothing_that_is_referred_to(tmp_path: Path) -> None:
    async def main() -> None:
        async with disk_store(tmp_path) as store:
            blobs = await everything(store)
            report = await sweep(store)
            assert (report.orphans, report.missing) == (0, [])
            assert await blob_ids(store) == blobs
            bucket = await buckets.find(store, "bucket")
            whole = b"".join(pattern(LARGE, n) for n in range(1, PARTS_IN_ROW + 2))
            for key in (b"many", b"copy"):
                assert await get(store, bucket, key) == whole

    run(main())


@pytest.mark.parametrize(
    ("method", "table"), [("get", "object"), ("scan", "upload"), ("scan", "part")]
)
@pytest.mark.parametrize("count", [1, PARTS_IN_ROW + 1])
def test_a_sweep_does_not_take_the_parts_of_an_upload_that_completes_meanwhile(
    method: str, table: str, count: int
) -> None:
    async def main() -> None:
        store, index = interposed_store()
        bucket = await make_bucket(store)
        upload = await begin(store, bucket, b"k")
        parts = [
            await put_part(store, bucket, upload, n, pattern(LARGE, n)) for n in range(1, count + 1)
        ]
        once(index, method, table, lambda: complete(store, bucket, upload, *parts))
        assert (await sweep(store)).orphans == 0
        if index.after is not None:  # the sweep has no such moment
            index.after = None
            await complete(store, bucket, upload, *parts)
        whole = b"".join(pattern(LARGE, n) for n in range(1, count + 1))
        assert await get(store, bucket, b"k") == whole

    run(main())


@pytest.mark.parametrize(("method", "table"), [("scan", "garbage"), ("scan", "upload")])
def test_a_sweep_leaves_what_is_given_up_meanwhile_to_the_grace(method: str, table: str) -> None:
    """A running read may need the bytes of an object that is deleted while the sweep looks."""

    async def main() -> None:
        store, index = interposed_store()
        bucket = await make_bucket(store)
        await put(store, bucket, b"k", pattern(LARGE))
        found = await objects.find(store, bucket, b"k")
        once(index, method, table, lambda: objects.delete(store, bucket, b"k"))
        assert (await sweep(store)).orphans == 0
        stream = bodies.read_extents(store, found.extents, 0, LARGE)
        assert b"".join([piece async for piece in stream]) == pattern(LARGE)

    run(main())


def test_missing_bytes_are_reported_by_key_and_nothing_is_changed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        store = memory_store()
        await everything(store)
        bucket = await buckets.find(store, "bucket")
        await put(store, bucket, b"row", b"small")
        broken = [b"plain", b"few", b"row", b"many", b"copy"]
        for key in broken:
            record = await objects.head(store, bucket, key)
            extents = (await objects.find(store, bucket, key)).extents
            if record.layout:
                await store.index.commit(Delete("layout", record.layout))
            elif extents[0].inline:
                await store.index.commit(Delete("body", extents[0].blob))
            else:
                await store.blobs.delete(extents[-1].blob)
        before = await rows(store, "object"), await blob_ids(store)
        report = await sweep(store)
        assert report.missing == sorted(key.decode() for key in broken)
        # The blobs of `many` are kept though the row that names them is lost.
        assert report.orphans == 0
        assert (await rows(store, "object"), await blob_ids(store)) == before
        assert caplog.text.count("refers to missing bytes") == len(broken)

    run(main())


def test_missing_rows_are_an_error_of_the_store_and_not_a_conflict() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        await put(store, bucket, b"row", b"small")
        record = await objects.head(store, bucket, b"row")
        await store.index.commit(Delete("body", record.extents[0].blob))
        with pytest.raises(BlobMissing):
            await get(store, bucket, b"row")
        upload = await begin(store, bucket, b"many")
        parts = [await put_part(store, bucket, upload, n, b"x") for n in range(1, 7)]
        layout = (await complete(store, bucket, upload, *parts)).layout
        await store.index.commit(Delete("layout", layout))
        with pytest.raises(BlobMissing):
            await get(store, bucket, b"many")

    run(main())


def test_the_sweep_reads_its_age_from_the_settings() -> None:
    async def main() -> None:
        store = memory_store()
        writer = await store.blobs.create(b"owner")
        await writer.seal()
        assert (await housekeeping.sweep(store)).orphans == 0
        await store.change_config({"space.sweep_age": "0s"})
        assert (await housekeeping.sweep(store)).orphans == 1

    run(main())
