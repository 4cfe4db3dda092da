"""GetBucketLocation: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.harness import Node
from tests.wire.support import XMLNS, bucket_target, refused


def test_a_bucket_without_a_constraint_has_an_empty_location(
    node: Node, s3: Any, bucket: str
) -> None:
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None
    reply = node.send("GET", bucket_target(bucket, "location"))
    assert reply.status == 200
    assert reply.xml.tag == "LocationConstraint"
    assert not reply.xml.text
    assert XMLNS.encode() in reply.body


def test_a_constraint_is_the_text_of_the_document(
    node: Node, make_bucket: Callable[..., str]
) -> None:
    name = make_bucket(CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    reply = node.send("GET", bucket_target(name, "location"))
    assert reply.xml.text == "eu-central-1"


def test_an_unknown_bucket_is_404(s3: Any) -> None:
    with refused(404, "NoSuchBucket"):
        s3.get_bucket_location(Bucket="no-such-bucket-here")
