"""`S3Blobs` beyond the contract: parts, copies, what is left in the bucket, who may use it."""

from __future__ import annotations

import asyncio
import logging
import random
import uuid
from collections.abc import Iterator

import pytest

from aisle.core.errors import (
    BlobMissing,
    ConfigError,
    OutOfSpace,
    ReadOnlyStore,
    StoreError,
    StoreUnavailable,
)
from aisle.store.s3.blobs import S3Blobs
from aisle.store.s3.client import S3Refusal
from aisle.store.s3.memory import PartMemory
from aisle.store.s3.object import is_multipart
from aisle.store.s3.writer import PART, SINGLE
from tests.harness import ACCESS_KEY, SECRET_KEY, free_port
from tests.servers import s3
from tests.servers.relay import Relay
from tests.store.conftest import Run
from tests.store.test_blobs_contract import all_of, put, take

MIB = 1 << 20


@pytest.fixture(scope="module")
def server() -> s3.S3Server:
    return s3.shared()


@pytest.fixture
def store() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def engine(server: s3.S3Server, store: str, run: Run) -> Iterator[S3Blobs]:
    opened = run(S3Blobs.connect(server.url(), store=store, **s3.KEYS))
    yield opened
    run(opened.close())


def some_bytes(size: int) -> bytes:
    return random.Random(size).randbytes(size)


async def write(
    engine: S3Blobs, data: bytes, *, hint: int, owner: bytes = b"owner", chunk: int = MIB
) -> bytes:
    writer = await engine.create(owner, size_hint=hint)
    for start in range(0, len(data), chunk):
        await writer.write(data[start : start + chunk])
    return await writer.seal()


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize(
    "size", [PART - 1, PART, PART + 1, SINGLE, SINGLE + 1, 2 * PART, 4 * PART + 17]
)
def test_blobs_around_the_size_of_parts_are_whole(
    engine: S3Blobs, server: s3.S3Server, store: str, run: Run, size: int, announced: bool
) -> None:
    data = some_bytes(size)
    blob = run(write(engine, data, hint=size if announced else 0, chunk=700_000))
    assert run(take(engine, blob, 0, size)) == data
    assert run(take(engine, blob, PART - 2, 1)) == data[PART - 2 : PART - 1]
    assert run(take(engine, blob, size - 1, 1)) == data[-1:]
    with pytest.raises(BlobMissing, match="truncated"):
        run(take(engine, blob, 0, size + 1))
    assert is_multipart(blob) == (size > (SINGLE if announced else PART))
    assert len(server.keys(store)) == 1
    assert server.uploads(store) == []
    found = run(all_of(engine))
    assert found[blob].size == size
    assert found[blob].owner == b"owner"
    run(engine.delete(blob))
    assert server.keys(store) == []


def test_a_wrong_size_hint_does_no_harm(engine: S3Blobs, run: Run) -> None:
    data = some_bytes(3 * PART)
    for hint in (1, PART, 100 * PART, 5 << 40):
        blob = run(write(engine, data, hint=hint))
        assert run(take(engine, blob, 0, len(data))) == data


def test_an_owner_too_long_for_metadata_lies_behind_the_data(engine: S3Blobs, run: Run) -> None:
    owner, data = some_bytes(4096), some_bytes(2 * PART)
    for body in (b"", b"abc", data):
        blob = run(write(engine, body, hint=len(body), owner=owner))
        assert run(take(engine, blob, 0, len(body))) == body
        with pytest.raises(BlobMissing, match="truncated"):
            run(take(engine, blob, len(body), 1))
        info = run(all_of(engine))[blob]
        assert (info.owner, info.size) == (owner, len(body))


def test_large_ranges_are_copied_by_the_server(server: s3.S3Server, store: str, run: Run) -> None:
    data = some_bytes(4 * PART)

    async def through_a_relay() -> None:
        async with Relay(server.port) as relay:
            url = server.url(endpoint=f"http://127.0.0.1:{relay.port}")
            engine = await S3Blobs.connect(url, store=store, **s3.KEYS)
            source = await put(engine, data, owner=b"the source's")
            sent, received = relay.sent, relay.received
            writer = await engine.create(b"the copy's", size_hint=len(data))
            await writer.copy(source, 0, len(data))
            blob = await writer.seal()
            assert relay.sent - sent < MIB
            assert relay.received - received < MIB
            assert await take(engine, blob, 0, len(data)) == data
            assert (await all_of(engine))[blob].owner == b"the copy's"
            await engine.close()

    run(through_a_relay())


