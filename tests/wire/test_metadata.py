"""System headers, user metadata, response overrides and storage classes.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
"""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import quote

import pytest

from tests.harness import Node, presign
from tests.wire.support import exists, expect_error, get, object_target, read

SYSTEM = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Encoding": "gzip",
    "Content-Language": "de-DE, en",
    "Content-Disposition": 'attachment; filename="a b.html"',
    "Cache-Control": "public, max-age=3600",
    "Expires": "Thu, 01 Dec 2033 16:00:00 GMT",
}
OVERRIDES = {
    "response-content-type": ("content-type", "application/x-other"),
    "response-content-encoding": ("content-encoding", "br"),
    "response-content-language": ("content-language", "fr"),
    "response-content-disposition": ("content-disposition", 'inline; filename="ü&b.txt"'),
    "response-cache-control": ("cache-control", "no-store"),
    "response-expires": ("expires", "Fri, 02 Dec 2033 16:00:00 GMT"),
}


def test_system_headers_come_back_as_they_were_sent(node: Node, bucket: str) -> None:
    target = object_target(bucket, "k")
    assert node.send("PUT", target, headers=SYSTEM, body=b"hello").status == 200
    for method in ("GET", "HEAD"):
        reply = node.send(method, target)
        assert {name: reply.headers.get(name.lower()) for name in SYSTEM} == SYSTEM


def test_system_headers_that_were_not_sent_do_not_appear(node: Node, bucket: str) -> None:
    node.send("PUT", object_target(bucket, "k"), body=b"hello")
    reply = get(node, bucket, "k")
    assert reply.headers["content-type"] == "binary/octet-stream"
    for name in SYSTEM:
        assert name == "Content-Type" or name.lower() not in reply.headers


@pytest.mark.parametrize("name", ["Content-Type", "Cache-Control", "Content-Language", "Expires"])
def test_a_system_header_without_a_value_is_none(node: Node, bucket: str, name: str) -> None:
    node.send("PUT", object_target(bucket, "k"), headers={name: ""}, body=b"x")
    headers = get(node, bucket, "k").headers
    assert headers["content-type"] == "binary/octet-stream"
    assert name == "Content-Type" or name.lower() not in headers


def test_boto3_sets_and_reads_all_of_them(s3: Any, bucket: str) -> None:
    moment = dt.datetime(2033, 12, 1, 16, tzinfo=dt.UTC)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Expires=moment, ContentType="a/b")
    got = s3.head_object(Bucket=bucket, Key="k")
    assert got["ExpiresString"] == "Thu, 01 Dec 2033 16:00:00 GMT"
    assert got["ContentType"] == "a/b"


def test_an_expires_that_is_no_date_is_kept_as_it_is(node: Node, bucket: str) -> None:
    node.send("PUT", object_target(bucket, "k"), headers={"Expires": "0"}, body=b"x")
    assert get(node, bucket, "k").headers["expires"] == "0"


def test_user_metadata_comes_back_with_lower_case_names(node: Node, s3: Any, bucket: str) -> None:
    s3.put_object(
        Bucket=bucket,
        Key="k",
        Body=b"x",
        Metadata={"Mixed-Case": "Value Kept", "a_b.c": "1", "empty": "", "sep": "a=b;c,d: e"},
    )
    expected = {"mixed-case": "Value Kept", "a_b.c": "1", "empty": "", "sep": "a=b;c,d: e"}
    assert s3.head_object(Bucket=bucket, Key="k")["Metadata"] == expected
    headers = get(node, bucket, "k").headers
    assert headers["x-amz-meta-mixed-case"] == "Value Kept"


def test_inner_spaces_of_a_value_are_kept(node: Node, bucket: str) -> None:
    """The signature folds them, what is stored does not."""
    node.send("PUT", object_target(bucket, "k"), headers={"x-amz-meta-a": "one   two"}, body=b"x")
    assert get(node, bucket, "k").headers["x-amz-meta-a"] == "one   two"


@pytest.mark.parametrize(
    ("names", "size", "fits"), [(1, 2036, True), (1, 2049, False), (40, 40, True), (40, 52, False)]
)
def test_user_metadata_has_a_limit_of_2_kib(
    node: Node, s3: Any, bucket: str, names: int, size: int, fits: bool
) -> None:
    """Bytes of all names and values; whether the prefix of the names counts is not documented,
    so the sizes here stay clear of it."""
    headers = {f"x-amz-meta-{number}": "x" * size for number in range(names)}
    reply = node.send("PUT", object_target(bucket, "k"), headers=headers, body=b"x")
    if fits:
        assert reply.status == 200, reply.body
    else:
        expect_error(reply, 400, "MetadataTooLarge")
    assert exists(s3, bucket, "k") == fits


