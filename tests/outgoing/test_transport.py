"""`outgoing.transport`: replies that are read, what is refused, and what is never done."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter

import pytest

from aisle.outgoing.persist import Limits
from aisle.outgoing.request import (
    BrokenReply,
    NoReply,
    OversizeReply,
    Reply,
    Request,
    Unreachable,
)
from aisle.outgoing.transport import READ_BUFFER, Transport
from tests.harness import free_port
from tests.outgoing.calling import MIB, Refused, getting, judge, reading, take, using
from tests.outgoing.server import reply, serving

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
