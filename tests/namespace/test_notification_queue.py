"""The rows that remember events: made in the batch of the write, in order for a key."""

from __future__ import annotations

import asyncio

import msgspec

from aisle.core.names import BucketName
from aisle.namespace import appends, buckets, copies, destroy, documents, edits, events, objects
from aisle.namespace.notifications import queue, rules
from aisle.namespace.notifications.rules import Rule, Rules
from aisle.namespace.objects import Description
from aisle.namespace.records import Delivery, Notification, Object, decode, encode
from aisle.namespace.store import BucketRow, Store
from aisle.store.base import Put
from tests.namespace.support import Clock, Data, memory_store, run, unhurried_store

ARN = "arn:aisle:sqs::hook:webhook"
EVERYTHING = (
    "s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectAcl:Put", "s3:ObjectTagging:*",
    "s3:LifecycleExpiration:*",
)  # fmt: skip


async def watched(store: Store, *found: Rule, bridge: bool = False) -> BucketRow:
    """A bucket with these rules; one that asks for everything if there are none."""
    if not store.sinks:
        store.sinks.append(queue.Queue())
    row = await buckets.create(store, BucketName("bucket"), owner="me", location="")
    asked = found or (Rule("one", "Queue", ARN, "hook", EVERYTHING),)
    raw = rules.encode(Rules(asked, bridge))
    await documents.change(store, row, {documents.NOTIFICATION: raw})
    return await buckets.get(store, BucketName("bucket"))


async def put(store: Store, row: BucketRow, key: bytes, data: bytes = b"abc") -> None:
    await objects.put(store, row, key, Data(data), Description(owner="me"))


async def waiting(store: Store, target: str = "hook") -> list[tuple[str, Notification]]:
    """What waits, each with its sequencer."""
    rows = await store.index.scan(queue.TABLE, prefix=queue.prefix_of(target), limit=1000)
    return [(queue.sequencer(key), decode(Notification, raw)) for key, raw in rows]


async def names(store: Store, target: str = "hook") -> list[tuple[str, bytes]]:
    return [(told.event, told.key) for _, told in await waiting(store, target)]


def test_a_write_is_remembered_with_who_made_it() -> None:
    async def go() -> None:
        store = memory_store()
        row = await watched(store)
        events.CAUSE.set(events.Cause("arn:me", "192.0.2.1", "R1"))
        await put(store, row, b"a")
        ((sequencer, told),) = await waiting(store)
        assert int(sequencer, 16) >= store.now()
        assert told == Notification(
            at=store.now(),
            rule="one",
            event=events.PUT,
            bucket="bucket",
            owner="me",
            key=b"a",
            size=3,
            etag="900150983cd24fb0d6963f7d28e17f72",
            version="",
            principal="arn:me",
            address="192.0.2.1",
            request="R1",
        )

    run(go())


def test_the_order_of_a_key_outlives_a_clock_that_goes_back() -> None:
    async def go() -> None:
        clock = Clock()
        store = memory_store(clock)
        row = await watched(store)
        for size in range(5):
            await put(store, row, b"a", b"x" * size)
            clock.now -= 1_000_000
        found = await waiting(store)
        assert [told.size for _, told in found] == [0, 1, 2, 3, 4]
        sequencers = [sequencer for sequencer, _ in found]
        assert sequencers == sorted(set(sequencers))

    run(go())


def test_two_events_of_one_batch_are_in_order_too() -> None:
    async def go() -> None:
        store = memory_store()  # whose clock stands still
        both = Rule("both", "Queue", ARN, "hook", ("s3:ObjectRestore:*",))
        row = await watched(store, both)
        await put(store, row, b"a")

        def restored(old: Object) -> Object:
            return msgspec.structs.replace(old, restored=1)

        first, then = events.RESTORING, events.RESTORED
        await edits.change(store, row, b"a", restored, event=then, before=first)
        (one, told), (other, later) = await waiting(store)
        assert (told.event, later.event) == (first, then)
        assert one < other

    run(go())


def test_concurrent_writers_of_one_key_leave_one_event_for_each_write_in_their_order() -> None:
    async def go() -> None:
        store = unhurried_store(seed=3)
        row = await watched(store)
        await asyncio.gather(*(put(store, row, b"a", b"x" * size) for size in range(8)))
        found = [told.size for _, told in await waiting(store)]
        assert sorted(found) == list(range(8))
        assert found[-1] == (await objects.find(store, row, b"a")).record.size

    run(go())


