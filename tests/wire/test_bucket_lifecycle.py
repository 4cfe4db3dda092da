"""Get/Put/DeleteBucketLifecycleConfiguration and what is told of rules with objects and uploads.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html

Every form and every mistake is in `tests/api/test_lifecycle_rules.py`; here they come through
boto3. What rules do is in `tests/jobs/test_lifecycle.py` and `tests/crash/test_lifecycle.py`.
"""

from __future__ import annotations

import datetime as dt
import re
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from tests.cluster.cluster import wait_until
from tests.harness import Node
from tests.wire.support import (
    begin,
    bucket_target,
    content_md5,
    expect_error,
    put_parts,
    refused,
)

NONE = (404, "NoSuchLifecycleConfiguration")
MINIMUM = "TransitionDefaultMinimumObjectSize"
ALL: dict[str, Any] = {"Filter": {}, "Status": "Enabled"}
SOON = {"ID": "soon", **ALL, "Expiration": {"Days": 1}}


def put(s3: Any, bucket: str, *rules: dict[str, Any], **more: str) -> Any:
    told = {"Rules": list(rules)}
    return s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=told, **more)


def get(s3: Any, bucket: str) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    return rules


FORMS: list[dict[str, Any]] = [
    {"Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 3650}},
    {"Filter": {"Tag": {"Key": "kind", "Value": "tmp"}}, "Expiration": {"Days": 1}},
    {"Filter": {"ObjectSizeGreaterThan": 500}, "Expiration": {"Days": 1}},
    {"Filter": {"ObjectSizeLessThan": 5_000_000_000}, "Expiration": {"Days": 1}},
    {
        "Filter": {
            "And": {
                "Prefix": "a/<&>",
                "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}],
                "ObjectSizeGreaterThan": 1,
                "ObjectSizeLessThan": 3,
            }
        },
        "Expiration": {"Days": 1},
    },
    {
        "Filter": {"Prefix": ""},
        "Expiration": {"Date": dt.datetime(2040, 2, 29, tzinfo=dt.UTC)},
    },
    {"Filter": {}, "Expiration": {"ExpiredObjectDeleteMarker": True}},
    {
        "Filter": {},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 3, "NewerNoncurrentVersions": 5},
    },
    {"Filter": {}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}},
    {
        "Filter": {"Prefix": "cold/"},
        "Transitions": [
            {"Days": 30, "StorageClass": "STANDARD_IA"},
            {"Days": 90, "StorageClass": "GLACIER"},
        ],
        "Expiration": {"Days": 365},
        "NoncurrentVersionTransitions": [
            {"NoncurrentDays": 30, "StorageClass": "ONEZONE_IA", "NewerNoncurrentVersions": 2}
        ],
        "NoncurrentVersionExpiration": {"NoncurrentDays": 31},
    },
]


def test_a_new_bucket_has_none(s3: Any, bucket: str) -> None:
    with refused(*NONE):
        s3.get_bucket_lifecycle_configuration(Bucket=bucket)


def test_every_form_is_kept_and_told(s3: Any, bucket: str) -> None:
    rules = [
        {"ID": f"rule {number}", "Status": ("Enabled", "Disabled")[number % 2], **form}
        for number, form in enumerate(FORMS)
    ]
    put(s3, bucket, *rules)
    assert get(s3, bucket) == rules


