"""Metrics, analytics and intelligent tiering: Put, Get, Delete and List of their configurations.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketMetricsConfiguration.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAnalyticsConfiguration.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketIntelligentTieringConfiguration.html
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest

from tests.harness import Node
from tests.wire.people import People
from tests.wire.support import bucket_target, expect_error, refused

TAG = {"Key": "team", "Value": "blue & green"}
BOTH = {"And": {"Prefix": "logs/", "Tags": [TAG, {"Key": "b", "Value": ""}]}}


class Kind(NamedTuple):
    """How boto3 calls a kind, and configurations of it without their ids."""

    name: str  # in methods
    member: str
    query: str
    values: tuple[dict[str, Any], ...]


METRICS = Kind(
    "metrics",
    "MetricsConfiguration",
    "metrics",
    ({}, {"Filter": {"Prefix": "a/"}}, {"Filter": {"Tag": TAG}}, {"Filter": BOTH}),
)
EXPORT = {
    "DataExport": {
        "OutputSchemaVersion": "V_1",
        "Destination": {
            "S3BucketDestination": {
                "Format": "CSV",
                "BucketAccountId": "123456789012",
                "Bucket": "arn:aws:s3:::reports",
                "Prefix": "analysis/",
            }
        },
    }
}
ANALYTICS = Kind(
    "analytics",
    "AnalyticsConfiguration",
    "analytics",
    (
        {"StorageClassAnalysis": {}},
        {"Filter": BOTH, "StorageClassAnalysis": EXPORT},
    ),
)
TIERS = [
    {"AccessTier": "ARCHIVE_ACCESS", "Days": 90},
    {"AccessTier": "DEEP_ARCHIVE_ACCESS", "Days": 180},
]
TIERING = Kind(
    "intelligent_tiering",
    "IntelligentTieringConfiguration",
    "intelligent-tiering",
    (
        {"Status": "Enabled", "Tierings": TIERS},
        {"Status": "Disabled", "Filter": {"Prefix": "old/"}, "Tierings": TIERS[:1]},
    ),
)
KINDS = (METRICS, ANALYTICS, TIERING)
each_kind = pytest.mark.parametrize("kind", KINDS, ids=[kind.query for kind in KINDS])


def put(s3: Any, kind: Kind, bucket: str, name: str, value: dict[str, Any]) -> None:
    method = getattr(s3, f"put_bucket_{kind.name}_configuration")
    method(Bucket=bucket, Id=name, **{kind.member: {"Id": name, **value}})


def get(s3: Any, kind: Kind, bucket: str, name: str) -> Any:
    method = getattr(s3, f"get_bucket_{kind.name}_configuration")
    return method(Bucket=bucket, Id=name)[kind.member]


def listed(s3: Any, kind: Kind, bucket: str, **parameters: Any) -> Any:
    method = getattr(s3, f"list_bucket_{kind.name}_configurations")
    return method(Bucket=bucket, **parameters)


@each_kind
def test_a_configuration_is_kept_listed_and_deleted(s3: Any, bucket: str, kind: Kind) -> None:
    with refused(404, "NoSuchConfiguration"):
        get(s3, kind, bucket, "one")
    for number, value in enumerate(kind.values):
        name = f"Id.{number}_-"
        put(s3, kind, bucket, name, value)
        assert get(s3, kind, bucket, name) == {"Id": name, **value}
    page = listed(s3, kind, bucket)
    assert [entry["Id"] for entry in page[f"{kind.member}List"]] == [
        f"Id.{number}_-" for number in range(len(kind.values))
    ]
    assert page["IsTruncated"] is False
    delete = getattr(s3, f"delete_bucket_{kind.name}_configuration")
    reply = delete(Bucket=bucket, Id="Id.0_-")
    assert reply["ResponseMetadata"]["HTTPStatusCode"] == 204
    with refused(404, "NoSuchConfiguration"):
        delete(Bucket=bucket, Id="Id.0_-")


def test_a_configuration_of_the_same_id_is_replaced(s3: Any, bucket: str) -> None:
    put(s3, METRICS, bucket, "one", {"Filter": {"Prefix": "a"}})
    put(s3, METRICS, bucket, "one", {})
    assert get(s3, METRICS, bucket, "one") == {"Id": "one"}


def test_a_list_is_paged_by_a_hundred(node: Node, s3: Any, bucket: str) -> None:
    names = [f"n{number:03}" for number in range(103)]
    for name in names:
        put(s3, METRICS, bucket, name, {})
    first = listed(s3, METRICS, bucket)
    assert first["IsTruncated"] is True
    rest = listed(s3, METRICS, bucket, ContinuationToken=first["NextContinuationToken"])
    assert rest["IsTruncated"] is False
    assert rest["ContinuationToken"] == first["NextContinuationToken"]
    found = [*first["MetricsConfigurationList"], *rest["MetricsConfigurationList"]]
    assert [entry["Id"] for entry in found] == names
    expect_error(
        node.send("GET", bucket_target(bucket, "metrics&continuation-token=%21")),
        400,
        "InvalidArgument",
    )


@each_kind
def test_ids_are_checked_and_those_of_request_and_document_agree(
    node: Node, s3: Any, bucket: str, kind: Kind
) -> None:
    for name in ("a b", "x" * 65, "ä"):
        with refused(400, "InvalidArgument"):
            put(s3, kind, bucket, name, kind.values[0])
    method = getattr(s3, f"put_bucket_{kind.name}_configuration")
    with refused(400, "InvalidArgument"):
        method(Bucket=bucket, Id="one", **{kind.member: {"Id": "two", **kind.values[0]}})
    reply = node.send("GET", bucket_target(bucket, f"{kind.query}&id="))
    expect_error(reply, 400, "InvalidArgument")


@pytest.mark.parametrize(
    ("kind", "inner"),
    [
        (METRICS, "<Filter/>"),
        (METRICS, "<Filter><Prefix>a</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></Filter>"),
        (METRICS, "<Filter><And><Prefix>a</Prefix></And></Filter>"),
        (METRICS, "<Other/>"),
        (METRICS, "<Id>one</Id>"),
        (ANALYTICS, ""),
        (ANALYTICS, "<StorageClassAnalysis><DataExport/></StorageClassAnalysis>"),
        (TIERING, "<Status>Enabled</Status>"),
        (TIERING, "<Status>On</Status><Tiering><Days>90</Days>"
                  "<AccessTier>ARCHIVE_ACCESS</AccessTier></Tiering>"),
        (TIERING, "<Status>Enabled</Status><Tiering><Days>90</Days>"
                  "<AccessTier>COLD</AccessTier></Tiering>"),
    ],
)  # fmt: skip
def test_what_the_schema_does_not_have_is_malformed(
    node: Node, bucket: str, kind: Kind, inner: str
) -> None:
    body = f"<{kind.member}><Id>one</Id>{inner}</{kind.member}>".encode()
    reply = node.send("PUT", bucket_target(bucket, f"{kind.query}&id=one"), body=body)
    expect_error(reply, 400, "MalformedXML")


@pytest.mark.parametrize(
    "tiers",
    [
        [{"AccessTier": "ARCHIVE_ACCESS", "Days": 89}],
        [{"AccessTier": "DEEP_ARCHIVE_ACCESS", "Days": 179}],
        [{"AccessTier": "DEEP_ARCHIVE_ACCESS", "Days": 731}],
        [
            {"AccessTier": "ARCHIVE_ACCESS", "Days": 90},
            {"AccessTier": "ARCHIVE_ACCESS", "Days": 91},
        ],
    ],
)
def test_days_of_tiers_have_limits(s3: Any, bucket: str, tiers: list[dict[str, Any]]) -> None:
    with refused(400, "InvalidArgument"):
        put(s3, TIERING, bucket, "one", {"Status": "Enabled", "Tierings": tiers})


def test_filters_have_limits(s3: Any, bucket: str) -> None:
    with refused(400, "InvalidArgument"):
        put(s3, METRICS, bucket, "one", {"Filter": {"Prefix": "x" * 1025}})
    with refused(400, "InvalidTag"):
        put(s3, METRICS, bucket, "one", {"Filter": {"And": {"Tags": [TAG, TAG]}}})
    arn = "arn:aws:s3:us-east-1:123456789012:accesspoint/none"
    with refused(400, "InvalidArgument"):
        put(s3, METRICS, bucket, "one", {"Filter": {"AccessPointArn": arn}})


@each_kind
def test_others_may_not_see_or_set_them(people: People, alices: str, kind: Kind) -> None:
    with refused(403, "AccessDenied"):
        listed(people.bob.s3, kind, alices)
    with refused(403, "AccessDenied"):
        put(people.bob.s3, kind, alices, "one", kind.values[0])


def test_a_bucket_has_a_thousand_of_a_kind(s3: Any, bucket: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: put(s3, METRICS, bucket, f"n{n}", {}), range(1000)))
    with refused(400, "TooManyConfigurations"):
        put(s3, METRICS, bucket, "another", {})
    put(s3, METRICS, bucket, "n999", {"Filter": {"Prefix": "a"}})
