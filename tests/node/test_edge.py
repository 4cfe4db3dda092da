"""Hostile and slow clients, over raw sockets: what they get, and that others are served meanwhile.

Its node waits for nobody for long, and serves few requests at a time.
"""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.harness import Node
from tests.node.process import eventually

MIB = 1 << 20
MANY = 20


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    options = (
        *("--header-timeout", "2s", "--body-timeout", "1s", "--send-timeout", "1s"),
        *("--max-requests", str(MANY)),
    )
    data = tmp_path_factory.mktemp("edge") / "data"
    running = Node(data, auth=False, workers=1, options=options).start()
    assert running.send("PUT", "/s3/edge").status == 200
    yield running
    assert running.stop() == 0, running.log_tail()
    assert "Traceback" not in running.log_tail(1000)


def connect(node: Node) -> socket.socket:
    return socket.create_connection(("127.0.0.1", node.port), timeout=20)


def until_closed(connection: socket.socket) -> bytes:
    """All that the node still says. A connection that is reset was closed as well."""
    told = b""
    try:
        while piece := connection.recv(1 << 16):
            told += piece
    except ConnectionResetError:
        pass
    return told


def say(node: Node, data: bytes) -> bytes:
    with connect(node) as connection:
        connection.sendall(data)
        return until_closed(connection)


def status(told: bytes) -> int:
    """The status of the first reply, 0 if there is none."""
    return int(told[9:12]) if told.startswith(b"HTTP/1.1 ") else 0


GET = b"GET /s3/edge HTTP/1.1\r\nHost: localhost\r\n"
PUT = b"PUT /s3/edge/%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
SMUGGLED = b"GET /v1/daemon?what=smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: 5, 5\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 0x5\r\n",
        b"Content-Length: 99999999999999999999999\r\n",
        b"Content-Length : 5\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"Transfer-Encoding: chunked, gzip\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        b"X-A: b\r\n c\r\n",  # obs-fold
        b"X-A: b\x00c\r\n",
        b"X-A: b\rc\r\n",
        b"X A: b\r\n",
        b"Host: elsewhere\r\n",
    ],
)
def test_a_head_that_could_be_read_in_two_ways_is_refused(node: Node, framing: bytes) -> None:
    told = say(node, PUT % b"smuggled" + framing + b"\r\nhello" + SMUGGLED)
    assert status(told) == 400
    assert told.count(b"HTTP/1.1 ") == 1  # what follows is no request
    assert node.send("GET", "/s3/edge/smuggled").status == 404


def test_where_chunks_and_a_length_are_given_the_chunks_count_and_nothing_follows(
    node: Node,
) -> None:
    for framing in (
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    ):
        body = b"3\r\nabc\r\n0\r\n\r\n"
        start = b"PUT /s3/edge/both HTTP/1.1\r\nHost: localhost\r\n"
        told = say(node, start + framing + b"\r\n" + body + SMUGGLED)
        assert told.count(b"HTTP/1.1 ") == 1
        assert b"connection: close" in told
        assert node.send("GET", "/s3/edge/both").body == b"abc"
        assert node.send("DELETE", "/s3/edge/both").status == 204


@pytest.mark.parametrize(
    "body",
    [
        b"zz\r\nabc\r\n0\r\n\r\n",
        b"-3\r\nabc\r\n0\r\n\r\n",
        b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
        b"3\r\nabcd\r\n0\r\n\r\n",
        b"3;" + b"a" * 20_000 + b"\r\nabc\r\n0\r\n\r\n",
    ],
)
def test_chunks_that_cannot_be_read_store_nothing(node: Node, body: bytes) -> None:
    told = say(node, PUT % b"chunks" + b"Transfer-Encoding: chunked\r\n\r\n" + body)
    assert status(told) in (0, 400, 411)
    assert node.send("GET", "/s3/edge/chunks").status == 404


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (b"GET / HTTP/1.2\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"GET /a\x00b HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /a\xffb HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /s3/edge HTTP/1.1\r\n\r\n", 400),  # no host
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0),
        (b"CONNECT localhost:22 HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),  # TLS to a port of HTTP
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (GET + b"X-A: " + b"a" * 300_000 + b"\r\n\r\n", 431),
        (GET + b"".join(b"X-%d: 1\r\n" % n for n in range(150)) + b"\r\n", 431),
    ],
)
def test_what_is_no_request_or_too_much_of_one_is_refused(
    node: Node, start: bytes, expected: int
) -> None:
    assert status(say(node, start)) == expected


