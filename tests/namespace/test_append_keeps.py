"""What an append keeps of the object that it makes longer: tags, annotations, locks, versions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
import pytest

from aisle.auth.acl import Grant
from aisle.core.errors import ObjectLocked
from aisle.namespace import appends, buckets, edits, notes, objects, offsets
from aisle.namespace.objects import Description
from aisle.namespace.records import Lock, Object
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.windows import READ
from tests.namespace.support import (
    Data,
    get,
    interposed_store,
    make_bucket,
    memory_store,
    once,
    put,
    rows,
    run,
)
from tests.namespace.versioned import check_invariants, get_version, ids

KEY = b"log"
GRANTS = [Grant("id", "somebody", "READ")]


async def grow(store: Store, bucket: BucketRow, piece: bytes) -> Object:
    handle = await appends.begin(store, bucket, KEY, Description(owner="me"))
    handle = await appends.append(store, bucket, KEY, handle, Data(piece))
    return await appends.flush(store, bucket, KEY, handle)


async def extend(store: Store, bucket: BucketRow, piece: bytes) -> Object:
    size = (await objects.head(store, bucket, KEY)).size
    return await offsets.extend(store, bucket, KEY, size, Data(piece), Description(owner="me"))


async def hold(store: Store, bucket: BucketRow) -> None:
    def held(old: Object) -> Object:
        return msgspec.structs.replace(old, lock=Lock(hold=True))

    await edits.change(store, bucket, KEY, held)


Way = Callable[[Store, BucketRow, bytes], Awaitable[Object]]
WAYS = pytest.mark.parametrize("way", [grow, extend])


@WAYS
def test_what_is_said_of_the_object_stays(way: Way) -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        said = Description(owner="me", meta={"a": "b"}, tags={"t": "v"}, acl=GRANTS)
        await objects.put(store, bucket, KEY, Data(b"one"), said)
        await notes.put(store, bucket, KEY, b"note", b"text")
        record = await way(store, bucket, b" two")
        assert await get(store, bucket, KEY) == b"one two"
        assert (record.meta, record.tags, record.acl) == ({"a": "b"}, {"t": "v"}, GRANTS)
        _, _, text = await notes.get(store, bucket, KEY, b"note")
        assert text == b"text"
        await objects.delete(store, bucket, KEY)
        for table in ("annotation", "annotated", "note"):
            assert await rows(store, table) == []

    run(main())


def test_a_new_version_has_what_was_said_of_the_one_before() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store, props={"versioning.enabled": True})
        said = Description(owner="me", meta={"a": "b"}, tags={"t": "v"}, acl=GRANTS)
        first = await objects.put(store, bucket, KEY, Data(b"one"), said)
        await notes.put(store, bucket, KEY, b"note", b"text")
        record = await grow(store, bucket, b" two")
        for version in (first.version, record.version):
            _, _, text = await notes.get(store, bucket, KEY, b"note", version=version)
            assert text == b"text"
        assert (record.meta, record.tags, record.acl) == ({"a": "b"}, {"t": "v"}, GRANTS)
        assert await ids(store, bucket, KEY) == [record.version, first.version]

    run(main())


def test_an_object_that_an_append_makes_is_as_it_was_described() -> None:
    async def main() -> None:
        store = memory_store()
        for name, props in (("plain", {}), ("versioned", {"versioning.enabled": True})):
            bucket = await make_bucket(store, name, props=props)
            said = Description(owner="me", meta={"a": "b"}, tags={"t": "v"}, acl=GRANTS)
            handle = await appends.begin(store, bucket, KEY, said)
            handle = await appends.append(store, bucket, KEY, handle, Data(b"one"))
            record = await appends.flush(store, bucket, KEY, handle)
            assert (record.meta, record.tags, record.acl) == ({"a": "b"}, {"t": "v"}, GRANTS)

    run(main())


@WAYS
def test_a_locked_object_does_not_grow(way: Way) -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        await put(store, bucket, KEY, b"one")
        await hold(store, bucket)
        with pytest.raises(ObjectLocked):
            await way(store, bucket, b" two")
        assert await get(store, bucket, KEY) == b"one"
        assert (await objects.head(store, bucket, KEY)).lock == Lock(hold=True)

    run(main())


def test_a_locked_version_stays_below_the_longer_one() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store, props={"versioning.enabled": True})
        first = await put(store, bucket, KEY, b"one")
        await hold(store, bucket)
        record = await grow(store, bucket, b" two")
        assert record.lock is None
        assert await get(store, bucket, KEY) == b"one two"
        how = READ._replace(version=first.version)
        assert (await objects.head(store, bucket, KEY, how)).lock == Lock(hold=True)
        assert await get_version(store, bucket, KEY, first.version) == b"one"

    run(main())


def test_a_bucket_that_begins_to_keep_versions_meanwhile_loses_none() -> None:
    async def main() -> None:
        store, index = interposed_store()
        bucket = await make_bucket(store)
        await put(store, bucket, KEY, b"one")
        handle = await appends.begin(store, bucket, KEY, Description(owner="me"))
        handle = await appends.append(store, bucket, KEY, handle, Data(b" two"))

        async def switched() -> None:
            row = await buckets.get(store, bucket.name)
            await buckets.set_versioning(store, row, suspended=False)

        once(index, "get", "part", switched)
        record = await appends.flush(store, bucket, KEY, handle)
        assert record.version
        now = await buckets.get(store, bucket.name)
        assert await ids(store, now, KEY) == [record.version, "null"]
        assert await get(store, now, KEY) == b"one two"
        assert await get_version(store, now, KEY, "null") == b"one"
        await check_invariants(store)

    run(main())