def test_every_way_to_change_an_object_is_told() -> None:
    async def go() -> None:
        store = memory_store()
        row = await watched(store)
        await put(store, row, b"a")
        found = await objects.find(store, row, b"a")
        await copies.copy(store, found, row, b"b", Description(owner="me"))
        assert await copies.redescribe(
            store, found, row, b"a", Description(owner="me", meta={"x": "y"})
        )
        await edits.set_acl(store, row, b"b", lambda _: [])
        await edits.set_acl(store, row, b"b", lambda _: [])  # no change
        await edits.rename(store, row, b"b", b"c")
        await objects.delete(store, row, b"a")
        await objects.delete(store, row, b"a")  # there is none
        handle = await appends.begin(store, row, b"d", Description(owner="me"))
        handle = await appends.append(store, row, b"d", handle, Data(b"x"))
        await appends.flush(store, row, b"d", handle)
        assert sorted(await names(store)) == sorted(
            [
                (events.PUT, b"a"),
                (events.COPY, b"b"),
                (events.COPY, b"a"),
                (events.ACL, b"b"),
                (events.DELETE, b"b"),
                (events.COPY, b"c"),
                (events.DELETE, b"a"),
                (events.PUT, b"d"),
            ]
        )

    run(go())


def test_objects_that_go_in_one_batch_are_told_of_one_by_one() -> None:
    async def go() -> None:
        store = memory_store()
        row = await watched(store, Rule("gone", "Queue", ARN, "hook", ("s3:ObjectRemoved:*",)))
        for key in (b"a", b"b", b"c"):
            await put(store, row, key)
        found = await store.index.scan("object", prefix=row.record.id, limit=2)
        assert await destroy.remove(store, row, found) == found
        assert sorted(await names(store)) == [(events.DELETE, b"a"), (events.DELETE, b"b")]

    run(go())


def test_versions_are_named_and_markers_called_by_their_name() -> None:
    async def go() -> None:
        store = memory_store()
        row = await watched(store)
        row = await buckets.set_versioning(store, row, suspended=False)
        await put(store, row, b"a")
        deleted = await objects.delete(store, row, b"a", owner="me")
        (_, created), (_, marked) = await waiting(store)
        assert created.version not in ("", "null")
        assert deleted.marker is not None
        assert (marked.event, marked.version) == (
            "s3:ObjectRemoved:DeleteMarkerCreated", deleted.marker.version,
        )  # fmt: skip

    run(go())


def test_only_what_a_rule_asks_for_is_remembered_and_by_each_that_does() -> None:
    async def go() -> None:
        store = memory_store()
        row = await watched(
            store,
            Rule("jpg", "Queue", ARN, "hook", ("s3:ObjectCreated:*",), None, ".jpg"),
            Rule("gone", "Topic", ARN, "other", ("s3:ObjectRemoved:*",)),
            bridge=True,
        )
        await put(store, row, b"a.jpg")
        await put(store, row, b"a.png")
        await objects.delete(store, row, b"a.jpg")
        assert await names(store) == [(events.PUT, b"a.jpg")]
        assert await names(store, "other") == [(events.DELETE, b"a.jpg")]
        assert len(await names(store, rules.BRIDGE)) == 3

    run(go())


def test_a_full_queue_takes_no_more_and_the_loss_is_counted() -> None:
    async def go() -> None:
        store = memory_store()
        lost: list[tuple[str, int, int]] = []
        store.count = lambda *what: lost.append(what)
        await store.index.commit(Put(queue.TARGETS, b"hook", encode(Delivery(full=True))))
        row = await watched(store)
        await put(store, row, b"a")
        assert await names(store) == []
        assert lost == [(queue.LOST, 1, 0)]
        assert (await objects.find(store, row, b"a")).record.size == 3

    run(go())


def test_a_bucket_that_tells_nobody_reads_nothing_more() -> None:
    async def go() -> None:
        store = memory_store()
        store.sinks.append(queue.Queue())
        row = await buckets.create(store, BucketName("plain"), owner="me", location="")
        await put(store, row, b"a")
        assert await store.index.scan(queue.TABLE, limit=10) == []

    run(go())
