"""Locks of versions: what they may become, and that nothing removes what is locked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aisle.core.errors import (
    BucketNotEmpty,
    ObjectLocked,
    VersionsKept,
)
from aisle.namespace import (
    bodies,
    buckets,
    copies,
    destroy,
    documents,
    edits,
    housekeeping,
    locks,
    objects,
    uploads,
)
from aisle.namespace.locks import COMPLIANCE, GOVERNANCE, Rule
from aisle.namespace.objects import Description
from aisle.namespace.records import Lock, Object, decode
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.uploads import NamedPart
from aisle.namespace.versions import removal, stack
from aisle.namespace.windows import LOOK
from tests.namespace.support import (
    DAY,
    HOUR,
    LARGE,
    NO_CLAIMS,
    SECOND,
    Clock,
    Data,
    make_bucket,
    memory_store,
    pattern,
    run,
)

NOW = 1_800_000_000 * SECOND
LATER, SOONER = NOW + 2 * DAY, NOW + DAY
GOVERNED = Lock(GOVERNANCE, LATER)
COMPLIANT = Lock(COMPLIANCE, LATER)
HELD = Lock(hold=True)

# --- what a lock may become -----------------------------------------------------------------

# The lock before, what is asked for, and what it is then: without and with bypass.
REFUSED = "refused"
TRANSITIONS: list[tuple[Lock | None, tuple[str, int], object, object]] = [
    (None, (GOVERNANCE, LATER), GOVERNED, GOVERNED),
    (None, (COMPLIANCE, LATER), COMPLIANT, COMPLIANT),
    (None, ("", 0), None, None),
    (HELD, (GOVERNANCE, LATER), Lock(GOVERNANCE, LATER, True), Lock(GOVERNANCE, LATER, True)),
    (GOVERNED, (GOVERNANCE, LATER + 1), Lock(GOVERNANCE, LATER + 1), Lock(GOVERNANCE, LATER + 1)),
    (GOVERNED, (GOVERNANCE, LATER), GOVERNED, GOVERNED),
    (GOVERNED, (GOVERNANCE, SOONER), REFUSED, Lock(GOVERNANCE, SOONER)),
    (GOVERNED, (COMPLIANCE, LATER), REFUSED, COMPLIANT),
    (GOVERNED, (COMPLIANCE, SOONER), REFUSED, Lock(COMPLIANCE, SOONER)),
    (GOVERNED, ("", 0), REFUSED, None),
    (Lock(GOVERNANCE, LATER, True), ("", 0), REFUSED, HELD),
    (COMPLIANT, (COMPLIANCE, LATER + 1), Lock(COMPLIANCE, LATER + 1), Lock(COMPLIANCE, LATER + 1)),
    (COMPLIANT, (COMPLIANCE, LATER), COMPLIANT, COMPLIANT),
    (COMPLIANT, (COMPLIANCE, SOONER), REFUSED, REFUSED),
    (COMPLIANT, (GOVERNANCE, LATER + 1), REFUSED, REFUSED),
    (COMPLIANT, ("", 0), REFUSED, REFUSED),
    (Lock(COMPLIANCE, NOW), ("", 0), None, None),
    (Lock(COMPLIANCE, NOW), (GOVERNANCE, LATER), GOVERNED, GOVERNED),
    (Lock(COMPLIANCE, NOW + 1), ("", 0), REFUSED, REFUSED),
]  # fmt: skip


@pytest.mark.parametrize("bypass", [False, True])
@pytest.mark.parametrize("row", TRANSITIONS)
def test_what_retention_may_become(
    row: tuple[Lock | None, tuple[str, int], object, object], bypass: bool
) -> None:
    before, (mode, until), plain, bypassed = row
    expected = bypassed if bypass else plain
    if expected == REFUSED:
        with pytest.raises(ObjectLocked):
            locks.retained(before, mode, until, NOW, bypass=bypass)
    else:
        assert locks.retained(before, mode, until, NOW, bypass=bypass) == expected


# Until when (days from NOW) a version must stay, and who asks for it with which words.
Step = tuple[str, str, int, bool, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["retain", "hold", "release", "remove"]),
        st.sampled_from(["", GOVERNANCE, COMPLIANCE]),
        st.integers(1, 20),
        st.booleans(),
        st.integers(-3, 5),
    ),
    max_size=30,
)


@given(STEPS)
def test_compliance_never_weakens(steps: list[Step]) -> None:
    """Whatever is asked for, and wherever the clock goes: what compliance has promised once is
    kept for as long as the clock says that it lasts, and a hold until it is released."""
    lock: Lock | None = None
    now, promised, held, removed = NOW, 0, False, False
    for kind, mode, days, bypass, passes in steps:
        now += passes * DAY
        record = msgspec.structs.replace(BLANK, lock=lock)
        try:
            if kind == "retain":
                lock = locks.retained(
                    lock, mode, now + days * DAY if mode else 0, now, bypass=bypass
                )
            elif kind == "remove":
                locks.check_removal(record, now, bypass=bypass)
                removed = True
            else:
                lock = locks.held(lock, on=kind == "hold")
                held = kind == "hold"
        except ObjectLocked:
            assert lock is not None
            assert lock.hold or lock.until > now
        if removed:
            assert now >= promised
            assert not held
            return
        if promised > now:
            assert lock is not None
            assert (lock.mode, lock.until >= promised) == (COMPLIANCE, True)
        promised = lock.until if lock is not None and lock.mode == COMPLIANCE else 0
        assert held == (lock is not None and lock.hold)


BLANK = stack.marker(1, version="", now=NOW, owner="me")
CASES: list[tuple[Lock | None, bool, bool]] = [
    (None, True, True),
    (Lock(), True, True),
    (Lock(released=True), True, True),
    (HELD, False, False),
    (Lock(GOVERNANCE, NOW + 1), False, True),
    (Lock(GOVERNANCE, NOW), True, True),
    (Lock(GOVERNANCE, NOW + 1, True), False, False),
    (Lock(COMPLIANCE, NOW + 1), False, False),
    (Lock(COMPLIANCE, NOW), True, True),
    (Lock(COMPLIANCE, NOW, True), False, False),
]


@pytest.mark.parametrize(("lock", "plain", "bypassed"), CASES)
def test_what_may_be_removed(lock: Lock | None, plain: bool, bypassed: bool) -> None:
    record = msgspec.structs.replace(BLANK, lock=lock)
    for bypass, free in ((False, plain), (True, bypassed)):
        if free:
            locks.check_removal(record, NOW, bypass=bypass)
        else:
            with pytest.raises(ObjectLocked):
                locks.check_removal(record, NOW, bypass=bypass)


def test_a_default_counts_from_when_the_version_was_made() -> None:
    made = msgspec.structs.replace(BLANK, marker=False, mtime=NOW + 1)
    assert locks.with_default(made, Rule()) == made
    assert locks.with_default(BLANK, Rule(GOVERNANCE, 1)) == BLANK  # a delete marker
    end = NOW + DAY + 1_000_000  # the next whole millisecond
    assert locks.with_default(made, Rule(GOVERNANCE, 1)).lock == Lock(GOVERNANCE, end)
    year = NOW + 365 * DAY + 1_000_000
    assert locks.with_default(made, Rule(COMPLIANCE, 0, 1)).lock == Lock(COMPLIANCE, year)
    held = msgspec.structs.replace(made, lock=HELD)
    assert locks.with_default(held, Rule(GOVERNANCE, 1)).lock == Lock(GOVERNANCE, end, True)
    own = msgspec.structs.replace(made, lock=GOVERNED)
    assert locks.with_default(own, Rule(COMPLIANCE, 9)) == own


# --- nothing removes what is locked ---------------------------------------------------------


async def lock_bucket(store: Store, rule: Rule = Rule()) -> BucketRow:  # noqa: B008 - frozen
    made = {documents.LOCK: locks.encode_rule(rule)}
    return await make_bucket(
        store, props={"versioning.enabled": True}, documents=made, has=documents.bits(made)
    )


async def put(
    store: Store, bucket: BucketRow, lock: Lock | None = None, key: bytes = b"k", size: int = 10
) -> Object:
    described = Description(owner="me", lock=lock)
    return await objects.put(store, bucket, key, Data(pattern(size)), described)


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


def test_a_locked_object_in_a_bucket_without_versions_is_not_replaced_either() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        await put(store, bucket, HELD)
        with pytest.raises(ObjectLocked):
            await put(store, bucket)
        with pytest.raises(ObjectLocked):
            await objects.delete(store, bucket, b"k")
        await put(store, bucket, key=b"other")
        with pytest.raises(ObjectLocked):
            await edits.rename(store, bucket, b"other", b"k")
        assert (await objects.head(store, bucket, b"k")).lock == HELD

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


# --- clocks ---------------------------------------------------------------------------------


def test_a_clock_that_goes_back_does_not_unlock() -> None:
    async def main() -> None:
        clock = Clock(NOW)
        store = memory_store(clock)
        bucket = await lock_bucket(store, Rule(COMPLIANCE, 1))
        it = await put(store, bucket)
        assert it.lock == Lock(COMPLIANCE, NOW + DAY)
        for moment in (NOW - 400 * DAY, 0, NOW - 1, NOW, NOW + DAY - 1):
            clock.now = moment
            with pytest.raises(ObjectLocked):
                await removal.remove(store, bucket, b"k", it.version, bypass=True)
            with pytest.raises(ObjectLocked):
                await destroy.destroy(store, bucket.name)
            with pytest.raises(ObjectLocked):
                locks.retained(it.lock, "", 0, clock.now, bypass=True)
        clock.now = NOW + DAY
        assert await removal.remove(store, bucket, b"k", it.version) is not None

    run(main())


def test_a_clock_that_was_ahead_and_is_set_right_locks_again() -> None:
    """What nobody removed meanwhile is as locked as before; what was written meanwhile is locked
    from the time on that it says it was written."""

    async def main() -> None:
        clock = Clock(NOW)
        store = memory_store(clock)
        bucket = await lock_bucket(store, Rule(COMPLIANCE, 1))
        it = await put(store, bucket)
        clock.now = NOW + 2 * DAY
        late = await put(store, bucket, key=b"late")
        clock.now = NOW + HOUR
        for key, version in ((b"k", it.version), (b"late", late.version)):
            with pytest.raises(ObjectLocked):
                await removal.remove(store, bucket, key, version, bypass=True)
        clock.now = NOW + DAY
        await removal.remove(store, bucket, b"k", it.version)
        with pytest.raises(ObjectLocked):
            await removal.remove(store, bucket, b"late", late.version)

    run(main())


def test_the_default_is_the_one_at_the_moment_of_the_write() -> None:
    async def main() -> None:
        clock = Clock(NOW)
        store = memory_store(clock)
        bucket = await lock_bucket(store)
        before = await put(store, bucket)
        raw = locks.encode_rule(Rule(GOVERNANCE, 3))
        bucket = await documents.change(store, bucket, {documents.LOCK: raw})
        after = await put(store, bucket)
        assert (before.lock, after.lock) == (None, Lock(GOVERNANCE, NOW + 3 * DAY))
        how = LOOK._replace(version=before.version)
        assert (await objects.head(store, bucket, b"k", how)).lock is None
        rows = await store.index.scan("object", prefix=bucket.record.id, limit=2)
        assert decode(Object, rows[0][1]).lock == after.lock

    run(main())
