"""Provider `aws` against a service that goes wrong: what passes, what is told, what is refused."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from aisle.backend.aws import AwsProvider
from aisle.backend.aws.backend import AwsBackend
from aisle.backend.base import Outgoing
from aisle.core.errors import (
    RemoteBroken,
    RemoteDenied,
    RemoteObjectNotFound,
    RemoteRefused,
    RemoteThrottled,
    RemoteUnavailable,
    RemoteUnknown,
)
from aisle.core.ranges import Span
from aisle.outgoing.persist import Limits
from tests.backend.cases import new_name, write_profile
from tests.backend.test_contract import get, outgoing, put_all, some_bytes, take
from tests.harness import ACCESS_KEY, SECRET_KEY
from tests.servers import s3
from tests.servers.faults import Fault, FaultProxy
from tests.store.conftest import Run

MIB = 1 << 20
LIMITS = Limits(backoff=0.001, reply=1.0, idle=0.5, attempts=3, budget=10**9)
XML = {"Content-Type": "application/xml"}


@pytest.fixture(scope="module")
def proxy() -> Iterator[FaultProxy]:
    with FaultProxy(s3.shared().port) as running:
        yield running


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory, run: Run) -> Iterator[AwsProvider]:
    files: Path = tmp_path_factory.mktemp("aws")
    write_profile(files, profile="tests", access=ACCESS_KEY, secret=SECRET_KEY)
    write_profile(files, profile="wrong", access=ACCESS_KEY, secret="x" * 40)
    write_profile(files, profile="stranger", access="NOBODYSACCESSKEY0000", secret="x" * 40)
    made = AwsProvider({"AIS_S3_CONFIG_DIR": str(files)}, LIMITS)
    yield made
    run(made.close())


@pytest.fixture
def bucket() -> str:
    name = new_name()
    s3.shared().client().create_bucket(Bucket=name)
    return name


def opened(provider: AwsProvider, faults: FaultProxy, bucket: str, **more: Any) -> AwsBackend:
    settings = {"extra.aws.endpoint": faults.endpoint, "extra.aws.profile": "tests", **more}
    return provider.open(bucket, settings)


@pytest.fixture
def backend(provider: AwsProvider, faults: FaultProxy, bucket: str, run: Run) -> AwsBackend:
    made = opened(provider, faults, bucket)
    run(made.put("key", outgoing(some_bytes(MIB))))
    faults.reset()
    return made


def error_of(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>m</Message></Error>".encode()


# --- bodies ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault", [Fault("GET", cut=300_000), Fault("GET", longer=10), Fault("GET", cut=0)]
)
def test_a_body_that_breaks_off_is_broken(
    backend: AwsBackend, faults: FaultProxy, run: Run, fault: Fault
) -> None:
    faults.add(fault)
    with pytest.raises(RemoteBroken):
        run(get(backend, "key"))
    assert run(get(backend, "key")) == some_bytes(MIB)


def test_a_range_that_is_not_as_long_as_asked_is_broken(
    backend: AwsBackend, faults: FaultProxy, run: Run
) -> None:
    faults.add(Fault("GET", longer=-10, times=100))
    with pytest.raises(RemoteBroken):
        run(get(backend, "key", span=Span(0, 1000)))


def test_a_body_that_stands_still_is_unavailable(
    backend: AwsBackend, faults: FaultProxy, run: Run
) -> None:
    faults.add(Fault("GET", hold=200_000))
    with pytest.raises(RemoteUnavailable):
        run(get(backend, "key"))


def test_a_service_without_ranges_is_refused(
    backend: AwsBackend, faults: FaultProxy, run: Run
) -> None:
    faults.add(Fault("GET", status=200, body=bytes(MIB)))
    with pytest.raises(RemoteRefused, match="ranges"):
        run(get(backend, "key", span=Span(0, 10)))


def test_a_slow_body_is_read_to_its_end(backend: AwsBackend, faults: FaultProxy, run: Run) -> None:
    faults.add(Fault("GET", rate=4 * MIB))
    assert run(get(backend, "key")) == some_bytes(MIB)


# --- replies --------------------------------------------------------------------------------


def test_a_throttled_request_waits_as_long_as_it_is_told(
    backend: AwsBackend, faults: FaultProxy, run: Run
) -> None:
    faults.add(Fault("HEAD", status=503, headers={"Retry-After": "1"}))
    started = time.monotonic()
    assert run(backend.head("key")).size == MIB
    assert time.monotonic() - started >= 1


def test_what_is_throttled_for_long_is_told_with_the_time(
    backend: AwsBackend, faults: FaultProxy, run: Run
) -> None:
    faults.add(Fault("GET", status=503, headers={"Retry-After": "120"}, body=error_of("SlowDown")))
    with pytest.raises(RemoteThrottled) as failure:
        run(get(backend, "key"))
    assert (failure.value.retry_after, failure.value.code) == (120, "SlowDown")
    assert faults.count() == 1


@pytest.mark.parametrize(
    ("status", "code", "kind", "requests"),
    [
        (503, "SlowDown", RemoteThrottled, 3),
        (429, "TooManyRequests", RemoteThrottled, 3),
        (500, "InternalError", RemoteUnavailable, 3),
        (502, "", RemoteUnavailable, 3),
        (400, "RequestTimeout", RemoteUnavailable, 3),
        (409, "OperationAborted", RemoteUnavailable, 3),
        (501, "NotImplemented", RemoteRefused, 1),
        (403, "AccessDenied", RemoteDenied, 1),
        (403, "", RemoteDenied, 1),
        (400, "ExpiredToken", RemoteDenied, 1),
        (403, "InvalidObjectState", RemoteRefused, 1),
        (404, "NoSuchKey", RemoteObjectNotFound, 1),
        (400, "InvalidRequest", RemoteRefused, 1),
        (400, "<script>", RemoteRefused, 1),
    ],
)
def test_every_error_has_its_kind(
    backend: AwsBackend,
    faults: FaultProxy,
    run: Run,
    status: int,
    code: str,
    kind: type[Exception],
    requests: int,
) -> None:
    body = error_of(code) if code else b""
    faults.add(Fault("GET", status=status, body=body, headers=XML, times=100))
    with pytest.raises(kind) as failure:
        run(get(backend, "key"))
    assert type(failure.value) is kind
    assert str(failure.value).startswith(f"{backend.name}: ")
    assert "script" not in str(failure.value)
    assert getattr(failure.value, "code", "") == (code if code.isalnum() else "") or code == (
        "NoSuchKey"
    )
    assert faults.count() == requests


def test_an_error_that_begins_as_a_success_is_one(
    backend: AwsBackend, faults: FaultProxy, run: Run
) -> None:
    faults.add(Fault("GET", "list-type", status=200, body=error_of("InternalError")))
    assert [entry.key for entry in run(backend.list()).entries] == ["key"]
    assert faults.count() == 2


def test_a_service_that_does_not_answer_is_unavailable(
    provider: AwsProvider, backend: AwsBackend, faults: FaultProxy, run: Run
) -> None:
    faults.add(Fault("GET", hang=True, times=100))

    async def at_once() -> None:
        async with asyncio.timeout(30):
            await asyncio.gather(
                *[_expect(get(backend, "key"), RemoteUnavailable) for _ in range(3)]
            )

    run(at_once())


async def _expect(work: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        await work


def test_a_redirect_elsewhere_is_refused(backend: AwsBackend, faults: FaultProxy, run: Run) -> None:
    with FaultProxy(s3.shared().port) as other:
        for status in (301, 302, 307, 308):
            location = f"{other.endpoint}/{backend.name.removeprefix('aws://')}/key"
            body = error_of("TemporaryRedirect")
            faults.add(Fault(status=status, headers={"Location": location, **XML}, body=body))
            with pytest.raises(RemoteRefused) as failure:
                run(get(backend, "key"))
            assert failure.value.status == status
        assert other.requests == []


def test_the_region_that_the_service_tells_is_used_from_then_on(
    backend: AwsBackend, faults: FaultProxy, run: Run
) -> None:
    told = {"x-amz-bucket-region": "eu-north-1"}
    faults.add(Fault("HEAD", status=301, headers=told))
    with suppress(RemoteDenied, RemoteRefused):
        run(backend.head("key"))  # the node has one region, and refuses another's signature
    scopes = [seen.headers["authorization"].split("/")[2] for seen in faults.requests]
    assert scopes[:2] == ["us-east-1", "eu-north-1"]
    assert backend.region == "eu-north-1"


@pytest.mark.parametrize("region", ["evil.example/", "a b", "x" * 100, "EU"])
def test_a_region_that_is_none_is_not_used(
    backend: AwsBackend, faults: FaultProxy, run: Run, region: str
) -> None:
    faults.add(Fault("HEAD", status=301, headers={"x-amz-bucket-region": region}))
    with pytest.raises(RemoteRefused):
        run(backend.head("key"))
    assert faults.count() == 1


@pytest.mark.parametrize(
    "document",
    [
        b"<ListBucketResult>" + b" " * (9 << 20) + b"</ListBucketResult>",
        b"<ListBucketResult>" * 1000,
        b'<!DOCTYPE a [<!ENTITY b "c">]><ListBucketResult/>',
        b"<ListBucketResult><Contents>",
        b"<html>captive portal</html>",
        b"",
        b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
    ],
    ids=["huge", "deep", "entities", "open", "other", "empty", "no-token"],
)
def test_a_listing_that_cannot_be_read_is_refused(
    backend: AwsBackend, faults: FaultProxy, run: Run, document: bytes
) -> None:
    faults.add(Fault("GET", status=200, body=document, headers=XML))
    with pytest.raises(RemoteRefused):
        run(backend.list())


def test_a_head_that_tells_no_size_is_refused(
    backend: AwsBackend, faults: FaultProxy, run: Run
) -> None:
    faults.add(Fault("HEAD", drop=("content-length",)))
    with pytest.raises(RemoteRefused, match="size"):
        run(backend.head("key"))


def test_a_clock_that_differs_from_the_services_is_corrected(
    provider: AwsProvider, backend: AwsBackend, faults: FaultProxy, run: Run
) -> None:
    server = provider._transport._server(faults.endpoint)
    server.ahead = -7200.0
    assert run(get(backend, "key")) == some_bytes(MIB)
    assert abs(server.ahead) < 60


# --- credentials ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "code"),
    [("wrong", "SignatureDoesNotMatch"), ("stranger", "InvalidAccessKeyId")],
)
def test_credentials_that_are_not_taken_are_told_and_never_shown(
    provider: AwsProvider,
    faults: FaultProxy,
    bucket: str,
    run: Run,
    profile: str,
    code: str,
) -> None:
    backend = opened(provider, faults, bucket, **{"extra.aws.profile": profile})
    with pytest.raises(RemoteDenied) as failure:
        run(backend.list())
    assert failure.value.code == code
    assert "x" * 40 not in f"{failure.value!r} {failure.value}"


def test_a_profile_that_is_not_there_is_denied(
    provider: AwsProvider, faults: FaultProxy, bucket: str, run: Run
) -> None:
    backend = opened(provider, faults, bucket, **{"extra.aws.profile": "absent"})
    with pytest.raises(RemoteDenied, match="ProfileNotFound"):
        run(backend.facts())
    assert faults.requests == []


# --- writes ---------------------------------------------------------------------------------


def test_a_write_whose_reply_is_lost_is_repeated(
    backend: AwsBackend, faults: FaultProxy, run: Run
) -> None:
    faults.add(Fault("PUT", lose=True))
    put = run(backend.put("key", outgoing(b"other bytes")))
    assert put.etag == hashlib.md5(b"other bytes").hexdigest()
    assert faults.count("PUT") == 2


def test_a_write_that_is_never_answered_is_unknown(
    backend: AwsBackend, faults: FaultProxy, run: Run
) -> None:
    faults.add(Fault("PUT", lose=True, times=100))
    with pytest.raises(RemoteUnknown):
        run(backend.put("key", outgoing(b"other bytes")))
    faults.reset()
    assert run(get(backend, "key")) == b"other bytes"


def test_a_conditional_write_that_meets_itself_is_unknown(
    backend: AwsBackend, faults: FaultProxy, run: Run
) -> None:
    faults.add(Fault("PUT", lose=True))
    with pytest.raises(RemoteUnknown):
        run(backend.put("new", outgoing(b"body", if_none_match=True)))
    assert run(get(backend, "new")) == b"body"


def test_a_write_to_nobody_is_unavailable(provider: AwsProvider, bucket: str, run: Run) -> None:
    with FaultProxy(s3.shared().port) as gone:
        pass
    backend = opened(provider, gone, bucket)
    with pytest.raises(RemoteUnavailable) as failure:
        run(backend.put("key", outgoing(b"body")))
    assert type(failure.value) is RemoteUnavailable


def test_a_body_that_is_spoiled_on_its_way_is_not_stored(
    backend: AwsBackend, faults: FaultProxy, run: Run
) -> None:
    with pytest.raises(RemoteRefused) as failure:
        run(backend.put("new", outgoing(b"body", md5="0" * 32)))
    assert failure.value.code == "BadDigest"
    assert run(backend.list(prefix="new")).entries == []


def test_a_checksum_guards_what_has_no_md5(
    backend: AwsBackend, faults: FaultProxy, run: Run
) -> None:
    run(backend.put("new", outgoing(b"body", md5="")))
    (put,) = [seen for seen in faults.requests if seen.method == "PUT"]
    assert put.headers["x-amz-checksum-crc32c"]
    assert "crc32c" in run(backend.head("new")).checksums


def test_a_part_that_fails_gives_the_upload_up(
    backend: AwsBackend, faults: FaultProxy, run: Run
) -> None:
    faults.add(Fault("PUT", "partNumber=2", status=403, body=error_of("AccessDenied")))
    with pytest.raises(RemoteDenied):
        run(backend.put("new", outgoing(some_bytes(12 * MIB), parts=(5 * MIB, 7 * MIB))))
    run(backend.close())
    assert uploads(backend) == []
    assert run(backend.list(prefix="new")).entries == []


def test_an_upload_whose_writer_goes_away_is_given_up(
    backend: AwsBackend, faults: FaultProxy, run: Run
) -> None:
    faults.add(Fault("PUT", "partNumber=2", hang=True))

    async def leave() -> None:
        body = outgoing(some_bytes(12 * MIB), parts=(5 * MIB, 7 * MIB))
        task = asyncio.create_task(backend.put("new", body))
        await asyncio.to_thread(faults.wait_for, 1, "PUT", "partNumber=2")
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await backend.close()

    run(leave())
    assert uploads(backend) == []


def test_an_upload_whose_completion_is_not_heard_of_is_unknown_or_whole(
    backend: AwsBackend, faults: FaultProxy, run: Run
) -> None:
    faults.add(Fault("POST", "uploadId", lose=True, times=100))
    data = some_bytes(12 * MIB)
    with pytest.raises(RemoteUnknown):
        run(backend.put("new", outgoing(data, parts=(5 * MIB, 7 * MIB))))
    faults.reset()
    assert run(get(backend, "new")) == data


def test_an_upload_whose_completion_was_heard_of_at_the_second_try_is_stored(
    backend: AwsBackend, faults: FaultProxy, run: Run
) -> None:
    faults.add(Fault("POST", "uploadId", lose=True))
    faults.add(Fault("POST", "uploadId", status=404, body=error_of("NoSuchUpload"), headers=XML))
    data, sizes = some_bytes(12 * MIB), (5 * MIB, 7 * MIB)
    put = run(backend.put("new", outgoing(data, parts=sizes)))
    assert put.etag == parts_etag(data, sizes)


def test_an_upload_that_is_gone_for_another_reason_is_unknown(
    backend: AwsBackend, faults: FaultProxy, run: Run
) -> None:
    faults.add(Fault("POST", "uploadId", status=404, body=error_of("NoSuchUpload"), headers=XML))
    with pytest.raises(RemoteUnknown):
        run(backend.put("key", outgoing(some_bytes(12 * MIB), parts=(5 * MIB, 7 * MIB))))
    assert run(backend.head("key")).size == MIB


def test_the_clients_parts_are_the_remotes(
    backend: AwsBackend, faults: FaultProxy, run: Run
) -> None:
    data, sizes = some_bytes(20 * MIB), (7 * MIB, 7 * MIB, 6 * MIB)
    put = run(backend.put("new", outgoing(data, parts=sizes)))
    assert put.etag == parts_etag(data, sizes)
    assert put.checksums["md5"] == hashlib.md5(data).hexdigest()
    head = s3.shared().client().head_object(Bucket=backend.name.removeprefix("aws://"), Key="new")
    assert head["Metadata"] == {"ais-cksum-type": "md5", "ais-cksum-val": put.checksums["md5"]}


def test_an_upload_in_parts_holds_a_few_pieces_at_a_time(
    provider: AwsProvider, faults: FaultProxy, bucket: str, run: Run
) -> None:
    backend = opened(provider, faults, bucket, **{"extra.aws.multipart_size": "5MiB"})
    reading, most = 0, 0

    async def pour(start: int, length: int) -> AsyncIterator[bytes]:
        nonlocal reading, most
        reading += 1
        most = max(most, reading)
        try:
            for _ in range(length >> 16):
                yield bytes(1 << 16)
        finally:
            reading -= 1

    put = run(backend.put("new", Outgoing(40 * MIB, pour)))
    assert put.etag.endswith("-8")
    assert most <= 4
    assert run(take(run(backend.get("new", span=Span(39 * MIB, MIB))))) == bytes(MIB)


def test_pages_are_as_long_as_is_set(
    provider: AwsProvider, faults: FaultProxy, bucket: str, run: Run
) -> None:
    backend = opened(provider, faults, bucket, **{"extra.aws.max_pagesize": 2})
    run(put_all(backend, ["a", "b", "c"]))
    page = run(backend.list(limit=1000))
    assert [entry.key for entry in page.entries] == ["a", "b"]


def uploads(backend: AwsBackend) -> list[Any]:
    client = s3.shared().client()
    reply = client.list_multipart_uploads(Bucket=backend.name.removeprefix("aws://"))
    found: list[Any] = reply.get("Uploads", [])
    return found


def parts_etag(data: bytes, sizes: tuple[int, ...]) -> str:
    digests, start = b"", 0
    for size in sizes:
        digests += hashlib.md5(data[start : start + size]).digest()
        start += size
    return f"{hashlib.md5(digests).hexdigest()}-{len(sizes)}"


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_write_that_a_gateway_gave_up_on_may_have_been_carried_out(
    backend: AwsBackend, faults: FaultProxy, run: Run, status: int
) -> None:
    faults.add(Fault("PUT", status=status, times=100))
    with pytest.raises(RemoteUnknown):
        run(backend.put("key", outgoing(b"new")))


def test_a_write_that_was_throttled_alone_was_not_carried_out(
    backend: AwsBackend, faults: FaultProxy, run: Run
) -> None:
    faults.add(Fault("PUT", status=503, body=error_of("SlowDown"), times=100))
    with pytest.raises(RemoteThrottled):
        run(backend.put("key", outgoing(b"new")))
