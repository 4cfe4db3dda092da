"""Renames and custom metadata: one visible moment, and nothing of an object is lost by it."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest

from aisle.core.errors import BodyCorrupt, InvalidArgument, InvalidRequest, ObjectNotFound
from aisle.namespace import buckets, edits, housekeeping, objects, reads
from aisle.namespace.records import PARTS_IN_ROW
from aisle.namespace.store import BucketRow, Store
from aisle.store.base import Delete, Put
from aisle.store.files import FileBlobs
from tests.namespace.support import (
    DAY,
    LARGE,
    Clock,
    blob_ids,
    disk_store,
    get,
    interposed_store,
    make_bucket,
    memory_store,
    multipart,
    nothing_leaks,
    once,
    outcomes,
    pattern,
    put,
    rows,
    run,
    sweep,
    unhurried_store,
)


@pytest.mark.parametrize("count", [1, PARTS_IN_ROW + 1])
def test_a_renamed_object_survives_every_sweep(tmp_path: Path, count: int) -> None:
    async def main() -> None:
        clock = Clock()
        async with disk_store(tmp_path, clock) as store:
            bucket = await make_bucket(store)
            await multipart(store, bucket, b"a", [LARGE] * count)
            data = b"".join(pattern(LARGE, number) for number in range(1, count + 1))
            names = [b"a", b"b", b"c", b"a", b"d"]
            for old, new in pairwise(names):
                await edits.rename(store, bucket, old, new)
                with pytest.raises(ObjectNotFound):
                    await get(store, bucket, old)
                report = await sweep(store)
                assert (report.orphans, report.missing) == (0, [])
                assert await get(store, bucket, new) == data
            await objects.delete(store, bucket, b"d")
            clock.now += DAY
            await housekeeping.collect_garbage(store, grace=0)
            assert await blob_ids(store) == set()
            assert await rows(store, "moved") == []

    run(main())


def test_what_is_left_of_a_renamed_object_is_an_orphan(tmp_path: Path) -> None:
    async def main() -> None:
        async with disk_store(tmp_path) as store:
            bucket = await make_bucket(store)
            await put(store, bucket, b"a", pattern(LARGE))
            await edits.rename(store, bucket, b"a", b"b")
            # As if the row had been lost: nobody names the blob any more.
            row = bucket.record.id + b"b"
            await store.index.commit(Delete("object", row))
            assert (await sweep(store)).orphans == 1
            assert await rows(store, "moved") == []

    run(main())


def test_a_rename_during_the_sweep_costs_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        store, index = interposed_store()
        bucket = await make_bucket(store)
        await put(store, bucket, b"a", pattern(LARGE))
        await edits.rename(store, bucket, b"a", b"b")
        # The sweep has found the blob under its first name no more; now it moves on, and back.
        once(index, "get", "moved", lambda: edits.rename(store, bucket, b"b", b"a"))
        report = housekeeping.Report()
        await housekeeping.sweep_blobs(store, report, min_age=0)
        assert report.orphans == 0
        assert await get(store, bucket, b"a") == pattern(LARGE)

    run(main())


def test_a_rename_takes_the_place_of_what_was_there() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        await put(store, bucket, b"a", b"small")
        await put(store, bucket, b"b", pattern(LARGE))
        await put(store, bucket, b"b", pattern(LARGE))
        record = await edits.rename(store, bucket, b"a", b"b")
        assert record.seq == 3
        assert await get(store, bucket, b"b") == b"small"
        await nothing_leaks(store)

    run(main())


def test_a_rename_that_cannot_be() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        with pytest.raises(ObjectNotFound):
            await edits.rename(store, bucket, b"absent", b"b")
        await put(store, bucket, b"a", b"")
        with pytest.raises(InvalidRequest):
            await edits.rename(store, bucket, b"a", b"a")
        assert await rows(store, "object") == [bucket.record.id + b"a"]

    run(main())


@pytest.mark.parametrize("seed", range(5))
def test_of_many_renames_of_one_object_one_wins(seed: int) -> None:
    async def main() -> None:
        store = unhurried_store(seed)
        bucket = await make_bucket(store)
        await put(store, bucket, b"a", pattern(LARGE))
        tried = await outcomes(*(edits.rename(store, bucket, b"a", b"to%d" % n) for n in range(6)))
        assert sum(isinstance(one, ObjectNotFound) for one in tried) == 5
        (row,) = await rows(store, "object")
        assert await get(store, bucket, row[8:]) == pattern(LARGE)
        await nothing_leaks(store)

    run(main())


def test_a_rename_ties_its_object_to_the_bucket() -> None:
    async def main() -> None:
        store, index = interposed_store()
        bucket = await make_bucket(store)
        await put(store, bucket, b"a", b"x")

        async def mark() -> None:
            with pytest.raises(Exception, match="not empty"):
                await buckets.delete(store, bucket.name)

        once(index, "get_many", "object", mark)
        await edits.rename(store, bucket, b"a", b"b")
        assert await get(store, bucket, b"b") == b"x"

    run(main())


def test_custom_metadata_is_merged_or_replaced_and_nothing_else_changes() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        before = await put(store, bucket, b"a", b"x")
        await edits.set_custom(store, bucket, b"a", {"one": "1", "two": "2"})
        merged = await edits.set_custom(store, bucket, b"a", {"two": "zwei"})
        assert merged.meta == {"one": "1", "two": "zwei"}
        assert (merged.seq, merged.mtime, merged.etag) == (before.seq, before.mtime, before.etag)
        replaced = await edits.set_custom(store, bucket, b"a", {"three": "3"}, replace=True)
        assert replaced.meta == {"three": "3"}
        assert await get(store, bucket, b"a") == b"x"
        with pytest.raises(ObjectNotFound):
            await edits.set_custom(store, bucket, b"absent", {"a": "b"})

    run(main())


@pytest.mark.parametrize("seed", range(5))
def test_no_entry_is_lost_among_many_writers(seed: int) -> None:
    async def main() -> None:
        store = unhurried_store(seed)
        bucket = await make_bucket(store)
        await put(store, bucket, b"a", b"x")
        await asyncio.gather(
            *(edits.set_custom(store, bucket, b"a", {f"n{n}": str(n)}) for n in range(8))
        )
        assert len((await objects.head(store, bucket, b"a")).meta) == 8

    run(main())


def test_custom_metadata_has_a_limit() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        await put(store, bucket, b"a", b"x")
        await edits.set_custom(store, bucket, b"a", {"k": "v" * (edits.MAX_CUSTOM_BYTES - 1)})
        for more in ({"l": ""}, {"k": "é" * 1024}):
            with pytest.raises(InvalidArgument):
                await edits.set_custom(store, bucket, b"a", more)
        many = {f"{n}": "" for n in range(edits.MAX_CUSTOM + 1)}
        with pytest.raises(InvalidArgument):
            await edits.set_custom(store, bucket, b"a", many, replace=True)

    run(main())


async def damage(store: Store, bucket: BucketRow, key: bytes, small: bool) -> None:
    """Change one byte of what is stored, behind the store's back."""
    record = await objects.head(store, bucket, key)
    (extent,) = record.extents
    if small:
        data = await store.index.get("body", extent.blob)
        assert data is not None
        await store.index.commit(Put("body", extent.blob, b"!" + data[1:]))
        return
    assert isinstance(store.blobs, FileBlobs)
    (path,) = store.blobs.mountpaths[0].path.rglob(extent.blob.hex())
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"!")


