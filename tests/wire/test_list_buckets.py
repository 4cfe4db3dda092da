"""ListBuckets: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html

The node is shared, so every test looks only at names under a prefix of its own.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness import Node
from tests.wire.support import XMLNS, expect_error


@pytest.fixture
def three(make_bucket: Callable[..., str]) -> tuple[str, list[str]]:
    """A prefix that nobody else uses, and three buckets under it in order of their names."""
    prefix = f"lb{uuid.uuid4().hex[:8]}"
    return prefix, sorted(make_bucket(f"{prefix}-{letter}") for letter in "cab")


def test_buckets_are_listed_in_order_with_their_dates_and_owner(
    s3: Any, three: tuple[str, list[str]]
) -> None:
    prefix, names = three
    reply = s3.list_buckets(Prefix=prefix)
    assert [bucket["Name"] for bucket in reply["Buckets"]] == names
    assert all(bucket["CreationDate"].tzinfo is not None for bucket in reply["Buckets"])
    assert reply["Owner"]["ID"]
    assert reply["Prefix"] == prefix
    assert "ContinuationToken" not in reply


def test_every_bucket_is_listed_without_parameters(s3: Any, three: tuple[str, list[str]]) -> None:
    listed = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    assert set(three[1]) <= set(listed)
    assert listed == sorted(listed)


@pytest.mark.parametrize("target", ["/s3", "/s3/", "/"])
def test_the_document_is_the_one_of_s3_with_the_provider_noted(
    node: Node, three: tuple[str, list[str]], target: str
) -> None:
    reply = node.send("GET", target)
    assert reply.status == 200
    assert reply.headers["content-type"].split(";")[0] == "application/xml"
    assert f'xmlns="{XMLNS}"'.encode() in reply.body
    assert reply.xml.tag == "ListAllMyBucketsResult"
    entries = [
        entry
        for entry in reply.xml.iterfind("Buckets/Bucket")
        if entry.findtext("Name") in three[1]
    ]
    assert len(entries) == 3
    for entry in entries:
        # The seed document shows which provider a bucket has in an element that S3 lacks.
        assert entry.findtext("String") == "Provider: ais"
        assert re.fullmatch(
            r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", entry.findtext("CreationDate") or ""
        )


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_pages_cover_all_buckets_once(s3: Any, three: tuple[str, list[str]], size: int) -> None:
    prefix, names = three
    pages, token = [], ""
    while True:
        more = {"ContinuationToken": token} if token else {}
        reply = s3.list_buckets(Prefix=prefix, MaxBuckets=size, **more)
        pages.append([bucket["Name"] for bucket in reply["Buckets"]])
        token = reply.get("ContinuationToken", "")
        if not token:
            break
    assert [name for page in pages for name in page] == names
    assert all(len(page) == size for page in pages[:-1])
    assert pages[-1]


def test_a_paged_listing_tells_the_region_and_can_be_filtered_by_it(
    s3: Any, make_bucket: Callable[..., str]
) -> None:
    prefix = f"lr{uuid.uuid4().hex[:8]}"
    make_bucket(f"{prefix}-us")
    west = make_bucket(
        f"{prefix}-eu", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    reply = s3.list_buckets(Prefix=prefix, MaxBuckets=10, BucketRegion="eu-west-1")
    assert [(entry["Name"], entry["BucketRegion"]) for entry in reply["Buckets"]] == [
        (west, "eu-west-1")
    ]


@pytest.mark.parametrize(
    "query", ["max-buckets=0", "max-buckets=10001", "max-buckets=x", "max-buckets=-1"]
)
def test_a_page_size_outside_of_1_to_10000_is_refused(node: Node, query: str) -> None:
    expect_error(node.send("GET", f"/s3?{query}"), 400, "InvalidArgument")


def test_an_unknown_token_is_refused(node: Node) -> None:
    reply = node.send("GET", "/s3?continuation-token=not-a-token&max-buckets=1")
    expect_error(reply, 400, "InvalidArgument")


def test_a_prefix_that_nothing_has_gives_an_empty_list(s3: Any) -> None:
    reply = s3.list_buckets(Prefix=f"none{uuid.uuid4().hex}")
    assert reply["Buckets"] == []
