"""Regions: where a bucket says it is, and what `auth.check_region` makes of other ones.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.harness import Node
from tests.wire.people import People
from tests.wire.support import bucket_target, expect_error, object_target, refused

HEADER = "x-amz-bucket-region"


def made_in(region: str) -> dict[str, Any]:
    return {"CreateBucketConfiguration": {"LocationConstraint": region}}


# --- as a cluster is at first ---------------------------------------------------------------


def test_any_region_signs_and_any_is_kept(
    node: Node, make_bucket: Callable[..., str], s3: Any
) -> None:
    name = make_bucket(**made_in("eu-west-1"))
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == "eu-west-1"
    assert s3.head_bucket(Bucket=name)["BucketRegion"] == "eu-west-1"
    node.client(region="ap-south-1").put_object(Bucket=name, Key="k", Body=b"1")


def test_listings_and_refusals_tell_the_region(people: People, alices: str) -> None:
    node = people.node
    listed = node.send("GET", bucket_target(alices, "list-type=2"))
    assert listed.headers[HEADER] == "us-east-1"
    for target in (bucket_target(alices), bucket_target(alices, "prefix=a")):
        method = "GET" if "?" in target else "HEAD"
        refusal = node.send(method, target, signed=False)
        assert (refusal.status, refusal.headers[HEADER]) == (403, "us-east-1")
    assert HEADER not in node.send("HEAD", bucket_target("no-such-bucket-here")).headers
    assert HEADER not in node.send("GET", object_target(alices, "none")).headers


def test_buckets_of_one_region_are_listed_in_full_pages(
    s3: Any, make_bucket: Callable[..., str]
) -> None:
    north = sorted(make_bucket("region", **made_in("eu-north-1")) for _ in range(3))
    for _ in range(3):
        make_bucket("region", **made_in("eu-south-1"))
    found: list[list[str]] = []
    token: dict[str, str] = {}
    while True:
        page = s3.list_buckets(Prefix="region", BucketRegion="eu-north-1", MaxBuckets=2, **token)
        found.append([entry["Name"] for entry in page["Buckets"]])
        if "ContinuationToken" not in page:
            break
        token = {"ContinuationToken": page["ContinuationToken"]}
    assert found == [north[:2], north[2:]]


# --- where regions count --------------------------------------------------------------------


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node of eu-central-1 that checks regions, with the bucket `here`."""
    data = tmp_path_factory.mktemp("strict") / "data"
    node = Node(data, workers=1, options=("--region", "eu-central-1")).start()
    assert node.send("PUT", "/v1/cluster/set-config?auth.check_region=true").status == 200
    client = node.client(region="eu-central-1")
    client.create_bucket(Bucket="here", **made_in("eu-central-1"))
    client.put_object(Bucket="here", Key="k", Body=b"1")
    yield node
    assert node.stop() == 0


def test_a_signature_for_another_region_is_told_the_right_one(strict: Node) -> None:
    target = object_target("here", "k")
    reply = strict.send("GET", target, region="us-west-2")
    expect_error(reply, 400, "AuthorizationHeaderMalformed")
    assert reply.xml.findtext("Region") == "eu-central-1"
    assert reply.headers[HEADER] == "eu-central-1"
    head = strict.send("HEAD", bucket_target("here"), region="us-west-2")
    assert (head.status, head.headers[HEADER]) == (400, "eu-central-1")
    assert strict.send("GET", target, region="eu-central-1").status == 200
    listed = strict.send("GET", "/s3", region="us-west-2")
    assert listed.xml.findtext("Region") == "eu-central-1"


def test_boto3_finds_the_way(strict: Node) -> None:
    client = strict.client(region="us-west-2")
    assert client.get_object(Bucket="here", Key="k")["Body"].read() == b"1"


def test_a_bucket_of_another_region_is_asked_for_by_its_own(strict: Node) -> None:
    """It was made when regions did not count yet."""
    switch = "/v1/cluster/set-config?auth.check_region={}"
    assert strict.send("PUT", switch.format("false")).status == 200
    try:
        strict.client().create_bucket(Bucket="abroad", **made_in("eu-west-1"))
    finally:
        assert strict.send("PUT", switch.format("true")).status == 200
    target = bucket_target("abroad", "list-type=2")
    # That of the bucket, and that of the cluster.
    for region in ("eu-west-1", "eu-central-1"):
        assert strict.send("GET", target, region=region).status == 200
    reply = strict.send("GET", target, region="us-west-2")
    expect_error(reply, 400, "AuthorizationHeaderMalformed")
    assert reply.xml.findtext("Region") == reply.headers[HEADER] == "eu-west-1"


def test_a_presigned_url_for_another_region_is_refused(strict: Node) -> None:
    for region, status in (("us-west-2", 400), ("eu-central-1", 200)):
        client = strict.client(region=region, signature_version="s3v4")
        url = client.generate_presigned_url("get_object", {"Bucket": "here", "Key": "k"})
        reply = strict.send("GET", url[url.index("/", 8) :], signed=False)
        assert reply.status == status
    assert strict.send("GET", object_target("here", "k"), signed=False).status == 403


@pytest.mark.parametrize(
    ("constraint", "code"),
    [
        (None, "IllegalLocationConstraintException"),
        ("eu-west-1", "IllegalLocationConstraintException"),
        ("us-east-1", "InvalidLocationConstraint"),
    ],
)
def test_a_bucket_is_made_in_the_clusters_region(
    strict: Node, constraint: str | None, code: str
) -> None:
    client = strict.client(region="eu-central-1")
    given = made_in(constraint) if constraint else {}
    with refused(400, code):
        client.create_bucket(Bucket="elsewhere", **given)
    located = client.get_bucket_location(Bucket="here")
    assert located["LocationConstraint"] == "eu-central-1"


# --- directory buckets ----------------------------------------------------------------------


def test_directory_buckets_are_refused_clearly(node: Node, s3: Any, bucket: str) -> None:
    with refused(501, "NotImplemented"):
        s3.list_directory_buckets()
    reply = node.send("GET", "/s3?max-directory-buckets=5", service="s3express")
    expect_error(reply, 501, "NotImplemented")
    assert b"S3 Express" in reply.body
    reply = node.send("GET", bucket_target(bucket, "session"), service="s3express")
    expect_error(reply, 501, "NotImplemented")
    reply = node.send("GET", bucket_target(bucket), service="s3express")
    expect_error(reply, 400, "AuthorizationHeaderMalformed")


def test_torrents_are_refused_clearly(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    with refused(501, "NotImplemented"):
        s3.get_object_torrent(Bucket=bucket, Key="k")
