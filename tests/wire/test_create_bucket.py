"""CreateBucket: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html

Names: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.conftest import empty_and_remove
from tests.harness import Node
from tests.wire.support import bucket_target, content_md5, expect_error, outcome, refused

CONFIGURATION = (
    '<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    "<LocationConstraint>{}</LocationConstraint></CreateBucketConfiguration>"
)


def test_a_new_bucket_answers_with_its_location(node: Node, s3: Any) -> None:
    name = f"create-{uuid.uuid4().hex[:12]}"
    reply = node.send("PUT", bucket_target(name))
    try:
        assert reply.status == 200
        assert reply.headers["location"] == f"/{name}"
        assert reply.body == b""
        assert s3.head_bucket(Bucket=name)["ResponseMetadata"]["HTTPStatusCode"] == 200
    finally:
        empty_and_remove(s3, name)


def test_a_second_create_by_the_owner_is_a_conflict(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="kept", Body=b"kept")
    with refused(409, "BucketAlreadyOwnedByYou"):
        s3.create_bucket(Bucket=bucket)
    with pytest.raises(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=bucket)
    assert s3.head_object(Bucket=bucket, Key="kept")["ContentLength"] == 4


@pytest.mark.parametrize("location", ["eu-west-1", "us-west-2", "EU", "ap-northeast-3"])
def test_the_location_constraint_is_kept(
    s3: Any, make_bucket: Callable[..., str], location: str
) -> None:
    name = make_bucket(CreateBucketConfiguration={"LocationConstraint": location})
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == location


@pytest.mark.parametrize("length", [3, 63])
def test_the_shortest_and_the_longest_name_are_allowed(s3: Any, length: int) -> None:
    name = (uuid.uuid4().hex * 2)[:length]
    s3.create_bucket(Bucket=name)
    empty_and_remove(s3, name)


@pytest.mark.parametrize("form", ["a{}", "1{}", "{}.b.c", "{}-b--c", "{}9", "{}.com", "a.{}"])
def test_names_within_the_rules_are_allowed(node: Node, s3: Any, form: str) -> None:
    name = form.format(uuid.uuid4().hex[:16])
    reply = node.send("PUT", bucket_target(name))
    try:
        assert reply.status == 200, reply.body
    finally:
        empty_and_remove(s3, name)


@pytest.mark.parametrize(
    "name",
    [
        "ab",
        "a" * 64,
        "Upper-case",
        "under_score",
        "-starts-with-hyphen",
        "ends-with-hyphen-",
        ".starts-with-dot",
        "ends-with-dot.",
        "two..dots",
        "192.168.5.4",
        "xn--reserved",
        "sthree-reserved",
        "amzn-s3-demo-reserved",
        "reserved-s3alias",
        "reserved--ol-s3",
        "reserved.mrap",
        "reserved--x-s3",
        "reserved--table-s3",
        "with%20space",
        "with%2Bplus",
        "b%C3%BCcher",
        "with%25percent",
    ],
)
def test_names_against_the_rules_are_refused(node: Node, name: str) -> None:
    expect_error(node.send("PUT", bucket_target(name)), 400, "InvalidBucketName")


@pytest.mark.parametrize(
    "body",
    [
        b"not xml",
        b"<CreateBucketConfiguration>",
        b"<Other/>",
        b"<CreateBucketConfiguration><LocationConstraint>a</CreateBucketConfiguration>",
    ],
)
def test_a_malformed_configuration_makes_no_bucket(node: Node, s3: Any, body: bytes) -> None:
    name = f"create-{uuid.uuid4().hex[:12]}"
    expect_error(node.send("PUT", bucket_target(name), body=body), 400, "MalformedXML")
    with refused(404, "404"):
        s3.head_bucket(Bucket=name)


def test_a_wrong_digest_of_the_configuration_makes_no_bucket(node: Node, s3: Any) -> None:
    name = f"create-{uuid.uuid4().hex[:12]}"
    body = CONFIGURATION.format("eu-west-1").encode()
    reply = node.send(
        "PUT", bucket_target(name), headers={"Content-MD5": content_md5(b"other")}, body=body
    )
    expect_error(reply, 400, "BadDigest")
    with refused(404, "404"):
        s3.head_bucket(Bucket=name)


def test_of_concurrent_creators_exactly_one_wins(s3: Any) -> None:
    name = f"create-{uuid.uuid4().hex[:12]}"

    def create(_: int) -> str:
        return outcome(lambda: s3.create_bucket(Bucket=name))

    try:
        with ThreadPoolExecutor(8) as pool:
            codes = list(pool.map(create, range(8)))
        assert codes.count("") == 1
        # S3 answers OperationAborted while another create of the name is under way.
        assert set(codes) <= {"", "BucketAlreadyOwnedByYou", "OperationAborted"}
    finally:
        empty_and_remove(s3, name)


def test_names_are_of_one_namespace(s3: Any, make_bucket: Callable[..., str]) -> None:
    make_bucket(BucketNamespace="global")
    name = f"mine-{uuid.uuid4().hex[:8]}-123456789012-us-east-1-an"
    with refused(501, "NotImplemented"):
        s3.create_bucket(Bucket=name, BucketNamespace="account-regional")
    with refused(400, "InvalidArgument"):
        s3.create_bucket(Bucket=name, BucketNamespace="nowhere")
    with refused(404, "404"):
        s3.head_bucket(Bucket=name)
