"""ListParts: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html"""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness import Node
from tests.wire.support import (
    begin,
    checksum,
    complete,
    etag_of,
    expect_error,
    object_target,
    put_part,
    refused,
)


def test_parts_are_listed_in_order_with_size_and_etag(s3: Any, bucket: str) -> None:
    upload = begin(s3, bucket, "k")
    bodies = {10: b"ten!", 2: b"two", 1: b"one", 9999: b""}
    for number, body in bodies.items():
        put_part(s3, bucket, "k", upload, number, body)
    reply = s3.list_parts(Bucket=bucket, Key="k", UploadId=upload)
    assert [(p["PartNumber"], p["Size"], p["ETag"]) for p in reply["Parts"]] == [
        (number, len(bodies[number]), etag_of(bodies[number])) for number in sorted(bodies)
    ]
    assert all(part["LastModified"] for part in reply["Parts"])
    assert (reply["Bucket"], reply["Key"], reply["UploadId"]) == (bucket, "k", upload)
    assert (reply["IsTruncated"], reply["MaxParts"]) == (False, 1000)
    assert reply["StorageClass"] == "STANDARD"
    assert reply["Owner"]["ID"]
    # "If the principal is an Amazon Web Services account, it provides the Canonical User ID."
    assert reply["Initiator"] == reply["Owner"]


def test_an_upload_without_parts_is_an_empty_list(s3: Any, bucket: str) -> None:
    reply = s3.list_parts(Bucket=bucket, Key="k", UploadId=begin(s3, bucket, "k"))
    assert "Parts" not in reply
    assert reply["IsTruncated"] is False


@pytest.mark.parametrize("size", [1, 2, 3, 5, 6])
def test_pages_join_to_the_whole(s3: Any, bucket: str, size: int) -> None:
    upload = begin(s3, bucket, "k")
    for number in (1, 2, 5, 8, 13):
        put_part(s3, bucket, "k", upload, number, b"x")
    found: list[int] = []
    marker = 0
    while True:
        reply = s3.list_parts(
            Bucket=bucket, Key="k", UploadId=upload, MaxParts=size, PartNumberMarker=marker
        )
        numbers = [part["PartNumber"] for part in reply.get("Parts", [])]
        assert (reply["PartNumberMarker"], reply["MaxParts"]) == (marker, size)
        found += numbers
        if not reply["IsTruncated"]:
            break
        assert len(numbers) == size
        assert reply["NextPartNumberMarker"] == numbers[-1]
        marker = reply["NextPartNumberMarker"]
    assert found == [1, 2, 5, 8, 13]


@pytest.mark.parametrize(
    "query", ["max-parts=-1", "max-parts=x", "part-number-marker=x", "part-number-marker=-1"]
)
def test_a_parameter_that_is_no_number_is_refused(
    node: Node, s3: Any, bucket: str, query: str
) -> None:
    upload = begin(s3, bucket, "k")
    reply = node.send("GET", object_target(bucket, "k", f"{query}&uploadId={upload}"))
    expect_error(reply, 400, "InvalidArgument")


def test_checksums_of_the_parts_are_told(s3: Any, bucket: str) -> None:
    upload = begin(s3, bucket, "k", ChecksumAlgorithm="SHA256", StorageClass="STANDARD_IA")
    put_part(s3, bucket, "k", upload, 1, b"one", ChecksumAlgorithm="SHA256")
    reply = s3.list_parts(Bucket=bucket, Key="k", UploadId=upload)
    assert reply["Parts"][0]["ChecksumSHA256"] == checksum("SHA256", b"one")
    assert (reply["ChecksumAlgorithm"], reply["ChecksumType"]) == ("SHA256", "COMPOSITE")
    assert reply["StorageClass"] == "STANDARD_IA"


def test_an_upload_that_is_unknown_finished_or_aborted_is_404(s3: Any, bucket: str) -> None:
    with refused(404, "NoSuchUpload"):
        s3.list_parts(Bucket=bucket, Key="k", UploadId="no-such-upload")
    done = begin(s3, bucket, "k")
    complete(s3, bucket, "k", done, [put_part(s3, bucket, "k", done, 1, b"x")])
    with refused(404, "NoSuchUpload"):
        s3.list_parts(Bucket=bucket, Key="k", UploadId=done)
    gone = begin(s3, bucket, "k")
    s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=gone)
    with refused(404, "NoSuchUpload"):
        s3.list_parts(Bucket=bucket, Key="k", UploadId=gone)


def test_the_document_is_the_one_of_s3(node: Node, s3: Any, bucket: str) -> None:
    upload = begin(s3, bucket, "k")
    put_part(s3, bucket, "k", upload, 1, b"x")
    reply = node.send("GET", object_target(bucket, "k", f"uploadId={upload}"))
    assert reply.xml.tag == "ListPartsResult"
    assert reply.xml.findtext("Part/PartNumber") == "1"
