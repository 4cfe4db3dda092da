"""Get/PutBucketRequestPayment, and what Requester means for requests.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/RequesterPaysBuckets.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.harness import Node
from tests.people import policy
from tests.wire.people import People
from tests.wire.support import bucket_target, expect_error, refused

PAYS = {"Payer": "Requester"}
WILLING = {"RequestPayer": "requester"}


@pytest.fixture
def shared(people: People, alices: str) -> str:
    """A bucket of Alice's with the object `k`, open to everybody, whose requesters pay."""
    alice = people.alice.s3
    alice.delete_public_access_block(Bucket=alices)
    everything = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{alices}", f"arn:aws:s3:::{alices}/*"],
    }
    alice.put_bucket_policy(Bucket=alices, Policy=policy(everything))
    alice.put_object(Bucket=alices, Key="k", Body=b"dear")
    alice.put_bucket_request_payment(Bucket=alices, RequestPaymentConfiguration=PAYS)
    people.settle()
    return alices


def test_the_owner_pays_at_first_and_the_payer_is_kept(s3: Any, bucket: str) -> None:
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    for payer in ("Requester", "BucketOwner"):
        s3.put_bucket_request_payment(Bucket=bucket, RequestPaymentConfiguration={"Payer": payer})
        assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == payer


@pytest.mark.parametrize(
    "inner", ["", "<Payer>Somebody</Payer>", "<Payer>Requester</Payer><Payer>Requester</Payer>"]
)
def test_what_is_no_payer_is_malformed(node: Node, bucket: str, inner: str) -> None:
    root = "RequestPaymentConfiguration"
    reply = node.send(
        "PUT", bucket_target(bucket, "requestPayment"), body=f"<{root}>{inner}</{root}>".encode()
    )
    expect_error(reply, 400, "MalformedXML")


def test_who_does_not_say_that_they_pay_is_refused(people: People, shared: str) -> None:
    bob = people.bob.s3
    calls: tuple[Callable[[], Any], ...] = (
        lambda: bob.get_object(Bucket=shared, Key="k"),
        lambda: bob.list_objects_v2(Bucket=shared),
        lambda: bob.put_object(Bucket=shared, Key="new", Body=b""),
        lambda: bob.delete_objects(Bucket=shared, Delete={"Objects": [{"Key": "k"}]}),
        lambda: bob.copy_object(
            Bucket=shared, Key="new", CopySource={"Bucket": shared, "Key": "k"}
        ),
    )
    for call in calls:
        with refused(403, "AccessDenied"):
            call()


def test_who_pays_is_served_and_told(people: People, shared: str) -> None:
    bob = people.bob.s3
    assert bob.get_object(Bucket=shared, Key="k", **WILLING)["RequestCharged"] == "requester"
    assert bob.head_object(Bucket=shared, Key="k", **WILLING)["RequestCharged"] == "requester"
    assert bob.list_objects_v2(Bucket=shared, **WILLING)["RequestCharged"] == "requester"
    made = bob.put_object(Bucket=shared, Key="new", Body=b"", **WILLING)
    assert made["RequestCharged"] == "requester"
    gone = bob.delete_object(Bucket=shared, Key="new", **WILLING)
    assert gone["RequestCharged"] == "requester"


def test_a_presigned_url_says_it_in_its_query(people: People, shared: str) -> None:
    node = people.node
    bob = people.bob.s3
    for willing, status in ((WILLING, 200), ({}, 403)):
        url = bob.generate_presigned_url(
            "get_object", {"Bucket": shared, "Key": "k", **willing}, ExpiresIn=60
        )
        target = url[url.index("/", len("http://")) :]
        headers = {"x-amz-request-payer": "requester"} if willing else {}
        assert node.send("GET", target, headers=headers, signed=False).status == status


def test_strangers_are_refused_whatever_they_say(people: People, shared: str) -> None:
    with refused(403, "AccessDenied"):
        people.nobody.s3.get_object(Bucket=shared, Key="k", **WILLING)


def test_the_owners_account_is_free(people: People, shared: str) -> None:
    reply = people.alice.s3.get_object(Bucket=shared, Key="k")
    assert reply["Body"].read() == b"dear"
    assert "RequestCharged" not in reply


def test_the_source_of_a_copy_is_paid_for_too(people: People, shared: str, bucket: str) -> None:
    bob = people.bob
    mine = bucket
    source = {"Bucket": shared, "Key": "k"}
    people.root.s3.put_bucket_policy(
        Bucket=mine,
        Policy=policy(
            {
                "Effect": "Allow",
                "Principal": {"AWS": bob.account},
                "Action": "s3:PutObject",
                "Resource": f"arn:aws:s3:::{mine}/*",
            }
        ),
    )
    people.settle()
    with refused(403, "AccessDenied"):
        bob.s3.copy_object(Bucket=mine, Key="copy", CopySource=source)
    reply = bob.s3.copy_object(Bucket=mine, Key="copy", CopySource=source, **WILLING)
    assert reply["RequestCharged"] == "requester"
