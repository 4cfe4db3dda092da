"""Buckets that get another name under their writers, and names in several namespaces."""

from __future__ import annotations

import asyncio
import os

import msgspec
import pytest

from aisle.core.errors import BucketExists, BucketNotEmpty, BucketNotFound, WriteConflict
from aisle.core.names import BucketName
from aisle.namespace import buckets
from aisle.namespace.destroy import destroy
from aisle.namespace.records import encode
from aisle.namespace.store import BucketRow, Store
from aisle.store.base import Put
from tests.namespace.support import (
    LARGE,
    begin,
    complete,
    get,
    interposed_store,
    make_bucket,
    memory_store,
    nothing_leaks,
    once,
    outcomes,
    pattern,
    put,
    put_part,
    rows,
    run,
    unhurried_store,
)

NEW = BucketName("new")
SEEDS = range(25)


async def rename(store: Store, row: BucketRow, new: BucketName = NEW) -> BucketRow:
    return await buckets.rename(store, row.name, new, identity=row.record.id)


def test_a_renamed_bucket_keeps_what_is_in_it() -> None:
    async def main() -> None:
        store = memory_store()
        old = await make_bucket(store, props={"checksum.type": "md5"})
        await put(store, old, b"small", b"x")
        await put(store, old, b"large", pattern(LARGE))
        upload = await begin(store, old, b"upload")
        part = await put_part(store, old, upload, 1, pattern(LARGE, 1))

        new = await rename(store, old)
        assert (new.name, new.record.id) == (NEW, old.record.id)
        assert new.record.props == {"checksum.type": "md5"}
        with pytest.raises(BucketNotFound):
            await buckets.get(store, old.name)
        assert await get(store, new, b"small") == b"x"
        assert await get(store, new, b"large") == pattern(LARGE)
        await complete(store, new, upload, part)
        assert await get(store, new, b"upload") == pattern(LARGE, 1)
        await nothing_leaks(store)

    run(main())


def test_done_twice_it_stays_done() -> None:
    async def main() -> None:
        store = memory_store()
        old = await make_bucket(store)
        await rename(store, old)
        other = await make_bucket(store)  # has the old name by now
        assert (await rename(store, old)).record.id == old.record.id
        assert (await buckets.get(store, old.name)).record.id == other.record.id

    run(main())


def test_a_name_that_is_taken_stays_with_its_bucket() -> None:
    async def main() -> None:
        store = memory_store()
        old, other = await make_bucket(store), await make_bucket(store, "new")
        with pytest.raises(BucketExists):
            await rename(store, old)
        assert (await buckets.get(store, NEW)).record.id == other.record.id
        assert (await buckets.get(store, old.name)).record.id == old.record.id

    run(main())


def test_a_bucket_that_came_after_the_one_meant_is_left_alone() -> None:
    async def main() -> None:
        store = memory_store()
        old = await make_bucket(store)
        await buckets.delete(store, old.name)
        await make_bucket(store)
        with pytest.raises(BucketNotFound):
            await rename(store, old)
        with pytest.raises(BucketNotFound):
            await buckets.get(store, NEW)

    run(main())


@pytest.mark.parametrize("size", [10, LARGE])
@pytest.mark.parametrize("seed", SEEDS)
def test_writers_lose_nothing_that_was_acknowledged(seed: int, size: int) -> None:
    """Whoever heard of success finds the object under the new name; the others heard that the
    bucket is gone, and left nothing behind."""

    async def main() -> None:
        store = unhurried_store(seed)
        old = await make_bucket(store)
        stored = set[bytes]()

        async def write(key: bytes) -> None:
            try:
                await put(store, old, key, pattern(size))
            except BucketNotFound:
                return
            stored.add(key)

        await asyncio.gather(rename(store, old), *(write(b"%d" % number) for number in range(5)))
        new = await buckets.get(store, NEW)
        assert {key[8:] for key in await rows(store, "object")} == stored
        for key in stored:
            assert await get(store, new, key) == pattern(size)
        with pytest.raises(BucketNotFound):
            await put(store, old, b"late", b"")
        await nothing_leaks(store)

    run(main())


@pytest.mark.parametrize("seed", SEEDS)
def test_two_renames_give_one_name(seed: int) -> None:
    async def main() -> None:
        store = unhurried_store(seed)
        old = await make_bucket(store)
        wanted = [BucketName("one"), BucketName("two")]
        told = await outcomes(*(rename(store, old, name) for name in wanted))
        there = [row.name for row in await buckets.list_all(store)]
        assert len(there) == 1
        assert there[0] in wanted
        assert isinstance(told[1 - wanted.index(there[0])], BucketNotFound)

    run(main())


