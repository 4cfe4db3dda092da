"""`outgoing.transport`: what is repeated, what is refused, and what a failure says."""

from __future__ import annotations

import asyncio
import email.utils
import math
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any, TypeVar

import pytest

from aisle.outgoing.persist import Budget, Limits, _pause, persist
from aisle.outgoing.request import (
    Body,
    BrokenReply,
    NoReply,
    OversizeReply,
    Refusal,
    Reply,
    Request,
    TransportError,
    Unreachable,
    retry_after,
    whole,
)
from aisle.outgoing.stream import Stream
from aisle.outgoing.transport import READ_BUFFER, Transport
from tests.harness import free_port
from tests.outgoing.server import Server, reply, serving

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


# --- replies --------------------------------------------------------------------------------


def test_a_reply_is_read_whole() -> None:
    found, server = getting(reply(200, b"hello", X_Some="thing"))
    assert isinstance(found, Reply)
    assert (found.status, found.body, found.headers["x-sOME"]) == (200, b"hello", "thing")
    (seen,) = server.seen
    assert (seen.method, seen.target) == ("GET", "/a/b?c=d")
    assert set(seen.headers) == {"host"}


def test_a_body_is_not_decompressed() -> None:
    assert reading(reply(200, b"\x1f\x8bno gzip", content_encoding="gzip")) == b"\x1f\x8bno gzip"


def test_a_reply_that_is_too_long_is_refused_and_not_asked_for_again() -> None:
    found, server = getting(reply(200, bytes(1001)))
    assert isinstance(found, OversizeReply)
    assert len(server.seen) == 1
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"7d0\r\n" + bytes(2000)
    found, server = getting(chunked + b"\r\n0\r\n\r\n")
    assert isinstance(found, OversizeReply)
    found, _ = getting(reply(200, bytes(1001)), limit=1001)
    assert isinstance(found, Reply)


@pytest.mark.parametrize(
    "broken",
    [
        reply(200, b"short", length=10, connection="close"),
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n5\r\nshort\r\n",
    ],
)
def test_a_short_body_is_broken(broken: bytes) -> None:
    assert isinstance(reading(broken), BrokenReply)


def test_a_short_reply_is_asked_for_again() -> None:
    found, server = getting(reply(200, b"short", length=10, connection="close"), reply(200, b"ok"))
    assert isinstance(found, Reply)
    assert found.body == b"ok"
    assert len(server.seen) == 2


def test_what_is_no_http_is_broken() -> None:
    found, server = getting(b"SSH-2.0-OpenSSH\r\nconnection: close\r\n\r\n")
    assert isinstance(found, BrokenReply)
    assert len(server.seen) == 5


def test_a_body_that_stands_still_is_given_up() -> None:
    async def stand(reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(reply(200, b"some", length=10))
        await writer.drain()
        await reader.read()

    found = reading(stand)
    assert isinstance(found, NoReply)
    assert str(found) == "no answer in time"


def test_a_server_that_does_not_answer_is_given_up() -> None:
    async def hang(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.read()

    found, server = getting(hang, limits=Limits(attempts=2, backoff=0.001, reply=1.0))
    assert isinstance(found, NoReply)
    assert found.sent
    assert server.connections == 2


def test_a_server_that_is_not_there_was_sent_nothing() -> None:
    async def work(transport: Transport) -> None:
        with pytest.raises(Unreachable) as failure:
            await transport.call(Request("PUT", f"http://127.0.0.1:{free_port()}/"), judge)
        assert not failure.value.sent
        assert "127.0.0.1" not in str(failure.value)

    using(work)


def test_a_slow_reader_holds_the_server_up() -> None:
    async def work(transport: Transport) -> None:
        poured = 0

        async def pour(reader: StreamReader, writer: StreamWriter) -> None:
            nonlocal poured
            writer.write(reply(200, b"", length=64 * MIB))
            while poured < 64 * MIB:
                writer.write(bytes(MIB))
                await writer.drain()
                poured += MIB

        async with serving(pour) as server:
            stream = await transport.open(Request("GET", server.url), judge)
            assert await stream.read(10) == bytes(10)
            before = -1
            while before != poured:
                before = poured
                await asyncio.sleep(0.1)
            assert poured < 32 * MIB  # what sockets hold on the way
            assert len(await stream.read()) <= 4 * READ_BUFFER
            assert len(await take(stream)) > 60 * MIB
            await stream.close()

    using(work, Limits())


# --- what is tried again --------------------------------------------------------------------


def test_what_passes_is_tried_again() -> None:
    found, server = getting(reply(503), reply(503), reply(200, b"ok"))
    assert isinstance(found, Reply)
    assert found.body == b"ok"
    assert not found.doubtful
    assert len(server.seen) == 3


def test_attempts_have_an_end() -> None:
    found, server = getting(reply(503, b"busy"))
    assert str(found) == "503 busy False"
    assert len(server.seen) == 5
    found, server = getting(reply(503, b"busy"), attempts=1)
    assert len(server.seen) == 1


def test_what_does_not_pass_is_not_tried_again() -> None:
    found, server = getting(reply(404, b"gone"))
    assert str(found) == "404 gone False"
    assert len(server.seen) == 1


def test_a_lost_connection_is_made_again() -> None:
    async def lose(reader: StreamReader, writer: StreamWriter) -> None:
        writer.transport.abort()

    found, _ = getting(lose, lose, reply(200, b"ok"))
    assert isinstance(found, Reply)
    assert found.body == b"ok"
    assert found.doubtful


def test_the_time_that_a_server_asks_for_is_kept() -> None:
    started = time.monotonic()
    found, _ = getting(reply(503, retry_after="1"), reply(200))
    assert isinstance(found, Reply)
    assert time.monotonic() - started >= 1


def test_who_is_asked_for_too_much_patience_has_none() -> None:
    found, server = getting(reply(503, retry_after="3600"))
    assert isinstance(found, Refused)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0), ("17", 17), ("9" * 40, 10**9), ("", None), ("soon", None), ("-1", None),
        ("1.5", None), ("²", None), ("Sun, 22 Nov 2026 10:00:30 GMT", 30),
        ("Sun, 22 Nov 2026 09:00:00 GMT", 0), ("Sun, 99 Nov 2026 09:00:00 GMT", None),
    ],
)  # fmt: skip
def test_retry_after_is_a_number_or_a_date(text: str, seconds: float | None) -> None:
    headers = {"retry-after": text, "date": "Sun, 22 Nov 2026 10:00:00 GMT"}
    assert retry_after(headers) == seconds


