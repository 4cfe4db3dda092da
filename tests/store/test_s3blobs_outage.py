"""`S3Blobs` while its server is killed, restarted, full, or loses a reply."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aisle.core.errors import BlobMissing, OutOfSpace, StoreError, StoreUnavailable
from aisle.store.base import Body
from aisle.store.s3.blobs import S3Blobs
from aisle.store.s3.writer import PART
from tests.servers import s3
from tests.servers.relay import Relay
from tests.store.conftest import Run
from tests.store.test_blobs_contract import all_of, put, take
from tests.store.test_s3blobs import some_bytes

MIB = 1 << 20


@pytest.fixture
def server(tmp_path: Path) -> Iterator[s3.S3Server]:
    started = s3.S3Server(tmp_path / "data").start()
    yield started
    started.kill()


@pytest.fixture
def engine(server: s3.S3Server, run: Run) -> Iterator[S3Blobs]:
    opened = run(S3Blobs.connect(server.url(), store=uuid.uuid4().hex, **s3.KEYS))
    yield opened
    assert opened._memory.held == opened._memory.promised == 0
    run(opened.close())


@pytest.mark.parametrize("size", [1000, 3 * PART + 1000])
def test_a_blob_whose_server_is_killed_is_not_sealed(
    engine: S3Blobs, server: s3.S3Server, run: Run, size: int
) -> None:
    async def attempt() -> None:
        before = await put(engine, b"before")
        writer = await engine.create(b"owner", size_hint=size)
        await writer.write(some_bytes(size))
        server.kill()
        with pytest.raises(StoreUnavailable):
            await writer.seal()
        await writer.abort()
        with pytest.raises(StoreUnavailable, match="bucket blobs at"):
            await take(engine, before, 0, 1)
        server.start()
        found = await all_of(engine)
        assert {b: i.owner for b, i in found.items() if i.owner is not None} == {before: b"owner"}
        for blob, info in found.items():
            if info.owner is None:
                await engine.delete(blob)
        assert server.uploads() == []
        assert await take(engine, before, 0, 6) == b"before"
        after = await put(engine, some_bytes(size))
        assert await take(engine, after, 0, size) == some_bytes(size)

    run(attempt())


def test_a_restart_between_two_parts_goes_unnoticed(
    engine: S3Blobs, server: s3.S3Server, run: Run
) -> None:
    data = some_bytes(4 * PART)

    async def attempt() -> None:
        writer = await engine.create(b"owner", size_hint=len(data))
        for start in range(0, len(data), 2 * PART):
            await writer.write(data[start : start + 2 * PART])
            while writer._sending:
                await asyncio.sleep(0.01)
            server.restart()
        blob = await writer.seal()
        server.restart()
        assert await take(engine, blob, 0, len(data)) == data
        await engine.delete(blob)
        assert await all_of(engine) == {}

    run(attempt())


def test_a_body_goes_on_after_its_connection_was_lost(server: s3.S3Server, run: Run) -> None:
    data = some_bytes(64 * MIB)

    async def attempt() -> None:
        async with Relay(server.port) as relay:
            url = server.url(endpoint=f"http://127.0.0.1:{relay.port}")
            engine = await S3Blobs.connect(url, store="test", **s3.KEYS)
            blob = await put(engine, data)
            body = await engine.open(blob, 3, len(data) - 3)
            read = bytearray()
            while piece := await body.read(300_000):
                if len(read) // (16 * MIB) != (len(read) + len(piece)) // (16 * MIB):
                    relay.cut()
                read += piece
            assert read == data[3:]
            body.close()
            body = await engine.open(blob, 0, len(data))
            assert await body.read(1) == data[:1]
            await engine.delete(blob)
            relay.cut()
            with pytest.raises(BlobMissing):
                await drain(body)
            body.close()
            await engine.close()

    run(attempt())


def test_a_slow_reader_is_not_sent_the_whole_blob(server: s3.S3Server, run: Run) -> None:
    async def attempt() -> None:
        async with Relay(server.port) as relay:
            url = server.url(endpoint=f"http://127.0.0.1:{relay.port}")
            engine = await S3Blobs.connect(url, store="test", **s3.KEYS)
            blob = await put(engine, bytes(96 * MIB))
            before = relay.received
            body = await engine.open(blob, 0, 96 * MIB)
            assert len(await body.read(1)) == 1
            passed = -1
            while passed != relay.received:
                passed = relay.received
                await asyncio.sleep(0.3)
            # What sockets hold on the way, and the read buffer.
            assert passed - before < 32 * MIB
            assert body._response is not None
            assert sum(map(len, body._response._response.content._buffer)) < MIB
            body.close()
            await engine.close()

    run(attempt())


@pytest.mark.parametrize(
    ("request_line", "size"),
    [
        (b"?uploads", 2 * PART),
        (b"partNumber=2", 4 * PART),
        (b"POST /blobs/test/%s?uploadId", 2 * PART),
        (b"PUT /blobs/test/", 100),
    ],
)
def test_a_write_whose_reply_is_lost_is_made_sure_of(
    server: s3.S3Server, run: Run, request_line: bytes, size: int
) -> None:
    async def attempt() -> None:
        async with Relay(server.port) as relay:
            url = server.url(endpoint=f"http://127.0.0.1:{relay.port}")
            engine = await S3Blobs.connect(url, store="test", **s3.KEYS)
            writer = await engine.create(b"owner", size_hint=size)
            if b"%s" not in request_line:
                relay.lose = request_line
            await writer.write(some_bytes(size))
            if b"%s" in request_line:
                relay.lose = b"?uploadId"
                while writer._sending:
                    await asyncio.sleep(0.01)
            blob = await writer.seal()
            assert relay.lost == 1
            assert await take(engine, blob, 0, size) == some_bytes(size)
            assert {b: i.owner for b, i in (await all_of(engine)).items()} == {blob: b"owner"}
            await engine.delete(blob)
            assert server.keys() == []
            assert server.uploads() == []
            await engine.close()

    run(attempt())


def test_a_full_server_is_out_of_space_and_recovers(
    small_disk: Callable[[int], Path], run: Run
) -> None:
    disk = small_disk(160)
    server = s3.S3Server(disk / "data").start()

    async def attempt() -> None:
        engine = await S3Blobs.connect(server.url(), store="test", **s3.KEYS)
        try:
            made: list[bytes] = []
            for size in (30 * MIB, 3 * MIB):
                with pytest.raises(OutOfSpace):
                    await fill(engine, size, made)
            found = await all_of(engine)
            assert {blob for blob, info in found.items() if info.owner is not None} == set(made)
            assert server.uploads() == []
            await engine.delete(made[0])
            assert await take(engine, made[1], 0, MIB) == bytes(MIB)
        finally:
            await engine.close()

    try:
        run(attempt())
    finally:
        server.kill()


async def drain(body: Body) -> None:
    while await body.read(MIB):
        pass


async def fill(engine: S3Blobs, size: int, made: list[bytes]) -> None:
    while True:
        made.append(await put_or_abort(engine, bytes(size)))


async def put_or_abort(engine: S3Blobs, data: bytes) -> bytes:
    writer = await engine.create(b"owner", size_hint=len(data))
    try:
        for start in range(0, len(data), MIB):
            await writer.write(data[start : start + MIB])
        return await writer.seal()
    except StoreError:
        await writer.abort()
        raise
