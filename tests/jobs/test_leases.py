"""Leases: one holder, whatever the clocks say, and a fence against the one before."""

from __future__ import annotations

import random

import pytest

from aisle.core.errors import RowChanged
from aisle.jobs.leases import Lease, Sole, holder
from aisle.store.base import Put
from aisle.store.memory import MemoryIndex
from tests.jobs.support import Steady
from tests.namespace.support import run


def test_the_first_takes_it_and_the_second_waits() -> None:
    async def story() -> None:
        index = MemoryIndex()
        first, second = Lease(index, "duty", "a"), Lease(index, "duty", "b")
        assert await first.turn()
        assert not await second.turn()
        assert (first.held, second.held) == (True, False)
        assert await holder(index, "duty") == "a"

    run(story())


def test_nobody_has_it_at_first() -> None:
    assert run(holder(MemoryIndex(), "duty")) == ""


def test_one_that_is_given_up_is_taken_at_once() -> None:
    async def story() -> None:
        index = MemoryIndex()
        first, second = Lease(index, "duty", "a"), Lease(index, "duty", "b")
        await first.turn()
        await first.give_up()
        assert not first.held
        assert await holder(index, "duty") == ""
        assert await second.turn()

    run(story())


def test_a_silent_holder_stops_before_another_takes_over() -> None:
    """Clocks that begin at other times and are never compared."""

    async def story() -> None:
        index = MemoryIndex()
        here, there = Steady(1000), Steady(-5_000_000)
        first = Lease(index, "duty", "a", seconds=10, steady=here)
        second = Lease(index, "duty", "b", seconds=10, steady=there)
        await first.turn()
        for _ in range(12):
            taken = await second.turn()
            if taken:
                break
            here.now += 1
            there.now += 1
        assert taken
        assert here.now >= 1010
        assert not first.held
        assert not await first.turn()
        assert await holder(index, "duty") == "b"

    run(story())


def test_one_that_is_renewed_is_never_taken() -> None:
    async def story() -> None:
        index = MemoryIndex()
        here, there = Steady(), Steady()
        first = Lease(index, "duty", "a", seconds=10, steady=here)
        second = Lease(index, "duty", "b", seconds=10, steady=there)
        for _ in range(50):
            assert await first.turn()
            assert not await second.turn()
            here.now += 3
            there.now += 3

    run(story())


def test_a_former_holder_is_fenced() -> None:
    """What it still had in mind when it was stopped for a while is refused."""

    async def story() -> None:
        index = MemoryIndex()
        here, there = Steady(), Steady()
        first = Lease(index, "duty", "a", seconds=10, steady=here)
        second = Lease(index, "duty", "b", seconds=10, steady=there)
        await first.turn()
        fence = first.checks
        await index.commit(*fence, Put("work", b"k", b"by a"))
        await first.turn()
        await index.commit(*fence, Put("work", b"k", b"by a, renewed"))
        await second.turn()
        there.now += 10
        assert await second.turn()
        with pytest.raises(RowChanged):
            await index.commit(*fence, Put("work", b"k", b"too late"))
        await index.commit(*second.checks, Put("work", b"k", b"by b"))
        assert await index.get("work", b"k") == b"by b"

    run(story())


def test_the_same_node_started_anew_has_to_wait_like_any_other() -> None:
    async def story() -> None:
        index = MemoryIndex()
        clock = Steady()
        await Lease(index, "duty", "a", seconds=10, steady=clock).turn()
        reborn = Lease(index, "duty", "a", seconds=10, steady=clock)
        assert not await reborn.turn()
        clock.now += 10
        assert await reborn.turn()

    run(story())


@pytest.mark.parametrize("seed", range(20))
def test_there_is_never_more_than_one_holder(seed: int) -> None:
    """Nodes that stop for random whiles, all judged at every moment."""

    async def story() -> None:
        chance = random.Random(seed)
        index, clock = MemoryIndex(), Steady()
        leases = [Lease(index, "duty", name, seconds=10, steady=clock) for name in "abcd"]
        asleep = [0.0] * len(leases)
        holders = 0
        for _ in range(400):
            clock.now += chance.random() * 2
            for number, lease in enumerate(leases):
                if clock.now < asleep[number]:
                    continue
                await lease.turn()
                if chance.random() < 0.03:
                    asleep[number] = clock.now + chance.random() * 40
            held = [lease for lease in leases if lease.held]
            assert len(held) <= 1
            holders += len(held)
        assert holders > 200

    run(story())


def test_a_node_alone_has_every_duty() -> None:
    sole = Sole()
    assert sole.held
    assert list(sole.checks) == []
