"""HeadObject: https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html"""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness import Node
from tests.wire.support import (
    etag_of,
    etag_of_parts,
    get,
    object_target,
    pattern,
    put_parts,
    refused,
)

VOLATILE = {"date", "x-amz-request-id", "x-amz-id-2", "server"}


def test_head_tells_what_get_tells_without_the_body(node: Node, s3: Any, bucket: str) -> None:
    s3.put_object(
        Bucket=bucket,
        Key="k",
        Body=pattern(100_000),
        ContentType="text/csv",
        CacheControl="no-store",
        Metadata={"one": "1"},
        StorageClass="STANDARD_IA",
    )
    read = get(node, bucket, "k")
    head = node.send("HEAD", object_target(bucket, "k"))
    assert (head.status, head.body) == (200, b"")
    kept = {name: value for name, value in read.headers.items() if name not in VOLATILE}
    assert {n: v for n, v in head.headers.items() if n not in VOLATILE} == kept
    assert head.headers["content-length"] == "100000"
    assert head.headers["etag"] == etag_of(pattern(100_000))


@pytest.mark.parametrize("bucket_name", ["", "no-such-bucket-here"])
def test_what_is_not_there_is_404_without_a_body(
    node: Node, s3: Any, bucket: str, bucket_name: str
) -> None:
    reply = node.send("HEAD", object_target(bucket_name or bucket, "no-such-key"))
    assert (reply.status, reply.body) == (404, b"")
    assert reply.headers["x-amz-request-id"]
    assert reply.headers["x-amz-id-2"]
    with refused(404, "404"):
        s3.head_object(Bucket=bucket_name or bucket, Key="no-such-key")


def test_a_range_is_answered_as_for_get(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=pattern(1000))
    got = s3.head_object(Bucket=bucket, Key="k", Range="bytes=10-19")
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert got["ContentLength"] == 10
    assert got["ContentRange"] == "bytes 10-19/1000"
    with refused(416, "416"):
        s3.head_object(Bucket=bucket, Key="k", Range="bytes=1000-")


def test_a_part_number_tells_the_size_of_the_part_and_how_many(s3: Any, bucket: str) -> None:
    bodies = [pattern(1000, 1), pattern(20, 2)]
    put_parts(s3, bucket, "k", bodies)
    got = s3.head_object(Bucket=bucket, Key="k", PartNumber=2)
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert (got["ContentLength"], got["PartsCount"]) == (20, 2)
    assert got["ContentRange"] == "bytes 1000-1019/1020"
    assert got["ETag"] == etag_of_parts(bodies)
    whole = s3.head_object(Bucket=bucket, Key="k")
    assert whole["ContentLength"] == 1020
    with refused(416, "416"):
        s3.head_object(Bucket=bucket, Key="k", PartNumber=3)


def test_the_null_version_is_the_object_and_no_other_is(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
    assert s3.head_object(Bucket=bucket, Key="k", VersionId="null")["ContentLength"] == 5
    with pytest.raises(s3.exceptions.ClientError) as caught:
        s3.head_object(Bucket=bucket, Key="k", VersionId="no-such-version")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 404)


def test_an_empty_object_has_length_zero(node: Node, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k")
    reply = node.send("HEAD", object_target(bucket, "k"))
    assert reply.headers["content-length"] == "0"
    assert reply.headers["etag"] == etag_of(b"")