@pytest.mark.parametrize("seed", SEEDS)
def test_a_bucket_is_deleted_or_renamed(seed: int) -> None:
    async def main() -> None:
        store = unhurried_store(seed)
        old = await make_bucket(store)
        told = await outcomes(rename(store, old), buckets.delete(store, old.name))
        assert sum(isinstance(reply, BucketNotFound) for reply in told) == 1
        there = [row.name for row in await buckets.list_all(store)]
        assert there == ([NEW] if isinstance(told[1], BucketNotFound) else [])
        for row in await buckets.list_all(store):  # a mark left behind does no harm
            await put(store, row, b"later", b"")

    run(main())


def test_what_was_begun_under_the_old_name_destroys_nothing_under_the_new_one() -> None:
    async def main() -> None:
        store, index = interposed_store()
        old = await make_bucket(store)
        await put(store, old, b"kept", b"data")

        async def move() -> None:
            await rename(store, old)

        once(index, "scan", "object", move)
        with pytest.raises(BucketNotFound):
            await destroy(store, old.name)
        assert await get(store, await buckets.get(store, NEW), b"kept") == b"data"

    run(main())


def test_a_name_may_be_in_several_namespaces() -> None:
    async def main() -> None:
        store = memory_store()
        names = [BucketName("abc", namespace=space) for space in ("", "x", "y")]
        made = [await buckets.create(store, name, owner="me") for name in names]
        assert len({row.record.id for row in made}) == 3
        for name, row in zip(names, made, strict=True):
            with pytest.raises(BucketExists):
                await buckets.create(store, name, owner="me")
            await put(store, row, b"k", name.namespace.encode())
        for name, row in zip(names, made, strict=True):
            assert await get(store, await buckets.get(store, name), b"k") == name.namespace.encode()
            assert [found.name for found in await _listed(store, name.namespace)] == [name]
            with pytest.raises(BucketNotEmpty):
                await buckets.delete(store, name)
            await destroy(store, row.name)
        assert await buckets.list_all(store) == []

    run(main())


async def _listed(store: Store, namespace: str) -> list[BucketRow]:
    return await buckets.list_all(store, namespace=namespace)


def test_a_name_is_taken_within_its_provider_and_namespace_and_for_s3_clients_in_all() -> None:
    async def main() -> None:
        store = memory_store()
        for number in range(3):
            await buckets.create(store, BucketName("abc", "ais", f"n{number}"), owner="me")
        await buckets.create(store, BucketName("abc", "aws"), owner="me")
        with pytest.raises(BucketExists):
            await buckets.create(store, BucketName("abc", "aws"), owner="me")
        with pytest.raises(BucketExists):
            await buckets.create(store, BucketName("abc"), owner="me", across=True)
        await buckets.create(store, BucketName("abc"), owner="me")
        other = await make_bucket(store)
        with pytest.raises(BucketExists):
            await rename(store, other, BucketName("abc"))
        await rename(store, other, BucketName("abc", "ais", "n3"))

    run(main())


def test_pages_of_one_namespace_are_full() -> None:
    async def main() -> None:
        store = memory_store()
        for number in range(6):
            space = "x" if number % 2 else ""
            await buckets.create(store, BucketName(f"b{number}", "ais", space), owner="me")
        first = await buckets.list_all(store, namespace="", limit=2)
        assert [row.record.name for row in first] == ["b0", "b2"]
        rest = await buckets.list_all(store, namespace="", after=first[-1].key, limit=2)
        assert [row.record.name for row in rest] == ["b4"]

    run(main())


def test_a_rename_gives_up_on_a_bucket_that_never_rests() -> None:
    async def main() -> None:
        store, index = interposed_store()
        old = await make_bucket(store)

        async def change(method: str, table: str) -> None:
            if method == "commit":
                mark = os.urandom(8)
                raw = encode(msgspec.structs.replace(old.record, mark=mark))
                await index.index.commit(Put("bucket", old.key, raw))

        index.before = change
        with pytest.raises(WriteConflict):
            await rename(store, old)
        index.before = None
        await put(store, await buckets.get(store, old.name), b"still", b"there")

    run(main())