def test_the_older_operations_are_the_same(s3: Any, bucket: str) -> None:
    rule = {"ID": "old", "Prefix": "logs/", "Status": "Enabled", "Expiration": {"Days": 7}}
    s3.put_bucket_lifecycle(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    assert s3.get_bucket_lifecycle(Bucket=bucket)["Rules"] == [rule]
    assert get(s3, bucket) == [rule]


def test_rules_replace_those_before_and_are_deleted(s3: Any, bucket: str) -> None:
    put(s3, bucket, SOON, {**SOON, "ID": "other"})
    put(s3, bucket, {**ALL, "Expiration": {"Days": 2}})
    (rule,) = get(s3, bucket)
    assert len(rule["ID"]) > 10
    for _ in range(2):
        reply = s3.delete_bucket_lifecycle(Bucket=bucket)
        assert reply["ResponseMetadata"]["HTTPStatusCode"] == 204
    with refused(*NONE):
        s3.get_bucket_lifecycle_configuration(Bucket=bucket)


def test_the_default_minimum_size_of_transitions_is_told(s3: Any, bucket: str) -> None:
    assert put(s3, bucket, SOON)[MINIMUM] == "all_storage_classes_128K"
    varies = {MINIMUM: "varies_by_storage_class"}
    assert put(s3, bucket, SOON, **varies)[MINIMUM] == varies[MINIMUM]
    reply = s3.get_bucket_lifecycle_configuration(Bucket=bucket)
    assert reply[MINIMUM] == varies[MINIMUM]
    with refused(400, "InvalidRequest"):
        put(s3, bucket, SOON, **{MINIMUM: "none"})


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ({"Status": "Enabled", "Expiration": {"Days": 1}}, "MalformedXML"),
        ({**ALL, "Status": "On", "Expiration": {"Days": 1}}, "MalformedXML"),
        ({**ALL, "Prefix": "", "Expiration": {"Days": 1}}, "MalformedXML"),
        ({**ALL, "Expiration": {}}, "MalformedXML"),
        ({**ALL, "Expiration": {"Days": 0}}, "InvalidArgument"),
        ({**ALL, "ID": "x" * 256, "Expiration": {"Days": 1}}, "InvalidArgument"),
        (
            {**ALL, "Expiration": {"Date": dt.datetime(2040, 1, 1, 12, tzinfo=dt.UTC)}},
            "InvalidArgument",
        ),
        ({**ALL, "Transitions": [{"Days": 1, "StorageClass": "STANDARD_IA"}]}, "InvalidArgument"),
        (ALL, "InvalidRequest"),
        (
            {
                **ALL,
                "Filter": {"Tag": {"Key": "a", "Value": "b"}},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
            },
            "InvalidRequest",
        ),
    ],
)
def test_a_bad_rule_is_refused(s3: Any, bucket: str, rule: dict[str, Any], code: str) -> None:
    with refused(400, code):
        put(s3, bucket, {**SOON, "ID": "good"}, rule)
    with refused(*NONE):
        s3.get_bucket_lifecycle_configuration(Bucket=bucket)


def test_ids_are_unique_and_a_thousand_rules_fit(s3: Any, bucket: str) -> None:
    with refused(400, "InvalidArgument"):
        put(s3, bucket, SOON, SOON)
    rules = [{**SOON, "ID": str(number)} for number in range(1001)]
    with refused(400, "MalformedXML"):
        put(s3, bucket, *rules)
    put(s3, bucket, *rules[:1000])
    assert len(get(s3, bucket)) == 1000


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"<Other/>", b"<LifecycleConfiguration/>", b'<!DOCTYPE a [<!ENTITY b "1">]><a/>'],
)
def test_a_bad_document_is_refused(node: Node, bucket: str, body: bytes) -> None:
    target = bucket_target(bucket, "lifecycle")
    expect_error(node.send("PUT", target, body=body), 400, "MalformedXML")


def test_a_document_is_held_to_its_length_and_digest(node: Node, bucket: str) -> None:
    target = bucket_target(bucket, "lifecycle")
    body = (
        b"<LifecycleConfiguration><Rule><Prefix/><Status>Enabled</Status><Expiration><Days>1</Days>"
        b"</Expiration></Rule></LifecycleConfiguration>"
    )
    headers = {"Content-MD5": content_md5(b"other")}
    expect_error(node.send("PUT", target, headers=headers, body=body), 400, "BadDigest")
    long = body + b" " * (2 << 20)
    expect_error(node.send("PUT", target, body=long), 400, "MaxMessageLengthExceeded")
    assert node.send("PUT", target, body=body).status == 200


def test_a_bucket_that_is_not_there_has_none(s3: Any) -> None:
    name = "no-such-bucket-of-rules"
    for call in (s3.get_bucket_lifecycle_configuration, s3.delete_bucket_lifecycle):
        with refused(404, "NoSuchBucket"):
            call(Bucket=name)
    with refused(404, "NoSuchBucket"):
        put(s3, name, SOON)


# --- what is told of rules ------------------------------------------------------------------


def midnight(since: dt.datetime, days: int) -> dt.datetime:
    day = since.astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day + dt.timedelta(days=days + 1)


def told(reply: dict[str, Any]) -> tuple[dt.datetime, str]:
    found = re.fullmatch(r'expiry-date="(.*)", rule-id="(.*)"', reply["Expiration"])
    assert found is not None, reply["Expiration"]
    return parsedate_to_datetime(found[1]), found[2]


