"""What a walk by lifecycle rules removes, what it leaves, and who may come in between."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing

import msgspec
import pytest

from aisle.core.names import BucketName
from aisle.namespace import buckets, documents, edits, events, objects
from aisle.namespace.lifecycle import walk as walking
from aisle.namespace.lifecycle.plan import Plan
from aisle.namespace.lifecycle.removing import RulesChanged, Tally, governed
from aisle.namespace.lifecycle.walk import walk
from aisle.namespace.records import Lock, Object
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.versions import removal
from aisle.store.base import Change
from tests.namespace.lifecycles import apply, keys, put, put_rules, rule, stacks, under
from tests.namespace.support import (
    DAY,
    LARGE,
    Clock,
    begun,
    interposed_store,
    make_bucket,
    memory_store,
    multipart,
    once,
    rows,
    run,
)
from tests.namespace.versioned import check_invariants, switch, versioned_bucket

TWO_DAYS = 2 * DAY


async def plain(clock: Clock, count: int = 3) -> tuple[Store, BucketRow]:
    store = memory_store(clock)
    bucket = await make_bucket(store)
    for number in range(count):
        await put(store, bucket, b"%04d" % number)
    return store, bucket


def test_objects_that_are_due_go_and_others_stay() -> None:
    async def main() -> None:
        clock = Clock()
        store, bucket = await plain(clock)
        await multipart(store, bucket, b"0003", [LARGE] * 6)
        await put(store, bucket, b"other", 10)
        clock.now += TWO_DAYS
        await put(store, bucket, b"0002")
        bucket = await put_rules(store, bucket, rule(prefix="0", days=1))
        done = await apply(store, bucket)
        assert done == Tally(objects=3, size=20 + 6 * LARGE)
        assert await keys(store, bucket) == ["0002", "other"]
        await check_invariants(store)
        assert await apply(store, bucket) == Tally()

    run(main())


def test_nothing_is_due_before_its_time_nor_by_a_clock_that_was_set_back() -> None:
    async def main() -> None:
        clock = Clock()
        store, bucket = await plain(clock)
        made = clock.now
        bucket = await put_rules(store, bucket, rule(days=1))
        clock.now = made + DAY  # within the day that is rounded up
        assert await apply(store, bucket) == Tally()
        clock.now = made - 100 * DAY
        assert await apply(store, bucket) == Tally()
        clock.now = made + TWO_DAYS
        assert (await apply(store, bucket)).objects == 3

    run(main())


def test_a_version_was_replaced_no_sooner_than_it_was_written() -> None:
    """Whatever a clock that was set back says of its successor."""

    async def main() -> None:
        clock = Clock()
        store = memory_store(clock)
        bucket = await versioned_bucket(store)
        await put(store, bucket, b"k", 1)
        clock.now -= 100 * DAY
        await put(store, bucket, b"k", 2)
        clock.now += 100 * DAY
        bucket = await put_rules(store, bucket, rule(noncurrent=10))
        assert await apply(store, bucket) == Tally()
        clock.now += 11 * DAY
        assert (await apply(store, bucket)).versions == 1

    run(main())


def test_versions_go_behind_markers_and_then_all_of_a_key() -> None:
    async def main() -> None:
        clock = Clock()
        store = memory_store(clock)
        bucket = await versioned_bucket(store)
        for size in (1, 2, 3):
            await put(store, bucket, b"k", size)
        bucket = await put_rules(store, bucket, rule(days=1, noncurrent=3, newer=1, markers=None))
        clock.now += TWO_DAYS
        assert await apply(store, bucket) == Tally(marked=1)
        assert await keys(store, bucket) == []
        (versions,) = (await stacks(store, bucket)).values()
        assert [(each.marker, each.size) for each in versions] == [
            (True, 0),
            (False, 3),
            (False, 2),
            (False, 1),
        ]
        assert versions[0].owner == "me"
        clock.now += 4 * DAY
        assert await apply(store, bucket) == Tally(versions=2, size=3)
        bucket = await put_rules(store, bucket, rule(days=1, noncurrent=3))
        assert await apply(store, bucket) == Tally(versions=1, size=3)
        assert await apply(store, bucket) == Tally(markers=1)
        assert await stacks(store, bucket) == {}
        await check_invariants(store)

    run(main())


def test_a_null_version_is_replaced_by_a_null_marker_where_versioning_is_suspended() -> None:
    async def main() -> None:
        clock = Clock()
        store = memory_store(clock)
        bucket = await make_bucket(store)
        await put(store, bucket, b"former null", 1)
        bucket = await switch(store, bucket, suspended=False)
        await put(store, bucket, b"former null", 2)
        bucket = await switch(store, bucket, suspended=True)
        await put(store, bucket, b"null", 3)
        bucket = await put_rules(store, bucket, rule(days=1, noncurrent=1))
        clock.now += TWO_DAYS
        assert (await apply(store, bucket)).marked == 2
        found = await stacks(store, bucket)
        assert [(each.marker, each.version) for each in found[b"null"]] == [(True, "")]
        assert [(each.marker, each.size) for each in found[b"former null"]] == [
            (True, 0),
            (False, 2),
        ]
        await check_invariants(store)

    run(main())


def test_what_is_locked_stays_until_it_is_not() -> None:
    async def main() -> None:
        clock = Clock()
        store = memory_store(clock)
        bucket = await versioned_bucket(store)
        until = clock.now + 10 * DAY
        await put(store, bucket, b"held", 1, lock=Lock(hold=True))
        await put(store, bucket, b"held", 2, lock=Lock("COMPLIANCE", until))
        await put(store, bucket, b"held", 3, lock=Lock("GOVERNANCE", until))
        bucket = await put_rules(store, bucket, rule(days=1, noncurrent=1))
        clock.now += TWO_DAYS
        assert await apply(store, bucket) == Tally(marked=1, locked=2)
        clock.now += TWO_DAYS
        assert await apply(store, bucket) == Tally(locked=3)
        clock.now += 10 * DAY
        assert await apply(store, bucket) == Tally(versions=2, size=5, locked=1)
        (versions,) = (await stacks(store, bucket)).values()
        assert [each.size for each in versions] == [0, 1]
        await check_invariants(store)

    run(main())


def test_a_locked_object_without_versions_stays() -> None:
    async def main() -> None:
        clock = Clock()
        store = memory_store(clock)
        bucket = await make_bucket(store)
        await put(store, bucket, b"held", 1, lock=Lock(hold=True))
        await put(store, bucket, b"free", 1)
        bucket = await put_rules(store, bucket, rule(days=1))
        clock.now += TWO_DAYS
        assert await apply(store, bucket) == Tally(objects=1, locked=1, size=1)
        assert await keys(store, bucket) == ["held"]

    run(main())


def test_uploads_that_are_due_are_aborted() -> None:
    async def main() -> None:
        clock = Clock()
        store = memory_store(clock)
        bucket = await make_bucket(store)
        await begun(store, bucket, b"u/old", LARGE, LARGE)
        await begun(store, bucket, b"other", LARGE)
        clock.now += TWO_DAYS
        await begun(store, bucket, b"u/young", LARGE)
        bucket = await put_rules(store, bucket, rule(prefix="u/", abort=1))
        assert await apply(store, bucket) == Tally(uploads=1)
        assert len(await rows(store, "upload")) == 2
        assert len(await rows(store, "part")) == 2

    run(main())


@pytest.mark.parametrize("page", [1, 2, 3, 7])
def test_pages_of_any_size_do_the_same(page: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "PAGE", page)

    async def main() -> None:
        clock = Clock()
        store = memory_store(clock)
        bucket = await versioned_bucket(store)
        for key in (b"a", b"a\0", b"a\0b", b"b"):
            for size in range(6):
                await put(store, bucket, key, size)
        for key in (b"gone", b"gone\0", b"z"):
            await objects.delete(store, bucket, key, owner="me")
        bucket = await put_rules(
            store, bucket, rule(prefix="a", days=1, noncurrent=1, newer=2), rule(markers=True)
        )
        clock.now += TWO_DAYS
        assert await apply(store, bucket) == Tally(marked=3, versions=9, markers=3, size=9)
        found = await stacks(store, bucket)
        assert {key: [each.size for each in versions] for key, versions in found.items()} == {
            b"a": [0, 5, 4, 3],
            b"a\0": [0, 5, 4, 3],
            b"a\0b": [0, 5, 4, 3],
            b"b": [5, 4, 3, 2, 1, 0],
        }
        await check_invariants(store)

    run(main())


@pytest.mark.parametrize("cut", range(1, 8))
def test_a_walk_that_ended_goes_on_from_its_cursor(
    cut: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walking, "PAGE", 2)

    async def main() -> None:
        clock = Clock()
        store = memory_store(clock)
        bucket = await versioned_bucket(store)
        for key in (b"a", b"b", b"c"):
            for size in (1, 2, 3):
                await put(store, bucket, key, size)
        await begun(store, bucket, b"up", 10)
        bucket = await put_rules(store, bucket, rule(noncurrent=1, newer=1, abort=1))
        clock.now += TWO_DAYS
        found = await under(store, bucket)
        done, cursor = Tally(), ""
        steps = walk(store, found, Plan(found.configuration))
        async with aclosing(steps):
            for _ in range(cut):
                step = await anext(steps)
                done, cursor = done.plus(step.done), step.cursor
        done = done.plus(await apply(store, bucket, cursor=cursor))
        assert done == Tally(versions=3, uploads=1, size=3)
        assert [len(each) for each in (await stacks(store, bucket)).values()] == [2, 2, 2]
        await check_invariants(store)

    run(main())


# --- who comes in between -------------------------------------------------------------------

Meddle = Callable[[Store, BucketRow, Clock], Awaitable[object]]


async def overwrite(store: Store, bucket: BucketRow, clock: Clock) -> None:
    await put(store, bucket, b"k", 1)  # the same bytes and the same ETag


async def tag(store: Store, bucket: BucketRow, clock: Clock) -> None:
    def with_tags(old: Object) -> Object:
        return msgspec.structs.replace(old, tags={"keep": "me"})

    await edits.change(store, bucket, b"k", with_tags)


async def lock(store: Store, bucket: BucketRow, clock: Clock) -> None:
    def with_hold(old: Object) -> Object:
        return msgspec.structs.replace(old, lock=Lock(hold=True))

    await edits.change(store, bucket, b"k", with_hold)


@pytest.mark.parametrize("meddle", [overwrite, tag, lock])
@pytest.mark.parametrize("versioned", [False, True])
def test_what_changes_after_it_was_found_due_stays(meddle: Meddle, versioned: bool) -> None:
    async def main() -> None:
        clock = Clock()
        store, index = interposed_store(clock)
        bucket = await (versioned_bucket(store) if versioned else make_bucket(store))
        for key in (b"j", b"k", b"l"):
            await put(store, bucket, key, 1)
        bucket = await put_rules(store, bucket, rule(days=1))
        clock.now += TWO_DAYS
        once(index, "scan", "object", lambda: meddle(store, bucket, clock))
        done = await apply(store, bucket)
        assert (done.objects + done.marked, done.changed) == (2, 1)
        assert await keys(store, bucket) == ["k"]
        await check_invariants(store)

    run(main())


def test_a_version_that_comes_up_at_that_moment_stays() -> None:
    """The current version is removed for good while the one below is found to be a former one."""

    async def main() -> None:
        clock = Clock()
        store, index = interposed_store(clock)
        bucket = await versioned_bucket(store)
        await put(store, bucket, b"k", 1)
        top = await put(store, bucket, b"k", 2)
        bucket = await put_rules(store, bucket, rule(noncurrent=1))
        clock.now += TWO_DAYS

        async def meddle() -> None:
            await removal.remove(store, bucket, b"k", top.version)

        once(index, "scan", "object", meddle)
        assert await apply(store, bucket) == Tally(changed=1)
        assert await keys(store, bucket) == ["k"]
        await check_invariants(store)

    run(main())


def test_a_former_marker_that_becomes_the_newest_stays() -> None:
    async def main() -> None:
        clock = Clock()
        store, index = interposed_store(clock)
        bucket = await versioned_bucket(store)
        await put(store, bucket, b"k", 1)
        await objects.delete(store, bucket, b"k", owner="me")
        top = await put(store, bucket, b"k", 2)
        bucket = await put_rules(store, bucket, rule(noncurrent=1, newer=1))
        clock.now += TWO_DAYS

        async def meddle() -> None:
            await removal.remove(store, bucket, b"k", top.version)

        once(index, "scan", "object", meddle)
        await apply(store, bucket)
        assert await keys(store, bucket) == []
        await check_invariants(store)

    run(main())


def test_a_lone_marker_that_gets_company_stays() -> None:
    async def main() -> None:
        clock = Clock()
        store, index = interposed_store(clock)
        bucket = await versioned_bucket(store)
        await objects.delete(store, bucket, b"k", owner="me")
        bucket = await put_rules(store, bucket, rule(markers=True))

        async def meddle() -> None:
            await put(store, bucket, b"k", 1)

        once(index, "get", "hidden", meddle)
        assert (await apply(store, bucket)).markers == 0
        assert await keys(store, bucket) == ["k"]
        await check_invariants(store)

    run(main())


@pytest.mark.parametrize("versioned", [False, True])
def test_rules_that_have_changed_are_not_acted_by(versioned: bool) -> None:
    async def main() -> None:
        clock = Clock()
        store, index = interposed_store(clock)
        bucket = await (versioned_bucket(store) if versioned else make_bucket(store))
        await put(store, bucket, b"k", 1)
        await begun(store, bucket, b"up", 10)
        bucket = await put_rules(store, bucket, rule(days=1, abort=1))
        clock.now += TWO_DAYS

        async def meddle() -> None:
            await put_rules(store, bucket, rule(days=100))

        for table in ("object", "upload"):
            once(index, "scan", table, meddle)
            with pytest.raises(RulesChanged):
                await apply(store, bucket)
            await put_rules(store, bucket, rule(prefix="no", days=1), rule(abort=1, name="b"))
        assert await keys(store, bucket) == ["k"]
        assert len(await rows(store, "upload")) == 1

    run(main())


def test_a_bucket_without_rules_or_with_a_remote_one_behind_it_is_not_governed() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        assert await governed(store, bucket) is None
        bucket = await put_rules(store, bucket, rule(days=1))
        assert await governed(store, bucket) is not None
        bucket = await documents.change(store, bucket, {documents.LIFECYCLE: None})
        assert await governed(store, bucket) is None
        window = await buckets.create(store, BucketName("far", "aws"), owner="me")
        window = await put_rules(store, window, rule(days=1))
        assert await governed(store, window) is None

    run(main())


def test_events_are_told_of_as_s3_calls_them() -> None:
    told: list[tuple[bytes, str, bool]] = []

    class Ear:
        async def changes(
            self, store: Store, bucket: BucketRow, key: bytes, record: Object, event: str
        ) -> list[Change]:
            told.append((key, event, record.marker))
            return []

    async def main() -> None:
        clock = Clock()
        store = memory_store(clock)
        store.sinks.append(Ear())
        plain_, versioned = await make_bucket(store), await versioned_bucket(store, "versioned")
        for bucket in (plain_, versioned):
            await put(store, bucket, b"k", 1)
            await put_rules(store, bucket, rule(days=1, noncurrent=1, markers=None))
            fresh = await buckets.refresh(store, bucket)
            await documents.change(store, fresh, {documents.NOTIFICATION: b"x"})
        for _ in range(3):
            clock.now += TWO_DAYS
            for bucket in (plain_, versioned):
                await apply(store, bucket)

    run(main())
    assert told == [
        (b"k", events.EXPIRED, False),
        (b"k", "s3:LifecycleExpiration:DeleteMarkerCreated", True),
        (b"k", "s3:LifecycleExpiration:Delete", False),
        (b"k", "s3:LifecycleExpiration:Delete", True),
    ]