def test_pauses_grow_and_differ() -> None:
    limits = Limits(backoff=1.0, pause=8.0)
    for number, longest in ((1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (9, 8.0)):
        pauses = {_pause(number, limits, None) for _ in range(50)}
        assert len(pauses) > 1
        assert all(longest / 2 <= pause <= longest for pause in pauses)
    assert _pause(1, limits, 3.0) == 3.0
    assert _pause(1, limits, 3600.0) == 8.0


def test_repetitions_are_paid_for_and_successes_earn() -> None:
    async def work(transport: Transport) -> None:
        async with serving(*[reply(503)] * 12, reply(200)) as server:
            for _ in range(10):
                with pytest.raises(Refused):
                    await transport.call(Request("GET", server.url), judge)
            assert len(server.seen) == 12  # two repetitions were to be had for 10
            for _ in range(5):
                await transport.call(Request("GET", server.url), judge)
            server.replies = [reply(503)]
            server.seen.clear()
            with pytest.raises(Refused):
                await transport.call(Request("GET", server.url), judge)
            assert len(server.seen) == 2

    using(work, Limits(backoff=0.001, budget=10))


def test_a_clock_that_differs_is_corrected() -> None:
    async def work(transport: Transport) -> None:
        times: list[float] = []

        async def sign(request: Request, now: float) -> Mapping[str, str]:
            times.append(now)
            return request.headers

        ahead = email.utils.formatdate(time.time() + 7200, usegmt=True)

        def skewed(found: Reply) -> Refusal | None:
            refusal = judge(found)
            return refusal._replace(passing=True) if refusal is not None else None

        async with serving(reply(403, date=ahead), reply(200)) as server:
            await transport.call(Request("GET", server.url), skewed, sign=sign)
            assert abs(times[1] - times[0] - 7200) < 60
            assert abs(transport.clock(server.url) - time.time() - 7200) < 60
            assert abs(transport.clock("http://127.0.0.2/") - time.time()) < 60

    using(work)


# --- bodies that are sent -------------------------------------------------------------------


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


# --- what is never done ---------------------------------------------------------------------


def test_a_redirect_is_not_followed_to_another_host() -> None:
    async def work(transport: Transport) -> None:
        async with serving(reply(200, b"elsewhere")) as other:
            for status in (301, 302, 303, 307, 308):
                target = f"http://localhost:{other.port}/"
                async with serving(reply(status, location=target)) as server:
                    for redirects in (0, 3):
                        with pytest.raises(Refused, match=str(status)):
                            await transport.call(
                                Request("GET", server.url), judge, redirects=redirects
                            )
            assert other.seen == []

    using(work)


@pytest.mark.parametrize("scheme", ["https", "file", "ftp"])
def test_a_redirect_is_not_followed_to_another_scheme(scheme: str) -> None:
    async def work(transport: Transport) -> None:
        async with serving(b"") as server:
            server.replies = [reply(302, location=f"{scheme}://127.0.0.1:{server.port}/")]
            with pytest.raises(Refused, match="302"):
                await transport.call(Request("GET", server.url), judge, redirects=3)

    using(work)


def test_a_redirect_to_the_same_host_is_followed_if_asked() -> None:
    found, server = getting(reply(302, location="/other?x"), reply(200, b"ok"), redirects=1)
    assert isinstance(found, Reply)
    assert found.body == b"ok"
    assert server.seen[1].target == "/other?x"
    found, server = getting(reply(302, location="/other"), redirects=9)
    assert isinstance(found, Refused)  # it leads to itself
    assert len(server.seen) == 2


def test_nothing_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    found, _ = getting(reply(200, b"ok"))
    assert isinstance(found, Reply)


def test_cookies_are_not_kept() -> None:
    async def work(transport: Transport) -> None:
        async with serving(reply(200, set_cookie="a=b; Path=/")) as server:
            for _ in range(2):
                await transport.call(Request("GET", server.url), judge)
            assert ["cookie" in seen.headers for seen in server.seen] == [False, False]
            assert server.connections == 1

    using(work)


def test_a_request_that_is_passed_on_is_sent_once() -> None:
    async def work(transport: Transport) -> None:
        async with serving(reply(503, b"busy")) as server:
            stream = await transport.once(Request("GET", server.url))
            assert (stream.status, await take(stream)) == (503, b"busy")
            await stream.close()
            assert len(server.seen) == 1

    using(work)


def test_a_budget_may_be_without_end() -> None:
    found, server = getting(
        *[reply(503)] * 30, reply(200), limits=Limits(attempts=40, backoff=0.0, budget=math.inf)
    )
    assert isinstance(found, Reply)
    assert len(server.seen) == 31
