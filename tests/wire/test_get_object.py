"""GetObject: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html

Ranges, conditions, checksums and metadata have files of their own; here is the plain read, the
read by part number and the read of a version.
"""

from __future__ import annotations

import datetime as dt
import email.utils
from contextlib import closing
from typing import Any

import pytest

from tests.harness import Node
from tests.wire.support import (
    MIB,
    etag_of,
    etag_of_parts,
    expect_error,
    get,
    object_target,
    pattern,
    put_parts,
    read,
    refused,
)

PARTS = [pattern(300_000, 1), pattern(70_000, 2), pattern(11, 3)]


def test_the_headers_of_a_plain_read(node: Node, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
    reply = get(node, bucket, "k")
    assert (reply.status, reply.body) == (200, b"hello")
    assert reply.headers["content-length"] == "5"
    assert reply.headers["etag"] == etag_of(b"hello")
    assert reply.headers["accept-ranges"] == "bytes"
    assert reply.headers["content-type"] == "binary/octet-stream"
    assert reply.headers["x-amz-request-id"]
    assert reply.headers["x-amz-id-2"]
    assert "content-range" not in reply.headers
    assert "x-amz-storage-class" not in reply.headers  # told only when it is not STANDARD
    modified = email.utils.parsedate_to_datetime(reply.headers["last-modified"])
    assert abs(dt.datetime.now(dt.UTC) - modified) < dt.timedelta(minutes=1)
    assert reply.headers["last-modified"].endswith(" GMT")


def test_last_modified_is_the_same_in_read_head_and_listing(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
    assert read(s3, bucket, "k") == b"hello"
    got = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"][0]["LastModified"]
    assert listed.replace(microsecond=0) == got


def test_an_unknown_key_is_404_and_named(node: Node, bucket: str) -> None:
    reply = get(node, bucket, "no/such key")
    expect_error(reply, 404, "NoSuchKey")
    assert reply.xml.findtext("Key") == "no/such key"
    assert reply.xml.findtext("Resource") == f"/{bucket}/no/such key"


def test_an_unknown_bucket_is_404_and_named(node: Node) -> None:
    reply = get(node, "no-such-bucket-here", "k")
    expect_error(reply, 404, "NoSuchBucket")
    assert reply.xml.findtext("BucketName") == "no-such-bucket-here"


def test_a_long_body_comes_whole_through_a_slow_reader(s3: Any, bucket: str) -> None:
    data = pattern(12 * MIB)
    s3.put_object(Bucket=bucket, Key="k", Body=data)
    body = s3.get_object(Bucket=bucket, Key="k")["Body"]
    assert b"".join(body.iter_chunks(10_007)) == data


def test_a_read_under_way_is_not_disturbed_by_overwrite_and_delete(s3: Any, bucket: str) -> None:
    data = pattern(12 * MIB)
    s3.put_object(Bucket=bucket, Key="k", Body=data)
    with closing(s3.get_object(Bucket=bucket, Key="k")["Body"]) as body:
        first = body.read(1000)
        s3.put_object(Bucket=bucket, Key="k", Body=b"new")
        s3.delete_object(Bucket=bucket, Key="k")
        assert first + body.read(len(data)) == data


@pytest.mark.parametrize("query", ["x-id=GetObject", "unknown=1", "X-Unknown"])
def test_a_query_parameter_that_s3_does_not_know_is_ignored(
    node: Node, s3: Any, bucket: str, query: str
) -> None:
    """The SDKs for Go and JavaScript add `x-id` to every request."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
    assert get(node, bucket, "k", query).body == b"hello"


def test_the_null_version_is_the_object_of_an_unversioned_bucket(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
    assert read(s3, bucket, "k", VersionId="null") == b"hello"


def test_a_version_that_does_not_exist_is_not_the_object(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
    # S3 calls an id that it cannot have made InvalidArgument, another NoSuchVersion.
    with pytest.raises(s3.exceptions.ClientError) as caught:
        s3.get_object(Bucket=bucket, Key="k", VersionId="no-such-version")
    assert caught.value.response["Error"]["Code"] in ("InvalidArgument", "NoSuchVersion")


def test_each_part_can_be_read_by_its_number(s3: Any, bucket: str) -> None:
    put_parts(s3, bucket, "k", PARTS)
    whole = sum(map(len, PARTS))
    start = 0
    for number, part in enumerate(PARTS, 1):
        got = s3.get_object(Bucket=bucket, Key="k", PartNumber=number)
        assert got["Body"].read() == part
        assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert got["ContentRange"] == f"bytes {start}-{start + len(part) - 1}/{whole}"
        assert got["ContentLength"] == len(part)
        assert got["PartsCount"] == 3
        assert got["ETag"] == etag_of_parts(PARTS)
        start += len(part)


def test_a_whole_read_of_a_multipart_object_crosses_its_parts(s3: Any, bucket: str) -> None:
    put_parts(s3, bucket, "k", PARTS)
    data = b"".join(PARTS)
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == data
    assert got["ETag"] == etag_of_parts(PARTS)
    assert "PartsCount" not in got  # told only for a read by part number
    for first, last in [(299_990, 300_010), (0, len(data) - 1), (369_999, 370_000)]:
        got = s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={first}-{last}")
        assert got["Body"].read() == data[first : last + 1]


def test_an_object_of_one_put_has_one_part(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
    got = s3.get_object(Bucket=bucket, Key="k", PartNumber=1)
    assert got["Body"].read() == b"hello"
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert "PartsCount" not in got


@pytest.mark.parametrize("parts", [0, 1])
def test_the_part_of_an_empty_object_has_no_range(s3: Any, bucket: str, parts: int) -> None:
    # RFC 9110, 15.3.7: a 206 has a Content-Range, and no bytes have none; S3 answers 200.
    if parts:
        put_parts(s3, bucket, "k", [b""])
    else:
        s3.put_object(Bucket=bucket, Key="k", Body=b"")
    for ask in (s3.get_object, s3.head_object):
        got = ask(Bucket=bucket, Key="k", PartNumber=1)
        assert got["ResponseMetadata"]["HTTPStatusCode"] == 200
        assert got["ContentLength"] == 0
        assert "ContentRange" not in got
        assert got.get("PartsCount", 0) == parts


@pytest.mark.parametrize("key", ["single", "multi"])
def test_a_part_that_does_not_exist_cannot_be_read(s3: Any, bucket: str, key: str) -> None:
    s3.put_object(Bucket=bucket, Key="single", Body=b"hello")
    put_parts(s3, bucket, "multi", PARTS)
    with refused(416, "InvalidPartNumber"):
        s3.get_object(Bucket=bucket, Key=key, PartNumber=4)


@pytest.mark.parametrize("number", ["0", "-1", "10001", "x", ""])
def test_a_part_number_outside_of_1_to_10000_is_refused(
    node: Node, s3: Any, bucket: str, number: str
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
    expect_error(get(node, bucket, "k", f"partNumber={number}"), 400, "InvalidArgument")


def test_a_part_number_and_a_range_exclude_each_other(node: Node, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
    reply = get(node, bucket, "k", "partNumber=1", Range="bytes=0-1")
    expect_error(reply, 400, "InvalidRequest")


def test_the_reply_cannot_be_taken_for_something_else_by_a_browser(
    node: Node, s3: Any, bucket: str
) -> None:
    """Objects are served beside a console: no guessing of types (security list, section 4)."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"<script>", ContentType="text/plain")
    assert get(node, bucket, "k").headers.get("x-content-type-options") == "nosniff"


def test_a_connection_is_kept_for_the_next_request(node: Node, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
    reply = node.send("GET", object_target(bucket, "k"))
    assert reply.headers.get("connection", "keep-alive").lower() != "close"
