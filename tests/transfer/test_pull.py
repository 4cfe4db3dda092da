"""Passes over a serving source: what changes there, and what clients do here. What breaks off is in
test_pull_lost."""

from __future__ import annotations

import asyncio

import pytest

from aisle.core.errors import ConfigError
from aisle.core.names import BucketName
from aisle.namespace import buckets, objects, uploads
from aisle.namespace.transfer.exporting import Limit
from aisle.namespace.transfer.pull import Pull
from aisle.namespace.transfer.terms import Totals
from tests.namespace.support import (
    LARGE,
    begun,
    complete,
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
    unhurried_store,
)
from tests.transfer.support import Direct, contents, export, fill, import_all, pull, same


@pytest.mark.parametrize("items", [1, 2, 3, 5, 1000])
def test_a_pass_brings_everything_and_the_next_nothing(items: int) -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        await fill(source)
        direct = Direct(source, limit=Limit(items, 1 << 20))
        totals = await pull(target, direct)
        await same(source, target)
        assert totals.refused == totals.kept == 0
        direct.sent = 0
        totals = await pull(target, direct)
        assert totals.changes == totals.refused == totals.kept == 0
        # Rows alone went over the wire.
        assert direct.sent < 3 * LARGE
        await same(source, target)

    run(work())


def test_pages_end_by_their_bytes_too() -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        await fill(source)
        direct = Direct(source, limit=Limit(1000, 1))
        await pull(target, direct)
        await same(source, target)

    run(work())


def test_what_changes_at_the_source_follows() -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        await fill(source)
        direct = Direct(source)
        await pull(target, direct)
        bucket = await buckets.find(source, "first")
        await put(source, bucket, b"small", b"changed")
        await put(source, bucket, b"large", pattern(LARGE, 9))
        await put(source, bucket, b"another", b"new")
        page = await source.index.scan("upload", prefix=bucket.record.id, limit=1)
        upload = await uploads.find(source, bucket, b"live", page[0][0][-16:].hex())
        await put_part(source, bucket, upload, 2, b"the part again")
        await make_bucket(source, "fourth")
        totals = await pull(target, direct)
        assert (totals.buckets, totals.objects, totals.parts, totals.kept) == (1, 3, 1, 0)
        await same(source, target)

    run(work())


def test_what_clients_write_at_the_target_stays() -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        await fill(source)
        bucket = await make_bucket(target, "first")  # before the first pass
        await put(target, bucket, b"small", b"mine")
        direct = Direct(source)
        told: list[str] = []
        totals = await pull(target, direct, told=told)
        assert await get(target, bucket, b"small") == b"mine"
        assert totals.kept == 2  # and the bucket's own row
        # After it: an object replaced, one deleted, one made, all of which the source changes.
        await put(target, bucket, b"large", b"mine too")
        await objects.delete(target, bucket, b"inline")
        await put(target, bucket, b"made", b"mine as well")
        there = await buckets.find(source, "first")
        for key in (b"small", b"large", b"inline", b"made"):
            await put(source, there, key, b"the source's " + key)
        told = []
        for _ in range(2):
            totals = await pull(target, direct, delete=True, told=told)
            assert (totals.objects, totals.kept) == (0, 5)
            assert "kept ais://first/inline as it is at the target" in told
        assert await get(target, bucket, b"small") == b"mine"
        assert await get(target, bucket, b"large") == b"mine too"
        assert await get(target, bucket, b"made") == b"mine as well"
        assert await target.index.get("object", bucket.record.id + b"inline") is None

    run(work())


@pytest.mark.parametrize("size", [3, LARGE, 3 << 20])
def test_a_client_that_writes_while_bytes_come_wins(size: int) -> None:
    async def work() -> None:
        source = memory_store()
        bucket = await make_bucket(source)
        await put(source, bucket, b"a", pattern(size))
        target, index = interposed_store()
        direct = Direct(source)
        await pull(target, direct)
        there = await buckets.find(target, "bucket")
        await put(source, bucket, b"a", pattern(size, 2))

        async def client() -> None:
            await put(target, there, b"a", b"the client's")

        once(index, "get", "object", client)
        totals = await pull(target, direct)
        assert totals.kept == 1
        assert await get(target, there, b"a") == b"the client's"
        assert (await sweep(target)).orphans == 0

    run(work())


