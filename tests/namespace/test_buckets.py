"""Buckets that come and go under their writers, whichever gateway those came through."""

from __future__ import annotations

import asyncio

import pytest

from aisle.core.errors import (
    AmbiguousName,
    BucketExists,
    BucketNotEmpty,
    BucketNotFound,
    UploadNotFound,
    WriteConflict,
)
from aisle.core.names import BucketName
from aisle.namespace import buckets, documents, objects, uploads
from aisle.namespace.objects import Description
from aisle.namespace.store import BucketRow
from tests.namespace.support import (
    LARGE,
    begin,
    blob_ids,
    get,
    interposed_store,
    make_bucket,
    memory_store,
    nothing_leaks,
    once,
    outcomes,
    pattern,
    put,
    rows,
    run,
    unhurried_store,
)

SEEDS = range(25)
SIZES = [10, LARGE]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("seed", SEEDS)
def test_deleting_a_bucket_loses_no_acknowledged_object(seed: int, size: int) -> None:
    """Either the bucket stays, with every acknowledged object, or it goes, and none was."""

    async def main() -> None:
        store = unhurried_store(seed)
        bucket = await make_bucket(store)
        stored = set[bytes]()
        deleted = False

        async def write(key: bytes) -> None:
            try:
                await put(store, bucket, key, pattern(size))
            except BucketNotFound:
                return
            stored.add(key)

        async def remove() -> None:
            nonlocal deleted
            for _ in range(3):
                try:
                    await buckets.delete(store, bucket.name)
                except (BucketNotEmpty, WriteConflict):
                    await asyncio.sleep(0)
                else:
                    deleted = True
                    return

        await asyncio.gather(remove(), *(write(b"%d" % number) for number in range(4)))
        if deleted:
            assert not stored
            assert await rows(store, "object") == []
            with pytest.raises(BucketNotFound):
                await buckets.get(store, bucket.name)
        else:
            bucket = await buckets.get(store, bucket.name)
            assert {key[8:] for key in await rows(store, "object")} == stored
            assert stored
            await put(store, bucket, b"later", b"")  # a mark left behind does no harm
        await nothing_leaks(store)

    run(main())


@pytest.mark.parametrize("seed", SEEDS)
def test_a_write_never_ends_in_the_successor_of_its_bucket_unseen(seed: int) -> None:
    """The bucket is deleted and made again while its writers are at work: an acknowledged object
    is in the bucket of that name, visibly, or the writer heard that its bucket is gone."""

    async def main() -> None:
        store = unhurried_store(seed)
        old = await make_bucket(store)
        stored: list[bytes] = []

        async def write(key: bytes) -> None:
            try:
                await put(store, old, key, b"data")
            except BucketNotFound:
                return
            stored.append(key)

        async def upload() -> None:
            try:
                await begin(store, old, b"upload")
            except (BucketNotFound, UploadNotFound):
                return

        async def replace() -> None:
            try:
                await buckets.delete(store, old.name)
                await make_bucket(store)
            except (BucketNotEmpty, BucketExists):
                return

        await asyncio.gather(replace(), upload(), *(write(b"%d" % n) for n in range(2)))
        bucket = await buckets.get(store, old.name)
        for key in stored:
            assert await get(store, bucket, key) == b"data"
        assert all(key.startswith(bucket.record.id) for key in await rows(store, "object"))

    run(main())


def test_a_write_that_finds_another_bucket_of_its_name_hears_that_its_own_is_gone() -> None:
    async def main() -> None:
        store, index = interposed_store()
        old = await make_bucket(store)

        async def replace() -> None:
            await buckets.delete(store, old.name)
            await make_bucket(store)

        once(index, "get", "object", replace)
        with pytest.raises(BucketNotFound):
            await put(store, old, b"k", pattern(LARGE))
        await buckets.delete(store, old.name)
        await make_bucket(store)
        with pytest.raises(BucketNotFound):
            await uploads.create(store, old, b"k", Description(), checksum_type="")
        assert await rows(store, "object") == await rows(store, "upload") == []
        assert await blob_ids(store) == set()

    run(main())


