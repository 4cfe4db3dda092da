"""Get/Put/DeletePublicAccessBlock: what is kept. What it blocks is with the ACLs and policies.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutPublicAccessBlock.html
"""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from tests.harness import Node
from tests.wire.support import bucket_target, content_md5, expect_error, refused

SWITCHES = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
NONE = (404, "NoSuchPublicAccessBlockConfiguration")
TARGET = "publicAccessBlock"


def document(inner: str) -> bytes:
    return f"<PublicAccessBlockConfiguration>{inner}</PublicAccessBlockConfiguration>".encode()


def test_a_new_bucket_has_none(s3: Any, bucket: str) -> None:
    with refused(*NONE):
        s3.get_public_access_block(Bucket=bucket)


def test_every_combination_is_kept(s3: Any, bucket: str) -> None:
    for values in product([True, False], repeat=4):
        switches = dict(zip(SWITCHES, values, strict=True))
        s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=switches)
        reply = s3.get_public_access_block(Bucket=bucket)
        assert reply["PublicAccessBlockConfiguration"] == switches


def test_what_is_not_said_is_off(s3: Any, bucket: str) -> None:
    switches = {"IgnorePublicAcls": True}
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=switches)
    reply = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert reply == dict.fromkeys(SWITCHES, False) | switches


def test_it_is_deleted_and_deleting_none_is_no_error(s3: Any, bucket: str) -> None:
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={})
    for _ in range(2):
        reply = s3.delete_public_access_block(Bucket=bucket)
        assert reply["ResponseMetadata"]["HTTPStatusCode"] == 204
    with refused(*NONE):
        s3.get_public_access_block(Bucket=bucket)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"<Other/>",
        document("<BlockEverything>true</BlockEverything>"),
        document("<BlockPublicAcls>yes</BlockPublicAcls>"),
        document("<BlockPublicAcls>true</BlockPublicAcls>" * 2),
        b'<!DOCTYPE a [<!ENTITY b "true">]>' + document("<BlockPublicAcls>&b;</BlockPublicAcls>"),
    ],
)
def test_a_bad_document_is_refused(node: Node, s3: Any, bucket: str, body: bytes) -> None:
    expect_error(node.send("PUT", bucket_target(bucket, TARGET), body=body), 400, "MalformedXML")
    with refused(*NONE):
        s3.get_public_access_block(Bucket=bucket)


def test_a_document_is_held_to_its_length_and_digest(node: Node, bucket: str) -> None:
    target, body = bucket_target(bucket, TARGET), document("")
    headers = {"Content-MD5": content_md5(b"other")}
    expect_error(node.send("PUT", target, headers=headers, body=body), 400, "BadDigest")
    long = document(" " * (65 << 10))
    expect_error(node.send("PUT", target, body=long), 400, "MaxMessageLengthExceeded")


def test_a_bucket_that_is_not_there_has_none(s3: Any) -> None:
    name = "no-such-bucket-of-blocks"
    for call in (s3.get_public_access_block, s3.delete_public_access_block):
        with refused(404, "NoSuchBucket"):
            call(Bucket=name)
    with refused(404, "NoSuchBucket"):
        s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration={})
