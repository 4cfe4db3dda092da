"""HTTPS in two phases: the head of a PUT alone is redirected at once, its body is not awaited."""

from __future__ import annotations

import pytest

from aisle.app.asgi import App
from tests.app.driver import Exchange, app_over, started
from tests.namespace.support import memory_store, run

PATH = "/v1/objects/bucket/a%20b"
FIRST = {"connection": "close", "content-length": "5", "host": "store.example:8443"}


async def with_bucket() -> App:
    app = await started(app_over(memory_store()))
    assert (await Exchange("PUT", "/s3/bucket").run(app)).status == 200
    return app


@pytest.mark.parametrize("query", ["", "provider=ais", "provider=ais&append_type=append"])
@pytest.mark.parametrize("length", ["5", "0", "5000000000"])
def test_the_first_request_is_redirected_without_its_body(query: str, length: str) -> None:
    async def main() -> None:
        app = await with_bucket()
        headers = {**FIRST, "content-length": length}
        first = Exchange("PUT", PATH, (), headers, query=query, scheme="https")
        await first.run(app)
        assert (first.status, first.content, first.asked) == (307, b"", 0)
        told, _, marker = first.fields["location"].rpartition("pid=p")
        joined = f"?{query}&" if query else "?"
        assert (told, marker) == (f"https://store.example:8443{PATH}{joined}", "")

    run(main())


OLD = {"content-length": "0", "user-agent": "ais/python/1.12.2", "host": "store.example:8443"}


def test_an_old_sdk_that_sends_an_empty_body_first_is_told_where_to_send_the_other() -> None:
    async def main() -> None:
        app = await with_bucket()
        first = await Exchange("PUT", PATH, (), OLD, scheme="https").run(app)
        assert (first.status, first.content) == (307, b"")
        assert (await Exchange("HEAD", PATH, scheme="https").run(app)).status == 404
        _, _, query = first.fields["location"].partition("?")
        for body in (b"12345", b""):
            headers = {**OLD, "content-length": str(len(body))}
            second = Exchange("PUT", PATH, [body], headers, query=query, scheme="https")
            assert (await second.run(app)).status == 200
            assert (await Exchange("GET", PATH, scheme="https").run(app)).content == body

    run(main())


def test_the_second_request_is_served() -> None:
    async def main() -> None:
        app = await with_bucket()
        first = await Exchange("PUT", PATH, (), FIRST, scheme="https").run(app)
        _, _, query = first.fields["location"].partition("?")
        for headers in (dict[str, str](), {"connection": "close"}):
            second = Exchange("PUT", PATH, [b"12", b"345"], headers, query=query, scheme="https")
            assert (await second.run(app)).status == 200
        got = await Exchange("GET", PATH, scheme="https").run(app)
        assert got.content == b"12345"

    run(main())


def test_a_location_without_a_host_is_relative() -> None:
    async def main() -> None:
        app = await with_bucket()
        headers = {**FIRST, "host": ""}
        first = await Exchange("PUT", PATH, (), headers, scheme="https").run(app)
        assert first.fields["location"] == f"{PATH}?pid=p"

    run(main())


@pytest.mark.parametrize(
    ("scheme", "headers"),
    [
        ("http", {"connection": "close"}),
        ("https", {}),
        ("https", {"connection": "keep-alive"}),
        ("https", {"user-agent": "ais/python/1.12.2"}),
        ("http", {**OLD, "content-length": "3"}),
        ("https", {"connection": "close", "authorization": "AWS4-HMAC-SHA256 Credential=x"}),
    ],
)
def test_other_requests_are_served_where_they_are(scheme: str, headers: dict[str, str]) -> None:
    async def main() -> None:
        app = await with_bucket()
        put = await Exchange("PUT", PATH, [b"123"], headers, scheme=scheme).run(app)
        assert put.status == 200
        assert (await Exchange("GET", PATH).run(app)).content == b"123"

    run(main())


def test_only_the_bodies_of_objects_go_in_two_phases() -> None:
    async def main() -> None:
        app = await with_bucket()
        body = [b'{"action":"create-bck"}']
        headers = {"connection": "close"}
        made = await Exchange("POST", "/v1/buckets/new", body, headers, scheme="https").run(app)
        assert made.status == 200
        put = await Exchange("PUT", "/s3/bucket/k", [b"1"], headers, scheme="https").run(app)
        assert put.status == 200

    run(main())
