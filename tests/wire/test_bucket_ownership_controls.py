"""Get/Put/DeleteBucketOwnershipControls.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketOwnershipControls.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.harness import Node
from tests.wire import acls
from tests.wire.support import bucket_target, expect_error, refused

MODES = ("BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced")
NONE = (404, "OwnershipControlsNotFoundError")
TARGET = "ownershipControls"


def rules(mode: str) -> dict[str, Any]:
    return {"Rules": [{"ObjectOwnership": mode}]}


def document(inner: str) -> bytes:
    return f"<OwnershipControls>{inner}</OwnershipControls>".encode()


def rule(mode: str) -> str:
    return f"<Rule><ObjectOwnership>{mode}</ObjectOwnership></Rule>"


def test_a_new_bucket_has_none(s3: Any, bucket: str) -> None:
    with refused(*NONE):
        s3.get_bucket_ownership_controls(Bucket=bucket)


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_is_kept_and_deleted(s3: Any, bucket: str, mode: str) -> None:
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=rules(mode))
    assert s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"] == rules(mode)
    for _ in range(2):
        reply = s3.delete_bucket_ownership_controls(Bucket=bucket)
        assert reply["ResponseMetadata"]["HTTPStatusCode"] == 204
    with refused(*NONE):
        s3.get_bucket_ownership_controls(Bucket=bucket)


@pytest.mark.parametrize("mode", MODES)
def test_a_bucket_is_made_with_a_mode(s3: Any, make_bucket: Callable[..., str], mode: str) -> None:
    bucket = make_bucket(ObjectOwnership=mode)
    assert s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"] == rules(mode)


def test_a_bucket_is_not_made_with_a_mode_that_is_none(node: Node, s3: Any) -> None:
    name = "never-made-for-ownership"
    headers = {"x-amz-object-ownership": "Everybody"}
    expect_error(node.send("PUT", bucket_target(name), headers=headers), 400, "InvalidArgument")
    with refused(404, "404"):
        s3.head_bucket(Bucket=name)


def test_others_grants_and_the_owner_enforced_exclude_each_other(
    s3: Any, make_bucket: Callable[..., str]
) -> None:
    code = "InvalidBucketAclWithObjectOwnership"
    name = "never-made-for-ownership"
    with refused(400, code):
        s3.create_bucket(Bucket=name, ACL="public-read", ObjectOwnership="BucketOwnerEnforced")
    with refused(404, "404"):
        s3.head_bucket(Bucket=name)
    make_bucket(ACL="private", ObjectOwnership="BucketOwnerEnforced")
    bucket = make_bucket(ACL="public-read")
    with refused(400, code):
        s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=rules(MODES[2]))
    with refused(*NONE):
        s3.get_bucket_ownership_controls(Bucket=bucket)
    s3.put_bucket_acl(Bucket=bucket, ACL="private")
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=rules(MODES[2]))
    assert len(acls.of_bucket(s3, bucket)) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<Other/>",
        document(""),
        document(rule("Everybody")),
        document("<Rule/>"),
        document(rule("ObjectWriter") * 2),
        document("<Rules><ObjectOwnership>ObjectWriter</ObjectOwnership></Rules>"),
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1/">' + document(rule("ObjectWriter")),
    ],
)
def test_a_bad_document_is_refused(node: Node, s3: Any, bucket: str, body: bytes) -> None:
    expect_error(node.send("PUT", bucket_target(bucket, TARGET), body=body), 400, "MalformedXML")
    with refused(*NONE):
        s3.get_bucket_ownership_controls(Bucket=bucket)


def test_a_long_document_is_refused(node: Node, bucket: str) -> None:
    body = document(rule("ObjectWriter")) + b" " * (65 << 10)
    reply = node.send("PUT", bucket_target(bucket, TARGET), body=body)
    expect_error(reply, 400, "MaxMessageLengthExceeded")
