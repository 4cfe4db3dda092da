"""The walk through the queue of replication: order, patience, giving up, take-over."""

from __future__ import annotations

import asyncio

import pytest

from aisle.core.errors import AnnotationNotFound, RowChanged
from aisle.jobs.leases import Sole
from aisle.jobs.replication import walk
from aisle.jobs.work.replicate import replicate_existing
from aisle.namespace import documents, notes, objects
from aisle.namespace.records import Object, decode
from aisle.namespace.replication import delivery, rules
from aisle.namespace.replication.queue import Item
from aisle.namespace.replication.rules import Configuration, Rule
from aisle.namespace.replication.sink import Replicating
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.versions import listing
from aisle.store.base import Check, Put
from tests.jobs.support import begun
from tests.namespace.support import SECOND, Clock, get, make_bucket, memory_store, put, rows, run
from tests.namespace.versioned import get_version, versioned_bucket

HOUR = 3600 * SECOND


def replicated(clock: Clock) -> Store:
    store = memory_store(clock)
    replicating = Replicating()
    store.stamp = replicating.stamp
    store.sinks.append(replicating)
    return store


async def source_of(store: Store, *found: Rule) -> BucketRow:
    bucket = await versioned_bucket(store, "source")
    text = rules.encode(Configuration(list(found), ""))
    return await documents.change(store, bucket, {documents.REPLICATION: text})


async def status(store: Store, bucket: BucketRow, key: bytes = b"k") -> str:
    return (await objects.head(store, bucket, key)).replication


TO = Rule("r", 1, True, "target")


def test_versions_arrive_in_order_and_say_so() -> None:
    async def check() -> None:
        store = replicated(Clock())
        source, target = await source_of(store, TO), await versioned_bucket(store, "target")
        for text in (b"1", b"2", b"3"):
            await put(store, source, b"k", text)
        assert await status(store, source) == rules.PENDING
        assert await walk(store, Sole()) == 3
        assert await status(store, source) == rules.COMPLETED
        assert await status(store, target) == rules.REPLICA
        assert await bodies_of_key(store, target, b"k") == [b"1", b"2", b"3"]
        assert await rows(store, "replicate") == []

    run(check())


def test_what_fails_waits_and_so_does_what_follows() -> None:
    async def check() -> None:
        clock = Clock()
        store = replicated(clock)
        source = await source_of(store, TO)
        await put(store, source, b"k", b"1")
        await put(store, source, b"k", b"2")
        await put(store, source, b"other", b"3")
        assert await walk(store, Sole()) == 0
        target = await versioned_bucket(store, "target")
        await walk(store, Sole())  # not yet due
        assert await listing_of(store, target) == []
        clock.now += 2 * SECOND
        await walk(store, Sole())
        assert await bodies_of_key(store, target, b"k") == [b"1", b"2"]
        assert await get(store, target, b"other") == b"3"

    run(check())


def test_a_walk_that_fails_leaves_nothing_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the next one would deliver what follows before it."""

    async def check() -> None:
        store = replicated(Clock())
        source, target = await source_of(store, TO), await versioned_bucket(store, "target")
        await put(store, source, b"slow", b"1")
        await put(store, source, b"taken", b"2")
        deliver, failed = delivery.deliver, asyncio.Event()

        async def delayed(store: Store, source: BucketRow, item: Item) -> None:
            if item.key == b"taken":
                failed.set()
                raise RowChanged("replicate", item.key)
            await failed.wait()
            for _ in range(100):
                await asyncio.sleep(0)
            await deliver(store, source, item)

        with monkeypatch.context() as patched:
            patched.setattr(delivery, "deliver", delayed)
            with pytest.raises(RowChanged):
                await walk(store, Sole())
        assert await bodies_of_key(store, target, b"slow") == [b"1"]
        assert await walk(store, Sole()) == 1
        assert await bodies_of_key(store, target, b"slow") == [b"1"]

    run(check())


def test_what_fails_for_long_is_given_up() -> None:
    async def check() -> None:
        clock = Clock()
        store = replicated(clock)
        source = await source_of(store, TO)
        await put(store, source, b"k", b"1")
        assert await walk(store, Sole()) == 0
        clock.now += 8 * 24 * HOUR
        assert await walk(store, Sole()) == 1
        assert await status(store, source) == rules.FAILED
        # The job notes it again.
        target = await versioned_bucket(store, "target")
        task = begun(store, {"bck": list(source.name)}, None)
        assert await replicate_existing(task) == {"objects": 1}
        assert await status(store, source) == rules.PENDING
        assert await walk(store, Sole()) == 1
        assert await get(store, target, b"k") == b"1"

    run(check())


def test_a_version_is_complete_once_it_is_at_all_destinations() -> None:
    async def check() -> None:
        clock = Clock()
        store = replicated(clock)
        source = await source_of(store, TO, Rule("s", 2, True, "second"))
        await versioned_bucket(store, "target")
        await put(store, source, b"k", b"1")
        assert await walk(store, Sole()) <= 1
        assert await status(store, source) == rules.PENDING
        await versioned_bucket(store, "second")
        clock.now += 10 * SECOND
        await walk(store, Sole())
        assert await status(store, source) == rules.COMPLETED

    run(check())


def test_a_rule_that_went_and_a_bucket_that_went_leave_nothing_due() -> None:
    async def check() -> None:
        store = replicated(Clock())
        source = await source_of(store, TO)
        target = await versioned_bucket(store, "target")
        await put(store, source, b"k", b"1")
        source = await documents.change(store, source, {documents.REPLICATION: None})
        assert await walk(store, Sole()) == 1
        assert await listing_of(store, target) == []

    run(check())


def test_who_has_lost_the_duty_drops_nothing() -> None:
    class Lost:
        held = True
        checks = (Check("lease", b"primary", b"another's"),)

    async def check() -> None:
        store = replicated(Clock())
        source = await source_of(store, TO)
        await versioned_bucket(store, "target")
        await put(store, source, b"k", b"1")
        with pytest.raises(RowChanged):
            await walk(store, Lost())
        assert len(await rows(store, "replicate")) == 1

    run(check())


async def listing_of(store: Store, bucket: BucketRow) -> list[bytes]:
    return [listing.key_of(place) for place, _ in (await listing.list_versions(store, bucket)).rows]


async def bodies_of_key(store: Store, bucket: BucketRow, key: bytes) -> list[bytes]:
    page = await listing.list_versions(store, bucket, prefix=key)
    found = [decode(Object, raw) for _, raw in reversed(page.rows)]
    return [await get_version(store, bucket, key, record.version) for record in found]


def test_a_replica_that_arrives_again_keeps_what_was_put_beside_it() -> None:
    async def check() -> None:
        store = replicated(Clock())
        source, target = await source_of(store, TO), await make_bucket(store, "target")
        await put(store, source, b"k", b"1")
        queued = await store.index.scan("replicate", limit=10)
        assert await walk(store, Sole()) == 1
        await notes.put(store, target, b"k", b"note", b"text")
        # The answer was lost, and so the item is still there.
        await store.index.commit(*(Put("replicate", key, raw) for key, raw in queued))
        assert await walk(store, Sole()) == 1
        _, _, text = await notes.get(store, target, b"k", b"note")
        assert text == b"text"
        await put(store, source, b"k", b"2")
        await walk(store, Sole())
        assert await get(store, target, b"k") == b"2"
        with pytest.raises(AnnotationNotFound):
            await notes.get(store, target, b"k", b"note")

    run(check())
