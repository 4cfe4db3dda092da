"""What says who may do what moves along: policies, ACLs, the public-access block, ownership."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import pytest

from aisle.auth.access import PublicAccessBlock
from aisle.auth.acl import ALL_USERS, Grant
from aisle.core.names import BucketName
from aisle.namespace import buckets, documents, objects
from aisle.namespace.objects import Description
from aisle.namespace.store import BucketRow, Store
from aisle.store.base import Put
from tests.namespace.support import Data, make_bucket, memory_store, run
from tests.transfer.support import Direct, export, import_all, pull, verify

NAME = BucketName("bucket")
PUBLIC = [Grant("id", "me", "FULL_CONTROL"), Grant("group", ALL_USERS, "READ")]
POLICY = (
    b'{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:*",'
    b' "Resource": "arn:aws:s3:::bucket/*"}}'
)
GIVEN = {
    documents.POLICY: POLICY,
    documents.ACL: documents.encode_acl(PUBLIC),
    documents.BLOCK: documents.encode_block(PublicAccessBlock(ignore_acls=True)),
    documents.OWNERSHIP: b"BucketOwnerPreferred",
}


async def guarded(store: Store) -> BucketRow:
    """A bucket with every document, and a public object."""
    bucket = await make_bucket(store, documents=GIVEN)
    await objects.put(store, bucket, b"k", Data(b"1"), Description(owner="me", acl=PUBLIC))
    return bucket


async def kept(store: Store, bucket: BucketRow) -> Mapping[bytes, bytes]:
    return (await documents.of(store, await buckets.get(store, bucket.name))).raw


async def by_file(source: Store, target: Store) -> None:
    stream = await export(source)
    assert await verify(stream) == []
    await import_all(target, stream)


async def by_pull(source: Store, target: Store) -> None:
    await pull(target, Direct(source))


@pytest.mark.parametrize("way", [by_file, by_pull])
def test_documents_and_acls_come_along(way: Callable[[Store, Store], Awaitable[None]]) -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        bucket = await guarded(source)
        for _ in range(2):
            await way(source, target)
            assert await kept(target, bucket) == GIVEN
        moved = await buckets.get(target, bucket.name)
        assert (await objects.head(target, moved, b"k")).acl == PUBLIC

    run(work())


@pytest.mark.parametrize("overwrite", [False, True])
def test_documents_that_differ_are_kept_or_replaced(overwrite: bool) -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        bucket = await guarded(source)
        stream = await export(source)
        await import_all(target, stream)
        moved = await buckets.get(target, bucket.name)
        other = {documents.POLICY: None, documents.OWNERSHIP: b"ObjectWriter"}
        await documents.change(target, moved, other)
        told: list[str] = []
        totals = await import_all(target, stream, overwrite=overwrite, tell=told.append)
        if overwrite:
            assert await kept(target, bucket) == GIVEN
        else:
            assert (await kept(target, bucket))[documents.OWNERSHIP] == b"ObjectWriter"
            assert documents.POLICY not in await kept(target, bucket)
            assert totals.kept == 1
            assert told == ["kept ais://bucket as it is at the target: its policy or ACL differs"]

    run(work())


def test_replacing_takes_away_what_the_source_has_not() -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        bucket = await make_bucket(source)
        stream = await export(source)
        await import_all(target, stream)
        await documents.change(target, await buckets.get(target, bucket.name), GIVEN)
        await import_all(target, stream)
        assert await kept(target, bucket) == GIVEN
        await import_all(target, stream, overwrite=True)
        assert await kept(target, bucket) == {}

    run(work())


def test_a_bucket_of_somebody_else_is_not_opened_by_an_import() -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        bucket = await guarded(source)
        await make_bucket(target, location="elsewhere")  # another one of that name
        await import_all(target, await export(source))
        assert await kept(target, bucket) == {}

    run(work())


def test_a_bucket_knows_that_others_own_what_came_into_it() -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        bucket = await make_bucket(source)
        await objects.put(source, bucket, b"k", Data(b"1"), Description(owner="you"))
        stream = await export(source)
        await make_bucket(target, location="elsewhere")  # another one of that name
        await import_all(target, stream)
        assert await kept(target, bucket) == {documents.SHARED: b"1"}
        other = memory_store()
        await import_all(other, stream)
        await import_all(other, await export(await emptied(bucket)), overwrite=True)
        assert await kept(other, bucket) == {documents.SHARED: b"1"}

    run(work())


async def emptied(bucket: BucketRow) -> Store:
    """A store with the same bucket and nothing in it."""
    store = memory_store()
    await store.index.commit(Put("bucket", bucket.key, bucket.raw))
    return store


def test_a_bucket_that_gets_another_owner_keeps_the_old_ones_objects_apart() -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        await buckets.create(source, NAME, owner="you")
        bucket = await make_bucket(target, NAME.name)
        await objects.put(target, bucket, b"k", Data(b"1"), Description(owner="me"))
        await import_all(target, await export(source), overwrite=True)
        assert (await buckets.get(target, NAME)).record.owner == "you"
        assert await kept(target, bucket) == {documents.SHARED: b"1"}

    run(work())
