"""Locks of versions: that nothing removes what is locked, in whatever way it goes about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
import pytest

from aisle.core.errors import BucketNotEmpty, InvalidRequest, ObjectLocked, VersionsKept
from aisle.namespace import (
    appends,
    bodies,
    buckets,
    copies,
    destroy,
    documents,
    edits,
    housekeeping,
    locks,
    objects,
    offsets,
    uploads,
)
from aisle.namespace.locks import Rule
from aisle.namespace.objects import Description
from aisle.namespace.records import Lock, Object
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.uploads import NamedPart
from aisle.namespace.versions import removal
from aisle.namespace.window import evict
from aisle.namespace.windows import LOOK
from tests.namespace.lifecycles import apply, put_rules, rule
from tests.namespace.locked import COMPLIANT, GOVERNED, HELD, lock_bucket, put
from tests.namespace.support import (
    DAY,
    LARGE,
    NO_CLAIMS,
    Clock,
    Data,
    get,
    make_bucket,
    memory_store,
    pattern,
    run,
)

Attempt = Callable[[Store, BucketRow, Object], Awaitable[object]]


async def _remove(store: Store, bucket: BucketRow, it: Object) -> object:
    return await removal.remove(store, bucket, b"k", it.version)


async def _remove_bypassing(store: Store, bucket: BucketRow, it: Object) -> object:
    return await removal.remove(store, bucket, b"k", it.version, bypass=True)


async def _empty(store: Store, bucket: BucketRow, it: Object) -> object:
    return await destroy.empty(store, bucket)


async def _destroy(store: Store, bucket: BucketRow, it: Object) -> object:
    return await destroy.destroy(store, bucket.name)


async def _delete_bucket(store: Store, bucket: BucketRow, it: Object) -> object:
    await buckets.delete(store, bucket.name)
    return None


async def _remove_page(store: Store, bucket: BucketRow, it: Object) -> object:
    base = bucket.record.id
    rows = await store.index.scan("object", prefix=base, limit=10)
    return await destroy.remove(store, bucket, rows)


async def _suspend(store: Store, bucket: BucketRow, it: Object) -> object:
    return await buckets.set_versioning(store, bucket, suspended=True)


async def _suspend_as_property(store: Store, bucket: BucketRow, it: Object) -> object:
    return await buckets.change_props(store, bucket.name, {"versioning.enabled": False})


async def _forget_versioning(store: Store, bucket: BucketRow, it: Object) -> object:
    return await buckets.change_props(store, bucket.name, {"versioning.enabled": None})


async def _set_custom(store: Store, bucket: BucketRow, it: Object) -> object:
    return await edits.set_custom(store, bucket, b"k", {"a": "b"})


async def _extend(store: Store, bucket: BucketRow, it: Object) -> object:
    return await offsets.extend(store, bucket, b"k", it.size, Data(b"x"), Description(owner="me"))


# All that takes versions away for good, or what keeps them; and what it is told.
REMOVALS: dict[str, tuple[Attempt, type[Exception]]] = {
    "a permanent delete": (_remove, ObjectLocked),
    "a permanent delete past governance": (_remove_bypassing, ObjectLocked),
    "emptying the bucket": (_empty, ObjectLocked),
    "destroying the bucket": (_destroy, ObjectLocked),
    "removing a page": (_remove_page, ObjectLocked),
    "deleting the bucket": (_delete_bucket, BucketNotEmpty),
    "suspending versioning": (_suspend, VersionsKept),
    "suspending it as a property": (_suspend_as_property, VersionsKept),
    "dropping the property": (_forget_versioning, VersionsKept),
    "changing its metadata": (_set_custom, ObjectLocked),
    "an append at an offset": (_extend, InvalidRequest),
}


@pytest.mark.parametrize("lock", [COMPLIANT, HELD], ids=["compliance", "hold"])
@pytest.mark.parametrize("name", REMOVALS)
def test_it_is_refused_and_nothing_is_half_done(name: str, lock: Lock) -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await lock_bucket(store)
        await put(store, bucket, key=b"a")  # what could go comes before and after it
        it = await put(store, bucket, lock)
        await put(store, bucket, key=b"z", size=LARGE)
        before = await everything(store)
        attempt, error = REMOVALS[name]
        with pytest.raises(error):
            await attempt(store, bucket, it)
        assert await everything(store) == before

    run(main())


async def everything(store: Store) -> dict[str, list[tuple[bytes, bytes]]]:
    tables = ("object", "version", "null", "hidden", "body", "layout", "garbage", "document")
    return {name: list(await store.index.scan(name, limit=1000)) for name in tables}


async def _delete(store: Store, bucket: BucketRow) -> None:
    await objects.delete(store, bucket, b"k", owner="me")


async def _replace(store: Store, bucket: BucketRow) -> None:
    await put(store, bucket, size=20)


async def _rename(store: Store, bucket: BucketRow) -> None:
    await edits.rename(store, bucket, b"k", b"new")


async def _rename_onto(store: Store, bucket: BucketRow) -> None:
    await put(store, bucket, key=b"other")
    await edits.rename(store, bucket, b"other", b"k")


async def _copy_onto(store: Store, bucket: BucketRow) -> None:
    await put(store, bucket, key=b"other")
    found, small = await objects.find_small(store, bucket, b"other")
    await copies.copy(store, found, bucket, b"k", Description(owner="me"), small=small)


async def _complete_onto(store: Store, bucket: BucketRow) -> None:
    record = await uploads.create(
        store, bucket, b"k", Description(owner="me"), checksum_type="FULL_OBJECT"
    )
    upload = await uploads.find(store, bucket, b"k", record.id.hex())
    part = await uploads.put_part(store, bucket, upload, 1, Data(b"x"))
    named = [NamedPart(1, part.etag, {})]
    await uploads.complete(store, bucket, upload, named, NO_CLAIMS)


async def _append(store: Store, bucket: BucketRow) -> None:
    handle = await appends.begin(store, bucket, b"k", Description(owner="me"))
    handle = await appends.append(store, bucket, b"k", handle, Data(b"x"))
    await appends.flush(store, bucket, b"k", handle)


async def _delete_present(store: Store, bucket: BucketRow) -> None:
    await destroy.delete_present(store, bucket, b"k", owner="me")


async def _expire(store: Store, bucket: BucketRow) -> None:
    """By rules that all is due by: the current version at first, and then as a former one."""
    await put_rules(store, bucket, rule(date=0, noncurrent=0, markers=None))
    done = [await apply(store, bucket, day=1) for _ in range(2)]
    assert done[-1].locked == 1


async def _sweep(store: Store, bucket: BucketRow) -> None:
    await store.change_config({"space.sweep_age": "0s"})
    await housekeeping.tidy(store)
    await housekeeping.sweep(store)


async def _rename_bucket(store: Store, bucket: BucketRow) -> None:
    new = msgspec.structs.replace(bucket.record, name="other")
    name = bucket.name._replace(name=new.name)
    await buckets.rename(store, bucket.name, name, identity=bucket.record.id)


# All that puts something in front of a version, or walks over what there is.
HARMLESS: dict[str, Callable[[Store, BucketRow], Awaitable[None]]] = {
    "a delete": _delete,
    "another version": _replace,
    "a rename": _rename,
    "a rename onto it": _rename_onto,
    "a copy onto it": _copy_onto,
    "an upload onto it": _complete_onto,
    "an append": _append,
    "a native delete": _delete_present,
    "lifecycle rules": _expire,
    "the sweep": _sweep,
    "a new name for its bucket": _rename_bucket,
}


@pytest.mark.parametrize("size", [10, LARGE], ids=["row", "blob"])
@pytest.mark.parametrize("name", HARMLESS)
def test_the_locked_version_stays_with_its_bytes_and_lock(name: str, size: int) -> None:
    async def main() -> None:
        clock = Clock()
        store = memory_store(clock)
        bucket = await lock_bucket(store)
        it = await put(store, bucket, GOVERNED, size=size)
        await HARMLESS[name](store, bucket)
        clock.now += DAY
        await _sweep(store, bucket)
        rows = await buckets.list_all(store)
        how = LOOK._replace(version=it.version)
        found, small = await objects.find_small(store, rows[0], b"k", how)
        assert found.record.lock == GOVERNED
        if small is None:
            stream = bodies.read_extents(store, found.extents, 0, found.record.size)
            small = b"".join([piece async for piece in stream])
        assert small == pattern(size)
        with pytest.raises(ObjectLocked):
            await removal.remove(store, rows[0], b"k", it.version)

    run(main())


def test_a_null_version_that_is_locked_is_not_written_over() -> None:
    """It is there if the bucket was versioned after it, and locked later; that the bucket could be
    suspended then is prevented elsewhere, but would not matter."""

    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        await put(store, bucket)
        bucket = await buckets.set_versioning(store, bucket, suspended=False)
        raw = locks.encode_rule(Rule())
        bucket = await documents.change(store, bucket, {documents.LOCK: raw})

        def hold(old: Object) -> Object:
            return msgspec.structs.replace(old, lock=HELD)

        await edits.change(store, bucket, b"k", hold, version="null")
        suspended = msgspec.structs.replace(bucket.record, versions="Suspended")
        forced = BucketRow(bucket.key, bucket.raw, suspended)
        for newer in (False, True):
            if newer:  # the null version is among the former ones
                await put(store, bucket)
            with pytest.raises(ObjectLocked):
                await put(store, forced)
            with pytest.raises(ObjectLocked):
                await objects.delete(store, forced, b"k", owner="me")
        record = await objects.head(store, bucket, b"k", LOOK._replace(version="null"))
        assert record.lock == HELD

    run(main())


async def _describe_anew(store: Store, bucket: BucketRow) -> None:
    found, _ = await objects.find_small(store, bucket, b"k")
    await copies.redescribe(store, found, bucket, b"k", Description(owner="me"))


async def _extend_it(store: Store, bucket: BucketRow) -> None:
    await _extend(store, bucket, await objects.head(store, bucket, b"k"))


async def _evict(store: Store, bucket: BucketRow) -> None:
    await evict.evict_some(store, bucket)


async def _remove_all(store: Store, bucket: BucketRow) -> None:
    rows = await store.index.scan("object", prefix=bucket.record.id, limit=10)
    await destroy.remove(store, bucket, rows)


async def _remove_null(store: Store, bucket: BucketRow) -> None:
    await removal.remove(store, bucket, b"k", "null")


async def _destroy_all(store: Store, bucket: BucketRow) -> None:
    await destroy.destroy(store, bucket.name)


Step = Callable[[Store, BucketRow], Awaitable[None]]
# All by which the null version would go, where nothing keeps it: with versioning suspended, and
# without any.
REPLACING: dict[str, Step] = {
    "a delete": _delete,
    "a permanent delete": _remove_null,
    "another object": _replace,
    "a rename": _rename,
    "a rename onto it": _rename_onto,
    "a copy onto it": _copy_onto,
    "an upload onto it": _complete_onto,
    "an append": _append,
    "a native delete": _delete_present,
}
WITHOUT: dict[str, Step] = {
    **REPLACING,
    "an append at an offset": _extend_it,
    "another description": _describe_anew,
    "removing a page": _remove_all,
    "evicting": _evict,
    "destroying the bucket": _destroy_all,
}


async def _is_as_before(store: Store, bucket: BucketRow, before: Object, step: Step) -> None:
    with pytest.raises(ObjectLocked):
        await step(store, bucket)
    assert await objects.head(store, bucket, b"k", LOOK._replace(version="null")) == before
    assert await get(store, bucket, b"k") == pattern(10)


@pytest.mark.parametrize("name", WITHOUT)
def test_a_locked_object_in_a_bucket_without_versions_is_not_replaced_either(name: str) -> None:
    """None is locked there, since locks need versions; it would not matter."""

    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        before = await put(store, bucket, HELD)
        await _is_as_before(store, bucket, before, WITHOUT[name])

    run(main())


@pytest.mark.parametrize("name", REPLACING)
def test_a_null_version_that_is_locked_is_not_replaced_while_versioning_is_suspended(
    name: str,
) -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        before = await put(store, bucket, HELD)
        bucket = await buckets.set_versioning(store, bucket, suspended=True)
        await _is_as_before(store, bucket, before, REPLACING[name])
        assert [key[8:] for key, _ in await store.index.scan("object", limit=9)] in (
            [b"k"],
            [b"k", b"other"],  # what was to be put in its place
        )

    run(main())


def test_lifecycle_rules_leave_a_locked_object_where_there_are_no_versions() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        before = await put(store, bucket, HELD)
        await put_rules(store, bucket, rule(date=0))
        assert (await apply(store, bucket)).locked == 1
        assert await objects.head(store, bucket, b"k") == before

    run(main())


def test_a_bucket_with_locks_does_not_become_a_window() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await lock_bucket(store)
        props = {"backend_bck": "aws://there"}
        with pytest.raises(VersionsKept):
            await buckets.reborn(store, bucket.name, props, location="", identity=bucket.record.id)
        assert (await buckets.get(store, bucket.name)).record == bucket.record

    run(main())