def test_a_bare_line_feed_ends_a_line_and_nothing_else(node: Node) -> None:
    told = say(node, b"GET /s3/none HTTP/1.1\nHost: localhost\nConnection: close\n\n")
    assert status(told) == 404
    assert told.count(b"HTTP/1.1 ") == 1


def test_of_an_absolute_target_the_path_counts_and_the_host_header(node: Node) -> None:
    asked = (
        b"GET http://evil.example/s3/none HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    told = say(node, asked)
    assert b"<Code>NoSuchBucket</Code><Message>" in told
    assert b"<BucketName>none</BucketName>" in told


# --- slow clients ---------------------------------------------------------------------------


def test_a_head_that_does_not_come_to_its_end_is_given_up(node: Node) -> None:
    """Slowloris: many of them, and others are served."""
    with ExitStack() as opened:
        slow = [opened.enter_context(connect(node)) for _ in range(100)]
        for connection in slow:
            connection.sendall(b"GET / HTTP/1.1\r\nX-A: ")
        assert node.send("GET", "/s3/edge").status == 200
        for connection in slow:
            assert until_closed(connection) == b""


def test_a_body_that_stops_is_given_up_and_stores_nothing(node: Node) -> None:
    told = say(node, PUT % b"slow" + b"Content-Length: 100\r\n\r\nhello")
    assert status(told) == 400
    assert b"<Code>RequestTimeout</Code>" in told
    assert b"connection: close" in told
    start = b"PUT /v1/objects/edge/slow HTTP/1.1\r\nHost: localhost\r\n"
    told = say(node, start + b"Content-Length: 100\r\n\r\nhello")
    assert status(told) == 408
    assert b"has sent nothing of its body for 1 seconds" in told
    assert node.send("GET", "/s3/edge/slow").status == 404


def test_a_body_that_goes_on_is_waited_for(node: Node) -> None:
    with connect(node) as connection:
        connection.sendall(PUT % b"patient" + b"Content-Length: 6\r\n\r\n")
        for piece in b"abcdef":
            time.sleep(0.4)  # longer in all than the node waits for nothing
            connection.sendall(bytes([piece]))
        assert status(until_closed(connection)) == 200
    assert node.send("GET", "/s3/edge/patient").body == b"abcdef"


def test_a_reader_that_takes_nothing_is_cut_off(node: Node) -> None:
    size = 64 * MIB
    assert node.send("PUT", "/s3/edge/large", body=b"x" * size).status == 200
    with connect(node) as connection:
        connection.sendall(b"GET /s3/edge/large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert eventually(60, lambda: "reply broke off" in node.log_tail(1000))
        assert node.send("GET", "/s3/edge").status == 200
        assert len(until_closed(connection)) < size
    assert "has taken nothing of its reply for 1 seconds" in node.log_tail(1000)


# --- many clients ---------------------------------------------------------------------------


def test_two_thousand_idle_connections_are_in_nobodys_way(node: Node) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        with ExitStack() as opened:
            for _ in range(2000):
                opened.enter_context(connect(node))
            for _ in range(20):
                assert node.send("GET", "/s3/edge").status == 200
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_requests_beyond_the_limit_are_told_to_slow_down(node: Node) -> None:
    def crowded() -> bool:
        return node.send("GET", "/s3/edge").status == 503

    with ExitStack() as opened:
        for _ in range(MANY):
            connection = opened.enter_context(connect(node))
            connection.sendall(PUT % b"crowd" + b"Content-Length: 100\r\n\r\nhello")
        assert eventually(60, crowded)
        refused = node.send("GET", "/s3/edge")
        if refused.status == 503:  # they are given up after a second
            assert (refused.code, refused.headers["retry-after"]) == ("SlowDown", "1")
        assert node.send("GET", "/v1/health").status == 200
        assert eventually(60, lambda: not crowded())