def test_copies_and_writes_may_alternate(engine: S3Blobs, run: Run) -> None:
    data = some_bytes(4 * PART)

    async def assemble() -> None:
        source = await put(engine, data, owner=b"o" * 4096)
        writer = await engine.create(b"")
        pieces = [
            (7, PART - 1), (0, PART), (3, 4 * PART - 3), (1, 1), (9, PART + 1), (0, 3 * PART),
            (5, 2 * PART - 1), (0, 4 * PART),
        ]  # fmt: skip
        want = b""
        for number, (offset, length) in enumerate(pieces):
            await writer.copy(source, offset, length)
            want += data[offset : offset + length]
            if number % 3 == 0:
                await writer.write(b"between")
                want += b"between"
        blob = await writer.seal()
        assert await take(engine, blob, 0, len(want)) == want
        with pytest.raises(BlobMissing, match="truncated"):
            await take(engine, blob, 0, len(want) + 1)

    run(assemble())


def test_a_large_copy_of_what_is_not_there_is_refused(engine: S3Blobs, run: Run) -> None:
    async def attempt(blob: bytes, offset: int, length: int) -> None:
        writer = await engine.create(b"")
        try:
            await writer.copy(blob, offset, length)
            await writer.seal()
        finally:
            await writer.abort()

    # The owner behind the data is no part of the blob.
    blob = run(write(engine, some_bytes(2 * PART), hint=0, owner=b"o" * 4096))
    for offset, length in [(0, 2 * PART + 1), (PART, PART + 4096)]:
        with pytest.raises(BlobMissing, match="truncated"):
            run(attempt(blob, offset, length))
    with pytest.raises(BlobMissing):
        run(attempt(b"y" * 16, 0, PART))
    with pytest.raises(BlobMissing):
        run(attempt(b"y", 0, PART))
    assert set(run(all_of(engine))) == {blob}


@pytest.mark.parametrize("size", [0, 1000, PART + 1, 2 * PART, 4 * PART + 5])
def test_abort_leaves_neither_object_nor_upload(
    engine: S3Blobs, server: s3.S3Server, store: str, run: Run, size: int
) -> None:
    async def attempt() -> None:
        writer = await engine.create(b"owner")
        await writer.write(some_bytes(size))
        await writer.abort()
        await writer.abort()

    run(attempt())
    assert server.keys(store) == []
    assert server.uploads(store) == []


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 8, 13, 21, 40])
def test_abort_of_a_cancelled_seal_leaves_nothing_for_long(
    engine: S3Blobs, server: s3.S3Server, store: str, run: Run, steps: int
) -> None:
    """A request that was under way may still arrive after its deletion: then a sealed blob is
    left, which a sweep finds. An upload never is."""

    async def attempt() -> None:
        writer = await engine.create(b"owner")
        await writer.write(some_bytes(2 * PART + 5))
        sealing = asyncio.ensure_future(writer.seal())
        for _ in range(steps):
            await asyncio.sleep(0)
        sealing.cancel()
        await asyncio.gather(sealing, return_exceptions=True)
        await writer.abort()
        for blob in await all_of(engine):
            await engine.delete(blob)

    run(attempt())
    assert server.keys(store) == []
    assert server.uploads(store) == []


def test_an_upload_of_another_process_is_an_unsealed_blob(
    engine: S3Blobs, server: s3.S3Server, store: str, run: Run
) -> None:
    client = server.client()
    name = "ff" * 16
    key = f"{store}/ff/{name}"
    begun = client.create_multipart_upload(Bucket=s3.BUCKET, Key=key)
    found = run(all_of(engine))
    assert [(info.blob.hex(), info.owner, info.size) for info in found.values()] == [
        (name, None, 0)
    ]
    for number, size in [(1, PART), (2, 10)]:
        client.upload_part(
            Bucket=s3.BUCKET,
            Key=key,
            UploadId=begun["UploadId"],
            PartNumber=number,
            Body=bytes(size),
        )
    (info,) = run(all_of(engine)).values()
    assert (info.owner, info.size) == (None, PART + 10)
    assert 0 <= info.age < 60
    run(engine.delete(info.blob))
    assert server.uploads(store) == []
    assert run(all_of(engine)) == {}


def test_a_sealed_blob_is_never_shown_as_unsealed(
    engine: S3Blobs, server: s3.S3Server, store: str, run: Run
) -> None:
    blob = run(put(engine, some_bytes(2 * PART)))
    (key,) = server.keys(store)
    server.client().create_multipart_upload(Bucket=s3.BUCKET, Key=key)
    assert {b: info.owner for b, info in run(all_of(engine)).items()} == {blob: b"owner"}
    run(engine.delete(blob))
    assert server.uploads(store) == []
    assert server.keys(store) == []


