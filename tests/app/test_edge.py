"""The edge on values: who is believed, which heads are refused, what a browser may do."""

from __future__ import annotations

import asyncio
import ipaddress

import pytest

from aisle.app import edge as edges
from aisle.app.asgi import App
from aisle.app.edge import Edge, Limits
from aisle.core.errors import InvalidRequest, TooBusy
from aisle.core.http import RequestHead, fold_headers
from aisle.namespace.store import Store
from aisle.store.memory import MemoryBlobs, MemoryIndex
from tests.app.driver import Exchange, app_over, started

NETWORKS = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "192.168.7.7/32", "fd00::/8")))


def origin(peer: str, forwarded: str = "", proto: str = "") -> tuple[str, str]:
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    if proto:
        headers["x-forwarded-proto"] = proto
    return Edge(proxies=NETWORKS).origin(headers, peer, "http")


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
        ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("10.0.0.1", "2001:DB8::1", "2001:db8::1"),
        ("fd00::5", "203.0.113.9", "203.0.113.9"),
        ("::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
        # A chain of proxies: the one nearest to us that is not trusted.
        ("10.0.0.1", "203.0.113.9, 192.168.7.7, 10.9.9.9", "203.0.113.9"),
        # What the client has written itself stands in front, and counts for nothing.
        ("10.0.0.1", "127.0.0.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "10.0.0.2, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "127.0.0.1, 203.0.113.9, 10.0.0.3", "203.0.113.9"),
        # What is no address ends the chain.
        ("10.0.0.1", "203.0.113.9, unknown", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9, <script>, 10.0.0.3", "10.0.0.3"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", ",", "10.0.0.1"),
        ("10.0.0.1", ", ".join(["10.0.0.2"] * 500), "10.0.0.2"),
        # Nobody else is believed.
        ("198.51.100.1", "127.0.0.1", "198.51.100.1"),
        ("192.168.7.8", "127.0.0.1", "192.168.7.8"),
        ("", "127.0.0.1", ""),
    ],
)
def test_the_client_is_who_came_to_the_outermost_trusted_proxy(
    peer: str, forwarded: str, client: str
) -> None:
    assert origin(peer, forwarded)[0] == client


@pytest.mark.parametrize(
    ("peer", "proto", "scheme"),
    [
        ("10.0.0.1", "https", "https"),
        ("10.0.0.1", "http, HTTPS", "https"),
        ("10.0.0.1", "https, http", "http"),
        ("10.0.0.1", "gopher", "http"),
        ("198.51.100.1", "https", "http"),
    ],
)
def test_the_scheme_is_what_a_trusted_proxy_says(peer: str, proto: str, scheme: str) -> None:
    assert origin(peer, proto=proto)[1] == scheme


@pytest.mark.parametrize(
    ("client", "address"),
    [
        (("203.0.113.9", 1), "203.0.113.9"),
        (("::ffff:203.0.113.9", 1), "203.0.113.9"),
        (("2001:db8::1", 1), "2001:db8::1"),
        (("::ffff:0:1", 1), "::ffff:0:1"),
        (None, ""),
    ],
)
def test_an_address_of_ipv4_is_told_as_one(client: tuple[str, int] | None, address: str) -> None:
    assert edges.peer(client) == address


def head(*headers: tuple[bytes, bytes], path: bytes = b"/") -> RequestHead:
    return RequestHead("GET", path, b"", *fold_headers(headers))


@pytest.mark.parametrize("name", ["host", "authorization", "content-length"])
def test_a_header_that_decides_is_there_once(name: str) -> None:
    twice = head((b"host", b"a"), (name.encode(), b"1"), (name.encode(), b"1"))
    with pytest.raises(InvalidRequest, match=f"the header {name} is there more than once"):
        Edge().check(twice, "1.1")
    Edge().check(head((b"host", b"a"), (b"x-amz-meta-a", b"1"), (b"x-amz-meta-a", b"2")), "1.1")


def test_a_request_of_http_1_1_names_its_host() -> None:
    with pytest.raises(InvalidRequest, match="the header host is missing"):
        Edge().check(head(), "1.1")
    Edge().check(head(), "1.0")


