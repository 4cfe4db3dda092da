"""UploadPart: https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html"""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest

from tests.harness import Node, sign
from tests.wire.support import (
    MIB,
    begin,
    checksum,
    complete,
    content_md5,
    etag_of,
    expect_error,
    object_target,
    pattern,
    put_part,
    read,
    refused,
)


@pytest.mark.parametrize("size", [0, 1, 65536, 65537, 2 * MIB + 1])
def test_a_part_answers_with_the_md5_of_its_body(s3: Any, bucket: str, size: int) -> None:
    upload = begin(s3, bucket, "k")
    data = pattern(size)
    part = put_part(s3, bucket, "k", upload, 1, data)
    assert part["ETag"] == etag_of(data)
    complete(s3, bucket, "k", upload, [part])
    assert read(s3, bucket, "k") == data


def test_parts_may_come_in_any_order(s3: Any, bucket: str) -> None:
    upload = begin(s3, bucket, "k")
    bodies = {number: pattern(1000 + number, number) for number in (3, 1, 10000, 7)}
    parts = [put_part(s3, bucket, "k", upload, n, body) for n, body in bodies.items()]
    complete(s3, bucket, "k", upload, sorted(parts, key=lambda part: int(part["PartNumber"])))
    assert read(s3, bucket, "k") == b"".join(bodies[number] for number in sorted(bodies))


def test_a_part_sent_again_replaces_the_first(s3: Any, bucket: str) -> None:
    upload = begin(s3, bucket, "k")
    old = put_part(s3, bucket, "k", upload, 1, pattern(100_000, 1))
    new = put_part(s3, bucket, "k", upload, 1, pattern(100_001, 2))
    listed = s3.list_parts(Bucket=bucket, Key="k", UploadId=upload)["Parts"]
    assert [(part["ETag"], part["Size"]) for part in listed] == [(new["ETag"], 100_001)]
    with refused(400, "InvalidPart"):
        complete(s3, bucket, "k", upload, [old])
    complete(s3, bucket, "k", upload, [new])
    assert read(s3, bucket, "k") == pattern(100_001, 2)


@pytest.mark.parametrize("number", ["0", "10001", "-1", "x", ""])
def test_a_number_outside_of_1_to_10000_is_refused(
    node: Node, s3: Any, bucket: str, number: str
) -> None:
    upload = begin(s3, bucket, "k")
    target = object_target(bucket, "k", f"partNumber={number}&uploadId={upload}")
    expect_error(node.send("PUT", target, body=b"x"), 400, "InvalidArgument")
    assert "Parts" not in s3.list_parts(Bucket=bucket, Key="k", UploadId=upload)


def test_half_of_the_parameters_never_overwrites_the_object(
    node: Node, s3: Any, bucket: str
) -> None:
    """A PUT with `partNumber` or `uploadId` alone is no plain PutObject."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"kept")
    upload = begin(s3, bucket, "k")
    for query in ("partNumber=1", f"uploadId={upload}", "uploadId="):
        reply = node.send("PUT", object_target(bucket, "k", query), body=b"part")
        assert 400 <= reply.status < 500 or reply.status == 501, (query, reply.status)
    assert read(s3, bucket, "k") == b"kept"


def test_an_unknown_upload_is_404(s3: Any, bucket: str) -> None:
    with refused(404, "NoSuchUpload"):
        put_part(s3, bucket, "k", "no-such-upload", 1, b"x")


def test_an_upload_belongs_to_its_key_and_bucket(s3: Any, bucket: str, make_bucket: Any) -> None:
    upload = begin(s3, bucket, "k")
    with refused(404, "NoSuchUpload"):
        put_part(s3, bucket, "other", upload, 1, b"x")
    with refused(404, "NoSuchUpload"):
        put_part(s3, make_bucket(), "k", upload, 1, b"x")


def test_an_unknown_bucket_is_404(s3: Any) -> None:
    with refused(404, "NoSuchBucket"):
        put_part(s3, "no-such-bucket-here", "k", "no-such-upload", 1, b"x")


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Content-MD5": content_md5(b"other")}, "BadDigest"),
        ({"Content-MD5": "AAAA"}, "InvalidDigest"),
        ({"x-amz-checksum-sha1": checksum("SHA1", b"other")}, "BadDigest"),
    ],
)
def test_a_wrong_digest_stores_no_part(
    node: Node, s3: Any, bucket: str, headers: dict[str, str], code: str
) -> None:
    upload = begin(s3, bucket, "k")
    target = object_target(bucket, "k", f"partNumber=1&uploadId={upload}")
    expect_error(node.send("PUT", target, headers=headers, body=b"part"), 400, code)
    assert "Parts" not in s3.list_parts(Bucket=bucket, Key="k", UploadId=upload)


def test_a_checksum_of_another_algorithm_than_agreed_is_refused(
    node: Node, s3: Any, bucket: str
) -> None:
    """S3: "Checksum Type mismatch occurred, expected checksum Type: sha256, actual ... crc32"."""
    upload = begin(s3, bucket, "k", ChecksumAlgorithm="SHA256")
    target = object_target(bucket, "k", f"partNumber=1&uploadId={upload}")
    headers = {"x-amz-checksum-crc32": checksum("CRC32", b"part")}
    expect_error(node.send("PUT", target, headers=headers, body=b"part"), 400, "InvalidRequest")


def test_a_part_that_breaks_off_is_not_there(node: Node, s3: Any, bucket: str) -> None:
    upload = begin(s3, bucket, "k")
    target = object_target(bucket, "k", f"partNumber=1&uploadId={upload}")
    fields = sign("PUT", target, host=node.host).headers | {"Content-Length": "100000"}
    head = f"PUT {target} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields.items())
    with socket.create_connection(("127.0.0.1", node.port), timeout=10) as connection:
        connection.sendall(head.encode() + b"\r\n" + b"x" * 70_000)
    time.sleep(0.1)
    assert "Parts" not in s3.list_parts(Bucket=bucket, Key="k", UploadId=upload)
