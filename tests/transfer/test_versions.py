"""Versions on the move: by a file, by an import that is run again, by pulls while both sides
change."""

from __future__ import annotations

import random

import msgspec
import pytest

from aisle.core.errors import DeleteMarkerFound
from aisle.namespace import buckets, edits, objects
from aisle.namespace.records import Lock, Object
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.transfer.exporting import Limit
from aisle.namespace.transfer.source import SourceLost
from aisle.namespace.versions import removal
from tests.namespace.support import (
    DAY,
    LARGE,
    get,
    make_bucket,
    memory_store,
    multipart,
    pattern,
    put,
    run,
    sweep,
    unhurried_store,
)
from tests.namespace.versioned import (
    NULL,
    all_versions,
    check_invariants,
    get_version,
    ids,
    marker_of,
    switch,
)
from tests.transfer.support import Direct, contents, export, fill, import_all, pull, same, verify

KEY = b"key"


async def fill_versions(store: Store) -> BucketRow:
    """Histories of all kinds in one bucket, beside buckets without versions."""
    await fill(store)
    bucket = await make_bucket(store, "versions")
    await put(store, bucket, b"was/there", b"before")
    await put(store, bucket, b"gone", pattern(LARGE, 1))
    bucket = await switch(store, bucket, suspended=False)
    for n in range(3):
        await put(store, bucket, KEY, pattern(LARGE * n, n))
    await multipart(store, bucket, KEY, [LARGE, 0, 10, LARGE, 1, 100])
    record = await put(store, bucket, b"tagged", b"1")
    await edits.change(store, bucket, b"tagged", _described, version=record.version)
    await put(store, bucket, b"tagged", b"2")
    await put(store, bucket, b"gone", b"again")
    await objects.delete(store, bucket, b"gone", owner="somebody")
    await objects.delete(store, bucket, b"never\x00there")
    await objects.delete(store, bucket, b"never\x00there")
    bucket = await switch(store, bucket, suspended=True)
    await put(store, bucket, b"was/there", b"null again")
    await objects.delete(store, bucket, b"tagged")
    return await switch(store, bucket, suspended=False)


def _described(record: Object) -> Object:
    lock = Lock("GOVERNANCE", 2_000_000_000 * 10**9, True)
    return msgspec.structs.replace(record, tags={"a": "b"}, lock=lock)


def test_an_export_holds_every_version_and_an_import_brings_it() -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        bucket = await fill_versions(source)
        stream = await export(source)
        assert await verify(stream) == []
        totals = await import_all(target, stream)
        assert totals.refused == totals.kept == 0
        await same(source, target)
        there = await buckets.find(target, "versions")
        assert there.record.versions == "Enabled"
        assert await all_versions(target, there) == await all_versions(source, bucket)
        totals = await import_all(target, stream)
        assert totals.changes == totals.refused == totals.kept == 0
        await same(source, target)

    run(work())


@pytest.mark.parametrize("seed", range(8))
def test_the_order_of_commits_does_not_matter(seed: int) -> None:
    async def work() -> None:
        source, target = memory_store(), unhurried_store(seed)
        await fill_versions(source)
        await import_all(target, await export(source))
        await same(source, target)

    run(work())


