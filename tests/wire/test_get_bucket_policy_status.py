"""GetBucketPolicyStatus.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicyStatus.html

What counts as public is the evaluator's; these are the two answers, and none.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.harness import Node
from tests.wire.support import bucket_target, refused
from tests.wire.test_bucket_policy import policy

LOCAL = {"IpAddress": {"aws:SourceIp": "10.1.0.0/16"}}
ROOT = {"AWS": "arn:aws:iam::000000000000:root"}


@pytest.mark.parametrize(
    ("changed", "public"),
    [
        ({}, True),
        ({"Principal": {"AWS": "*"}}, True),
        ({"Effect": "Deny"}, False),
        ({"Condition": LOCAL}, False),
        ({"Principal": ROOT}, False),
    ],
)
def test_it_tells_whether_the_policy_is_public(
    s3: Any, bucket: str, changed: dict[str, Any], public: bool
) -> None:
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy(bucket, **changed)))
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"] == {"IsPublic": public}


def test_the_document_is_the_one_of_s3(node: Node, s3: Any, bucket: str) -> None:
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy(bucket)))
    reply = node.send("GET", bucket_target(bucket, "policyStatus"))
    assert (reply.status, reply.headers["content-type"]) == (200, "application/xml")
    assert reply.xml.tag == "PolicyStatus"
    assert [(child.tag, child.text) for child in reply.xml] == [("IsPublic", "true")]


def test_without_a_policy_there_is_no_status(s3: Any, bucket: str) -> None:
    with refused(404, "NoSuchBucketPolicy"):
        s3.get_bucket_policy_status(Bucket=bucket)
