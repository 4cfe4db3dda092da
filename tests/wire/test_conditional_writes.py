"""Conditional writes on PutObject, CopyObject and CompleteMultipartUpload.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
A conflict with a write under way may be told as 409 ConditionalRequestConflict instead of 412.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from tests.harness import Node
from tests.wire.support import (
    begin,
    complete,
    etag_of,
    exists,
    expect_error,
    object_target,
    outcome,
    pattern,
    put_part,
    read,
    refused,
)

Write = Callable[..., Any]


def writer(s3: Any, bucket: str, operation: str) -> Write:
    """A function (body, **condition) that writes `k` by `operation` and returns its ETag."""

    def put(body: bytes, **condition: str) -> str:
        return str(s3.put_object(Bucket=bucket, Key="k", Body=body, **condition)["ETag"])

    def copy(body: bytes, **condition: str) -> str:
        source = f"source-{body[:20].hex()}"
        s3.put_object(Bucket=bucket, Key=source, Body=body)
        reply = s3.copy_object(Bucket=bucket, Key="k", CopySource=f"{bucket}/{source}", **condition)
        return str(reply["CopyObjectResult"]["ETag"])

    def multipart(body: bytes, **condition: str) -> str:
        upload = begin(s3, bucket, "k")
        part = put_part(s3, bucket, "k", upload, 1, body)
        return str(complete(s3, bucket, "k", upload, [part], **condition)["ETag"])

    return {"PutObject": put, "CopyObject": copy, "CompleteMultipartUpload": multipart}[operation]


LOST = ("PreconditionFailed", "ConditionalRequestConflict")
OPERATIONS = ["PutObject", "CopyObject", "CompleteMultipartUpload"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_if_none_match_writes_only_where_nothing_is(s3: Any, bucket: str, operation: str) -> None:
    write = writer(s3, bucket, operation)
    write(b"first", IfNoneMatch="*")
    with refused(412, "PreconditionFailed"):
        write(b"second", IfNoneMatch="*")
    assert read(s3, bucket, "k") == b"first"
    s3.delete_object(Bucket=bucket, Key="k")
    write(b"third", IfNoneMatch="*")
    assert read(s3, bucket, "k") == b"third"


@pytest.mark.parametrize("operation", OPERATIONS)
def test_if_match_writes_only_over_what_it_names(s3: Any, bucket: str, operation: str) -> None:
    write = writer(s3, bucket, operation)
    first = write(b"first")
    second = write(b"second", IfMatch=first)
    with refused(412, "PreconditionFailed"):
        write(b"third", IfMatch=first)
    assert read(s3, bucket, "k") == b"second"
    write(b"fourth", IfMatch=second.strip('"'))
    assert read(s3, bucket, "k") == b"fourth"


@pytest.mark.parametrize("operation", OPERATIONS)
def test_if_match_of_a_missing_key_is_404(s3: Any, bucket: str, operation: str) -> None:
    """The guide: "If no current object version ... exists, 404 Not Found"."""
    write = writer(s3, bucket, operation)
    with refused(404, "NoSuchKey"):
        write(b"first", IfMatch=etag_of(b"first"))
    assert not exists(s3, bucket, "k")


def test_if_none_match_with_an_etag_is_not_implemented(node: Node, s3: Any, bucket: str) -> None:
    """S3: "We don't accept the provided value of If-None-Match header for this API"."""
    reply = node.send(
        "PUT",
        object_target(bucket, "k"),
        headers={"If-None-Match": etag_of(b"x")},
        body=b"hello",
    )
    expect_error(reply, 501, "NotImplemented")
    assert reply.xml.findtext("Header") == "If-None-Match"
    assert reply.xml.findtext("additionalMessage")
    assert not exists(s3, bucket, "k")


DATE = "Mon, 01 Jan 2018 00:00:00 GMT"


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("PUT", {"If-Unmodified-Since": DATE}),
        ("DELETE", {"If-Unmodified-Since": DATE}),
        ("DELETE", {"If-None-Match": "*"}),
        ("DELETE", {"If-None-Match": etag_of(b"one")}),
    ],
)
def test_a_condition_that_s3_lacks_is_refused_and_not_passed_over(
    node: Node, s3: Any, bucket: str, method: str, headers: dict[str, str]
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"one")
    reply = node.send(method, object_target(bucket, "k"), headers=headers)
    expect_error(reply, 501, "NotImplemented")
    assert reply.xml.findtext("Header") == next(iter(headers))
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"one"


@pytest.mark.parametrize(("method", "status"), [("PUT", 200), ("DELETE", 204)])
def test_if_modified_since_means_nothing_on_writes(
    node: Node, s3: Any, bucket: str, method: str, status: int
) -> None:
    """RFC 9110, 13.1.3: it must be ignored if the method is neither GET nor HEAD."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"one")
    told = {"If-Modified-Since": "Thu, 01 Jan 2099 00:00:00 GMT"}
    assert node.send(method, object_target(bucket, "k"), headers=told).status == status


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("size", [100, 100_000])
def test_of_concurrent_creators_exactly_one_wins(
    s3: Any, bucket: str, operation: str, size: int
) -> None:
    write = writer(s3, bucket, operation)
    bodies = [f"{number:020}".encode() + pattern(size, number) for number in range(12)]

    def race(body: bytes) -> str:
        return outcome(lambda: write(body, IfNoneMatch="*"))

    with ThreadPoolExecutor(12) as pool:
        codes = list(pool.map(race, bodies))
    assert codes.count("") == 1
    assert set(codes) <= {"", *LOST}
    assert read(s3, bucket, "k") == bodies[codes.index("")]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_counter_loses_no_update(s3: Any, bucket: str, operation: str) -> None:
    """Compare and swap: six writers each raise the number four times."""
    write = writer(s3, bucket, operation)
    write(b"0")

    def raise_once() -> None:
        while True:
            got = s3.get_object(Bucket=bucket, Key="k")
            raised = str(int(got["Body"].read()) + 1).encode()
            code = outcome(partial(write, raised, IfMatch=got["ETag"]))
            assert code in ("", *LOST)
            if not code:
                return

    def work(_: int) -> None:
        for _ in range(4):
            raise_once()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert read(s3, bucket, "k") == b"24"


def test_a_failed_complete_can_be_repeated(s3: Any, bucket: str) -> None:
    """The upload and its parts are still there after 412."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    upload = begin(s3, bucket, "k")
    part = put_part(s3, bucket, "k", upload, 1, b"after")
    with refused(412, "PreconditionFailed"):
        complete(s3, bucket, "k", upload, [part], IfNoneMatch="*")
    complete(s3, bucket, "k", upload, [part], IfMatch=etag_of(b"before"))
    assert read(s3, bucket, "k") == b"after"