def test_an_import_that_was_broken_off_goes_on() -> None:
    async def work() -> None:
        source = memory_store()
        await fill_versions(source)
        stream = await export(source)
        target = memory_store()
        for cut in range(len(stream) // 9, len(stream), len(stream) // 9):
            with pytest.raises(Exception, match="ends"):
                await import_all(target, stream[:cut])
            await check_invariants(target)
        await import_all(target, stream)
        await same(source, target)

    run(work())


def test_a_bucket_without_versions_takes_none() -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        bucket = await switch(source, await make_bucket(source), suspended=False)
        for n in range(2):
            await put(source, bucket, KEY, b"%d" % n)
        await make_bucket(target)
        totals = await import_all(target, await export(source))
        assert (totals.objects, totals.refused) == (0, 2)

    run(work())


@pytest.mark.parametrize("items", [1, 2, 3, 1000])
def test_a_pass_brings_everything_and_the_next_nothing(items: int) -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        await fill_versions(source)
        direct = Direct(source, limit=Limit(items, 1 << 20))
        totals = await pull(target, direct, delete=True)
        assert totals.refused == totals.kept == totals.deleted == 0
        await same(source, target)
        direct.sent = 0
        totals = await pull(target, direct, delete=True)
        assert totals.changes == totals.refused == totals.kept == 0
        assert direct.sent < 4 * LARGE  # rows alone went over the wire
        await same(source, target)

    run(work())


def test_a_lost_connection_is_taken_up_inside_a_version() -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        bucket = await switch(source, await make_bucket(source), suspended=False)
        first = await put(source, bucket, KEY, pattern(40 * LARGE, 1))
        await put(source, bucket, KEY, b"new")
        direct = Direct(source)
        direct.breaks = [10**9, 20 * LARGE, 10**9]
        for _ in range(4):
            try:
                await pull(target, direct)
            except SourceLost:  # the pull has no patience here
                continue
            break
        await same(source, target)
        there = await buckets.find(target, "bucket")
        assert await get_version(target, there, KEY, first.version) == pattern(40 * LARGE, 1)

    run(work())


@pytest.mark.parametrize("seed", range(20))
def test_whatever_changes_at_the_source_follows(seed: int) -> None:
    async def work() -> None:
        choose = random.Random(seed)
        source, target = memory_store(), memory_store()
        bucket = await switch(source, await make_bucket(source), suspended=False)
        direct = Direct(source, limit=Limit(choose.choice([1, 3, 1000]), 1 << 20))
        keys = [b"a", b"a\x00", b"b/c"]
        for _ in range(6):
            for _ in range(8):
                await _change(source, bucket, choose, choose.choice(keys))
            bucket = await switch(source, bucket, suspended=choose.random() < 0.3)
            # A null version that has moved down waits for the deletion of what is above it.
            while (await pull(target, direct, delete=True)).changes:
                await check_invariants(target)
            found = await buckets.find(target, "bucket")
            assert await all_versions(target, found) == await all_versions(source, bucket)
        report = await sweep(target)
        assert (report.orphans, report.missing) == (0, [])

    run(work())


async def _change(store: Store, bucket: BucketRow, choose: random.Random, key: bytes) -> None:
    what = choose.randrange(6)
    if what < 3:
        await put(store, bucket, key, pattern(choose.choice([1, LARGE]), choose.randrange(99)))
    elif what == 3:
        await objects.delete(store, bucket, key)
    else:
        versions = await ids(store, bucket, key)
        if versions:
            await removal.remove(store, bucket, key, choose.choice(versions))


def test_a_bucket_that_becomes_versioned_at_the_source_does_so_here() -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        bucket = await make_bucket(source)
        await put(source, bucket, KEY, b"before")
        await pull(target, Direct(source))
        bucket = await switch(source, bucket, suspended=False)
        await put(source, bucket, KEY, b"after")
        await objects.delete(source, bucket, b"other")
        totals = await pull(target, Direct(source), delete=True)
        assert totals.kept == 0
        await same(source, target)
        there = await buckets.find(target, "bucket")
        assert await get_version(target, there, KEY, NULL) == b"before"

    run(work())


def test_what_a_client_does_here_is_not_undone() -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        bucket = await switch(source, await make_bucket(source), suspended=False)
        for key in (b"written", b"deleted", b"removed"):
            await put(source, bucket, key, b"old")
            await put(source, bucket, key, b"new")
        direct = Direct(source)
        await pull(target, direct)
        here = await buckets.find(target, "bucket")
        mine = await put(target, here, b"written", b"mine")
        marker = marker_of(await objects.delete(target, here, b"deleted"))
        new, old = await ids(target, here, b"removed")
        await removal.remove(target, here, b"removed", old)
        for key in (b"written", b"deleted"):
            await put(source, bucket, key, b"newest")
        for _ in range(2):
            totals = await pull(target, direct, delete=True)
            assert totals.deleted == 0
            assert (await ids(target, here, b"written"))[0] == mine.version
            assert (await ids(target, here, b"deleted"))[0] == marker
            assert await ids(target, here, b"removed") == [new]
            assert await get(target, here, b"written") == b"mine"
            with pytest.raises(DeleteMarkerFound):
                await get(target, here, b"deleted")
            await check_invariants(target)

    run(work())


def test_a_locked_version_that_has_gone_from_the_source_stays_here() -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        bucket = await switch(source, await make_bucket(source), suspended=False)
        record = await put(source, bucket, KEY, b"data")
        lock = Lock("GOVERNANCE", source.now() + DAY)

        def locked(old: Object) -> Object:
            return msgspec.structs.replace(old, lock=lock)

        await edits.change(source, bucket, KEY, locked, version=record.version)
        direct = Direct(source)
        await pull(target, direct, delete=True)
        await removal.remove(source, bucket, KEY, record.version, bypass=True)
        totals = await pull(target, direct, delete=True)
        assert totals.deleted == 0
        here = await buckets.find(target, "bucket")
        assert await ids(target, here, KEY) == [record.version]

    run(work())


def test_two_exports_of_the_same_are_the_same_bytes() -> None:
    async def work() -> None:
        source = memory_store()
        await fill_versions(source)
        assert await export(source) == await export(source)
        assert (await contents(source)).objects

    run(work())
