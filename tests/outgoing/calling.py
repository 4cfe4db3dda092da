"""Requests of one transport to servers that a test makes, and the judge of their replies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from aisle.outgoing.persist import Limits
from aisle.outgoing.request import (
    Refusal,
    Reply,
    Request,
    TransportError,
)
from aisle.outgoing.stream import Stream
from aisle.outgoing.transport import Transport
from tests.outgoing.server import Server, serving

MIB = 1 << 20
QUICK = Limits(backoff=0.001, idle=1.0, reply=1.0, whole=1000)
Result = TypeVar("Result")
Work = Callable[[Transport], Coroutine[Any, Any, Result]]


class Refused(Exception):
    """What the judge of these tests raises."""


def judge(reply: Reply) -> Refusal | None:
    if reply.status < 300:
        return None
    error = Refused(f"{reply.status} {reply.body.decode()} {reply.doubtful}")
    passing = reply.status in (500, 503)
    return Refusal(error, passing, skewed=reply.status == 403, done=reply.status == 500)


def using(work: Work[Result], limits: Limits = QUICK) -> Result:
    async def main() -> Result:
        transport = Transport(limits)
        try:
            return await work(transport)
        finally:
            await transport.close()

    return asyncio.run(main())


def getting(*replies: Any, limits: Limits = QUICK, **more: Any) -> tuple[Reply | Exception, Server]:
    """What a GET of a server with these replies comes to."""

    async def work(transport: Transport) -> tuple[Reply | Exception, Server]:
        async with serving(*replies) as server:
            try:
                request = Request("GET", f"{server.url}/a/b?c=d")
                return await transport.call(request, judge, **more), server
            except (Refused, TransportError) as error:
                return error, server

    return using(work, limits)


async def take(stream: Stream) -> bytes:
    pieces = []
    while piece := await stream.read():
        pieces.append(piece)
    return b"".join(pieces)


def reading(*replies: Any) -> bytes | Exception:
    """What the streamed body of a GET comes to."""

    async def work(transport: Transport) -> bytes | Exception:
        async with serving(*replies) as server:
            stream = await transport.open(Request("GET", server.url), judge)
            try:
                return await take(stream)
            except TransportError as error:
                return error
            finally:
                await stream.close()

    return using(work)