def test_a_limit_counts_bytes_and_not_characters(node: Node, s3: Any, bucket: str) -> None:
    headers = {"x-amz-meta-a": "ü" * 1100}
    reply = node.send("PUT", object_target(bucket, "k"), headers=headers, body=b"x")
    expect_error(reply, 400, "MetadataTooLarge")
    assert not exists(s3, bucket, "k")


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        # Both examples of the user guide. The bytes of a raw value are read as Latin-1.
        ("ÄMÄZÕÑ S3", "=?UTF-8?B?w4PChE3Dg8KEWsODwpXDg8KRIFMz?="),
        ("=?UTF-8?Q?=C3=84M=C3=84Z=C3=95=C3=91?= S3", "=?UTF-8?B?w4RNw4Raw5XDkSBTMw==?="),
        ("plain =? text", "plain =? text"),
    ],
)
def test_a_value_beyond_ascii_comes_back_in_rfc_2047(
    node: Node, bucket: str, sent: str, told: str
) -> None:
    reply = node.send(
        "PUT", object_target(bucket, "k"), headers={"x-amz-meta-nonascii": sent}, body=b"x"
    )
    assert reply.status == 200, reply.body
    for method in ("GET", "HEAD"):
        reply = node.send(method, object_target(bucket, "k"))
        assert reply.headers["x-amz-meta-nonascii"] == told


def test_overrides_change_the_reply_and_not_the_object(node: Node, s3: Any, bucket: str) -> None:
    node.send("PUT", object_target(bucket, "k"), headers=SYSTEM, body=b"hello")
    query = "&".join(f"{n}={quote(v, safe='')}" for n, (_, v) in sorted(OVERRIDES.items()))
    for method in ("GET", "HEAD"):
        reply = node.send(method, object_target(bucket, "k", query))
        assert reply.status == 200
        for header, value in OVERRIDES.values():
            told = reply.headers[header].encode("latin-1").decode("utf-8")
            assert told == value
    plain = get(node, bucket, "k")
    assert {name: plain.headers.get(name.lower()) for name in SYSTEM} == SYSTEM


@pytest.mark.parametrize("name", OVERRIDES)
def test_overrides_work_on_presigned_requests(node: Node, s3: Any, bucket: str, name: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
    header, value = OVERRIDES[name]
    target = object_target(bucket, "k", f"{name}={quote(value, safe='')}")
    reply = node.send("GET", presign("GET", target, host=node.host), signed=False)
    assert reply.status == 200, reply.body
    assert reply.headers[header].encode("latin-1").decode("utf-8") == value


@pytest.mark.parametrize("name", OVERRIDES)
def test_overrides_are_refused_on_unsigned_requests(
    open_node: Node, open_s3: Any, open_bucket: str, name: str
) -> None:
    """S3: "Request specific response headers cannot be used for anonymous GET requests." """
    open_s3.put_object(Bucket=open_bucket, Key="k", Body=b"hello")
    target = object_target(open_bucket, "k", f"{name}=x")
    reply = open_node.send("GET", target, signed=False)
    expect_error(reply, 400, "InvalidRequest")
    assert open_node.send("GET", object_target(open_bucket, "k"), signed=False).body == b"hello"


@pytest.mark.parametrize("value", ["a%0D%0AX-Injected%3A%201", "a%0AX-Injected%3A%201", "%00"])
def test_an_override_cannot_smuggle_a_header(node: Node, s3: Any, bucket: str, value: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
    reply = get(node, bucket, "k", f"response-content-type={value}")
    assert reply.status in (200, 400)
    assert "x-injected" not in reply.headers


@pytest.mark.parametrize(
    "name", ["STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "REDUCED_REDUNDANCY"]
)
def test_a_storage_class_is_told_again(s3: Any, bucket: str, name: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", StorageClass=name)
    assert s3.head_object(Bucket=bucket, Key="k")["StorageClass"] == name
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["StorageClass"] == name
    assert read(s3, bucket, "k") == b"x"


def test_standard_is_told_in_listings_only(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", StorageClass="STANDARD")
    assert "StorageClass" not in s3.head_object(Bucket=bucket, Key="k")
    assert s3.list_objects_v2(Bucket=bucket)["Contents"][0]["StorageClass"] == "STANDARD"