def test_an_object_without_its_metadata_is_left_alone(
    engine: S3Blobs, server: s3.S3Server, store: str, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    blob = run(put(engine, b"abc"))
    (key,) = server.keys(store)
    server.client().copy_object(
        Bucket=s3.BUCKET,
        Key=key,
        CopySource=f"{s3.BUCKET}/{key}",
        MetadataDirective="REPLACE",
        Metadata={"other": "x"},
    )
    with caplog.at_level(logging.WARNING):
        assert run(all_of(engine)) == {}
    assert key in caplog.text
    assert run(take(engine, blob, 0, 3)) == b"abc"


def test_names_of_others_below_the_prefix_are_no_blobs(
    engine: S3Blobs, server: s3.S3Server, store: str, run: Run
) -> None:
    name = "0f" * 16
    for key in (f"{store}/README", f"{store}/0e/{name}", f"{store}/0f/{name}.bak", f"{store}x"):
        server.client().put_object(Bucket=s3.BUCKET, Key=key, Body=b"mine")
    assert run(all_of(engine)) == {}
    assert len(server.keys(store)) == 4


def test_stores_in_one_bucket_do_not_see_each_other(server: s3.S3Server, run: Run) -> None:
    async def two() -> None:
        first, second = [
            await S3Blobs.connect(server.url(prefix), store=uuid.uuid4().hex, **s3.KEYS)
            for prefix in ("", "a/b%20c")
        ]
        blob = await put(first, b"first")
        other = await put(second, b"second")
        assert set(await all_of(first)) == {blob}
        assert set(await all_of(second)) == {other}
        with pytest.raises(BlobMissing):
            await take(second, blob, 0, 1)
        await second.delete(blob)
        assert await take(first, blob, 0, 5) == b"first"
        await first.close()
        await second.close()

    run(two())


def test_many_blobs_are_scanned_page_by_page(
    engine: S3Blobs, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aisle.store.s3.listing.PAGE", "7")

    async def unsealed() -> None:
        for _ in range(9):
            writer = await engine.create(b"owner", size_hint=2 * PART)
            await writer.write(bytes(PART))
            await writer._slot()

    sealed = {run(put(engine, b"x" * size)) for size in range(20)}
    run(unsealed())
    found = run(all_of(engine))
    assert {blob for blob, info in found.items() if info.owner is not None} == sealed
    assert len(found) == 29


@pytest.mark.parametrize("options", [{"checksum": "none"}, {"region": "eu-west-3"}])
def test_options_of_the_url_are_used(
    server: s3.S3Server, run: Run, options: dict[str, str]
) -> None:
    async def attempt() -> None:
        engine = await S3Blobs.connect(server.url(**options), store=uuid.uuid4().hex, **s3.KEYS)
        for size in (3, 2 * PART + 1):
            blob = await put(engine, some_bytes(size))
            assert await take(engine, blob, 0, size) == some_bytes(size)
        await engine.close()

    run(attempt())


def test_an_endpoint_may_have_a_path(server: s3.S3Server, run: Run) -> None:
    async def attempt() -> None:
        url = server.url("below/here", endpoint=server.endpoint)
        engine = await S3Blobs.connect(url, store=uuid.uuid4().hex, **s3.KEYS)
        source = await put(engine, some_bytes(3 * PART))
        writer = await engine.create(b"")
        await writer.copy(source, 1, 2 * PART)
        blob = await writer.seal()
        assert await take(engine, blob, 0, 2 * PART) == some_bytes(3 * PART)[1 : 2 * PART + 1]
        await engine.close()

    run(attempt())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"secret_key": "not-the-Secret/Key"}, "keys are refused.*SignatureDoesNotMatch"),
        ({"access_key": "NOBODYSKEY"}, "keys are refused.*InvalidAccessKeyId"),
        ({"access_key": "", "secret_key": ""}, "keys are refused.*AccessDenied"),
        ({"secret_key": ""}, "an access key and a secret key"),
        ({"url": "s3://no-such-bucket"}, "no such bucket.*no-such-bucket"),
    ],
)
def test_what_cannot_be_used_is_told_when_it_is_opened(
    server: s3.S3Server, run: Run, change: dict[str, str], words: str
) -> None:
    told = {**s3.KEYS, "url": "s3://blobs", **change}
    url = f"{told.pop('url')}?endpoint={server.root}"
    with pytest.raises(ConfigError, match=words) as caught:
        run(S3Blobs.connect(url, store="test", **told))
    message = f"{caught.value!r} {caught.value}"
    assert server.root in message
    assert SECRET_KEY not in message
    assert "not-the-Secret/Key" not in message
    assert ACCESS_KEY not in message


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_endpoint_where_nobody_listens_is_told_when_it_is_opened(run: Run, scheme: str) -> None:
    url = f"s3://blobs?endpoint={scheme}://127.0.0.1:{free_port()}"
    with pytest.raises(ConfigError, match="cannot be reached"):
        run(S3Blobs.connect(url, store="test", **s3.KEYS))


