"""Get/PutBucketAccelerateConfiguration and Get/PutBucketAbac.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAccelerateConfiguration.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAbac.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.harness import Node
from tests.wire.people import People
from tests.wire.support import bucket_target, expect_error, refused


def test_a_new_bucket_says_nothing_of_acceleration(s3: Any, bucket: str) -> None:
    assert "Status" not in s3.get_bucket_accelerate_configuration(Bucket=bucket)


def test_acceleration_is_kept(s3: Any, bucket: str) -> None:
    for status in ("Enabled", "Suspended"):
        s3.put_bucket_accelerate_configuration(
            Bucket=bucket, AccelerateConfiguration={"Status": status}
        )
        assert s3.get_bucket_accelerate_configuration(Bucket=bucket)["Status"] == status


def test_a_name_with_dots_cannot_be_accelerated(s3: Any, make_bucket: Callable[..., str]) -> None:
    bucket = make_bucket("with.dots")
    with refused(400, "InvalidRequest"):
        s3.put_bucket_accelerate_configuration(
            Bucket=bucket, AccelerateConfiguration={"Status": "Enabled"}
        )


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("accelerate", b"<AccelerateConfiguration/>"),
        ("accelerate", b"<AccelerateConfiguration><Status>On</Status></AccelerateConfiguration>"),
        ("accelerate", b"<Accelerate><Status>Enabled</Status></Accelerate>"),
        ("abac", b"<AbacStatus><Status>Suspended</Status></AbacStatus>"),
        ("abac", b"<AbacStatus><Status>Enabled</Status><Other/></AbacStatus>"),
        ("abac", b"not XML"),
    ],
)
def test_what_is_no_status_is_malformed(node: Node, bucket: str, query: str, body: bytes) -> None:
    reply = node.send("PUT", bucket_target(bucket, query), body=body)
    expect_error(reply, 400, "MalformedXML")


def test_abac_is_disabled_at_first_and_kept(s3: Any, bucket: str) -> None:
    assert s3.get_bucket_abac(Bucket=bucket)["AbacStatus"] == {"Status": "Disabled"}
    for status in ("Enabled", "Disabled"):
        s3.put_bucket_abac(Bucket=bucket, AbacStatus={"Status": status})
        assert s3.get_bucket_abac(Bucket=bucket)["AbacStatus"] == {"Status": status}


def test_others_may_neither_read_nor_set_them(people: People, alices: str) -> None:
    bob = people.bob.s3
    with refused(403, "AccessDenied"):
        bob.get_bucket_accelerate_configuration(Bucket=alices)
    with refused(403, "AccessDenied"):
        bob.put_bucket_abac(Bucket=alices, AbacStatus={"Status": "Enabled"})


def test_buckets_that_are_not_there_have_none(s3: Any) -> None:
    with refused(404, "NoSuchBucket"):
        s3.get_bucket_abac(Bucket="no-such-bucket-here")
