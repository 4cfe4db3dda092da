"""PutObject with a write offset: appends.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/directory-buckets-objects-append.html
"""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.harness import Node
from tests.wire.sealed import customer
from tests.wire.support import (
    checksum,
    expect_error,
    object_target,
    outcome,
    put_parts,
    read,
    refused,
)


def append(s3: Any, bucket: str, offset: int, body: bytes, **more: Any) -> Any:
    return s3.put_object(Bucket=bucket, Key="k", WriteOffsetBytes=offset, Body=body, **more)


def test_an_object_grows_from_nothing(s3: Any, bucket: str) -> None:
    whole = b""
    etags = set()
    for body in (b"one,", b"x" * (200 << 10), b"", b"three"):
        reply = append(s3, bucket, len(whole), body, ContentType="text/x", Metadata={"n": "1"})
        whole += body
        etags.add(reply["ETag"])
        if len(etags) > 1:
            assert reply["Size"] == len(whole)
    assert len(etags) == 4
    found = s3.get_object(Bucket=bucket, Key="k")
    assert found["Body"].read() == whole
    assert (found["ContentType"], found["Metadata"]) == ("text/x", {"n": "1"})
    part = s3.get_object(Bucket=bucket, Key="k", Range="bytes=2-8")
    assert part["Body"].read() == whole[2:9]


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME"])
def test_the_checksum_of_the_whole_is_kept(s3: Any, bucket: str, algorithm: str) -> None:
    append(s3, bucket, 0, b"first", ChecksumAlgorithm=algorithm)
    reply = append(s3, bucket, 5, b" second", ChecksumAlgorithm="CRC32")
    whole = checksum(algorithm, b"first second")
    assert reply[f"Checksum{algorithm}"] == whole
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert head[f"Checksum{algorithm}"] == whole
    assert head["ChecksumType"] == "FULL_OBJECT"


def test_a_digest_that_does_not_combine_is_given_up(s3: Any, bucket: str) -> None:
    append(s3, bucket, 0, b"first", ChecksumAlgorithm="SHA256")
    append(s3, bucket, 5, b" second", ChecksumAlgorithm="SHA256")
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert "ChecksumSHA256" not in head


def test_a_piece_that_came_wrong_is_refused(node: Node, s3: Any, bucket: str) -> None:
    append(s3, bucket, 0, b"first")
    headers = {"x-amz-write-offset-bytes": "5", "x-amz-checksum-crc32": "AAAAAA=="}
    reply = node.send("PUT", object_target(bucket, "k"), headers=headers, body=b"bad")
    expect_error(reply, 400, "BadDigest")
    assert read(s3, bucket, "k") == b"first"


def test_the_offset_is_the_size(node: Node, s3: Any, bucket: str) -> None:
    with refused(404, "NoSuchKey"):
        append(s3, bucket, 1, b"x")
    append(s3, bucket, 0, b"12345")
    for offset in (0, 4, 6):
        with refused(400, "InvalidWriteOffset"):
            append(s3, bucket, offset, b"x")
    for text in ("-1", "five", "9" * 30):
        headers = {"x-amz-write-offset-bytes": text}
        reply = node.send("PUT", object_target(bucket, "k"), headers=headers, body=b"x")
        expect_error(reply, 400, "InvalidArgument")
    assert read(s3, bucket, "k") == b"12345"


def test_conditions_hold_of_what_is_there(s3: Any, bucket: str) -> None:
    etag = append(s3, bucket, 0, b"1", IfNoneMatch="*")["ETag"]
    with refused(412, "PreconditionFailed"):
        append(s3, bucket, 1, b"2", IfMatch='"other"')
    append(s3, bucket, 1, b"2", IfMatch=etag)
    assert read(s3, bucket, "k") == b"12"


def test_an_object_of_parts_goes_on_with_its_parts(s3: Any, bucket: str) -> None:
    put_parts(s3, bucket, "k", [b"a" * (5 << 20), b"b"])
    append(s3, bucket, (5 << 20) + 1, b"cc")
    for number, size in ((1, 5 << 20), (2, 1), (3, 2)):
        head = s3.head_object(Bucket=bucket, Key="k", PartNumber=number)
        assert (head["ContentLength"], head["PartsCount"]) == (size, 3)


def test_many_small_appends_stay_readable(s3: Any, bucket: str) -> None:
    random.seed(7)
    whole = b""
    for _ in range(140):
        body = random.randbytes(random.randrange(1, 50))
        append(s3, bucket, len(whole), body)
        whole += body
    assert read(s3, bucket, "k") == whole
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "k"})
    assert read(s3, bucket, "copy") == whole


def test_of_writers_at_one_place_one_wins(s3: Any, bucket: str) -> None:
    append(s3, bucket, 0, b"0")
    with ThreadPoolExecutor(8) as pool:
        codes = list(
            pool.map(lambda n: outcome(lambda: append(s3, bucket, 1, b"%d" % n)), range(8))
        )
    assert codes.count("") == 1
    assert set(codes) == {"", "InvalidWriteOffset"}
    assert len(read(s3, bucket, "k")) == 2


def test_versions_do_not_grow(s3: Any, bucket: str) -> None:
    append(s3, bucket, 0, b"1")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    with refused(400, "InvalidRequest"):
        append(s3, bucket, 1, b"2")


def test_only_a_put_can_append(node: Node, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    headers = {"x-amz-write-offset-bytes": "1", "x-amz-copy-source": f"{bucket}/k"}
    reply = node.send("PUT", object_target(bucket, "to"), headers=headers)
    expect_error(reply, 501, "NotImplemented")


def test_an_object_goes_on_with_its_own_encryption(sealing: Any, vault: str) -> None:
    kms = {"ServerSideEncryption": "aws:kms"}
    for first, wrong in ((customer(), {}), ({}, customer()), ({}, kms), (kms, customer())):
        sealing.put_object(Bucket=vault, Key="k", Body=b"1", **first)
        with refused(400, "EncryptionTypeMismatch"):
            append(sealing, vault, 1, b"2", **wrong)
        append(sealing, vault, 1, b"2", **first)
        reading = first if first == customer() else {}
        assert read(sealing, vault, "k", **reading) == b"12"