@pytest.mark.parametrize(
    ("status", "code", "writing", "passing", "told"),
    [
        (500, "InternalError", True, True, StoreUnavailable),
        (503, "SlowDown", True, True, StoreUnavailable),
        (503, "", True, True, StoreUnavailable),
        (429, "TooManyRequests", False, True, StoreUnavailable),
        (400, "RequestTimeout", True, True, StoreUnavailable),
        (403, "RequestTimeTooSkewed", True, True, StoreUnavailable),
        (501, "NotImplemented", True, False, StoreUnavailable),
        (507, "InsufficientStorage", True, False, OutOfSpace),
        (507, "XMinioStorageFull", True, False, OutOfSpace),
        (503, "InsufficientCapacity", True, False, OutOfSpace),
        (403, "QuotaExceeded", True, False, OutOfSpace),
        (403, "AccessDenied", True, False, ReadOnlyStore),
        (403, "AccessDenied", False, False, StoreUnavailable),
        (403, "SignatureDoesNotMatch", True, False, StoreUnavailable),
        (404, "NoSuchBucket", True, False, StoreUnavailable),
    ],
)
def test_what_a_server_refuses_is_told_as_what_it_is(
    status: int, code: str, writing: bool, passing: bool, told: type[StoreError]
) -> None:
    refusal = S3Refusal("PUT was refused", status=status, code=code)
    assert refusal.passing == passing
    assert isinstance(refusal.told(writing=writing), told)
    assert str(refusal.told(writing=writing)) == "PUT was refused"


def test_a_missing_bucket_is_not_taken_for_a_missing_blob(server: s3.S3Server, run: Run) -> None:
    client, bucket = server.client(), f"going-{uuid.uuid4().hex[:8]}"
    client.create_bucket(Bucket=bucket)

    async def attempt() -> None:
        engine = await S3Blobs.connect(server.url(bucket=bucket), store="test", **s3.KEYS)
        client.delete_bucket(Bucket=bucket)
        writer = await engine.create(b"")
        for work in (
            take(engine, b"x" * 16, 0, 1),
            take(engine, b"x" * 16, 0, 0),
            writer.copy(b"x" * 16, 0, PART),
            put(engine, b"abc"),
            engine.delete(b"x" * 16),
            all_of(engine),
        ):
            with pytest.raises(StoreUnavailable, match="NoSuchBucket"):
                await work
        await writer.abort()
        await engine.close()

    run(attempt())


def test_a_clock_that_differs_from_the_servers_is_corrected(engine: S3Blobs, run: Run) -> None:
    server = engine._client._transport._server(engine._client.location.endpoint)
    server.ahead = -3600.0
    blob = run(put(engine, b"abc"))
    assert run(take(engine, blob, 0, 3)) == b"abc"
    assert abs(server.ahead) < 60


def test_many_writers_share_a_small_memory(engine: S3Blobs, run: Run) -> None:
    memory = engine._memory = PartMemory(2 * PART, reserve=PART)
    highest = 0

    async def one(number: int) -> None:
        nonlocal highest
        data = some_bytes(2 * PART + number)
        writer = await engine.create(b"owner", size_hint=len(data))
        for start in range(0, len(data), 300_000):
            await writer.write(data[start : start + 300_000])
            highest = max(highest, memory.held)
        if number % 3 == 0:
            await writer.abort()
            return
        assert await take(engine, await writer.seal(), 0, len(data)) == data

    async def all_at_once() -> None:
        await asyncio.gather(*map(one, range(12)))

    run(all_at_once())
    assert highest <= 3 * PART
    assert memory.held == memory.promised == 0
    assert len(run(all_of(engine))) == 8


def test_nothing_is_taken_from_the_environment(
    server: s3.S3Server, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    for name in (
        "HTTP_PROXY",
        "http_proxy",
        "ALL_PROXY",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_S3",
    ):
        monkeypatch.setenv(name, nowhere)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")

    async def attempt() -> None:
        engine = await S3Blobs.connect(server.url(), store=uuid.uuid4().hex, **s3.KEYS)
        assert await take(engine, await put(engine, b"abc"), 0, 3) == b"abc"
        await engine.close()

    run(attempt())


def test_neither_engine_nor_client_shows_its_keys(engine: S3Blobs) -> None:
    for thing in (engine, engine._client, engine._client.location):
        assert SECRET_KEY not in f"{thing!r} {thing}"
