"""Whose objects are, and that an ACL stays with its object whatever rewrites the row."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from aisle.auth.acl import ALL_USERS, Grant, canned
from aisle.core.errors import InvalidRequest, ObjectNotFound, WriteConflict
from aisle.core.names import BucketName
from aisle.namespace import appends, buckets, documents, edits, objects, ownership, uploads
from aisle.namespace.archives import making
from aisle.namespace.archives.making import Mode
from aisle.namespace.objects import Description
from aisle.namespace.records import Object
from aisle.namespace.store import BucketRow, Store
from tests.namespace.support import (
    NO_CLAIMS,
    Data,
    interposed_store,
    make_bucket,
    memory_store,
    named,
    once,
    put,
    put_part,
    rows,
    run,
)

READ = Grant("group", ALL_USERS, "READ")
FULL = Grant("id", "me", "FULL_CONTROL")
MINE = [FULL, READ]
HANDED = canned("bucket-owner-full-control", owner="you", bucket_owner="me")
PUBLIC = [Grant("id", "you", "FULL_CONTROL"), READ]


# --- whose ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "owner", "acl", "expected"),
    [
        ("", "me", None, ("me", None)),
        ("", "me", MINE, ("me", MINE)),
        ("", "me", [FULL], ("me", None)),
        ("", "you", None, ("you", None)),
        ("", "you", HANDED, ("you", HANDED)),
        ("ObjectWriter", "you", HANDED, ("you", HANDED)),
        ("BucketOwnerPreferred", "you", HANDED, ("me", None)),
        ("BucketOwnerPreferred", "you", HANDED[::-1], ("me", None)),
        ("BucketOwnerPreferred", "you", [*HANDED, READ], ("you", [*HANDED, READ])),
        ("BucketOwnerPreferred", "you", PUBLIC, ("you", PUBLIC)),
        ("BucketOwnerPreferred", "you", None, ("you", None)),
        ("BucketOwnerEnforced", "you", None, ("me", None)),
        ("BucketOwnerEnforced", "you", PUBLIC, ("me", None)),
        ("BucketOwnerEnforced", "me", MINE, ("me", None)),
    ],
)
def test_the_bucket_settles_whose_an_object_is(
    mode: str, owner: str, acl: list[Grant] | None, expected: tuple[str, list[Grant] | None]
) -> None:
    async def main() -> None:
        store = memory_store()
        kept = {documents.OWNERSHIP: mode.encode()} if mode else {}
        bucket = await make_bucket(store, documents=kept)
        assert await ownership.settle(store, bucket, owner, acl) == expected
        found = await documents.of(store, bucket)
        assert found.access.shared is (expected[0] == "you")
        assert found.access.ownership == mode

    run(main())


def test_what_the_owner_writes_reads_no_documents() -> None:
    async def main() -> None:
        store, index = interposed_store()
        bucket = await make_bucket(store)
        tables: set[str] = set()

        async def note(method: str, table: str) -> None:
            tables.add(table)

        index.before = note
        await put(store, bucket, b"k", b"1")
        assert "document" not in tables

    run(main())


# --- ACLs stay ------------------------------------------------------------------------------


async def _public(store: Store, bucket: BucketRow, key: bytes, data: bytes = b"1") -> Object:
    return await objects.put(store, bucket, key, Data(data), Description(owner="me", acl=MINE))


async def _renamed(store: Store, bucket: BucketRow) -> Object:
    await _public(store, bucket, b"k")
    return await edits.rename(store, bucket, b"k", b"l")


async def _described(store: Store, bucket: BucketRow) -> Object:
    await _public(store, bucket, b"k")
    return await edits.set_custom(store, bucket, b"k", {"a": "1"})


async def _appended(store: Store, bucket: BucketRow) -> Object:
    await _public(store, bucket, b"k")
    handle = await appends.begin(store, bucket, b"k", Description(owner="you"))
    handle = await appends.append(store, bucket, b"k", handle, Data(b"2"))
    return await appends.flush(store, bucket, b"k", handle)


async def _uploaded(store: Store, bucket: BucketRow) -> Object:
    described = Description(owner="me", acl=MINE)
    begun = await uploads.create(store, bucket, b"k", described, checksum_type="")
    upload = await uploads.find(store, bucket, b"k", begun.id.hex())
    part = await put_part(store, bucket, upload, 1, b"1")
    return await uploads.complete(store, bucket, upload, named(part), NO_CLAIMS)


async def _grown(store: Store, bucket: BucketRow) -> Object:
    for mode, owner in ((Mode.PUT, "me"), (Mode.APPEND, "you")):
        await making.put_file(
            store, bucket, b"a.tar", mode.name, Data(b"1"),
            algorithms=frozenset(), mode=mode, owner=owner,
        )  # fmt: skip
        await edits.set_acl(store, bucket, b"a.tar", lambda old: MINE)
    return await making.put_file(
        store, bucket, b"a.tar", "b", Data(b"2"),
        algorithms=frozenset(), mode=Mode.APPEND, owner="you",
    )  # fmt: skip


@pytest.mark.parametrize("work", [_renamed, _described, _appended, _uploaded, _grown])
def test_an_acl_and_an_owner_stay_with_the_object(
    work: Callable[[Store, BucketRow], Awaitable[Object]],
) -> None:
    async def main() -> None:
        store = memory_store()
        record = await work(store, await make_bucket(store))
        assert (record.owner, record.acl) == ("me", MINE)

    run(main())


def test_a_replaced_object_has_no_acl_of_the_old_one() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        await _public(store, bucket, b"k")
        assert (await put(store, bucket, b"k", b"2")).acl is None

    run(main())


# --- setting one ----------------------------------------------------------------------------


def test_setting_an_acl_changes_nothing_else() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        before = await put(store, bucket, b"k", b"1")
        after = await edits.set_acl(store, bucket, b"k", lambda old: MINE)
        assert after.acl == MINE
        assert await objects.head(store, bucket, b"k") == after
        fields = (name for name in Object.__struct_fields__ if name != "acl")
        assert all(getattr(before, name) == getattr(after, name) for name in fields)
        assert (await edits.set_acl(store, bucket, b"k", lambda old: None)).acl is None
        with pytest.raises(ObjectNotFound):
            await edits.set_acl(store, bucket, b"other", lambda old: None)

    run(main())


def test_an_acl_is_decided_on_the_object_that_gets_it() -> None:
    async def main() -> None:
        store, index = interposed_store()
        bucket = await make_bucket(store)
        await put(store, bucket, b"k", b"1")

        async def replace() -> None:
            await objects.put(store, bucket, b"k", Data(b"2"), Description(owner="you"))

        def mine_only(old: Object) -> list[Grant]:
            if old.owner != "me":
                raise WriteConflict("replaced")
            return MINE

        once(index, "get", "object", replace)
        with pytest.raises(WriteConflict):
            await edits.set_acl(store, bucket, b"k", mine_only)
        record = await objects.head(store, bucket, b"k")
        assert (record.owner, record.acl, record.size) == ("you", None, 1)

    run(main())


# --- policies and names ---------------------------------------------------------------------

POLICY = (
    b'{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",'
    b' "Resource": "arn:aws:s3:::bucket/*"}}'
)


def test_a_bucket_whose_policy_names_it_is_not_renamed() -> None:
    async def main() -> None:
        store, index = interposed_store()
        bucket = await make_bucket(store)
        new = BucketName("other")

        async def rename() -> BucketRow:
            return await buckets.rename(store, bucket.name, new, identity=bucket.record.id)

        async def give_policy() -> None:
            await documents.change(store, bucket, {documents.POLICY: POLICY})

        once(index, "get", "document", give_policy)  # a policy that comes in between
        with pytest.raises(InvalidRequest):
            await rename()
        with pytest.raises(InvalidRequest):
            await rename()
        await documents.change(store, bucket, {documents.POLICY: None})
        assert (await rename()).record.name == "other"

    run(main())


def test_a_policy_that_cannot_be_read_forbids_everything() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store, documents={documents.POLICY: b'{"Statement": []}'})
        found = await documents.of(store, bucket)
        assert found.raw[documents.POLICY] == b'{"Statement": []}'
        assert found.access.policy is not None
        [statement] = found.access.policy.statements
        assert statement.everyone
        assert not statement.allow
        assert statement.has_action("s3:getobject")

    run(main())


def test_documents_go_with_their_bucket() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store, documents={documents.POLICY: POLICY})
        await buckets.delete(store, bucket.name)
        assert await rows(store, "document") == []

    run(main())