def test_a_bucket_full_of_writers_is_not_empty() -> None:
    """A writer takes the mark away while the delete looks: that is no reason to start over."""

    async def main() -> None:
        store, index = interposed_store()
        bucket = await make_bucket(store)
        await put(store, bucket, b"k", b"")

        async def write(method: str, table: str) -> None:
            if (method, table) == ("scan", "object"):
                index.after = None
                await put(store, await buckets.get(store, bucket.name), b"other", b"")
                index.after = write

        index.after = write
        with pytest.raises(BucketNotEmpty):
            await buckets.delete(store, bucket.name)

    run(main())


def test_two_gateways_make_a_bucket_once() -> None:
    async def main() -> None:
        told = await outcomes(*[make_bucket(store) for store in [unhurried_store(1)] * 5])
        assert sum(isinstance(outcome, BucketRow) for outcome in told) == 1
        assert sum(isinstance(outcome, BucketExists) for outcome in told) == 4

    run(main())


def test_a_name_is_taken_by_one_provider_or_across_all_of_them() -> None:
    async def main() -> None:
        store = memory_store()
        await buckets.create(store, BucketName("name", "ais"), owner="me")
        await buckets.create(store, BucketName("name", "ais", "ns"), owner="me")
        assert (await buckets.find(store, "name")).record.provider == "ais"
        with pytest.raises(BucketExists) as taken:
            await buckets.create(store, BucketName("name", "aws"), owner="me", across=True)
        assert not taken.value.owned
        await buckets.create(store, BucketName("name", "aws"), owner="me")
        with pytest.raises(AmbiguousName, match="ais, aws"):
            await buckets.find(store, "name")
        await buckets.delete(store, BucketName("name", "ais"))
        assert (await buckets.find(store, "name")).record.provider == "aws"
        await buckets.delete(store, BucketName("name", "aws"))
        with pytest.raises(BucketNotFound):
            await buckets.find(store, "name")

    run(main())


def test_a_bucket_is_reborn_with_its_documents_and_without_what_was_begun() -> None:
    async def main() -> None:
        store = memory_store()
        name = BucketName("name")
        old = await buckets.create(
            store, name, owner="me", props={"a": 1}, documents={b"policy": b"{}"}
        )
        identity = old.record.id
        with pytest.raises(BucketNotFound):
            await buckets.reborn(store, name, {}, location="", identity=b"x" * 8)
        await put(store, old, b"key", b"data")
        with pytest.raises(BucketNotEmpty):
            await buckets.reborn(store, name, {}, location="", identity=identity)
        await objects.delete(store, old, b"key")
        new = await buckets.reborn(store, name, {"b": 2}, location="eu", identity=identity)
        assert (new.record.props, new.record.location) == ({"b": 2}, "eu")
        assert new.record.id != identity
        rows = await store.index.scan("document", limit=9)
        assert rows == [(new.record.id + b"policy", b"{}")]
        with pytest.raises(BucketNotFound):
            await put(store, old, b"key", b"data")

    run(main())


# --- tags -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_of_many_who_change_tags_at_once_none_undoes_what_another_did(seed: int) -> None:
    async def main() -> None:
        store = unhurried_store(seed)
        bucket = await make_bucket(store)

        async def change(name: str) -> None:
            await documents.change_tags(store, bucket, lambda tags: {**tags, name: seed * "x"})
            if name in "bdf":
                await documents.change_tags(
                    store, bucket, lambda tags: {key: tags[key] for key in tags if key != name}
                )

        await asyncio.gather(*(change(name) for name in "abcdef"))
        assert sorted(await documents.tags_of(store, bucket)) == ["a", "c", "e"]
        await documents.change_tags(store, bucket, lambda _: {})
        assert documents.TAGGING not in (await documents.of(store, bucket)).raw

    run(main())


def test_tags_of_a_bucket_that_goes_meanwhile_are_not_set() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        await buckets.delete(store, bucket.name)
        with pytest.raises(BucketNotFound):
            await documents.change_tags(store, bucket, lambda tags: {**tags, "a": "b"})
        assert not await rows(store, "document")

    run(main())
