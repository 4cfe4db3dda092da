"""HeadBucket: https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.harness import Node
from tests.wire.support import bucket_target, refused


def test_an_existing_bucket_tells_its_region(s3: Any, make_bucket: Callable[..., str]) -> None:
    plain = make_bucket()
    west = make_bucket(CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert s3.head_bucket(Bucket=plain)["BucketRegion"] == "us-east-1"
    assert s3.head_bucket(Bucket=west)["BucketRegion"] == "eu-west-1"


def test_an_existing_bucket_has_no_body(node: Node, bucket: str) -> None:
    reply = node.send("HEAD", bucket_target(bucket))
    assert reply.status == 200
    assert reply.body == b""
    assert reply.headers["x-amz-request-id"]


def test_an_unknown_bucket_is_404_without_a_body(node: Node, s3: Any) -> None:
    with refused(404, "404"):
        s3.head_bucket(Bucket="no-such-bucket-here")
    reply = node.send("HEAD", bucket_target("no-such-bucket-here"))
    assert (reply.status, reply.body) == (404, b"")
    assert reply.headers["x-amz-request-id"]


def test_the_boto3_waiters_see_a_bucket_come_and_go(s3: Any, bucket: str) -> None:
    config = {"Delay": 1, "MaxAttempts": 1}
    s3.get_waiter("bucket_exists").wait(Bucket=bucket, WaiterConfig=config)
    s3.get_waiter("bucket_not_exists").wait(Bucket="no-such-bucket-here", WaiterConfig=config)


@pytest.mark.parametrize("expected", ["999999999999"])
def test_an_expected_owner_that_is_not_the_owner_is_refused(
    s3: Any, bucket: str, expected: str
) -> None:
    with refused(403, "403"):
        s3.head_bucket(Bucket=bucket, ExpectedBucketOwner=expected)
