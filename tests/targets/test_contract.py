"""What every kind of target does, over real brokers and servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from aisle.targets.base import Known, Message, TargetError
from tests.targets.sites import SITES, Site, known


@pytest.fixture(scope="module", params=SITES)
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    made = SITES[request.param]()
    yield made
    made.close()


@asynccontextmanager
async def opened(
    site: Site, options: dict[str, Any] | None = None, timeout: float = 20.0
) -> AsyncIterator[Known]:
    target = known(site.kind, options or site.options, timeout)
    try:
        yield target
    finally:
        await target.target.close()


def message(text: str) -> Message:
    return Message(b'{"n":"%s"}' % text.encode(), b"bucket/" + text.encode())


async def until_sent(target: Known, one: Message, seconds: float = 60) -> None:
    """A server that has just come back may need a moment; a target gets over it."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                return await target.send(one)
            except TargetError:
                await asyncio.sleep(0.2)


def test_what_was_sent_has_arrived_once(site: Site) -> None:
    async def go() -> None:
        async with opened(site) as target:
            await until_sent(target, message("one"))
            await target.send(message("two"))
        arrived = await site.arrived()
        assert arrived.count(message("one").body) == 1
        assert arrived.count(message("two").body) == 1

    asyncio.run(go())


def test_many_go_at_a_time(site: Site) -> None:
    async def go() -> None:
        async with opened(site) as target:
            many = [message(f"many{number}") for number in range(60)]
            await asyncio.gather(*(target.send(one) for one in many))
        assert {one.body for one in many} <= set(await site.arrived())

    asyncio.run(go())


def test_what_it_will_not_have_is_told_apart(site: Site) -> None:
    async def go() -> None:
        async with opened(site, site.refusing) as target:
            with pytest.raises(TargetError) as caught:
                await target.send(Message(site.unwanted, b"bucket/unwanted"))
            assert caught.value.refused is site.refuses

    asyncio.run(go())


def test_it_comes_back_after_its_server_was_gone(site: Site) -> None:
    async def go() -> None:
        async with opened(site, timeout=5) as target:
            await until_sent(target, message("before"))
            await asyncio.to_thread(site.stop)
            try:
                for _ in range(2):
                    with pytest.raises(TargetError) as caught:
                        await target.send(message("meanwhile"))
                    assert not caught.value.refused
                    told = str(caught.value)
                    assert "127.0.0.1" not in told
                    assert "guest" not in told
            finally:
                await asyncio.to_thread(site.start)
            await until_sent(target, message("after"))
        assert message("after").body in await site.arrived()

    asyncio.run(go())


def test_closing_one_that_was_never_used_is_fine(site: Site) -> None:
    async def go() -> None:
        async with opened(site):
            pass

    asyncio.run(go())
