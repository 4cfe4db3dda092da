"""The ten checksum algorithms as headers, and over the parts of multipart objects.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
As trailers they are in `test_chunked.py`.
"""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import pytest

from tests.harness import Node
from tests.wire.support import (
    DIGESTS,
    MIB,
    begin,
    checksum,
    checksum_header,
    complete,
    composite,
    exists,
    expect_error,
    get,
    object_target,
    pattern,
    put_part,
    read,
    refused,
)

ALGORITHMS = list(DIGESTS)
FULL_OBJECT = ["CRC32", "CRC32C", "CRC64NVME"]
COMPOSITE = [name for name in ALGORITHMS if name != "CRC64NVME"]


def test_the_table_has_every_algorithm_of_the_model(s3: Any) -> None:
    shape = s3.meta.service_model.shape_for("ChecksumAlgorithm")
    assert sorted(shape.enum) == sorted(ALGORITHMS)


@pytest.mark.parametrize("size", [0, 5, MIB + 3])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_right_checksum_is_kept_and_told(
    node: Node, s3: Any, bucket: str, algorithm: str, size: int
) -> None:
    data = pattern(size)
    header, value = checksum_header(algorithm), checksum(algorithm, data)
    reply = node.send("PUT", object_target(bucket, "k"), headers={header: value}, body=data)
    assert reply.status == 200, reply.body
    assert reply.headers[header] == value
    assert reply.headers["x-amz-checksum-type"] == "FULL_OBJECT"
    for method in ("GET", "HEAD"):
        told = node.send(
            method, object_target(bucket, "k"), headers={"x-amz-checksum-mode": "ENABLED"}
        )
        assert told.headers[header] == value
        assert told.headers["x-amz-checksum-type"] == "FULL_OBJECT"
        silent = node.send(method, object_target(bucket, "k"))
        assert not [name for name in silent.headers if name.startswith("x-amz-checksum")]
    attributes = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["Checksum"])
    assert attributes["Checksum"] == {
        f"Checksum{algorithm}": value,
        "ChecksumType": "FULL_OBJECT",
    }
    entry = s3.list_objects_v2(Bucket=bucket)["Contents"][0]
    assert (entry["ChecksumAlgorithm"], entry["ChecksumType"]) == ([algorithm], "FULL_OBJECT")
    assert read(s3, bucket, "k") == data


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_wrong_checksum_stores_nothing(node: Node, s3: Any, bucket: str, algorithm: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    headers = {checksum_header(algorithm): checksum(algorithm, b"other")}
    reply = node.send("PUT", object_target(bucket, "k"), headers=headers, body=b"hello")
    expect_error(reply, 400, "BadDigest")
    assert read(s3, bucket, "k") == b"before"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("value", ["", "!!!!", "AAAA", "A" * 200])
def test_a_value_that_is_no_digest_is_refused(
    node: Node, s3: Any, bucket: str, algorithm: str, value: str
) -> None:
    """S3: "Value for x-amz-checksum-crc32 header is invalid." """
    headers = {checksum_header(algorithm): value}
    reply = node.send("PUT", object_target(bucket, "k"), headers=headers, body=b"hello")
    expect_error(reply, 400, "InvalidRequest")
    assert not exists(s3, bucket, "k")


@pytest.mark.parametrize(
    "algorithm",
    [name for name in ALGORITHMS if name != "MD5"],  # boto3 does not compute that
)
def test_boto3_writes_and_verifies(s3: Any, bucket: str, algorithm: str) -> None:
    data = pattern(100_000)
    reply = s3.put_object(Bucket=bucket, Key="k", Body=data, ChecksumAlgorithm=algorithm)
    assert reply[f"Checksum{algorithm}"] == checksum(algorithm, data)
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == data
    assert got[f"Checksum{algorithm}"] == checksum(algorithm, data)


def test_boto3_sends_crc32_by_default_and_gets_it_back(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == b"hello"
    assert got["ChecksumCRC32"] == checksum("CRC32", b"hello")


def test_without_a_checksum_s3_adds_crc64nvme(node: Node, bucket: str) -> None:
    """The reference of ChecksumCRC64NVME: "if it was uploaded without a checksum"."""
    reply = node.send("PUT", object_target(bucket, "k"), body=b"hello")
    assert reply.headers["x-amz-checksum-crc64nvme"] == checksum("CRC64NVME", b"hello")
    told = get(node, bucket, "k", x_amz_checksum_mode="ENABLED")
    assert told.headers["x-amz-checksum-crc64nvme"] == checksum("CRC64NVME", b"hello")
    assert told.headers["x-amz-checksum-type"] == "FULL_OBJECT"


@pytest.mark.parametrize(
    ("headers", "codes"),
    [
        # "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        (
            {
                "x-amz-checksum-crc32": checksum("CRC32", b"hello"),
                "x-amz-checksum-sha1": checksum("SHA1", b"hello"),
            },
            ("InvalidRequest",),
        ),
        # "there must be a corresponding x-amz-checksum-algorithm or x-amz-trailer header"
        ({"x-amz-sdk-checksum-algorithm": "CRC32"}, ("InvalidRequest",)),
        # "doesn't match the checksum algorithm you set ...: BadDigest" (S3 itself: InvalidRequest)
        (
            {
                "x-amz-sdk-checksum-algorithm": "CRC32",
                "x-amz-checksum-sha1": checksum("SHA1", b"hello"),
            },
            ("BadDigest", "InvalidRequest"),
        ),
        # "The algorithm type you specified in x-amz-checksum- header is invalid."
        ({"x-amz-checksum-crc7": "AA=="}, ("InvalidRequest",)),
        (
            {
                "x-amz-sdk-checksum-algorithm": "CRC7",
                "x-amz-checksum-sha1": checksum("SHA1", b"hello"),
            },
            ("InvalidRequest", "InvalidArgument"),
        ),
    ],
)
def test_checksum_headers_that_contradict_store_nothing(
    node: Node, s3: Any, bucket: str, headers: dict[str, str], codes: tuple[str, ...]
) -> None:
    reply = node.send("PUT", object_target(bucket, "k"), headers=headers, body=b"hello")
    expect_error(reply, 400, codes)
    assert not exists(s3, bucket, "k")


BODIES = [pattern(100_000, 1), pattern(70_000, 2), pattern(9, 3)]


def upload_parts(
    s3: Any, node: Node, bucket: str, upload: str, algorithm: str
) -> list[dict[str, Any]]:
    """Upload `BODIES` with a checksum each; raw, because boto3 cannot compute MD5."""
    parts = []
    for number, body in enumerate(BODIES, 1):
        reply = node.send(
            "PUT",
            object_target(bucket, "k", f"partNumber={number}&uploadId={upload}"),
            headers={checksum_header(algorithm): checksum(algorithm, body)},
            body=body,
        )
        assert reply.status == 200, reply.body
        assert reply.headers[checksum_header(algorithm)] == checksum(algorithm, body)
        parts.append(
            {
                "PartNumber": number,
                "ETag": reply.headers["etag"],
                f"Checksum{algorithm}": checksum(algorithm, body),
            }
        )
    return parts


@pytest.mark.parametrize("algorithm", COMPOSITE)
def test_a_composite_checksum_is_made_of_those_of_the_parts(
    node: Node, s3: Any, bucket: str, algorithm: str
) -> None:
    upload = begin(s3, bucket, "k", ChecksumAlgorithm=algorithm, ChecksumType="COMPOSITE")
    parts = upload_parts(s3, node, bucket, upload, algorithm)
    reply = complete(s3, bucket, "k", upload, parts)
    value = composite(algorithm, BODIES)
    assert reply[f"Checksum{algorithm}"] == value
    assert reply["ChecksumType"] == "COMPOSITE"
    told = get(node, bucket, "k", x_amz_checksum_mode="ENABLED")
    assert told.headers[checksum_header(algorithm)] == value
    assert told.headers["x-amz-checksum-type"] == "COMPOSITE"
    assert read(s3, bucket, "k", ChecksumMode="ENABLED") == b"".join(BODIES)


@pytest.mark.parametrize("algorithm", FULL_OBJECT)
def test_a_full_object_checksum_is_that_of_the_joined_bytes(
    node: Node, s3: Any, bucket: str, algorithm: str
) -> None:
    upload = begin(s3, bucket, "k", ChecksumAlgorithm=algorithm, ChecksumType="FULL_OBJECT")
    parts = upload_parts(s3, node, bucket, upload, algorithm)
    value = checksum(algorithm, b"".join(BODIES))
    with refused(400, "BadDigest"):
        complete(
            s3,
            bucket,
            "k",
            upload,
            parts,
            ChecksumType="FULL_OBJECT",
            **{f"Checksum{algorithm}": checksum(algorithm, b"other")},
        )
    assert not exists(s3, bucket, "k")
    reply = complete(
        s3,
        bucket,
        "k",
        upload,
        parts,
        ChecksumType="FULL_OBJECT",
        **{f"Checksum{algorithm}": value},
    )
    assert (reply[f"Checksum{algorithm}"], reply["ChecksumType"]) == (value, "FULL_OBJECT")
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == b"".join(BODIES)  # boto3 verifies a full object checksum
    assert (got[f"Checksum{algorithm}"], got["ChecksumType"]) == (value, "FULL_OBJECT")


def test_an_upload_without_checksums_is_full_object_crc64nvme(
    node: Node, s3: Any, bucket: str
) -> None:
    """The default that S3 adds, without any help from the client."""
    upload = begin(s3, bucket, "k")
    parts = []
    for number, body in enumerate(BODIES, 1):
        target = object_target(bucket, "k", f"partNumber={number}&uploadId={upload}")
        reply = node.send("PUT", target, body=body)
        parts.append({"PartNumber": number, "ETag": reply.headers["etag"]})
    complete(s3, bucket, "k", upload, parts)
    told = get(node, bucket, "k", x_amz_checksum_mode="ENABLED")
    assert told.headers["x-amz-checksum-crc64nvme"] == checksum("CRC64NVME", b"".join(BODIES))
    assert told.headers["x-amz-checksum-type"] == "FULL_OBJECT"


def test_a_wrong_checksum_in_the_list_of_parts_completes_nothing(
    node: Node, s3: Any, bucket: str
) -> None:
    upload = begin(s3, bucket, "k", ChecksumAlgorithm="SHA256")
    parts = upload_parts(s3, node, bucket, upload, "SHA256")
    bad = [*parts[:2], parts[2] | {"ChecksumSHA256": checksum("SHA256", b"other")}]
    with refused(400, "InvalidPart"):
        complete(s3, bucket, "k", upload, bad)
    assert not exists(s3, bucket, "k")
    complete(s3, bucket, "k", upload, parts)


def test_a_composite_upload_must_name_the_checksums_of_its_parts(
    node: Node, s3: Any, bucket: str
) -> None:
    """S3: "The complete request must include the checksum for each part." """
    upload = begin(s3, bucket, "k", ChecksumAlgorithm="SHA256")
    parts = upload_parts(s3, node, bucket, upload, "SHA256")
    bare = [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in parts]
    with refused(400, "InvalidRequest"):
        complete(s3, bucket, "k", upload, bare)
    assert not exists(s3, bucket, "k")


def test_a_composite_value_with_the_wrong_number_of_parts_completes_nothing(
    node: Node, s3: Any, bucket: str
) -> None:
    upload = begin(s3, bucket, "k", ChecksumAlgorithm="SHA256")
    parts = upload_parts(s3, node, bucket, upload, "SHA256")
    digests = b"".join(b64decode(part["ChecksumSHA256"]) for part in parts)
    value = checksum("SHA256", digests)
    with refused(400, "BadDigest"):
        complete(s3, bucket, "k", upload, parts, ChecksumSHA256=f"{value}-{len(parts) + 1}")
    assert not exists(s3, bucket, "k")
    complete(s3, bucket, "k", upload, parts, ChecksumSHA256=f"{value}-{len(parts)}")
    assert exists(s3, bucket, "k")


def test_a_type_other_than_agreed_is_refused(node: Node, s3: Any, bucket: str) -> None:
    """The reference: "If the checksum type doesn't match ..., HTTP 400"."""
    upload = begin(s3, bucket, "k", ChecksumAlgorithm="CRC32", ChecksumType="COMPOSITE")
    parts = upload_parts(s3, node, bucket, upload, "CRC32")
    with refused(400, ("InvalidRequest", "BadDigest")):
        complete(s3, bucket, "k", upload, parts, ChecksumType="FULL_OBJECT")
    assert not exists(s3, bucket, "k")


def test_a_claim_that_cannot_be_held_against_the_object_completes_nothing(
    node: Node, s3: Any, bucket: str
) -> None:
    """A value of another algorithm than the upload's, and a type that it cannot become."""
    right = checksum("CRC32", b"".join(BODIES))
    for more in ({}, {"ChecksumAlgorithm": "CRC64NVME"}):
        upload = begin(s3, bucket, "k", **more)
        parts = upload_parts(s3, node, bucket, upload, "CRC64NVME")
        for claim in ({"ChecksumCRC32": right}, {"ChecksumType": "COMPOSITE"}):
            with refused(400, "InvalidRequest"):
                complete(s3, bucket, "k", upload, parts, **claim)
        assert not exists(s3, bucket, "k")
        whole = checksum("CRC64NVME", b"".join(BODIES))
        claims = {"ChecksumCRC64NVME": whole, "ChecksumType": "FULL_OBJECT"}
        complete(s3, bucket, "k", upload, parts, **claims)
        assert read(s3, bucket, "k") == b"".join(BODIES)
        s3.delete_object(Bucket=bucket, Key="k")


def test_a_part_may_carry_boto3s_default_in_an_upload_without_an_algorithm(
    s3: Any, bucket: str
) -> None:
    """The seed examples: parts with CRC32, completed by number and ETag alone."""
    upload = begin(s3, bucket, "k")
    parts = [put_part(s3, bucket, "k", upload, n, body) for n, body in enumerate(BODIES, 1)]
    complete(s3, bucket, "k", upload, parts)
    assert read(s3, bucket, "k") == b"".join(BODIES)
