"""The application driven as a server drives it: bodies, disconnects, draining, bugs."""

from __future__ import annotations

import asyncio
import logging
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator

import pytest

from aisle.api.base import Context, Response, Service
from aisle.api.s3 import dialect as s3
from aisle.app import wire
from aisle.app.asgi import App
from aisle.core.errors import AisleError, StoreUnavailable
from aisle.namespace.store import Store
from tests.app.driver import Exchange, app_over, started
from tests.namespace.support import (
    LARGE,
    blob_ids,
    etag_of,
    interposed_store,
    memory_store,
    once,
    pattern,
    rows,
    run,
)


async def with_bucket() -> tuple[App, Store]:
    store = memory_store()
    app = await started(app_over(store))
    assert (await Exchange("PUT", "/bucket").run(app)).status == 200
    return app, store


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("size", [0, 1, 5000, LARGE, 3_000_000])
@pytest.mark.parametrize("path", ["/bucket/key", "/s3/bucket/key"])
def test_a_body_goes_in_and_comes_out(path: str, size: int) -> None:
    async def main() -> None:
        app, _ = await with_bucket()
        data = pattern(size)
        pieces = cut(data, 70_000)
        put = await Exchange("PUT", path, pieces, {"content-length": str(size)}).run(app)
        assert (put.status, put.content, put.fields["content-length"]) == (200, b"", "0")
        got = await Exchange("GET", path).run(app)
        assert (got.status, got.content) == (200, data)
        assert got.ended
        assert got.fields["content-length"] == str(size)
        assert got.fields["etag"] == put.fields["etag"]
        head = await Exchange("HEAD", path).run(app)
        assert (head.status, head.content) == (200, b"")
        assert head.fields["content-length"] == str(size)
        gone = await Exchange("DELETE", path).run(app)
        assert (gone.status, gone.content) == (204, b"")
        assert "content-length" not in gone.fields

    run(main())


