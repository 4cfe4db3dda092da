"""Objects over the native API: PUT, GET with ranges, HEAD, DELETE, and their headers."""

import hashlib
from typing import Any

import pytest

from tests.harness import Node
from tests.native.support import act, message, put, target

KEYS = ["plain", "a/b", "a//b", "..", "a b+c%d", "émoji-😀", "tab\tnl\n", "trailing/"]


@pytest.mark.parametrize("key", KEYS)
def test_any_key_is_stored_and_read_back(node: Node, bucket: str, key: str) -> None:
    assert put(node, bucket, key, key.encode()).status == 200
    reply = node.send("GET", target(bucket, key))
    assert (reply.status, reply.body) == (200, key.encode())
    assert node.send("DELETE", target(bucket, key)).status == 200
    assert node.send("GET", target(bucket, key)).status == 404


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 5_000_000])
def test_bodies_of_any_size_come_back(node: Node, bucket: str, size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    body = body[:size]
    assert put(node, bucket, "x", body).status == 200
    reply = node.send("GET", target(bucket, "x"))
    assert reply.body == body
    assert reply.headers["content-length"] == str(size)


def test_a_body_of_unknown_size_is_taken_in(node: Node, bucket: str) -> None:
    pieces = (b"3\r\nabc\r\n", b"2\r\nde\r\n", b"0\r\n\r\n")
    reply = node.send(
        "PUT",
        target(bucket, "x"),
        body=iter(pieces),
        unsigned_headers={"Transfer-Encoding": "chunked"},
    )
    assert reply.status == 200
    assert node.send("GET", target(bucket, "x")).body == b"abcde"


def test_replies_tell_what_is_known_of_an_object(node: Node, bucket: str) -> None:
    act(node, "PATCH", f"/v1/buckets/{bucket}", "set-bprops", {"checksum": {"type": "md5"}})
    digest = hashlib.md5(b"hello").hexdigest()
    stored = put(node, bucket, "x", b"hello")
    assert stored.headers["etag"] == f'"{digest}"'
    assert stored.headers["ais-checksum-value"] == digest
    for method in ("GET", "HEAD"):
        fields = node.send(method, target(bucket, "x")).headers
        assert fields["content-length"] == "5"
        assert fields["etag"] == f'"{digest}"'
        assert (fields["ais-checksum-type"], fields["ais-checksum-value"]) == ("md5", digest)
        assert fields["ais-version"] == "1"
        assert fields["ais-present"] == "true"
        assert fields["ais-atime"].isdigit()
        assert fields["last-modified"].endswith("GMT")
    put(node, bucket, "x", b"again")
    assert node.send("HEAD", target(bucket, "x")).headers["ais-version"] == "2"


def test_a_bucket_without_checksums_has_none_in_its_replies(node: Node, bucket: str) -> None:
    act(node, "PATCH", f"/v1/buckets/{bucket}", "set-bprops", {"checksum": {"type": "none"}})
    assert "ais-checksum-type" not in put(node, bucket, "x", b"1").headers


def test_user_metadata_is_custom_metadata_and_cannot_break_out(
    node: Node, bucket: str, s3: Any
) -> None:
    s3.put_object(Bucket=bucket, Key="x", Metadata={"one": "1"})
    assert node.send("HEAD", target(bucket, "x")).headers["ais-custom-md"] == "one=1"
    word = "=?UTF-8?B?YQ0KU2V0LUNvb2tpZTogeA==?="  # a CR LF "Set-Cookie: x"
    node.send("PUT", f"/s3/{bucket}/y", headers={"x-amz-meta-evil": word}, body=b"")
    fields = node.send("HEAD", target(bucket, "y")).headers
    assert "set-cookie" not in fields
    assert fields["ais-custom-md"].startswith("=?UTF-8?B?")


def test_the_content_type_is_kept_but_the_sdk_constant_is_not(node: Node, bucket: str) -> None:
    put(node, bucket, "a", b"", headers={"Content-Type": "text/plain"})
    put(node, bucket, "b", b"", headers={"Content-Type": "application/json"})
    kinds = [node.send("HEAD", target(bucket, key)).headers["content-type"] for key in "ab"]
    assert kinds == ["text/plain", "application/octet-stream"]


@pytest.mark.parametrize(
    ("wanted", "status", "body", "where"),
    [
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=5-99", 206, b"56789", "bytes 5-9/10"),
        ("bytes=x", 200, b"0123456789", None),
    ],
)
def test_ranges(
    node: Node, bucket: str, wanted: str, status: int, body: bytes, where: str | None
) -> None:
    put(node, bucket, "x", b"0123456789")
    reply = node.send("GET", target(bucket, "x"), headers={"Range": wanted})
    assert (reply.status, reply.body) == (status, body)
    assert reply.headers.get("content-range") == where


def test_a_range_of_a_large_object(node: Node, bucket: str) -> None:
    body = b"".join(number.to_bytes(4, "big") for number in range(100_000))
    put(node, bucket, "x", body)
    reply = node.send("GET", target(bucket, "x"), headers={"Range": "bytes=99999-200001"})
    assert reply.body == body[99_999:200_002]


def test_a_range_outside_of_the_object(node: Node, bucket: str) -> None:
    put(node, bucket, "x", b"0123")
    reply = node.send("GET", target(bucket, "x"), headers={"Range": "bytes=4-"})
    assert reply.status == 416
    assert reply.headers["content-range"] == "bytes */4"


def test_a_body_is_held_to_the_checksum_sent_with_it(node: Node, bucket: str) -> None:
    digest = hashlib.sha256(b"right").hexdigest()
    claim = {"Ais-Checksum-Type": "sha256", "Ais-Checksum-Value": digest}
    reply = put(node, bucket, "x", b"wrong", headers=claim)
    assert reply.status == 400
    assert "SHA256" in message(reply)
    assert node.send("HEAD", target(bucket, "x")).status == 404
    assert put(node, bucket, "x", b"right", headers=claim).status == 200


@pytest.mark.parametrize(("kind", "value"), [("rot13", "00"), ("md5", "zz"), ("md5", "00")])
def test_a_checksum_that_makes_no_sense_is_refused(
    node: Node, bucket: str, kind: str, value: str
) -> None:
    claim = {"Ais-Checksum-Type": kind, "Ais-Checksum-Value": value}
    assert put(node, bucket, "x", b"1", headers=claim).status == 400


def test_errors_name_the_object(node: Node, bucket: str) -> None:
    text = f'object "ais://{bucket}/a b" does not exist'
    for method in ("GET", "HEAD", "DELETE"):
        reply = node.send(method, target(bucket, "a b"))
        assert (reply.status, message(reply)) == (404, text)


def test_an_object_in_no_bucket_names_the_bucket(node: Node) -> None:
    for method in ("GET", "PUT", "HEAD", "DELETE"):
        reply = node.send(method, "/v1/objects/no-such-bucket/x")
        assert (reply.status, message(reply)) == (
            404,
            'bucket "ais://no-such-bucket" does not exist',
        )


@pytest.mark.parametrize(("key", "text"), [("%FF", "valid UTF-8"), ("x" * 1025, "1025 bytes")])
def test_a_bad_key_is_a_bad_request(node: Node, bucket: str, key: str, text: str) -> None:
    reply = node.send("PUT", f"/v1/objects/{bucket}/{key}")
    assert reply.status == 400
    assert text in message(reply)


def test_chunk_signed_bodies_belong_to_s3(node: Node, bucket: str) -> None:
    reply = put(node, bucket, "x", b"1", payload="STREAMING-UNSIGNED-PAYLOAD-TRAILER")
    assert reply.status == 501