def test_deletions_follow_where_they_are_asked_for() -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        await fill(source)
        for items in (1, 2, 1000):
            direct = Direct(source, limit=Limit(items, 1 << 20))
            bucket = await buckets.find(source, "first")
            for key in (b"aaa", b"few2", b"zzz"):
                await put(source, bucket, key, pattern(LARGE))
            upload = await begun(source, bucket, b"begun", 5, 6)
            await pull(target, direct)
            await same(source, target)
            for key in (b"aaa", b"few2", b"zzz"):
                await objects.delete(source, bucket, key)
            await uploads.abort(source, upload)
            totals = await pull(target, direct)
            assert totals.deleted == 0
            assert (
                len((await contents(target)).objects) == len((await contents(source)).objects) + 3
            )
            totals = await pull(target, direct, delete=True)
            assert totals.deleted == 4
            await same(source, target)

    run(work())


def test_what_clients_have_changed_is_not_deleted() -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        bucket = await make_bucket(source)
        for key in (b"changed", b"deleted", b"same"):
            await put(source, bucket, key, b"1")
        upload = await begun(source, bucket, b"live", 5)
        direct = Direct(source)
        await pull(target, direct)
        there = await buckets.find(target, "bucket")
        await put(target, there, b"changed", b"mine")
        await put(target, there, b"own", b"mine")
        await objects.delete(target, there, b"deleted")
        going_on = await uploads.find(target, there, b"live", upload.record.id.hex())
        await put_part(target, there, going_on, 2, b"mine")
        for key in (b"changed", b"deleted", b"same"):
            await objects.delete(source, bucket, key)
        await uploads.abort(source, upload)
        totals = await pull(target, direct, delete=True)
        assert totals.deleted == 1
        assert {key for _, key in (await contents(target)).objects} == {b"changed", b"own"}
        assert len(await uploads.list_parts(target, going_on, after=0, limit=10)) == 2
        # What the source makes anew comes where no client has anything.
        for key in (b"changed", b"deleted"):
            await put(source, bucket, key, b"again")
        totals = await pull(target, direct, delete=True)
        assert (totals.objects, totals.kept) == (1, 1)
        assert await get(target, there, b"deleted") == b"again"

    run(work())


def test_a_bucket_that_a_client_has_deleted_does_not_come_back() -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        await fill(source)
        direct = Direct(source)
        await pull(target, direct)
        await buckets.delete(target, BucketName("third"))
        await put(source, await buckets.find(source, "third"), b"a", b"1")
        told: list[str] = []
        totals = await pull(target, direct, told=told)
        assert totals.refused == 1
        assert told == ["refused ais://third: it was deleted at the target"]
        assert len(await buckets.list_all(target)) == 2

    run(work())


def test_a_bucket_that_is_gone_from_the_source_stays() -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        await fill(source)
        direct = Direct(source)
        await pull(target, direct)
        await buckets.delete(source, BucketName("third"))
        assert (await pull(target, direct, delete=True)).changes == 0
        assert len(await buckets.list_all(target)) == 3

    run(work())


def test_an_upload_that_is_completed_at_the_source_comes_as_an_object() -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        await source.change_config({"multipart.min_part_size": "0"})
        bucket = await make_bucket(source)
        upload = await begun(source, bucket, b"a", LARGE, 5)
        direct = Direct(source)
        await pull(target, direct)
        parts = await uploads.list_parts(source, upload, after=0, limit=10)
        await complete(source, bucket, upload, *parts)
        totals = await pull(target, direct, delete=True)
        assert (totals.objects, totals.deleted) == (1, 1)
        await same(source, target)

    run(work())


def test_an_import_from_a_file_is_the_first_pass_of_a_pull() -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        await fill(source)
        await import_all(target, await export(source))
        direct = Direct(source)
        totals = await pull(target, direct)
        assert totals.changes == totals.kept == 0
        bucket = await buckets.find(source, "first")
        await put(source, bucket, b"small", b"changed")
        await objects.delete(source, bucket, b"large")
        totals = await pull(target, direct, delete=True)
        assert (totals.objects, totals.deleted) == (1, 1)
        await same(source, target)

    run(work())


