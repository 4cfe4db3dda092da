"""Versions while others write, delete and remove: none is lost, and what `versions` promises of its
rows holds, however they interleave."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from aisle.core.errors import (
    BucketNotEmpty,
    BucketNotFound,
    DeleteMarkerFound,
    VersionNotFound,
    WriteConflict,
)
from aisle.namespace import buckets, destroy, housekeeping, objects
from aisle.namespace.records import Object
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.versions import arrival, removal, stack
from tests.namespace.support import (
    LARGE,
    disk_store,
    get,
    interposed_store,
    once,
    outcomes,
    pattern,
    put,
    rows,
    run,
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
    versioned_bucket,
)

KEY = b"k"


async def _storm(store: Store, bucket: BucketRow, seed: int, size: int) -> None:
    """Writers, deleters and removers of one key, all at once, and what must be there after."""
    choose = random.Random(seed)
    first = [await put(store, bucket, KEY, b"%d" % n) for n in range(3)]
    removed = {choose.choice(first).version for _ in range(2)}
    deleted: list[str] = []

    async def write(number: int) -> Object:
        return await put(store, bucket, KEY, pattern(size, number))

    async def delete() -> None:
        deleted.append(marker_of(await objects.delete(store, bucket, KEY)))

    work: list[Awaitable[object]] = [write(number) for number in range(6)]
    work += [delete() for _ in range(4)]
    work += [removal.remove(store, bucket, KEY, version) for version in removed]
    choose.shuffle(work)
    told = await outcomes(*work)
    assert not [outcome for outcome in told if isinstance(outcome, BaseException)]
    written = [record for record in told if isinstance(record, Object)]
    kept = {record.version for record in (*first, *written)} - removed
    found = await ids(store, bucket, KEY)
    assert set(found) == kept | set(deleted)
    assert len(found) == len(set(found))
    for record in written:
        assert len(await get_version(store, bucket, KEY, record.version)) == size
    await check_invariants(store)


@pytest.mark.parametrize("size", [10, LARGE])
@pytest.mark.parametrize("seed", range(25))
def test_writers_deleters_and_removers_lose_no_version(seed: int, size: int) -> None:
    async def work() -> None:
        store = unhurried_store(seed)
        await _storm(store, await versioned_bucket(store), seed, size)

    run(work())


@pytest.mark.parametrize("seed", range(3))
def test_the_same_over_sqlite(seed: int, tmp_path: Path) -> None:
    async def work() -> None:
        async with disk_store(tmp_path) as store:
            await _storm(store, await versioned_bucket(store), seed, 10)

    run(work())


@pytest.mark.parametrize("seed", range(25))
def test_suspended_writers_and_removers_of_markers_keep_the_invariants(seed: int) -> None:
    async def work() -> None:
        choose = random.Random(seed)
        store = unhurried_store(seed)
        bucket = await versioned_bucket(store)
        kept = await put(store, bucket, KEY, b"kept")
        await objects.delete(store, bucket, KEY)
        suspended = await switch(store, bucket, suspended=True)

        async def take_one() -> None:
            versions = await all_versions(store, bucket)
            others = [each.version for each in versions if each.version != kept.version]
            if others:
                await removal.remove(store, bucket, KEY, choose.choice(others))

        async def flip() -> None:
            await switch(store, bucket, suspended=choose.random() < 0.5)

        work: list[Callable[[], Awaitable[object]]] = [
            lambda: put(store, suspended, KEY, b"null"),
            lambda: objects.delete(store, suspended, KEY),
            take_one,
            flip,
        ]
        told = await outcomes(*(choose.choice(work)() for _ in range(16)))
        assert not [outcome for outcome in told if isinstance(outcome, BaseException)]
        found = await ids(store, bucket, KEY)
        assert kept.version in found
        assert found.count(NULL) <= 1
        await check_invariants(store)

    run(work())


async def _delete_and_write(store: Store, bucket: BucketRow) -> None:
    """A version and a marker come in front, and the version goes: only the marker is left."""
    record = await put(store, bucket, KEY, b"other")
    await objects.delete(store, bucket, KEY)
    await removal.remove(store, bucket, KEY, record.version)


@pytest.mark.parametrize("marked", [False, True])
@pytest.mark.parametrize("method", ["put", "delete"])
def test_a_place_that_was_taken_and_freed_meanwhile_is_not_taken(method: str, marked: bool) -> None:
    """Where a writer looks there is no object; before it commits its place has been used, and is
    free again, but a marker is above it by now."""

    async def work() -> None:
        store, index = interposed_store()
        bucket = await versioned_bucket(store)
        if marked:
            await objects.delete(store, bucket, KEY)
        once(index, "get", "hidden", lambda: _delete_and_write(store, bucket))
        if method == "put":
            record = await put(store, bucket, KEY, b"mine")
            assert await get(store, bucket, KEY) == b"mine"
            latest = record.version
        else:
            latest = marker_of(await objects.delete(store, bucket, KEY))
        assert index.after is None
        assert (await ids(store, bucket, KEY))[0] == latest
        await check_invariants(store)

    run(work())


@pytest.mark.parametrize("method", ["put", "delete"])
def test_a_null_version_that_comes_below_meanwhile_does_not_become_a_second_one(
    method: str,
) -> None:
    """As an import brings it: nothing changes on top of the key."""

    async def work() -> None:
        store, index = interposed_store()
        bucket = await versioned_bucket(store)
        first, kept = [await put(store, bucket, KEY, b"%d" % n) for n in range(2)]
        await removal.remove(store, bucket, KEY, first.version)
        bucket = await switch(store, bucket, suspended=True)

        async def arrive() -> None:
            base, null = bucket.record.id, stack.marker(first.seq, version="", now=1, owner="me")
            standing = await arrival.look(store, base, KEY, null.seq, null=True)
            changes = await arrival.changes_of(store, base, KEY, null, standing)
            await store.index.commit(*changes)

        once(index, "get", "null", arrive)
        if method == "put":
            await put(store, bucket, KEY, b"mine")
        else:
            await objects.delete(store, bucket, KEY)
        assert await ids(store, bucket, KEY) == [NULL, kept.version]
        await check_invariants(store)

    run(work())


def test_a_guess_that_there_are_no_versions_is_found_out() -> None:
    async def work() -> None:
        store, _ = interposed_store()
        bucket = await versioned_bucket(store)
        old = await put(store, bucket, KEY, b"old")
        await objects.delete(store, bucket, KEY)
        for n in range(20):
            await put(store, bucket, b"new %d" % n, b"")
        assert store.expects_new_keys
        record = await put(store, bucket, KEY, b"mine")
        assert record.seq == 3
        assert await get_version(store, bucket, KEY, old.version) == b"old"
        await check_invariants(store)

    run(work())


@pytest.mark.parametrize("method", ["get", "scan"])
@pytest.mark.parametrize("what", ["top", "below", "both"])
def test_removals_at_once_leave_a_current_version(what: str, method: str) -> None:
    """While the top is being removed, what is below it goes, or another comes in front."""

    async def work() -> None:
        store, index = interposed_store()
        bucket = await versioned_bucket(store)
        first, second, third = [await put(store, bucket, KEY, b"%d" % n) for n in range(3)]
        marker = marker_of(await objects.delete(store, bucket, KEY))

        async def interfere() -> None:
            if what in ("below", "both"):
                await removal.remove(store, bucket, KEY, third.version)
            if what in ("top", "both"):
                await objects.delete(store, bucket, KEY)

        once(index, method, "hidden" if method == "get" else "version", interfere)
        await removal.remove(store, bucket, KEY, marker)
        assert index.after is None
        await check_invariants(store)
        found = await ids(store, bucket, KEY)
        assert marker not in found
        assert found[-2:] == [second.version, first.version]

    run(work())


def test_two_markers_removed_at_once_bring_the_object_back() -> None:
    async def work() -> None:
        for seed in range(40):
            store = unhurried_store(seed)
            bucket = await versioned_bucket(store)
            await put(store, bucket, KEY, b"data")
            markers = [marker_of(await objects.delete(store, bucket, KEY)) for _ in range(3)]
            await outcomes(*(removal.remove(store, bucket, KEY, each) for each in markers))
            assert await get(store, bucket, KEY) == b"data"
            await check_invariants(store)

    run(work())


@pytest.mark.parametrize("table", ["object", "null"])
def test_a_version_that_moves_while_it_is_looked_for_is_found(table: str) -> None:
    async def work() -> None:
        store, index = interposed_store()
        bucket = await versioned_bucket(store)
        bucket = await switch(store, bucket, suspended=True)
        await put(store, bucket, KEY, b"null")
        bucket = await switch(store, bucket, suspended=False)
        top = await put(store, bucket, KEY, b"top")

        async def uncover() -> None:
            await removal.remove(store, bucket, KEY, top.version)
            if table == "null":
                await put(store, bucket, KEY, b"again")

        once(index, "get", table, uncover)
        assert await get_version(store, bucket, KEY, NULL) == b"null"

    run(work())


def test_a_version_that_goes_while_it_is_looked_for_is_not_found() -> None:
    async def work() -> None:
        store, index = interposed_store()
        bucket = await versioned_bucket(store)
        old = await put(store, bucket, KEY, b"old")
        await put(store, bucket, KEY, b"new")
        once(index, "get", "object", lambda: removal.remove(store, bucket, KEY, old.version))
        with pytest.raises(VersionNotFound):
            await get_version(store, bucket, KEY, old.version)

    run(work())


def test_a_sweep_takes_no_version_that_moves() -> None:
    """A version comes up and goes down again while the sweep looks for who names its blob."""

    async def work() -> None:
        for table, method in (("object", "get"), ("version", "scan"), ("hidden", "get")):
            store, index = interposed_store()
            bucket = await versioned_bucket(store)
            record = await put(store, bucket, KEY, pattern(LARGE))
            markers = [marker_of(await objects.delete(store, bucket, KEY))]

            async def up(
                store: Store = store, bucket: BucketRow = bucket, markers: list[str] = markers
            ) -> None:
                await removal.remove(store, bucket, KEY, markers.pop())

            async def down(
                store: Store = store, bucket: BucketRow = bucket, markers: list[str] = markers
            ) -> None:
                markers.append(marker_of(await objects.delete(store, bucket, KEY)))

            seen = [0]

            async def both(used: str, on: str) -> None:
                if (used, on) != (method, table) or seen[0] > 5:  # noqa: B023
                    return
                seen[0] += 1  # noqa: B023
                index_after, index.after = index.after, None  # noqa: B023
                await (up() if markers else down())  # noqa: B023
                index.after = index_after  # noqa: B023

            index.after = both
            await housekeeping.sweep_blobs(store, housekeeping.Report(), min_age=0)
            index.after = None
            assert seen[0]
            assert len(await get_version(store, bucket, KEY, record.version)) == LARGE
            await check_invariants(store)

    run(work())


@pytest.mark.parametrize("table", ["object", "version", "bucket"])
def test_a_version_that_comes_up_keeps_its_bucket(table: str) -> None:
    """DeleteBucket looks at the two tables one after the other."""

    async def work() -> None:
        store, index = interposed_store()
        bucket = await versioned_bucket(store)
        record = await put(store, bucket, KEY, b"data")
        marker = marker_of(await objects.delete(store, bucket, KEY))
        again = lambda: removal.remove(store, bucket, KEY, marker)  # noqa: E731
        once(index, "commit" if table == "bucket" else "scan", table, again)
        with pytest.raises(BucketNotEmpty):
            await buckets.delete(store, bucket.name)
        assert await get_version(store, bucket, KEY, record.version) == b"data"
        await check_invariants(store)

    run(work())


@pytest.mark.parametrize("seed", range(10))
def test_a_bucket_that_is_destroyed_leaves_nothing_whoever_writes(seed: int) -> None:
    async def work() -> None:
        store = unhurried_store(seed)
        bucket = await versioned_bucket(store)
        versions = [await put(store, bucket, KEY, pattern(LARGE, n)) for n in range(6)]
        marker = marker_of(await objects.delete(store, bucket, KEY))
        told = await outcomes(
            destroy.destroy(store, bucket.name),
            removal.remove(store, bucket, KEY, marker),
            *(removal.remove(store, bucket, KEY, each.version) for each in versions[2:4]),
            put(store, bucket, KEY, b"late"),
            objects.delete(store, bucket, KEY),
        )
        for outcome in told:
            if isinstance(outcome, BaseException):
                assert isinstance(outcome, BucketNotFound | WriteConflict | DeleteMarkerFound)
        if not isinstance(told[0], int):
            await destroy.destroy(store, bucket.name)
        for table in ("object", "version", "bucket"):
            assert await rows(store, table) == []
        assert [key for key in await rows(store, "hidden") if len(key) > 8] == []

    run(work())
