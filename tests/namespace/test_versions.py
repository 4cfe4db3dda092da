"""Versions of one key: what writes, deletes and permanent removals leave behind, and how one is
named. Null versions are in test_versions_null."""

from __future__ import annotations

import pytest

from aisle.core.errors import (
    DeleteMarkerFound,
    DeleteMarkerNamed,
    InvalidArgument,
    ObjectLocked,
    ObjectNotFound,
    PreconditionFailed,
    VersionNotFound,
)
from aisle.namespace import buckets, copies, edits, objects
from aisle.namespace.conditions import WriteConditions
from aisle.namespace.objects import Description
from aisle.namespace.records import Lock, Object
from aisle.namespace.versions import ids as version_ids
from aisle.namespace.versions import lookup, removal
from aisle.namespace.windows import LOOK, READ
from tests.namespace.support import (
    DAY,
    LARGE,
    Clock,
    begin,
    complete,
    etag_of,
    get,
    memory_store,
    multipart,
    put,
    put_part,
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

KEY = b"key"


def test_every_write_of_an_enabled_bucket_is_a_version() -> None:
    async def work() -> None:
        store = memory_store()
        bucket = await versioned_bucket(store)
        records = [await put(store, bucket, KEY, bytes([n]) * n) for n in range(4)]
        assert len({record.version for record in records}) == 4
        assert await ids(store, bucket, KEY) == [record.version for record in records[::-1]]
        for n, record in enumerate(records):
            assert await get_version(store, bucket, KEY, record.version) == bytes([n]) * n
        assert await get(store, bucket, KEY) == b"\x03" * 3
        await check_invariants(store)

    run(work())


def test_a_delete_leaves_a_marker_and_its_removal_brings_the_object_back() -> None:
    async def work() -> None:
        store = memory_store()
        bucket = await versioned_bucket(store)
        record = await put(store, bucket, KEY, b"data")
        deleted = await objects.delete(store, bucket, KEY, owner="somebody")
        assert deleted.found
        assert deleted.marker is not None
        assert (deleted.marker.owner, deleted.marker.size) == ("somebody", 0)
        with pytest.raises(DeleteMarkerFound) as found:
            await get(store, bucket, KEY)
        assert found.value.version == deleted.marker.version
        assert await get_version(store, bucket, KEY, record.version) == b"data"
        with pytest.raises(DeleteMarkerNamed):
            await get_version(store, bucket, KEY, deleted.marker.version)
        removed = await removal.remove(store, bucket, KEY, deleted.marker.version)
        assert removed == removal.Removed(deleted.marker.version, True)
        assert await get(store, bucket, KEY) == b"data"
        assert (await objects.head(store, bucket, KEY)) == record
        await check_invariants(store)

    run(work())


def test_a_delete_of_nothing_leaves_a_marker_too() -> None:
    async def work() -> None:
        store = memory_store()
        bucket = await versioned_bucket(store)
        first = await objects.delete(store, bucket, KEY)
        second = await objects.delete(store, bucket, KEY)
        assert (first.found, second.found) == (False, False)
        assert await ids(store, bucket, KEY) == [marker_of(second), marker_of(first)]
        await removal.remove(store, bucket, KEY, marker_of(second))
        with pytest.raises(DeleteMarkerFound):
            await objects.head(store, bucket, KEY)
        await removal.remove(store, bucket, KEY, marker_of(first))
        with pytest.raises(ObjectNotFound) as gone:
            await objects.head(store, bucket, KEY)
        assert not isinstance(gone.value, DeleteMarkerFound)
        assert await rows(store, "hidden") == []
        await check_invariants(store)

    run(work())


def test_the_version_below_takes_the_place_of_the_current_one() -> None:
    async def work() -> None:
        store = memory_store()
        bucket = await versioned_bucket(store)
        first, second, third = [await put(store, bucket, KEY, b"%d" % n) for n in range(3)]
        await removal.remove(store, bucket, KEY, second.version)  # a former one: nothing moves
        assert await objects.head(store, bucket, KEY) == third
        await removal.remove(store, bucket, KEY, third.version)
        assert await objects.head(store, bucket, KEY) == first
        assert await get(store, bucket, KEY) == b"0"
        await check_invariants(store)
        await removal.remove(store, bucket, KEY, first.version)
        assert await all_versions(store, bucket) == []
        await buckets.delete(store, bucket.name)
        await check_invariants(store)

    run(work())


def test_a_marker_below_stays_a_marker() -> None:
    async def work() -> None:
        store = memory_store()
        bucket = await versioned_bucket(store)
        first = await put(store, bucket, KEY, b"1")
        marker = marker_of(await objects.delete(store, bucket, KEY))
        second = await put(store, bucket, KEY, b"2")
        await removal.remove(store, bucket, KEY, second.version)
        with pytest.raises(DeleteMarkerFound):
            await get(store, bucket, KEY)
        await check_invariants(store)
        third = await put(store, bucket, KEY, b"3")
        await removal.remove(store, bucket, KEY, marker)  # in the middle: nothing comes up
        assert await ids(store, bucket, KEY) == [third.version, first.version]
        assert await get(store, bucket, KEY) == b"3"
        await check_invariants(store)

    run(work())


def test_a_version_never_comes_twice_at_one_place() -> None:
    async def work() -> None:
        store = memory_store()
        bucket = await versioned_bucket(store)
        first = await put(store, bucket, KEY, b"1")
        second = await put(store, bucket, KEY, b"2")
        await removal.remove(store, bucket, KEY, second.version)
        third = await put(store, bucket, KEY, b"3")
        assert third.seq == second.seq
        assert third.version != second.version
        with pytest.raises(VersionNotFound):
            await get_version(store, bucket, KEY, second.version)
        assert await removal.remove(store, bucket, KEY, second.version) is None
        assert await ids(store, bucket, KEY) == [third.version, first.version]

    run(work())


@pytest.mark.parametrize(
    "version",
    ["nul", "NULL", "", "a" * 24, "x" * 1025, "é" * 12, "!" * 24, version_ids.mint(1)[:-1],
     version_ids.mint(1) + "=", version_ids.mint(1) + "\n"],
)  # fmt: skip
def test_what_is_no_version_id_is_an_invalid_argument(version: str) -> None:
    async def work() -> None:
        store = memory_store()
        bucket = await versioned_bucket(store)
        await put(store, bucket, KEY, b"data")
        if version == "a" * 24:  # the form is right, the place is not there
            with pytest.raises(VersionNotFound):
                await lookup.find(store, bucket, KEY, version)
            return
        with pytest.raises(InvalidArgument):
            await lookup.find(store, bucket, KEY, version)
        with pytest.raises(InvalidArgument):
            await removal.remove(store, bucket, KEY, version)

    run(work())


def test_a_version_of_one_key_is_no_other_keys() -> None:
    async def work() -> None:
        store = memory_store()
        bucket = await versioned_bucket(store)
        record = await put(store, bucket, KEY, b"1")
        await put(store, bucket, KEY + b"\x00", b"2")
        for other in (KEY + b"\x00", b"ke", b"other"):
            with pytest.raises(VersionNotFound):
                await get_version(store, bucket, other, record.version)
            assert await removal.remove(store, bucket, other, record.version) is None
        assert len(await all_versions(store, bucket)) == 2

    run(work())


def test_conditions_hold_for_the_current_version_and_for_a_named_one() -> None:
    async def work() -> None:
        store = memory_store()
        bucket = await versioned_bucket(store)
        first = await put(store, bucket, KEY, b"1")
        await put(store, bucket, KEY, b"2", WriteConditions(if_match=first.etag))
        with pytest.raises(PreconditionFailed):
            await put(store, bucket, KEY, b"3", WriteConditions(if_none_match="*"))
        wrong = WriteConditions(if_match=etag_of(b"nothing"))
        with pytest.raises(PreconditionFailed):
            await objects.delete(store, bucket, KEY, conditions=wrong)
        with pytest.raises(PreconditionFailed):
            await removal.remove(store, bucket, KEY, first.version, conditions=wrong)
        assert len(await ids(store, bucket, KEY)) == 2
        right = WriteConditions(if_match=first.etag)
        assert await removal.remove(store, bucket, KEY, first.version, conditions=right)
        await objects.delete(store, bucket, KEY)
        # A key under a delete marker has no object: it may be made, but not replaced.
        with pytest.raises(ObjectNotFound):
            await put(store, bucket, KEY, b"4", WriteConditions(if_match="*"))
        await put(store, bucket, KEY, b"4", WriteConditions(if_none_match="*"))
        await check_invariants(store)

    run(work())


def test_multipart_objects_and_copies_are_versions() -> None:
    async def work() -> None:
        store = memory_store()
        await store.change_config({"multipart.min_part_size": "0"})
        bucket = await versioned_bucket(store)
        first = await multipart(store, bucket, KEY, [LARGE, 10, 20, 30, 40, 50])
        assert first.layout
        upload = await begin(store, bucket, KEY)
        part = await put_part(store, bucket, upload, 1, b"second")
        second = await complete(store, bucket, upload, part)
        source = READ._replace(version=first.version)
        found, small = await objects.find_small(store, bucket, KEY, source)
        third = await copies.copy(store, found, bucket, KEY, Description(), small=small)
        assert await ids(store, bucket, KEY) == [third.version, second.version, first.version]
        whole = await get_version(store, bucket, KEY, first.version)
        assert await get(store, bucket, KEY) == whole
        assert await get_version(store, bucket, KEY, second.version) == b"second"
        await check_invariants(store)
        await removal.remove(store, bucket, KEY, first.version)
        assert await get(store, bucket, KEY) == whole
        await check_invariants(store)

    run(work())


def test_a_move_leaves_the_versions_and_a_marker() -> None:
    async def work() -> None:
        store = memory_store()
        bucket = await versioned_bucket(store)
        record = await put(store, bucket, KEY, b"data")
        await edits.rename(store, bucket, KEY, b"to")
        assert await get(store, bucket, b"to") == b"data"
        with pytest.raises(DeleteMarkerFound):
            await get(store, bucket, KEY)
        assert await get_version(store, bucket, KEY, record.version) == b"data"
        await check_invariants(store)

    run(work())


def test_an_edit_of_a_version_stays_where_it_is() -> None:
    async def work() -> None:
        store = memory_store()
        bucket = await versioned_bucket(store)
        first = await put(store, bucket, KEY, b"1")
        second = await put(store, bucket, KEY, b"2")
        await edits.set_acl(store, bucket, KEY, lambda record: [], version=first.version)
        how = LOOK._replace(version=first.version)
        assert (await objects.head(store, bucket, KEY, how)).acl == []
        assert await objects.head(store, bucket, KEY) == second
        marker = marker_of(await objects.delete(store, bucket, KEY))
        with pytest.raises(DeleteMarkerNamed):
            await edits.set_acl(store, bucket, KEY, lambda record: [], version=marker)
        with pytest.raises(DeleteMarkerFound):
            await edits.set_acl(store, bucket, KEY, lambda record: [])
        await removal.remove(store, bucket, KEY, marker)
        await removal.remove(store, bucket, KEY, second.version)
        assert (await objects.head(store, bucket, KEY)).acl == []  # it came up as it was changed

    run(work())


def test_a_locked_version_stays_and_new_ones_come_in_front_of_it() -> None:
    async def work() -> None:
        clock = Clock()
        store = memory_store(clock)
        bucket = await versioned_bucket(store)
        record = await put(store, bucket, KEY, b"1")
        lock = Lock("COMPLIANCE", clock.now + DAY)
        await edits.change(store, bucket, KEY, lambda old: _locked(old, lock))
        await put(store, bucket, KEY, b"2")
        await objects.delete(store, bucket, KEY)
        for bypass in (False, True):
            with pytest.raises(ObjectLocked):
                await removal.remove(store, bucket, KEY, record.version, bypass=bypass)
        clock.now += DAY + 1
        assert await removal.remove(store, bucket, KEY, record.version)
        await check_invariants(store)

    run(work())


def _locked(record: Object, lock: Lock) -> Object:
    values = {name: getattr(record, name) for name in Object.__struct_fields__}
    return Object(**{**values, "lock": lock})
