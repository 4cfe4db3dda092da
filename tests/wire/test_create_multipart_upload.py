"""CreateMultipartUpload.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness import Node
from tests.wire.support import (
    begin,
    complete,
    exists,
    expect_error,
    object_target,
    put_part,
    refused,
)


def test_an_upload_has_an_id_and_is_not_yet_an_object(s3: Any, bucket: str) -> None:
    reply = s3.create_multipart_upload(Bucket=bucket, Key="a/k ü")
    assert (reply["Bucket"], reply["Key"]) == (bucket, "a/k ü")
    assert reply["UploadId"]
    assert not exists(s3, bucket, "a/k ü")
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_the_document_is_the_one_of_s3(node: Node, bucket: str) -> None:
    reply = node.send("POST", object_target(bucket, "k", "uploads"))
    assert reply.status == 200
    assert reply.xml.tag == "InitiateMultipartUploadResult"
    assert [child.tag for child in reply.xml] == ["Bucket", "Key", "UploadId"]


def test_uploads_of_one_key_are_apart(s3: Any, bucket: str) -> None:
    one, two = begin(s3, bucket, "k"), begin(s3, bucket, "k")
    assert one != two
    part = put_part(s3, bucket, "k", one, 1, b"one")
    with refused(400, "InvalidPart"):
        complete(s3, bucket, "k", two, [part])


def test_headers_and_metadata_are_those_of_the_finished_object(s3: Any, bucket: str) -> None:
    headers = {
        "ContentType": "text/csv",
        "CacheControl": "no-cache",
        "ContentDisposition": "inline",
        "ContentEncoding": "br",
        "ContentLanguage": "fr",
    }
    upload = begin(s3, bucket, "k", Metadata={"a": "1"}, StorageClass="STANDARD_IA", **headers)
    complete(s3, bucket, "k", upload, [put_part(s3, bucket, "k", upload, 1, b"x")])
    got = s3.head_object(Bucket=bucket, Key="k")
    assert got["Metadata"] == {"a": "1"}
    assert got["StorageClass"] == "STANDARD_IA"
    assert {name: got[name] for name in headers} == headers


@pytest.mark.parametrize(
    ("algorithm", "kind", "told"),
    [
        ("CRC32", None, "COMPOSITE"),
        ("CRC32C", "FULL_OBJECT", "FULL_OBJECT"),
        ("CRC64NVME", None, "FULL_OBJECT"),
        ("SHA256", None, "COMPOSITE"),
    ],
)
def test_the_checksum_agreed_on_is_told(
    s3: Any, bucket: str, algorithm: str, kind: str | None, told: str
) -> None:
    asked = {"ChecksumType": kind} if kind else {}
    reply = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm=algorithm, **asked)
    assert (reply["ChecksumAlgorithm"], reply["ChecksumType"]) == (algorithm, told)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"x-amz-checksum-algorithm": "CRC7"}, "InvalidRequest"),
        (
            {"x-amz-checksum-algorithm": "SHA256", "x-amz-checksum-type": "FULL_OBJECT"},
            "InvalidRequest",
        ),
        (
            {"x-amz-checksum-algorithm": "SHA1", "x-amz-checksum-type": "FULL_OBJECT"},
            "InvalidRequest",
        ),
        (
            {"x-amz-checksum-algorithm": "CRC64NVME", "x-amz-checksum-type": "COMPOSITE"},
            "InvalidRequest",
        ),
        ({"x-amz-storage-class": "NO_SUCH_CLASS"}, "InvalidStorageClass"),
        ({"x-amz-meta-a": "x" * 2049}, "MetadataTooLarge"),
    ],
)
def test_an_upload_that_could_not_be_finished_is_not_begun(
    node: Node, s3: Any, bucket: str, headers: dict[str, str], code: str
) -> None:
    """Which checksums can be of the full object: "Checking object integrity" in the user guide."""
    reply = node.send("POST", object_target(bucket, "k", "uploads"), headers=headers)
    expect_error(reply, 400, code)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_a_key_that_is_too_long_is_refused(s3: Any, bucket: str) -> None:
    with refused(400, "KeyTooLongError"):
        s3.create_multipart_upload(Bucket=bucket, Key="x" * 1025)


def test_an_unknown_bucket_is_404(s3: Any) -> None:
    with refused(404, "NoSuchBucket"):
        s3.create_multipart_upload(Bucket="no-such-bucket-here", Key="k")
