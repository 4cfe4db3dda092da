"""Emptying and destroying a bucket beside writers, and being killed in the middle of it."""

from __future__ import annotations

import pytest

from aisle.core.errors import BucketNotFound
from aisle.namespace import buckets, destroy, objects
from aisle.namespace.store import Store
from tests.namespace.support import (
    Interposed,
    get,
    interposed_store,
    make_bucket,
    once,
    put,
    rows,
    run,
)
from tests.namespace.versioned import (
    all_versions,
    check_invariants,
    get_version,
    ids,
    marker_of,
    versioned_bucket,
)

KEY = b"k"


class Killed(BaseException):
    """The process is gone."""


def kill(index: Interposed, method: str, table: str) -> None:
    async def gone() -> None:
        raise Killed

    once(index, method, table, gone)


async def killed(store: Store) -> None:
    with pytest.raises(Killed):
        await destroy.destroy(store, (await buckets.find(store, "bucket")).name)


@pytest.mark.parametrize("full", [False, True])
def test_a_bucket_that_was_made_anew_meanwhile_is_left_alone(full: bool) -> None:
    async def main() -> None:
        store, index = interposed_store()
        bucket = await make_bucket(store)
        await put(store, bucket, KEY, b"old")

        async def another() -> None:
            await destroy.destroy(store, bucket.name)
            fresh = await make_bucket(store)
            if full:
                await put(store, fresh, KEY, b"new")

        async def emptied(method: str, table: str) -> None:
            if (method, table) == ("get", "bucket") and not await rows(store, "object"):
                index.after = None
                await another()

        index.after = emptied
        with pytest.raises(BucketNotFound):
            await destroy.destroy(store, bucket.name)
        fresh = await buckets.get(store, bucket.name)
        assert fresh.record.id != bucket.record.id
        if full:
            assert await get(store, fresh, KEY) == b"new"

    run(main())


def test_who_writes_where_it_was_broken_off_does_not_take_the_place_of_a_version() -> None:
    async def main() -> None:
        store, index = interposed_store()
        bucket = await versioned_bucket(store)
        first = await put(store, bucket, KEY, b"1")

        async def write() -> None:
            kill(index, "scan", "null")
            await put(store, bucket, KEY, b"2")

        once(index, "scan", "version", write)
        await killed(store)
        # What was current has gone, and what it had replaced is still there.
        assert await ids(store, bucket, KEY) == [first.version]
        for text in (b"3", b"4"):
            await put(store, bucket, KEY, text)
        await check_invariants(store)
        found = [each.version for each in await all_versions(store, bucket)]
        assert [await get_version(store, bucket, KEY, one) for one in found] == [b"4", b"3", b"1"]

    run(main())


def test_a_marker_that_comes_while_the_bucket_is_emptied_stays_one() -> None:
    async def main() -> None:
        store, index = interposed_store()
        bucket = await versioned_bucket(store)
        await put(store, bucket, KEY, b"1")
        markers: list[str] = []

        async def mark() -> None:
            markers.append(marker_of(await objects.delete(store, bucket, KEY)))
            kill(index, "get", "bucket")

        # Versions and current objects are gone: what is beside them goes now.
        once(index, "scan", "null", mark)
        await killed(store)
        assert await ids(store, bucket, KEY) == markers
        await put(store, bucket, KEY, b"2")
        await check_invariants(store)
        assert len(await ids(store, bucket, KEY)) == 2
        assert await destroy.destroy(store, bucket.name) == 1
        for table in ("object", "version", "null", "bucket"):
            assert await rows(store, table) == []
        assert [key for key in await rows(store, "hidden") if len(key) > 8] == []

    run(main())


@pytest.mark.parametrize("call", range(1, 40))
def test_it_may_be_killed_anywhere_and_goes_on(call: int) -> None:
    async def main() -> None:
        store, index = interposed_store()
        bucket = await versioned_bucket(store)
        for name in (b"a", b"b"):
            for text in (b"1", b"2"):
                await put(store, bucket, name, text)
        await objects.delete(store, bucket, b"b")
        left = call

        async def count(method: str, table: str) -> None:
            nonlocal left
            left -= 1
            if not left:
                raise Killed

        index.after = count
        try:
            await destroy.destroy(store, bucket.name)
        except Killed:
            index.after = None
            fresh = await buckets.find(store, "bucket") if await rows(store, "bucket") else None
            if fresh is not None:
                await put(store, fresh, b"a", b"late")
                assert await get(store, fresh, b"a") == b"late"
                await destroy.destroy(store, fresh.name)
        index.after = None
        for table in ("object", "version", "null", "bucket", "body"):
            assert await rows(store, table) == []
        assert [key for key in await rows(store, "hidden") if len(key) > 8] == []

    run(main())