@pytest.mark.parametrize("sent", [1, 2, 5])
@pytest.mark.parametrize("size", [5_000, 2_000_000])
def test_an_upload_that_is_cut_off_stores_nothing(size: int, sent: int) -> None:
    async def main() -> None:
        app, store = await with_bucket()
        pieces = cut(pattern(size), size // 8)
        await Exchange("PUT", "/bucket/key", pieces, hang_up_after=sent).run(app)
        assert await rows(store, "object") == await rows(store, "body") == []
        assert await blob_ids(store) == set()
        assert (await Exchange("GET", "/bucket/key").run(app)).status == 404

    run(main())


@pytest.mark.parametrize("length", ["4", "6", "5000000"])
def test_a_body_of_another_length_than_announced_stores_nothing(length: str) -> None:
    async def main() -> None:
        app, store = await with_bucket()
        exchange = Exchange("PUT", "/bucket/key", [b"hello"], {"content-length": length})
        reply = await exchange.run(app)
        assert reply.status == 400
        assert ET.fromstring(reply.content).findtext("Code") == "IncompleteBody"
        assert await rows(store, "object") == []

    run(main())


def test_a_download_that_is_left_stops_reading_from_the_store() -> None:
    async def main() -> None:
        app, store = await with_bucket()
        size = 64 << 20
        await Exchange("PUT", "/bucket/key", [pattern(1 << 20)] * 64).run(app)
        reply = await Exchange("GET", "/bucket/key", leave_after=1).run(app)
        assert reply.fields["content-length"] == str(size)
        assert len(reply.content) < size // 4
        assert not reply.ended
        assert store.oldest_read() == store.now()  # no read is announced any more
        assert (store.outgoing.active, store.incoming.active) == (0, 0)

    run(main())


def test_a_download_whose_bytes_are_missing_ends_short(caplog: pytest.LogCaptureFixture) -> None:
    """The head has gone out: the connection is cut, never a body that looks whole."""

    async def main() -> None:
        app, store = await with_bucket()
        await Exchange("PUT", "/bucket/key", [pattern(LARGE)]).run(app)
        for blob in await blob_ids(store):
            await store.blobs.delete(blob)
        exchange = Exchange("GET", "/bucket/key")
        with pytest.raises(ConnectionAbortedError):
            await exchange.run(app)
        assert not exchange.ended
        (told,) = [record for record in caplog.records if "broke off" in record.getMessage()]
        assert told.request_id == exchange.fields["x-amz-request-id"]  # type: ignore[attr-defined]

    run(main())


def test_an_early_refusal_takes_in_a_bounded_part_of_the_body() -> None:
    """So that a client that does not wait for 100-continue reads the answer."""

    async def main() -> None:
        app, _ = await with_bucket()
        megabyte = bytes(1 << 20)
        small = await Exchange("PUT", "/absent/key", [megabyte] * 4).run(app)
        assert (small.status, small.taken) == (404, 4)
        assert "connection" not in small.fields
        # Part of what is known to be too large would help nobody.
        large = await Exchange("PUT", "/absent/key", [megabyte] * 100).run(app)
        assert (large.status, large.taken) == (404, 0)
        assert large.fields["connection"] == "close"
        unknown = await Exchange(
            "PUT", "/absent/key", [megabyte] * 100, {"transfer-encoding": "chunked"}
        ).run(app)
        assert (unknown.status, unknown.taken) == (404, wire.DRAIN_BYTES >> 20)
        assert unknown.fields["connection"] == "close"
        waiting = await Exchange(
            "PUT", "/absent/key", [megabyte] * 4, {"expect": "100-continue"}
        ).run(app)
        assert (waiting.status, waiting.taken) == (404, 0)
        assert waiting.fields["connection"] == "close"

    run(main())


def test_draining_a_client_that_stalls_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        app, _ = await with_bucket()
        exchange = Exchange("PUT", "/absent/key", [b"x"], {"content-length": "1000"})
        exchange.body = [b"x", b"never"]

        async def stall() -> wire.Message:
            if exchange.taken == 1:
                await asyncio.Event().wait()
            return await receive()

        receive = exchange._receive
        monkeypatch.setattr(exchange, "_receive", stall)
        monkeypatch.setattr(wire, "DRAIN_SECONDS", 0.05)
        reply = await exchange.run(app)
        assert (reply.status, reply.fields["connection"]) == (404, "close")

    run(main())


class Broken:
    """A dialect with a bug."""

    NAME = "broken"

    def __init__(self, error: Exception, response: Response | None = None) -> None:
        self.error = error
        self.response = response

    async def handle(self, svc: Service, ctx: Context) -> Response:
        if self.response is not None:
            return self.response
        raise self.error

    def tell(self, ctx: Context, error: AisleError) -> Response:
        return s3.tell(ctx, error)


def test_a_bug_is_logged_with_its_traceback_and_told_without(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        app = await started(app_over(memory_store(), dialect=Broken(KeyError("secret detail"))))
        with caplog.at_level(logging.ERROR):
            reply = await Exchange("GET", "/bucket/key").run(app)
        assert reply.status == 500
        root = ET.fromstring(reply.content)
        assert root.findtext("Code") == "InternalError"
        assert b"secret" not in reply.content
        request_id = reply.fields["x-amz-request-id"]
        assert root.findtext("RequestId") == request_id
        assert request_id in caplog.text
        assert "secret detail" in caplog.text
        assert "Traceback" in caplog.text

    run(main())


def test_a_failure_of_the_store_is_told_and_can_be_retried() -> None:
    async def main() -> None:
        broken = Broken(StoreUnavailable("/dev/sda1 is on fire"))
        app = await started(app_over(memory_store(), dialect=broken))
        reply = await Exchange("GET", "/bucket/key").run(app)
        assert (reply.status, reply.fields["retry-after"]) == (503, "1")
        assert b"sda1" not in reply.content

    run(main())


def test_a_body_is_closed_when_the_client_leaves_or_it_fails() -> None:
    closed = []

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 1000
        finally:
            closed.append(True)

    async def main() -> None:
        response = Response(200, [], endless(), 10**9)
        app = await started(app_over(memory_store(), dialect=Broken(KeyError(), response)))
        await Exchange("GET", "/bucket/key", leave_after=5000).run(app)
        assert closed == [True]

    run(main())


@pytest.mark.parametrize("operation", ["CopyObject", "UploadPartCopy"])
def test_a_copy_whose_source_is_replaced_meanwhile_takes_one_whole_version(operation: str) -> None:
    async def main() -> None:
        store, index = interposed_store()
        app = await started(app_over(store))
        await Exchange("PUT", "/bucket").run(app)
        await Exchange("PUT", "/bucket/source", [b"first"]).run(app)
        query = ""
        if operation == "UploadPartCopy":
            begun = await Exchange("POST", "/bucket/copy", query="uploads").run(app)
            upload = ET.fromstring(begun.content).findtext("{*}UploadId")
            query = f"partNumber=1&uploadId={upload}"
        once(index, "get", "object", lambda: Exchange("PUT", "/bucket/source", [b"other"]).run(app))
        reply = await Exchange(
            "PUT", "/bucket/copy", (), {"x-amz-copy-source": "/bucket/source"}, query
        ).run(app)
        assert reply.status == 200, reply.content
        etag = ET.fromstring(reply.content).findtext("{*}ETag")
        assert etag in (f'"{etag_of(b"first")}"', f'"{etag_of(b"other")}"')

    run(main())


def test_requests_are_numbered() -> None:
    async def main() -> None:
        app, _ = await with_bucket()
        replies = [await Exchange("GET", "/").run(app) for _ in range(3)]
        assert len({reply.fields["x-amz-request-id"] for reply in replies}) == 3
        assert all(reply.fields["server"] == "Aisle" for reply in replies)
        other = await Exchange("GET", "/").run((await with_bucket())[0])
        assert other.fields["x-amz-request-id"][:8] != replies[0].fields["x-amz-request-id"][:8]

    run(main())


@pytest.mark.parametrize(
    "path", ["/%FF", "/%FF/key", "/bucket/%FF", "/bucket/%ED%A0%80", "/bucket/%C0%AF"]
)
@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "DELETE"])
def test_a_name_that_is_not_utf_8_is_the_clients_mistake(method: str, path: str) -> None:
    async def main() -> None:
        app, _ = await with_bucket()
        reply = await Exchange(method, path).run(app)
        assert 400 <= reply.status < 500, reply.content
        if method != "HEAD":
            ET.fromstring(reply.content)

    run(main())


@pytest.mark.parametrize("name", ["prefix", "marker", "delimiter", "start-after"])
@pytest.mark.parametrize("options", ["", "&encoding-type=url", "&list-type=2"])
def test_a_parameter_that_is_not_utf_8_does_not_break_a_listing(name: str, options: str) -> None:
    async def main() -> None:
        app, _ = await with_bucket()
        await Exchange("PUT", "/bucket/key", [b"x"]).run(app)
        reply = await Exchange("GET", "/bucket", query=f"{name}=%FF{options}").run(app)
        assert reply.status in (200, 400), reply.content
        ET.fromstring(reply.content)

    run(main())


def test_a_worker_that_cannot_start_says_why() -> None:
    async def main() -> None:
        async def startup() -> Service:
            raise StoreUnavailable("no disk")

        async def shutdown() -> None:
            pass

        app = App(s3=s3, native=s3, iam=s3, startup=startup, shutdown=shutdown)
        told: list[wire.Message] = []

        async def receive() -> wire.Message:
            return {"type": "lifespan.startup"}

        async def send(message: wire.Message) -> None:
            told.append(message)

        await app({"type": "lifespan"}, receive, send)
        assert told == [{"type": "lifespan.startup.failed", "message": "no disk"}]

    run(main())