def test_requests_beyond_the_limit_are_refused_but_for_those_who_watch() -> None:
    edge = Edge(Limits(requests=2))
    edge.running = 2
    edge.check(head((b"host", b"a")), "1.1")
    edge.running = 3
    with pytest.raises(TooBusy):
        edge.check(head((b"host", b"a")), "1.1")
    edge.check(head((b"host", b"a"), path=b"/v1/health"), "1.1")
    edge.check(head((b"host", b"a"), path=b"/metrics"), "1.1")


@pytest.mark.parametrize(
    ("content_type", "confined"),
    [
        ("text/html", True),
        ("TEXT/HTML; charset=utf-8", True),
        ("application/xhtml+xml", True),
        ("image/svg+xml", True),
        ("text/xml", True),
        ("application/rss+xml", True),
        ("image/png, text/html", True),
        ("multipart/x-mixed-replace; boundary=a", True),
        ("text/plain", False),
        ("image/png", False),
        ("application/octet-stream", False),
        ("", False),
    ],
)
def test_content_that_a_browser_would_run_here_is_confined(
    content_type: str, confined: bool
) -> None:
    headers = [(b"etag", b"x"), (b"content-type", content_type.encode())]
    here = head((b"host", b"localhost:8080"))
    assert edges.runs_here(headers, here, ("localhost",)) is confined
    # A bucket with a host of its own is an origin of its own.
    there = head((b"host", b"bucket.localhost:8080"))
    assert not edges.runs_here(headers, there, ("localhost",))


@pytest.mark.parametrize(
    ("scheme", "host", "promised"),
    [
        ("https", "store.example.org", True),
        ("https", "store.example.org:8443", True),
        ("https", "[2001:db8::1]", True),
        ("https", "localhost:8080", False),
        ("https", "bucket.LOCALHOST:8080", False),
        ("http", "store.example.org", False),
    ],
)
def test_https_is_promised_where_it_is_spoken(scheme: str, host: str, promised: bool) -> None:
    names = [name for name, _ in edges.standard(scheme, host)]
    assert (b"strict-transport-security" in names) is promised
    assert b"x-content-type-options" in names


async def _app() -> App:
    return await started(app_over(Store(MemoryIndex(), MemoryBlobs())))


def test_every_reply_forbids_guessing_and_objects_are_confined() -> None:
    async def main() -> None:
        app = await _app()
        await Exchange("PUT", "/s3/bucket").run(app)
        for key, kind in (("page", "text/html"), ("picture", "image/png")):
            put = Exchange("PUT", f"/s3/bucket/{key}", [b"x"], {"content-type": kind})
            assert (await put.run(app)).status == 200
        for method, path, status in (
            ("GET", "/s3/bucket/page", 200),
            ("HEAD", "/s3/bucket/page", 200),
            ("GET", "/v1/objects/bucket/page", 200),
            ("GET", "/s3/bucket/picture", 200),
            ("GET", "/s3/bucket", 200),
            ("GET", "/s3/bucket/none", 404),
            ("GET", "/v1/none", 404),
            ("GET", "/v1/health", 200),
        ):
            done = await Exchange(method, path).run(app)
            assert done.status == status
            assert done.fields["x-content-type-options"] == "nosniff"
            # Errors are XML: to confine them does no harm.
            confined = done.fields.get("content-security-policy") == "sandbox"
            assert confined is ("page" in path or path.endswith("/bucket/none")), path

    asyncio.run(main())


def test_a_request_too_many_is_told_to_slow_down() -> None:
    """In each dialect, and the body it came with is not waited for."""

    async def main() -> None:
        app = await _app()
        edge = app._edge
        edge.running = edge.limits.requests
        told = await Exchange("GET", "/s3/bucket").run(app)
        assert (told.status, told.fields["retry-after"]) == (503, "1")
        assert b"<Code>SlowDown</Code>" in told.content
        native = await Exchange("GET", "/v1/cluster").run(app)
        assert (native.status, native.fields["retry-after"]) == (503, "1")
        assert b'"tcode": "ErrTooBusy"' in native.content
        assert (await Exchange("GET", "/v1/health").run(app)).status == 200
        assert edge.running == edge.limits.requests  # each has left again

    asyncio.run(main())