@pytest.mark.parametrize("size", [100, 5_000_000])
def test_a_damaged_object_is_never_read_whole(tmp_path: Path, size: int) -> None:
    async def main() -> None:
        async with disk_store(tmp_path) as store:
            bucket = await make_bucket(store, props={"checksum.validate_warm_get": True})
            data = pattern(size)
            await put(store, bucket, b"a", data)
            assert await _whole(store, bucket) == data
            await damage(store, bucket, b"a", size == 100)
            given = bytearray()
            with pytest.raises(BodyCorrupt):
                await _whole(store, bucket, given)
            assert len(given) < size

    run(main())


def test_without_the_setting_nothing_is_verified(tmp_path: Path) -> None:
    async def main() -> None:
        async with disk_store(tmp_path) as store:
            bucket = await make_bucket(store)
            await put(store, bucket, b"a", pattern(100))
            await damage(store, bucket, b"a", small=True)
            assert await _whole(store, bucket) != pattern(100)

    run(main())


async def _whole(store: Store, bucket: BucketRow, given: bytearray | None = None) -> bytes:
    given = bytearray() if given is None else given
    found, small = await objects.find_small(store, bucket, b"a")
    body = await reads.whole(store, bucket, "a", found, small)
    if isinstance(body, bytes):
        return body
    async for piece in body:
        given += piece
    return bytes(given)
