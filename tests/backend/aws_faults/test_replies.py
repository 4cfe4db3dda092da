"""What is read of a service that goes wrong: bodies, replies, listings, and credentials that it
does not take."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any

import pytest

from aisle.backend.aws import AwsProvider
from aisle.backend.aws.backend import AwsBackend
from aisle.core.errors import (
    RemoteBroken,
    RemoteDenied,
    RemoteObjectNotFound,
    RemoteRefused,
    RemoteThrottled,
    RemoteUnavailable,
)
from aisle.core.ranges import Span
from tests.backend.aws_faults.service import MIB, XML, error_of, opened
from tests.backend.test_contract import get, put_all, some_bytes
from tests.servers import s3
from tests.servers.faults import Fault, FaultProxy
from tests.store.conftest import Run

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
        (400, "KMS.NotFoundException", RemoteRefused, 1),
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
    assert getattr(failure.value, "code", "") == ("" if "<" in code else code) or code == (
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
        async with asyncio.timeout(60):
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
            # Clients would follow what is told them as the service's own code.
            assert (failure.value.status, failure.value.code) == (status, "")
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


def test_pages_are_as_long_as_is_set(
    provider: AwsProvider, faults: FaultProxy, bucket: str, run: Run
) -> None:
    backend = opened(provider, faults, bucket, **{"extra.aws.max_pagesize": 2})
    run(put_all(backend, ["a", "b", "c"]))
    page = run(backend.list(limit=1000))
    assert [entry.key for entry in page.entries] == ["a", "b"]
