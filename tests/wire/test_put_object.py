"""PutObject: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html

Conditions, checksums, chunked bodies, metadata and keys have files of their own.
"""

from __future__ import annotations

import hashlib
import io
import socket
import time
from typing import Any

import pytest

from tests.harness import Node, sign
from tests.wire.support import (
    MIB,
    content_md5,
    etag_of,
    exists,
    expect_error,
    md5_hex,
    object_target,
    pattern,
    read,
    refused,
)

# Around what a store may treat differently: nothing, inline bodies, slices of a stream.
SIZES = [0, 1, 4096, 65535, 65536, 65537, MIB - 1, MIB, MIB + 1, 3 * MIB + 7]


@pytest.mark.parametrize("size", SIZES)
def test_what_is_put_is_what_is_read(s3: Any, bucket: str, size: int) -> None:
    data = pattern(size, seed=size)
    reply = s3.put_object(Bucket=bucket, Key="k", Body=data)
    assert reply["ETag"] == etag_of(data)
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == data
    assert (got["ContentLength"], got["ETag"]) == (size, etag_of(data))


def test_the_reply_has_an_etag_and_no_body(node: Node, bucket: str) -> None:
    reply = node.send("PUT", object_target(bucket, "k"), body=b"hello")
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["etag"] == f'"{md5_hex(b"hello")}"'
    assert reply.headers["x-amz-request-id"]
    assert reply.headers["x-amz-id-2"]


def test_a_file_object_is_stored_without_being_held(s3: Any, bucket: str) -> None:
    data = pattern(2 * MIB)
    s3.put_object(Bucket=bucket, Key="k", Body=io.BytesIO(data))
    assert read(s3, bucket, "k") == data


def test_a_second_put_replaces_body_and_metadata(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=pattern(200_000), Metadata={"a": "1"})
    s3.put_object(Bucket=bucket, Key="k", Body=b"second", Metadata={"b": "2"})
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == b"second"
    assert got["Metadata"] == {"b": "2"}
    assert len(s3.list_objects_v2(Bucket=bucket)["Contents"]) == 1


def test_an_unknown_bucket_is_404(s3: Any) -> None:
    with refused(404, "NoSuchBucket"):
        s3.put_object(Bucket="no-such-bucket-here", Key="k", Body=b"x")


def test_a_large_body_for_an_unknown_bucket_gets_its_error_and_no_broken_pipe(
    node: Node,
) -> None:
    body = pattern(4 * MIB)
    reply = node.send("PUT", "/s3/no-such-bucket-here/k", body=body)
    expect_error(reply, 404, "NoSuchBucket")


def test_a_body_without_a_length_is_refused(node: Node, bucket: str) -> None:
    target = object_target(bucket, "k")
    fields = sign("PUT", target, host=node.host).headers
    head = f"PUT {target} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields.items())
    with socket.create_connection(("127.0.0.1", node.port), timeout=10) as connection:
        connection.sendall(head.encode() + b"\r\n")
        status = connection.recv(65536)
    assert status.startswith(b"HTTP/1.1 411 "), status
    assert node.send("HEAD", target).status == 404


def test_a_body_above_5_gib_is_refused_before_it_is_sent(node: Node, bucket: str) -> None:
    target = object_target(bucket, "k")
    fields = sign("PUT", target, host=node.host).headers
    fields |= {"Content-Length": str(5 * 1024 * MIB + 1), "Expect": "100-continue"}
    head = f"PUT {target} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields.items())
    with socket.create_connection(("127.0.0.1", node.port), timeout=10) as connection:
        connection.sendall(head.encode() + b"\r\n")
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 400 "), answer
    assert node.send("HEAD", target).status == 404


