"""Budgets: slices that shrink, and bytes that are taken in turn."""

from __future__ import annotations

import asyncio

from aisle.core.budget import Budget, Reserve


def test_a_slice_shrinks_with_the_number_of_streams() -> None:
    budget = Budget(1000, depth=2, smallest=10, largest=200)
    assert budget.slice() == 200
    with budget, budget, budget, budget, budget:
        assert budget.slice() == 100
    for _ in range(500):
        budget.__enter__()
    assert budget.slice() == 10


def test_who_wants_much_is_served_before_who_comes_after_with_little() -> None:
    async def check() -> None:
        reserve, order = Reserve(10), list[str]()

        async def take(name: str, size: int) -> None:
            await reserve.take(size)
            order.append(name)

        await reserve.take(6)
        tasks = [asyncio.create_task(take(*one)) for one in (("much", 8), ("little", 1))]
        await asyncio.sleep(0)
        assert order == []
        assert reserve.left == 4
        reserve.give(6)
        await asyncio.gather(*tasks)
        assert order == ["much", "little"]
        assert reserve.left == 1

    asyncio.run(check())


def test_nobody_takes_more_than_there_is() -> None:
    async def check() -> None:
        reserve = Reserve(10)
        assert await reserve.take(99) == 10
        reserve.give(10)
        assert reserve.left == 10

    asyncio.run(check())


def test_who_stops_waiting_takes_nothing_and_holds_nobody_up() -> None:
    async def check() -> None:
        reserve = Reserve(10)
        await reserve.take(8)
        first, second = asyncio.create_task(reserve.take(5)), asyncio.create_task(reserve.take(2))
        await asyncio.sleep(0)
        first.cancel()
        assert await second == 2
        assert first.cancelled()
        assert reserve.left == 0
        # The turn comes in the moment in which the other one stops waiting.
        third = asyncio.create_task(reserve.take(3))
        await asyncio.sleep(0)
        reserve.give(10)
        third.cancel()
        await asyncio.gather(third, return_exceptions=True)
        assert reserve.left == 10

    asyncio.run(check())
