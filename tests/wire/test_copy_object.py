"""CopyObject: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html

Conditions on the source are in `test_conditions.py`, on the destination in
`test_conditional_writes.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.harness import Node, encode_key
from tests.wire.support import (
    checksum,
    etag_of,
    exists,
    expect_error,
    object_target,
    pattern,
    put_parts,
    read,
    refused,
)

HEADERS = {
    "ContentType": "text/csv",
    "CacheControl": "max-age=60",
    "ContentLanguage": "de",
    "ContentDisposition": "attachment",
    "ContentEncoding": "gzip",
}


def source(bucket: str, key: str) -> dict[str, str]:
    return {"Bucket": bucket, "Key": key}


@pytest.mark.parametrize("size", [0, 5, 300_000])
def test_a_copy_has_the_bytes_and_the_metadata(s3: Any, bucket: str, size: int) -> None:
    data = pattern(size)
    s3.put_object(Bucket=bucket, Key="from", Body=data, Metadata={"a": "1"}, **HEADERS)
    reply = s3.copy_object(Bucket=bucket, Key="to", CopySource=source(bucket, "from"))
    assert reply["CopyObjectResult"]["ETag"] == etag_of(data)
    got = s3.get_object(Bucket=bucket, Key="to")
    assert got["Body"].read() == data
    assert got["Metadata"] == {"a": "1"}
    assert {name: got[name] for name in HEADERS} == HEADERS
    assert got["LastModified"] == reply["CopyObjectResult"]["LastModified"].replace(microsecond=0)


def test_the_document_is_the_one_of_s3(node: Node, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="from", Body=b"hello")
    reply = node.send(
        "PUT",
        object_target(bucket, "to"),
        headers={"x-amz-copy-source": f"/{bucket}/from"},
    )
    assert reply.status == 200
    assert reply.xml.tag == "CopyObjectResult"
    assert reply.xml.findtext("ETag") == etag_of(b"hello")
    assert (reply.xml.findtext("LastModified") or "").endswith("Z")


def test_a_copy_crosses_buckets_and_outlives_its_source(
    s3: Any, make_bucket: Callable[..., str]
) -> None:
    one, two = make_bucket(), make_bucket()
    data = pattern(500_000)
    s3.put_object(Bucket=one, Key="from", Body=data)
    s3.copy_object(Bucket=two, Key="to", CopySource=source(one, "from"))
    s3.delete_object(Bucket=one, Key="from")
    assert read(s3, two, "to") == data
    s3.copy_object(Bucket=one, Key="back", CopySource=source(two, "to"))
    s3.delete_object(Bucket=two, Key="to")
    assert read(s3, one, "back") == data


def test_replace_takes_the_metadata_of_the_request(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="from", Body=b"x", Metadata={"a": "1"}, **HEADERS)
    s3.copy_object(
        Bucket=bucket,
        Key="to",
        CopySource=source(bucket, "from"),
        MetadataDirective="REPLACE",
        Metadata={"b": "2"},
        ContentType="text/html",
    )
    got = s3.head_object(Bucket=bucket, Key="to")
    assert got["Metadata"] == {"b": "2"}
    assert got["ContentType"] == "text/html"
    assert "CacheControl" not in got
    assert "ContentEncoding" not in got


def test_copy_ignores_the_metadata_of_the_request(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="from", Body=b"x", Metadata={"a": "1"}, **HEADERS)
    s3.copy_object(
        Bucket=bucket,
        Key="to",
        CopySource=source(bucket, "from"),
        Metadata={"b": "2"},
        ContentType="text/html",
    )
    got = s3.head_object(Bucket=bucket, Key="to")
    assert got["Metadata"] == {"a": "1"}
    assert got["ContentType"] == "text/csv"


def test_the_storage_class_is_not_copied(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="from", Body=b"x", StorageClass="STANDARD_IA")
    s3.copy_object(Bucket=bucket, Key="to", CopySource=source(bucket, "from"))
    assert "StorageClass" not in s3.head_object(Bucket=bucket, Key="to")
    s3.copy_object(
        Bucket=bucket, Key="to", CopySource=source(bucket, "from"), StorageClass="GLACIER_IR"
    )
    assert s3.head_object(Bucket=bucket, Key="to")["StorageClass"] == "GLACIER_IR"


def test_a_copy_onto_itself_must_change_something(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Metadata={"a": "1"})
    with refused(400, "InvalidRequest"):
        s3.copy_object(Bucket=bucket, Key="k", CopySource=source(bucket, "k"))
    s3.copy_object(
        Bucket=bucket,
        Key="k",
        CopySource=source(bucket, "k"),
        MetadataDirective="REPLACE",
        Metadata={"b": "2"},
    )
    got = s3.get_object(Bucket=bucket, Key="k")
    assert (got["Body"].read(), got["Metadata"]) == (b"x", {"b": "2"})
    s3.copy_object(
        Bucket=bucket, Key="k", CopySource=source(bucket, "k"), StorageClass="STANDARD_IA"
    )
    got = s3.get_object(Bucket=bucket, Key="k")
    assert (got["Body"].read(), got["StorageClass"]) == (b"x", "STANDARD_IA")


@pytest.mark.parametrize("key", ["a b", "a+b", "a%20b", "käse/🦆", "a//b", "../x", "a?b=c", "a#b"])
@pytest.mark.parametrize("form", ["/{}/{}", "{}/{}", "{}/{}?versionId=null"])
def test_the_source_is_named_url_encoded(
    node: Node, s3: Any, bucket: str, key: str, form: str
) -> None:
    node.send("PUT", object_target(bucket, key), body=b"right")
    reply = node.send(
        "PUT",
        object_target(bucket, "to"),
        headers={"x-amz-copy-source": form.format(bucket, encode_key(key))},
    )
    assert reply.status == 200, reply.body
    assert read(s3, bucket, "to") == b"right"


@pytest.mark.parametrize("form", ["{}%2Fa%2Fb+c", "%2F{}%2Fa%2Fb%20c", "{}/a/b+c"])
def test_a_source_that_clients_write_in_their_own_ways_is_understood(
    node: Node, s3: Any, bucket: str, form: str
) -> None:
    s3.put_object(Bucket=bucket, Key="a/b c", Body=b"right")
    headers = {"x-amz-copy-source": form.format(bucket)}
    reply = node.send("PUT", object_target(bucket, "to"), headers=headers)
    assert reply.status == 200, reply.body
    assert read(s3, bucket, "to") == b"right"


@pytest.mark.parametrize(
    ("name", "status", "codes"),
    [
        ("{}/missing", 404, ("NoSuchKey",)),
        ("no-such-bucket-here/k", 404, ("NoSuchBucket",)),
        ("no-slash", 400, ("InvalidArgument",)),
        ("/", 400, ("InvalidArgument",)),
        ("{}/", 400, ("InvalidArgument",)),
        ("", 400, ("InvalidArgument",)),
        ("{}/from?versionId=no-such-version", None, ("InvalidArgument", "NoSuchVersion")),
        ("{}/../{}/from", 404, ("NoSuchKey",)),
    ],
)
def test_a_source_that_is_not_there_copies_nothing(
    node: Node, s3: Any, bucket: str, name: str, status: int | None, codes: tuple[str, ...]
) -> None:
    s3.put_object(Bucket=bucket, Key="from", Body=b"x")
    s3.put_object(Bucket=bucket, Key="to", Body=b"before")
    reply = node.send(
        "PUT",
        object_target(bucket, "to"),
        headers={"x-amz-copy-source": name.format(bucket, bucket)},
    )
    expect_error(reply, status or reply.status, codes)
    assert read(s3, bucket, "to") == b"before"


def test_an_unknown_destination_bucket_is_404(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="from", Body=b"x")
    with refused(404, "NoSuchBucket"):
        s3.copy_object(Bucket="no-such-bucket-here", Key="k", CopySource=source(bucket, "from"))


def test_an_unknown_directive_is_refused(node: Node, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="from", Body=b"x")
    reply = node.send(
        "PUT",
        object_target(bucket, "to"),
        headers={"x-amz-copy-source": f"{bucket}/from", "x-amz-metadata-directive": "MERGE"},
    )
    expect_error(reply, 400, "InvalidArgument")
    assert not exists(s3, bucket, "to")


def test_the_checksum_is_copied(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="from", Body=b"hello", ChecksumAlgorithm="SHA256")
    reply = s3.copy_object(Bucket=bucket, Key="to", CopySource=source(bucket, "from"))
    assert reply["CopyObjectResult"]["ChecksumSHA256"] == checksum("SHA256", b"hello")
    got = s3.head_object(Bucket=bucket, Key="to", ChecksumMode="ENABLED")
    assert got["ChecksumSHA256"] == checksum("SHA256", b"hello")


def test_another_checksum_can_be_asked_for(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="from", Body=b"hello", ChecksumAlgorithm="CRC32")
    reply = s3.copy_object(
        Bucket=bucket, Key="to", CopySource=source(bucket, "from"), ChecksumAlgorithm="SHA1"
    )
    assert reply["CopyObjectResult"]["ChecksumSHA1"] == checksum("SHA1", b"hello")
    got = s3.head_object(Bucket=bucket, Key="to", ChecksumMode="ENABLED")
    assert got["ChecksumSHA1"] == checksum("SHA1", b"hello")
    assert "ChecksumCRC32" not in got


def test_a_copy_of_a_multipart_object_is_an_object_of_one_part(s3: Any, bucket: str) -> None:
    """The reference of CopySource: "the object copy will be a single part object"."""
    bodies = [pattern(100_000, 1), pattern(50_000, 2)]
    put_parts(s3, bucket, "from", bodies)
    reply = s3.copy_object(Bucket=bucket, Key="to", CopySource=source(bucket, "from"))
    assert reply["CopyObjectResult"]["ETag"] == etag_of(b"".join(bodies))
    assert read(s3, bucket, "to") == b"".join(bodies)
    with refused(416, "416"):
        s3.head_object(Bucket=bucket, Key="to", PartNumber=2)


@pytest.mark.parametrize(
    "header", ["x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"]
)
def test_an_expected_owner_that_is_not_the_owner_is_refused(
    node: Node, s3: Any, bucket: str, header: str
) -> None:
    s3.put_object(Bucket=bucket, Key="from", Body=b"x")
    reply = node.send(
        "PUT",
        object_target(bucket, "to"),
        headers={"x-amz-copy-source": f"{bucket}/from", header: "999999999999"},
    )
    expect_error(reply, 403, "AccessDenied")
    assert not exists(s3, bucket, "to")
