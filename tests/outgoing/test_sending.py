"""`outgoing.transport`: bodies that are sent, and what is known of those whose reply was lost."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator

import pytest

from aisle.outgoing.persist import Budget, Limits, persist
from aisle.outgoing.request import (
    Body,
    NoReply,
    Reply,
    Request,
    TransportError,
    Unreachable,
    whole,
)
from aisle.outgoing.transport import Transport
from tests.outgoing.calling import MIB, QUICK, Refused, getting, judge, using
from tests.outgoing.server import reply, serving


def body_of(data: bytes, opened: list[int]) -> Body:
    async def pour() -> AsyncIterator[bytes]:
        opened.append(len(opened))
        for start in range(0, len(data), 1000):
            yield data[start : start + 1000]

    return Body(len(data), pour)


def test_a_body_is_sent_from_its_beginning_each_time() -> None:
    async def work(transport: Transport) -> None:
        opened: list[int] = []
        body = body_of(bytes(range(250)) * 20, opened)
        async with serving(reply(503), reply(200)) as server:
            await transport.call(Request("PUT", server.url, body=body), judge)
            assert [seen.body for seen in server.seen] == [bytes(range(250)) * 20] * 2
            assert opened == [0, 1]

    using(work)


def test_a_write_whose_reply_was_lost_may_be_left_alone() -> None:
    async def lose(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readexactly(5000)
        writer.transport.abort()

    async def work(transport: Transport) -> None:
        async with serving(lose, reply(200)) as server:
            request = Request("PUT", server.url, body=whole(bytes(5000)))
            with pytest.raises(NoReply) as failure:
                await transport.call(request, judge, repeat_sent=False)
            assert failure.value.sent
            assert len(server.seen) == 1
            assert (await transport.call(request, judge)).status == 200

    using(work)


def test_a_server_that_is_gone_by_now_may_have_done_what_it_was_sent_before() -> None:
    failures: list[TransportError] = [NoReply("no answer in time", sent=True), Unreachable("gone")]

    async def attempt(doubtful: bool) -> Reply:
        raise failures.pop(0)

    async def main() -> None:
        with pytest.raises(Unreachable) as failure:
            await persist(attempt, QUICK, Budget(QUICK.budget), attempts=2)
        assert failure.value.sent

    asyncio.run(main())


def test_a_write_that_was_not_sent_to_its_end_is_always_repeated() -> None:
    async def refuse(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readexactly(5000)
        writer.transport.abort()

    async def work(transport: Transport) -> None:
        async with serving(refuse, reply(200)) as server:
            body = body_of(bytes(32 * MIB), [])
            request = Request("PUT", server.url, body=body)
            found = await transport.call(request, judge, repeat_sent=False)
            assert found.status == 200
            assert not found.doubtful

    using(work, Limits(backoff=0.001))


def test_what_may_have_been_done_is_told_to_the_judge() -> None:
    found, _ = getting(reply(500), reply(412, b"exists"))
    assert str(found) == "412 exists True"
    found, _ = getting(reply(503), reply(412, b"exists"))
    assert str(found) == "412 exists False"


def test_an_answer_that_comes_before_the_body_is_heard() -> None:
    async def refuse(reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(reply(404, b"no bucket", connection="close"))
        await writer.drain()

    async def work(transport: Transport) -> None:
        async with serving(refuse) as server:
            request = Request("PUT", server.url, body=body_of(bytes(32 * MIB), []))
            with pytest.raises(Refused, match="404 no bucket"):
                await transport.call(request, judge)

    using(work, Limits())


def test_what_goes_wrong_with_a_body_is_heard_as_it_is() -> None:
    async def pour() -> AsyncIterator[bytes]:
        yield b"some"
        raise LookupError("the disk is gone")

    async def work(transport: Transport) -> None:
        async with serving(reply(200)) as server:
            with pytest.raises(LookupError, match="the disk is gone"):
                await transport.call(Request("PUT", server.url, body=Body(10, pour)), judge)
            assert len(server.seen) <= 1

    using(work)
