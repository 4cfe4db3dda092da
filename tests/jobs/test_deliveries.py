"""Targets are told in order, again and again, each by one node, and none waits for another."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from aisle.core.errors import InvalidArgument
from aisle.core.names import BucketName
from aisle.jobs import deliveries
from aisle.jobs.deliveries import Deliverer
from aisle.jobs.leases import Duty, Lease, Sole
from aisle.namespace import buckets, documents, objects
from aisle.namespace.notifications import queue, rules, undelivered
from aisle.namespace.notifications.rules import Rule, Rules
from aisle.namespace.objects import Description
from aisle.namespace.records import Delivery, Notification, decode, encode
from aisle.namespace.store import BucketRow, Store
from aisle.store.base import Put
from aisle.store.memory import MemoryBlobs, MemoryIndex
from aisle.targets.base import Known, Message, Spec, TargetError, Targets
from tests.jobs.support import Steady
from tests.namespace.support import Clock, Data, memory_store, run

DAY = 86_400_000_000_000
GONE = TargetError("it is not there")
REFUSED = TargetError("it will not have it", refused=True)


class Fake:
    """A target that hears what `answer` lets through."""

    def __init__(self, answer: Callable[[str, int], TargetError | None] | None = None) -> None:
        self.answer = answer or (lambda key, size: None)
        self.tried: list[tuple[str, int]] = []
        self.heard: list[tuple[str, int]] = []
        self.sequencers: dict[str, list[str]] = {}
        self.at_work = 0
        self.most = 0
        self.pause = 0.0
        self.stuck: set[str] = set()

    async def send(self, message: Message) -> None:
        (record,) = json.loads(message.body)["Records"]
        thing = record["s3"]["object"]
        key, size = thing["key"], thing["size"]
        self.tried.append((key, size))
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        try:
            await asyncio.sleep(self.pause)
            if key in self.stuck:
                await asyncio.sleep(3600)
            error = self.answer(key, size)
            if error is not None:
                raise error
        finally:
            self.at_work -= 1
        self.heard.append((key, size))
        self.sequencers.setdefault(key, []).append(thing["sequencer"])

    async def close(self) -> None: ...

    def of(self, key: str) -> list[int]:
        return [size for other, size in self.heard if other == key]


async def watched(store: Store, *targets: str) -> BucketRow:
    store.sinks.append(queue.Queue())
    row = await buckets.create(store, BucketName("bucket"), owner="me", location="")
    found = tuple(
        Rule(name, "Queue", f"arn:aisle:sqs::{name}:fake", name, ("s3:ObjectCreated:*",))
        for name in targets or ("hook",)
    )
    await documents.change(store, row, {documents.NOTIFICATION: rules.encode(Rules(found))})
    return await buckets.get(store, BucketName("bucket"))


async def put(store: Store, row: BucketRow, key: str, size: int) -> None:
    await objects.put(store, row, key.encode(), Data(b"x" * size), Description(owner="me"))


@asynccontextmanager
async def telling(
    store: Store, target: Fake, name: str = "hook", *, duty: Duty | None = None, timeout: float = 5
) -> AsyncIterator[Deliverer]:
    """A deliverer at work, whose pauses are short."""
    known = Known(Spec(name, "fake", timeout), target)
    deliverer = Deliverer(
        store, known, duty or Sole(), region="r", pause=lambda failures: 0.01 * min(failures, 5)
    )
    task = asyncio.create_task(deliverer.run())
    try:
        yield deliverer
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def until(done: Callable[[], object], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not done():
            await asyncio.sleep(0.005)


async def queued(store: Store, table: str = queue.TABLE) -> int:
    return len(await store.index.scan(table, limit=10_000))


async def state(store: Store, name: str = "hook") -> Delivery:
    raw = await store.index.get(queue.TARGETS, name.encode())
    return decode(Delivery, raw) if raw is not None else Delivery()


async def given_up(store: Store, count: int) -> None:
    async with asyncio.timeout(60):
        while await queued(store, queue.DEAD) != count:
            await asyncio.sleep(0.005)


async def configure(store: Store, **values: Any) -> None:
    await store.change_config({f"notifications.{name}": value for name, value in values.items()})


def test_a_key_is_told_in_its_order_and_keys_side_by_side() -> None:
    async def go() -> None:
        store = memory_store()
        row = await watched(store)
        for size in range(10):
            for key in "abcdefgh":
                await put(store, row, key, size)
        target = Fake()
        target.pause = 0.002
        async with telling(store, target):
            await until(lambda: len(target.heard) == 80)
        for key in "abcdefgh":
            assert target.of(key) == list(range(10))
            assert target.sequencers[key] == sorted(set(target.sequencers[key]))
        assert 1 < target.most <= deliveries.CONCURRENCY
        assert await queued(store) == 0
        assert (await state(store)).delivered == 80

    run(go())


def test_what_fails_is_tried_again_and_what_came_after_it_waits() -> None:
    async def go() -> None:
        store = memory_store()
        row = await watched(store)
        failures = iter([REFUSED, GONE, REFUSED])
        target = Fake(lambda key, size: next(failures, None) if key == "a" else None)
        for size in range(4):
            await put(store, row, "a", size)
            await put(store, row, "b", size)
        async with telling(store, target):
            await until(lambda: len(target.heard) == 8)
        assert target.of("a") == target.of("b") == [0, 1, 2, 3]
        assert target.tried.count(("a", 0)) == 4

    run(go())


def test_one_message_that_is_refused_for_good_holds_up_its_own_key_alone() -> None:
    async def go() -> None:
        store = memory_store()
        await configure(store, max_attempts=5)
        row = await watched(store)
        target = Fake(lambda key, size: REFUSED if (key, size) == ("a", 0) else None)
        await put(store, row, "a", 0)
        await put(store, row, "a", 1)
        for number in range(50):
            await put(store, row, f"k{number}", 1)
        async with telling(store, target):
            await until(lambda: len(target.heard) == 51)
        assert target.tried.count(("a", 0)) == 5
        assert target.of("a") == [1]
        assert (await state(store)).failed == 1
        ((_, raw),) = await store.index.scan(queue.DEAD, limit=10)
        kept = decode(Notification, raw)
        assert (kept.key, kept.attempts, kept.error) == (b"a", 5, "it will not have it")

    run(go())


def test_nothing_is_kept_of_what_was_given_up_if_a_setting_says_so() -> None:
    async def go() -> None:
        store = memory_store()
        await configure(store, max_attempts=1, keep_undelivered="0")
        row = await watched(store)
        await put(store, row, "a", 0)
        target = Fake(lambda key, size: REFUSED)
        async with telling(store, target):
            await until(lambda: len(target.tried) == 1)
            while await queued(store):
                await asyncio.sleep(0.005)
        assert await queued(store, queue.DEAD) == 0

    run(go())


def test_a_target_that_is_not_there_is_asked_with_one_message_at_a_time_and_then_told_all() -> None:
    async def go() -> None:
        store = memory_store()
        await configure(store, max_attempts=3)
        row = await watched(store)
        there = False
        target = Fake(lambda key, size: None if there else GONE)
        for number in range(200):
            await put(store, row, f"k{number}", 1)
        async with telling(store, target) as deliverer:
            await until(lambda: len(target.tried) > deliveries.CONCURRENCY + 4)
            target.most = 0
            await until(lambda: len(target.tried) > deliveries.CONCURRENCY + 8)
            assert target.most <= 1
            assert deliverer._down
            there = True
            await until(lambda: len(target.heard) == 200)
        assert await queued(store) == 0
        assert (await state(store)).failed == 0

    run(go())


def test_what_has_waited_for_too_long_is_given_up() -> None:
    async def go() -> None:
        clock = Clock()
        store = memory_store(clock)
        await configure(store, max_age="1h")
        row = await watched(store)
        target = Fake(lambda key, size: GONE)
        for number in range(20):
            await put(store, row, f"k{number}", 1)
        async with telling(store, target) as deliverer:
            await until(lambda: len(target.tried) > deliveries.DOWN_AFTER)
            clock.now += DAY
            deliverer._count_at = 0.0
            async with asyncio.timeout(60):
                while await queued(store):
                    await asyncio.sleep(0.01)
        assert (await state(store)).failed == 20
        assert await queued(store, queue.DEAD) == 20

    run(go())


def test_a_queue_is_full_until_a_tenth_of_it_is_free() -> None:
    async def go() -> None:
        store = memory_store()
        await configure(store, max_queued=10)
        row = await watched(store)
        there = False
        target = Fake(lambda key, size: None if there else GONE)
        for number in range(10):
            await put(store, row, f"k{number}", 1)
        async with telling(store, target) as deliverer:
            await until(lambda: deliverer._told is not None and deliverer._told.full)
            assert (await state(store)).queued == 10
            there = True
            await until(lambda: deliverer._told is not None and not deliverer._told.full)
        assert not (await state(store)).full

    run(go())


def test_a_target_that_hangs_or_is_slow_holds_up_no_other() -> None:
    async def go() -> None:
        store = memory_store()
        row = await watched(store, "stuck", "quick")
        stuck, quick = Fake(), Fake()
        stuck.stuck = {f"k{number}" for number in range(100)}
        async with telling(store, stuck, "stuck", timeout=0.05), telling(store, quick, "quick"):
            for number in range(100):
                await put(store, row, f"k{number}", 1)
            await until(lambda: len(quick.heard) == 100)
            await until(lambda: len(stuck.tried) > deliveries.CONCURRENCY)
        assert not stuck.heard
        assert "in time" in (await state(store, "stuck")).error

    run(go())


def test_a_message_that_hangs_holds_up_its_own_key_alone() -> None:
    async def go() -> None:
        store = memory_store()
        row = await watched(store)
        target = Fake()
        target.stuck = {"a"}
        await put(store, row, "a", 1)
        async with telling(store, target, timeout=60):
            await until(lambda: target.at_work == 1)
            for number in range(100):
                await put(store, row, f"k{number}", 1)
            await until(lambda: len(target.heard) == 100)

    run(go())


def test_another_node_takes_over_where_the_holder_has_died() -> None:
    async def go() -> None:
        index, clock = MemoryIndex(), Clock()
        first, second = (Store(index, MemoryBlobs(), now=clock) for _ in range(2))
        row = await watched(first)
        steady = Steady()

        def lease(store: Store, node: str) -> Lease:
            return Lease(store.index, "notifications/hook", node, steady=steady)

        one, other = Fake(), Fake()
        one.stuck = {"b"}
        await put(first, row, "a", 1)
        held = lease(first, "n1")
        assert await held.turn()
        async with (
            telling(second, other, duty=lease(second, "n2")) as waiting,
            telling(first, one, duty=held, timeout=60) as dying,
        ):
            await until(lambda: len(one.heard) + len(other.heard) == 1)
            await put(first, row, "b", 1)
            await put(first, row, "b", 2)
            await until(lambda: one.at_work == 1)
            steady.now += 7  # it has not renewed: it stops by itself
            dying._beat = asyncio.Event().wait  # type: ignore[method-assign,assignment]
            await until(lambda: one.at_work == 0)
            for _ in range(3):
                await waiting._beat()
                steady.now += 11
                await waiting._beat()
            await until(lambda: other.of("b") == [1, 2])
        assert await queued(first) == 0

    run(go())


def test_what_waits_for_a_target_that_is_no_more_goes_in_time() -> None:
    async def go() -> None:
        clock = Clock()
        store = memory_store(clock)
        row = await watched(store, "gone", "here", "lost")
        for number in range(3):
            await put(store, row, f"k{number}", 1)
        names = frozenset({"here"})
        await deliveries.tidy(store, names)
        assert await queued(store) == 9
        clock.now += 2 * DAY
        await deliveries.tidy(store, names)
        rows = await store.index.scan(queue.TABLE, limit=100)
        assert {key.partition(b"\0")[0] for key, _ in rows} == {b"here"}
        assert len(rows) == 3

    run(go())


def test_nothing_runs_where_there_are_no_targets() -> None:
    async def go() -> None:
        store = memory_store()
        async with asyncio.timeout(60):
            await deliveries.run(store, Targets({}), region="r", node="n", alone=True)

    run(go())


# --- what was given up ----------------------------------------------------------------------


def test_what_was_given_up_is_sent_again_in_its_place() -> None:
    async def go() -> None:
        store = memory_store()
        row = await watched(store)
        await configure(store, max_attempts=2)
        target = Fake(lambda key, size: REFUSED)
        for size in range(3):
            await put(store, row, "a", size)
        async with telling(store, target):
            await given_up(store, 3)
        found = await undelivered.page(store)
        assert [one.told.size for one in found.events] == [0, 1, 2]
        assert {one.told.error for one in found.events} == {str(REFUSED)}
        await put(store, row, "a", 3)
        assert await undelivered.send_again(store, found.events, lambda name: True) == (3, 0)
        assert await undelivered.send_again(store, found.events, lambda name: True) == (0, 0)
        assert await queued(store, queue.DEAD) == 0
        target.answer = lambda key, size: None
        async with telling(store, target):
            await until(lambda: len(target.heard) == 4)
        assert target.of("a") == [0, 1, 2, 3]
        assert target.sequencers["a"] == sorted(set(target.sequencers["a"]))
        assert await queued(store) == 0

    run(go())


def test_what_is_sent_again_is_as_patient_as_what_is_new() -> None:
    async def go() -> None:
        clock = Clock()
        store = memory_store(clock)
        row = await watched(store)
        target = Fake(lambda key, size: GONE)
        await put(store, row, "a", 1)
        clock.now += 2 * DAY
        async with telling(store, target):
            await given_up(store, 1)
        (kept,) = (await undelivered.page(store)).events
        assert str(GONE) in kept.told.error
        assert await undelivered.send_again(store, [kept], lambda name: True) == (1, 0)
        target.tried.clear()
        async with telling(store, target) as deliverer:
            await until(lambda: len(target.tried) >= 3)
            deliverer._count_at = 0.0
            await until(lambda: len(target.tried) >= 5)
            assert await queued(store) == 1  # it is old, and not given up
            clock.now += 2 * DAY
            await given_up(store, 1)
        assert await queued(store) == 0

    run(go())


def test_what_cannot_be_sent_is_left_and_what_is_dropped_is_gone() -> None:
    async def go() -> None:
        store = memory_store()
        row = await watched(store, "hook", "other")
        await configure(store, max_attempts=1)
        for key in "abc":
            await put(store, row, key, 1)
        for number, name in enumerate(("hook", "other"), start=1):
            async with telling(store, Fake(lambda key, size: REFUSED), name):
                await given_up(store, 3 * number)
        found = (await undelivered.page(store)).events
        assert [one.target for one in found] == ["hook"] * 3 + ["other"] * 3
        left = await undelivered.send_again(store, found, lambda name: name == "hook")
        assert left == (3, 3)
        full = encode(Delivery(full=True))
        await store.index.commit(Put(queue.TARGETS, b"other", full))
        assert await undelivered.send_again(store, found[3:], lambda name: True) == (0, 3)
        assert await undelivered.drop(store, found) == 3  # the others wait again
        assert (await undelivered.page(store)).events == []
        assert await queued(store) == 3

    run(go())


def test_pages_are_bounded_and_nothing_is_left_out() -> None:
    async def go() -> None:
        store = memory_store()
        row = await watched(store)
        await configure(store, max_attempts=1)
        for number in range(25):
            await put(store, row, f"{number}", 1)
        async with telling(store, Fake(lambda key, size: REFUSED)):
            await given_up(store, 25)
        seen, after = [], ""
        while True:
            page = await undelivered.page(store, target="hook", after=after, limit=5)
            assert len(page.events) <= 5
            seen += [one.id for one in page.events]
            if not page.next:
                break
            after = page.next
        assert len(set(seen)) == len(seen) == 25
        assert len(await undelivered.named(store, [*seen[:3], seen[0]])) == 3
        assert (await undelivered.page(store, bucket="another")).events == []
        assert (await undelivered.page(store, target="ho")).events == []
        for text in ("", "!", "aG9vaw", seen[0] + "="):
            with pytest.raises(InvalidArgument):
                await undelivered.named(store, [text])

    run(go())