def test_objects_tell_when_they_expire_and_by_which_rule(s3: Any, bucket: str) -> None:
    put(
        s3,
        bucket,
        {"ID": "all of it", **ALL, "Expiration": {"Days": 30}},
        {**ALL, "ID": "temp/ü", "Filter": {"Prefix": "temp/"}, "Expiration": {"Days": 3}},
        {**ALL, "ID": "off", "Status": "Disabled", "Expiration": {"Days": 1}},
    )
    s3.put_object(Bucket=bucket, Key="plain", Body=b"1")
    made = s3.head_object(Bucket=bucket, Key="plain")["LastModified"]
    replies = [
        s3.put_object(Bucket=bucket, Key="plain", Body=b"1"),
        s3.head_object(Bucket=bucket, Key="plain"),
        s3.get_object(Bucket=bucket, Key="plain"),
        s3.get_object(Bucket=bucket, Key="plain", Range="bytes=0-0"),
        s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/plain"),
        put_parts(s3, bucket, "parts", [b"1"]),
    ]
    days = {midnight(made, 30), midnight(dt.datetime.now(dt.UTC), 30)}  # it may be midnight now
    for reply in replies:
        date, rule = told(reply)
        assert date in days
        assert rule == "all%20of%20it"
    date, rule = told(s3.put_object(Bucket=bucket, Key="temp/x", Body=b"1"))
    assert date in {midnight(made, 3), midnight(dt.datetime.now(dt.UTC), 3)}
    assert rule == "temp%2F%C3%BC"


def test_dates_tags_and_sizes_tell(s3: Any, bucket: str) -> None:
    date = dt.datetime(2041, 1, 1, tzinfo=dt.UTC)
    put(
        s3,
        bucket,
        {
            "ID": "date",
            **ALL,
            "Filter": {"And": {"Prefix": "d", "ObjectSizeGreaterThan": 1}},
            "Expiration": {"Date": date},
        },
    )
    assert "Expiration" not in s3.put_object(Bucket=bucket, Key="d", Body=b"1")
    assert "Expiration" not in s3.put_object(Bucket=bucket, Key="c", Body=b"12")
    assert told(s3.put_object(Bucket=bucket, Key="d", Body=b"12")) == (date, "date")


def test_nothing_is_told_without_a_rule_that_expires(s3: Any, bucket: str) -> None:
    put(s3, bucket, {**ALL, "NoncurrentVersionExpiration": {"NoncurrentDays": 1}})
    assert "Expiration" not in s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    put(s3, bucket, SOON)

    # What is read may be told by the rules of up to a second ago.
    def told_by_all() -> list[bool]:
        return ["Expiration" in s3.head_object(Bucket=bucket, Key="k") for _ in range(6)]

    wait_until(lambda: all(told_by_all()), "it is told")
    s3.delete_bucket_lifecycle(Bucket=bucket)
    wait_until(lambda: not any(told_by_all()), "it is not told any more")


def test_only_the_current_version_tells(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    put(s3, bucket, SOON)
    old, new = (
        s3.put_object(Bucket=bucket, Key="k", Body=body)["VersionId"] for body in (b"1", b"2")
    )
    assert "Expiration" in s3.head_object(Bucket=bucket, Key="k", VersionId=new)
    assert "Expiration" not in s3.head_object(Bucket=bucket, Key="k", VersionId=old)
    assert "Expiration" not in s3.get_object(Bucket=bucket, Key="k", VersionId=old)
    for version in (old, new):
        s3.delete_object(Bucket=bucket, Key="k", VersionId=version)


def test_uploads_tell_when_they_are_aborted(s3: Any, bucket: str) -> None:
    rule = {
        "ID": "forgotten",
        **ALL,
        "Filter": {"Prefix": "up/"},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2},
    }
    put(s3, bucket, rule)
    reply = s3.create_multipart_upload(Bucket=bucket, Key="up/x")
    listed = s3.list_parts(Bucket=bucket, Key="up/x", UploadId=reply["UploadId"])
    now = dt.datetime.now(dt.UTC)
    for each in (reply, listed):
        assert each["AbortDate"] in {midnight(now, 2), midnight(now - dt.timedelta(minutes=1), 2)}
        assert each["AbortRuleId"] == "forgotten"
    other = begin(s3, bucket, "other")
    assert "AbortDate" not in s3.list_parts(Bucket=bucket, Key="other", UploadId=other)
    for key, upload in (("up/x", reply["UploadId"]), ("other", other)):
        s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
