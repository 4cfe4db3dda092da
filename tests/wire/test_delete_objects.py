"""DeleteObjects: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html"""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

import pytest

from tests.harness import Node, Reply
from tests.wire.support import (
    bucket_target,
    checksum,
    content_md5,
    exists,
    expect_error,
    refused,
)


def post(node: Node, bucket: str, body: bytes, **headers: str) -> Reply:
    """A raw DeleteObjects with the digest that S3 asks for."""
    fields = {"Content-MD5": content_md5(body), **headers}
    return node.send("POST", bucket_target(bucket, "delete"), headers=fields, body=body)


def document(*keys: str, quiet: bool = False) -> bytes:
    entries = "".join(f"<Object><Key>{escape(key)}</Key></Object>" for key in keys)
    return f"<Delete>{'<Quiet>true</Quiet>' if quiet else ''}{entries}</Delete>".encode()


def keys_of(s3: Any, bucket: str) -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def test_existing_and_missing_keys_are_both_told_as_deleted(s3: Any, bucket: str) -> None:
    for key in ("a", "b", "kept"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    reply = s3.delete_objects(
        Bucket=bucket, Delete={"Objects": [{"Key": k} for k in ("a", "b", "missing")]}
    )
    assert sorted(entry["Key"] for entry in reply["Deleted"]) == ["a", "b", "missing"]
    assert "Errors" not in reply
    assert keys_of(s3, bucket) == ["kept"]


def test_quiet_tells_only_errors(node: Node, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    reply = post(node, bucket, document("a", "missing", quiet=True))
    assert reply.status == 200
    assert reply.xml.tag == "DeleteResult"
    assert len(reply.xml) == 0
    assert keys_of(s3, bucket) == []


@pytest.mark.parametrize(("text", "told"), [("1", 0), ("True", 0), ("0", 1), ("", 1)])
def test_quiet_is_a_boolean_of_xml(node: Node, s3: Any, bucket: str, text: str, told: int) -> None:
    body = f"<Delete><Quiet>{text}</Quiet><Object><Key>k</Key></Object></Delete>".encode()
    assert len(post(node, bucket, body).xml) == told


def test_a_thousand_keys_go_at_once(s3: Any, node: Node, bucket: str) -> None:
    for number in range(5):
        s3.put_object(Bucket=bucket, Key=f"k{number}", Body=b"x")
    reply = post(node, bucket, document(*(f"k{number}" for number in range(1000))))
    assert reply.status == 200
    assert len(reply.xml.findall("Deleted")) == 1000
    assert keys_of(s3, bucket) == []


def test_a_thousand_and_one_keys_are_refused_and_nothing_goes(
    node: Node, s3: Any, bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="k0", Body=b"x")
    reply = post(node, bucket, document(*(f"k{number}" for number in range(1001))))
    expect_error(reply, 400, "MalformedXML")
    assert keys_of(s3, bucket) == ["k0"]


@pytest.mark.parametrize(
    "key", ["a&b", "<tag>", 'quote"', "sp ace", "a+b", "%41", "käse", "🦆", "../x", "//", "a\nb"]
)
def test_any_key_that_xml_can_name_is_deleted(s3: Any, bucket: str, key: str) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    reply = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}]})
    assert [entry["Key"] for entry in reply["Deleted"]] == [key]
    assert keys_of(s3, bucket) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not xml",
        b"<Delete>",
        b"<Delete></Delete>",
        b"<Delete><Object></Object></Delete>",
        b"<Other><Object><Key>k</Key></Object></Other>",
        b"<Delete><Object><Key>k</Key></Object>",
        b"<Delete><Object><Key>k</Key><Key>l</Key></Object></Delete>",
        b"<Delete><Object><Key>k<x/></Key></Object></Delete>",
        b"<Delete><Object><Key>k</Key><Size>1</Size><Size>2</Size></Object></Delete>",
        b"<Delete><Object><Key>k</Key><Etag>other</Etag></Object></Delete>",
        b"<Delete><Quiet>perhaps</Quiet><Object><Key>k</Key></Object></Delete>",
    ],
)
def test_a_malformed_document_deletes_nothing(
    node: Node, s3: Any, bucket: str, body: bytes
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    # S3 tells an empty body as MissingRequestBodyError.
    expect_error(post(node, bucket, body), 400, ("MalformedXML", "MissingRequestBodyError"))
    assert keys_of(s3, bucket) == ["k"]


def test_a_body_without_any_digest_is_refused(node: Node, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    reply = node.send("POST", bucket_target(bucket, "delete"), body=document("k"))
    expect_error(reply, 400, "InvalidRequest")
    assert keys_of(s3, bucket) == ["k"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-MD5": content_md5(b"other")},
        {"x-amz-checksum-crc32": checksum("CRC32", b"other")},
        {"x-amz-checksum-sha256": checksum("SHA256", b"other")},
    ],
)
def test_a_wrong_digest_deletes_nothing(
    node: Node, s3: Any, bucket: str, headers: dict[str, str]
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    reply = node.send("POST", bucket_target(bucket, "delete"), headers=headers, body=document("k"))
    expect_error(reply, 400, "BadDigest")
    assert keys_of(s3, bucket) == ["k"]


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_a_checksum_is_as_good_as_an_md5(s3: Any, bucket: str, algorithm: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.delete_objects(
        Bucket=bucket, Delete={"Objects": [{"Key": "k"}]}, ChecksumAlgorithm=algorithm
    )
    assert keys_of(s3, bucket) == []


def test_a_key_that_is_too_long_is_an_error_of_its_own(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    long = "x" * 1025
    reply = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": long}, {"Key": "k"}]})
    assert [entry["Key"] for entry in reply["Deleted"]] == ["k"]
    assert [(e["Key"], e["Code"]) for e in reply["Errors"]] == [(long, "KeyTooLongError")]
    assert reply["Errors"][0]["Message"]


def test_a_version_that_does_not_exist_is_an_error_of_its_own(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.put_object(Bucket=bucket, Key="null", Body=b"x")
    reply = s3.delete_objects(
        Bucket=bucket,
        Delete={
            "Objects": [
                {"Key": "k", "VersionId": "no-such-version"},
                {"Key": "null", "VersionId": "null"},
            ]
        },
    )
    assert exists(s3, bucket, "k"), "a delete of another version removed the object"
    assert not exists(s3, bucket, "null")
    for error in reply.get("Errors", []):
        assert (error["Key"], error["VersionId"]) == ("k", "no-such-version")
        assert error["Code"] in ("NoSuchVersion", "InvalidArgument")


def test_an_etag_makes_one_delete_conditional(s3: Any, bucket: str) -> None:
    good = s3.put_object(Bucket=bucket, Key="good", Body=b"1")["ETag"]
    s3.put_object(Bucket=bucket, Key="bad", Body=b"2")
    reply = s3.delete_objects(
        Bucket=bucket,
        Delete={"Objects": [{"Key": "good", "ETag": good}, {"Key": "bad", "ETag": good}]},
    )
    assert [entry["Key"] for entry in reply["Deleted"]] == ["good"]
    assert [(e["Key"], e["Code"]) for e in reply["Errors"]] == [("bad", "PreconditionFailed")]
    assert keys_of(s3, bucket) == ["bad"]


def test_an_unknown_bucket_is_404(s3: Any) -> None:
    with refused(404, "NoSuchBucket"):
        s3.delete_objects(Bucket="no-such-bucket-here", Delete={"Objects": [{"Key": "k"}]})