def test_a_client_that_expects_continue_is_told_to(node: Node, bucket: str) -> None:
    target = object_target(bucket, "k")
    fields = sign("PUT", target, host=node.host).headers
    fields |= {"Content-Length": "5", "Expect": "100-continue"}
    head = f"PUT {target} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields.items())
    with socket.create_connection(("127.0.0.1", node.port), timeout=10) as connection:
        connection.sendall(head.encode() + b"\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"hello")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_a_client_that_expects_continue_hears_the_error_instead(node: Node) -> None:
    target = "/s3/no-such-bucket-here/k"
    fields = sign("PUT", target, host=node.host).headers
    fields |= {"Content-Length": str(100 * MIB), "Expect": "100-continue"}
    head = f"PUT {target} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields.items())
    with socket.create_connection(("127.0.0.1", node.port), timeout=10) as connection:
        connection.sendall(head.encode() + b"\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize("sent", [0, 1, 50, 70_000])
def test_an_upload_that_breaks_off_stores_nothing(
    node: Node, s3: Any, bucket: str, sent: int
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    target = object_target(bucket, "k")
    fields = sign("PUT", target, host=node.host).headers
    fields["Content-Length"] = "100000"
    head = f"PUT {target} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields.items())
    with socket.create_connection(("127.0.0.1", node.port), timeout=10) as connection:
        connection.sendall(head.encode() + b"\r\n" + b"x" * sent)
    time.sleep(0.1)
    assert read(s3, bucket, "k") == b"before"


def test_a_payload_hash_that_does_not_match_stores_nothing(node: Node, bucket: str) -> None:
    target = object_target(bucket, "k")
    other = hashlib.sha256(b"other").hexdigest()
    reply = node.send("PUT", target, body=b"hello", payload=other)
    expect_error(reply, 400, "XAmzContentSHA256Mismatch")
    assert node.send("HEAD", target).status == 404


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Content-MD5": content_md5(b"other")}, 400, "BadDigest"),
        ({"Content-MD5": "not base64 of a digest"}, 400, "InvalidDigest"),
        ({"Content-MD5": "AAAA"}, 400, "InvalidDigest"),
        ({"x-amz-storage-class": "NO_SUCH_CLASS"}, 400, "InvalidStorageClass"),
        ({"x-amz-acl": "no-such-acl"}, 400, "InvalidArgument"),
        ({"x-amz-expected-bucket-owner": "999999999999"}, 403, "AccessDenied"),
    ],
)
def test_a_header_that_cannot_be_right_stores_nothing(
    node: Node, s3: Any, bucket: str, headers: dict[str, str], status: int, code: str
) -> None:
    reply = node.send("PUT", object_target(bucket, "k"), headers=headers, body=b"hello")
    expect_error(reply, status, code)
    assert not exists(s3, bucket, "k")


@pytest.mark.parametrize(
    "headers",
    [
        {
            "x-amz-server-side-encryption": "aws:kms",
            "x-amz-server-side-encryption-aws-kms-key-id": "nobody",
        },
        {
            "x-amz-object-lock-mode": "COMPLIANCE",
            "x-amz-object-lock-retain-until-date": "2099-01-01T00:00:00Z",
        },
        {"x-amz-object-lock-legal-hold": "ON"},
    ],
)
def test_a_protection_that_cannot_be_given_is_refused_and_not_ignored(
    node: Node, s3: Any, bucket: str, headers: dict[str, str]
) -> None:
    """Bytes sent for encryption or retention must not be stored without it.

    S3 answers InvalidRequest for a lock on a bucket without lock; NotImplemented is its answer
    to a header that implies functionality which is not there, as keys do where none are shared.
    """
    body = b"secret"
    headers = {**headers, "Content-MD5": content_md5(body)}
    reply = node.send("PUT", object_target(bucket, "k"), headers=headers, body=body)
    answers = ((501, "NotImplemented"), (400, "InvalidRequest"), (400, "KMS.NotFoundException"))
    assert (reply.status, reply.code) in answers
    assert not exists(s3, bucket, "k")


def test_content_md5_of_the_body_is_accepted(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello", ContentMD5=content_md5(b"hello"))
    assert read(s3, bucket, "k") == b"hello"


def test_a_canned_acl_is_accepted(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello", ACL="private")
    assert read(s3, bucket, "k") == b"hello"


def test_a_key_ending_in_a_slash_is_an_object_like_any_other(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="folder/")
    s3.put_object(Bucket=bucket, Key="folder/file", Body=b"x")
    assert s3.head_object(Bucket=bucket, Key="folder/")["ContentLength"] == 0
    assert read(s3, bucket, "folder/file") == b"x"