def test_what_changes_while_rows_are_adopted_is_not_taken_for_the_pulls() -> None:
    async def work() -> None:
        source = memory_store()
        bucket = await make_bucket(source)
        for number in range(150):
            await put(source, bucket, b"%03d" % number, b"1")
        target, index = interposed_store()
        await import_all(target, await export(source))
        there = await buckets.find(target, "bucket")

        async def client() -> None:
            await put(target, there, b"007", b"mine")

        once(index, "get_many", "pulled", client)
        await pull(target, Direct(source, limit=Limit(1000, 1 << 20)))
        assert len(await rows(target, "pulled")) == 150  # the bucket, and all but that object
        for key in (b"007", b"008"):
            await put(source, bucket, key, b"changed")
        assert (await pull(target, Direct(source))).kept == 1
        assert await get(target, there, b"007") == b"mine"
        assert await get(target, there, b"008") == b"changed"

    run(work())


def test_once_finished_everything_is_the_targets_own() -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        await fill(source)
        puller = Pull(target, Direct(source), patience=0.0)
        await puller.run_pass(Totals())
        assert await rows(target, "pulled")
        await puller.finish()
        assert await rows(target, "pulled") == []

    run(work())


def test_two_sources_may_be_pulled_into_one_store() -> None:
    async def work() -> None:
        one, other, target = memory_store(), memory_store(), memory_store()
        await put(one, await make_bucket(one), b"a", b"one")
        bucket = await make_bucket(other)
        await put(other, bucket, b"a", b"other")
        await put(other, bucket, b"b", b"other")
        await pull(target, Direct(one))
        totals = await pull(target, Direct(other), delete=True)
        assert (totals.objects, totals.kept) == (1, 1)
        there = await buckets.find(target, "bucket")
        assert await get(target, there, b"a") == b"one"
        assert (await pull(target, Direct(one), delete=True)).changes == 0
        assert await get(target, there, b"b") == b"other"

    run(work())


def test_a_store_is_not_pulled_into_itself() -> None:
    async def work() -> None:
        store = memory_store()
        await fill(store)
        with pytest.raises(ConfigError, match="the very store"):
            await pull(store, Direct(store))

    run(work())


@pytest.mark.parametrize("seed", range(4))
def test_passes_while_both_sides_are_written_to_end_with_the_same(seed: int) -> None:
    async def work() -> None:
        source, target = unhurried_store(seed), unhurried_store(seed + 100)
        bucket = await make_bucket(source)
        direct = Direct(source, limit=Limit(4, 1 << 20))
        mine = set[bytes]()
        await pull(target, direct)

        async def at_source(number: int) -> None:
            for turn in range(12):
                key = b"%02d" % ((turn * 5 + number * 3) % 15)
                if turn % 4 == 3:
                    await objects.delete(source, bucket, key)
                else:
                    size = LARGE if turn % 3 == 0 else 9
                    await put(source, bucket, key, pattern(size, turn * 10 + number))

        async def at_target() -> None:
            there = await buckets.find(target, "bucket")
            for turn in range(6):
                key = b"%02d" % ((turn * 7) % 15)
                await put(target, there, key, b"mine " + key)
                mine.add(key)

        async def passes() -> None:
            for _ in range(4):
                await pull(target, direct, delete=True)

        await asyncio.gather(at_source(0), at_source(1), at_target(), passes())
        await pull(target, direct, delete=True)
        assert (await pull(target, direct, delete=True)).changes == 0
        there = await buckets.find(target, "bucket")
        found = {key: thing.data for (_, key), thing in (await contents(target)).objects.items()}
        wanted = {key: thing.data for (_, key), thing in (await contents(source)).objects.items()}
        wanted |= {key: b"mine " + key for key in mine}
        assert found == wanted
        assert there.record.name == "bucket"
        assert (await sweep(target)).orphans == 0

    run(work())
