"""Writes to a service that goes wrong: what is repeated, given up, or not known to be stored."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from aisle.backend.aws import AwsProvider
from aisle.backend.aws.backend import AwsBackend
from aisle.backend.aws.replies import read_document
from aisle.backend.base import Outgoing
from aisle.core.errors import (
    RemoteDenied,
    RemoteRefused,
    RemoteThrottled,
    RemoteUnavailable,
    RemoteUnknown,
)
from aisle.core.ranges import Span
from tests.backend.aws_faults.service import MIB, XML, error_of, opened
from tests.backend.test_contract import get, outgoing, some_bytes, take
from tests.servers import s3
from tests.servers.faults import Fault, FaultProxy
from tests.store.conftest import Run

ROOT = "CompleteMultipartUploadResult"


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


@pytest.mark.parametrize("key", ["a\x01b", "a\ufffeb", "a\tb"])
def test_a_key_that_a_reply_cannot_carry_is_written_in_parts(
    backend: AwsBackend, run: Run, key: str
) -> None:
    data, sizes = some_bytes(12 * MIB), (5 * MIB, 7 * MIB)
    put = run(backend.put(key, outgoing(data, parts=sizes)))
    assert put.etag == parts_etag(data, sizes)
    assert run(get(backend, key)) == data


@pytest.mark.parametrize(
    "name", [b"a&#x1;b", b"a\x02b", b"a&#31;b", b"a&#xFFFE;b", b"a\xef\xbf\xbfb", b"a&#x09;b"]
)
def test_a_reply_with_characters_that_xml_lacks_is_read(name: bytes) -> None:
    document = b"<CompleteMultipartUploadResult><Key>%b</Key><ETag>x</ETag></%b>"
    root = read_document("aws://b", document % (name, ROOT.encode()), ROOT)
    assert root.value("ETag") == "x"


def test_an_upload_whose_completion_cannot_be_read_is_looked_for(
    backend: AwsBackend, faults: FaultProxy, run: Run
) -> None:
    """The service may have done it all the same, as this one has."""
    faults.add(Fault("POST", "uploadId", corrupt=0))
    data, sizes = some_bytes(12 * MIB), (5 * MIB, 7 * MIB)
    put = run(backend.put("new", outgoing(data, parts=sizes)))
    assert put.etag == parts_etag(data, sizes)
    assert run(get(backend, "new")) == data


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
