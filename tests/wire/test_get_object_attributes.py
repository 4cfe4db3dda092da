"""GetObjectAttributes: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html"""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness import Node
from tests.wire.support import (
    begin,
    checksum,
    complete,
    composite,
    etag_of,
    etag_of_parts,
    expect_error,
    get,
    pattern,
    put_part,
    put_parts,
    read,
    refused,
)

ALL = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]


def test_all_attributes_of_a_plain_object(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello", ChecksumAlgorithm="SHA256")
    got = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=ALL)
    assert got["ETag"] == etag_of(b"hello").strip('"')  # without quotes, unlike elsewhere
    assert got["ObjectSize"] == 5
    assert got["Checksum"] == {
        "ChecksumSHA256": checksum("SHA256", b"hello"),
        "ChecksumType": "FULL_OBJECT",
    }
    # The reference says that STANDARD is left out, S3 tells it.
    assert got.get("StorageClass", "STANDARD") == "STANDARD"
    assert "ObjectParts" not in got
    head = s3.head_object(Bucket=bucket, Key="k")
    assert got["LastModified"] == head["LastModified"]


@pytest.mark.parametrize("attribute", ["ETag", "ObjectSize", "Checksum"])
def test_only_what_is_asked_for_is_told(node: Node, s3: Any, bucket: str, attribute: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
    reply = get(node, bucket, "k", "attributes", x_amz_object_attributes=attribute)
    assert reply.status == 200
    assert reply.xml.tag == "GetObjectAttributesResponse"
    assert [child.tag for child in reply.xml] == [attribute]


def test_a_full_object_checksum_is_told_beside_the_count_of_parts(s3: Any, bucket: str) -> None:
    upload = begin(s3, bucket, "k", ChecksumAlgorithm="CRC64NVME", ChecksumType="FULL_OBJECT")
    bodies = [pattern(1000, 1), pattern(10, 2)]
    parts = [
        put_part(s3, bucket, "k", upload, n, body, ChecksumAlgorithm="CRC64NVME")
        for n, body in enumerate(bodies, 1)
    ]
    complete(s3, bucket, "k", upload, parts)
    got = s3.get_object_attributes(
        Bucket=bucket, Key="k", ObjectAttributes=["ETag", "ObjectParts", "Checksum", "ObjectSize"]
    )
    assert got["ETag"] == etag_of_parts(bodies).strip('"')
    assert got["ObjectSize"] == 1010
    assert got["ObjectParts"]["TotalPartsCount"] == 2
    assert got["Checksum"]["ChecksumType"] == "FULL_OBJECT"
    assert got["Checksum"]["ChecksumCRC64NVME"] == checksum("CRC64NVME", b"".join(bodies))


def test_parts_with_checksums_are_listed_and_paged(s3: Any, bucket: str) -> None:
    bodies = [pattern(100 + n, n) for n in range(3)]
    upload = begin(s3, bucket, "k", ChecksumAlgorithm="SHA256")
    parts = []
    for number, body in enumerate(bodies, 1):
        entry = put_part(s3, bucket, "k", upload, number, body, ChecksumAlgorithm="SHA256")
        parts.append(entry | {"ChecksumSHA256": checksum("SHA256", body)})
    complete(s3, bucket, "k", upload, parts)
    got = s3.get_object_attributes(
        Bucket=bucket, Key="k", ObjectAttributes=["ObjectParts", "Checksum"]
    )
    assert got["Checksum"] == {
        "ChecksumSHA256": composite("SHA256", bodies),
        "ChecksumType": "COMPOSITE",
    }
    listed = got["ObjectParts"]
    assert (listed["TotalPartsCount"], listed["IsTruncated"]) == (3, False)
    assert [(p["PartNumber"], p["Size"], p["ChecksumSHA256"]) for p in listed["Parts"]] == [
        (number, len(body), checksum("SHA256", body)) for number, body in enumerate(bodies, 1)
    ]
    page = s3.get_object_attributes(
        Bucket=bucket, Key="k", ObjectAttributes=["ObjectParts"], MaxParts=2
    )["ObjectParts"]
    assert [part["PartNumber"] for part in page["Parts"]] == [1, 2]
    assert (page["IsTruncated"], page["NextPartNumberMarker"], page["MaxParts"]) == (True, 2, 2)
    rest = s3.get_object_attributes(
        Bucket=bucket, Key="k", ObjectAttributes=["ObjectParts"], MaxParts=2, PartNumberMarker=2
    )["ObjectParts"]
    assert [part["PartNumber"] for part in rest["Parts"]] == [3]
    assert (rest["IsTruncated"], rest["PartNumberMarker"]) == (False, 2)


def test_a_storage_class_that_is_not_standard_is_told(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", StorageClass="STANDARD_IA")
    got = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["StorageClass"])
    assert got["StorageClass"] == "STANDARD_IA"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "InvalidRequest"),
        ({"x_amz_object_attributes": ""}, "InvalidRequest"),
        ({"x_amz_object_attributes": "NoSuchAttribute"}, "InvalidArgument"),
    ],
)
def test_attributes_must_be_named(
    node: Node, s3: Any, bucket: str, headers: dict[str, str], code: str
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
    reply = get(node, bucket, "k", "attributes", **headers)
    expect_error(reply, 400, code)


def test_a_page_of_no_parts_leads_to_no_other(s3: Any, bucket: str) -> None:
    put_parts(s3, bucket, "k", [b"one", b"two"])
    told = s3.get_object_attributes(
        Bucket=bucket, Key="k", ObjectAttributes=["ObjectParts"], MaxParts=0
    )["ObjectParts"]
    assert told["TotalPartsCount"] == 2
    assert told["IsTruncated"] is False
    assert "Parts" not in told


def test_what_is_not_there_is_404(s3: Any, bucket: str) -> None:
    with refused(404, "NoSuchKey"):
        s3.get_object_attributes(Bucket=bucket, Key="missing", ObjectAttributes=["ETag"])
    with refused(404, "NoSuchBucket"):
        s3.get_object_attributes(Bucket="no-such-bucket-here", Key="k", ObjectAttributes=["ETag"])


def test_attributes_of_a_default_upload_name_its_parts_count(s3: Any, bucket: str) -> None:
    put_parts(s3, bucket, "k", [b"one", b"two"])
    got = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectParts"])
    assert got["ObjectParts"]["TotalPartsCount"] == 2


def test_parts_of_a_former_version_are_read(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    pieces = [b"a" * (5 << 20), b"bc"]
    first = put_parts(s3, bucket, "k", pieces)["VersionId"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"now")
    named = {"Bucket": bucket, "Key": "k", "VersionId": first}
    part = s3.get_object(**named, PartNumber=2)
    assert (part["VersionId"], part["PartsCount"], part["Body"].read()) == (first, 2, b"bc")
    head = s3.head_object(**named, PartNumber=1)
    assert (head["VersionId"], head["ContentLength"]) == (first, 5 << 20)
    told = s3.get_object_attributes(**named, ObjectAttributes=["ObjectParts"])["ObjectParts"]
    assert told["TotalPartsCount"] == 2
    upload = begin(s3, bucket, "copy")
    source = {"CopySource": named, "CopySourceRange": f"bytes={5 << 20}-{(5 << 20) + 1}"}
    copy = {"Bucket": bucket, "Key": "copy", "UploadId": upload}
    copied = s3.upload_part_copy(**copy, PartNumber=1, **source)
    entry = {"PartNumber": 1, "ETag": copied["CopyPartResult"]["ETag"]}
    complete(s3, bucket, "copy", upload, [entry])
    assert read(s3, bucket, "copy") == b"bc"
