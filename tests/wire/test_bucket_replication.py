"""Put/Get/DeleteBucketReplication, and replication between buckets of one cluster."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.harness import Node
from tests.wire.support import read, refused
from tests.wire.test_tagging import tags_of

ROLE = "arn:aws:iam::123456789012:role/replication"
Buckets = tuple[str, str]


def rule(target: str, **more: Any) -> dict[str, Any]:
    return {
        "ID": "all",
        "Priority": 1,
        "Status": "Enabled",
        "Filter": {},
        "DeleteMarkerReplication": {"Status": "Disabled"},
        "Destination": {"Bucket": f"arn:aws:s3:::{target}"},
        **more,
    }


def replicate(s3: Any, bucket: str, *rules: dict[str, Any]) -> None:
    s3.put_bucket_replication(
        Bucket=bucket, ReplicationConfiguration={"Role": ROLE, "Rules": list(rules)}
    )


def until(done: Callable[[], bool], seconds: float = 60) -> None:
    limit = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < limit
        time.sleep(0.05)


def status(s3: Any, bucket: str, key: str, **more: str) -> str | None:
    found = s3.head_object(Bucket=bucket, Key=key, **more).get("ReplicationStatus")
    return None if found is None else str(found)


def versioned(s3: Any, name: str) -> str:
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def remove(s3: Any, name: str) -> None:
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
        for row in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            s3.delete_object(Bucket=name, Key=row["Key"], VersionId=row["VersionId"])
    s3.delete_bucket(Bucket=name)


@pytest.fixture
def pair(s3: Any) -> Iterator[Buckets]:
    """Two versioned buckets."""
    tail = uuid.uuid4().hex[:12]
    names = versioned(s3, f"from-{tail}"), versioned(s3, f"to-{tail}")
    yield names
    for name in names:
        remove(s3, name)


def test_a_configuration_is_given_back_and_removed(s3: Any, pair: Buckets) -> None:
    source, target = pair
    with refused(404, "ReplicationConfigurationNotFoundError"):
        s3.get_bucket_replication(Bucket=source)
    filtered = {"And": {"Prefix": "logs/", "Tags": [{"Key": "keep", "Value": "yes"}]}}
    destination = {"Bucket": f"arn:aws:s3:::{target}", "StorageClass": "STANDARD_IA"}
    written = rule(target, Filter=filtered, Destination=destination)
    replicate(s3, source, written)
    told = s3.get_bucket_replication(Bucket=source)["ReplicationConfiguration"]
    assert told == {"Role": ROLE, "Rules": [written]}
    s3.delete_bucket_replication(Bucket=source)
    s3.delete_bucket_replication(Bucket=source)
    with refused(404, "ReplicationConfigurationNotFoundError"):
        s3.get_bucket_replication(Bucket=source)


def test_both_buckets_must_keep_versions(s3: Any, pair: Buckets, bucket: str) -> None:
    source, target = pair
    with refused(400, "InvalidRequest"):
        replicate(s3, bucket, rule(target))
    with refused(400, "InvalidRequest"):
        replicate(s3, source, rule(bucket))


def test_a_destination_must_exist_and_be_another_bucket(s3: Any, pair: Buckets) -> None:
    source, _ = pair
    for wrong in ("no-such-bucket-anywhere", source):
        with refused(400, "InvalidRequest"):
            replicate(s3, source, rule(wrong))


def test_versioning_cannot_be_suspended_meanwhile(s3: Any, pair: Buckets) -> None:
    source, target = pair
    replicate(s3, source, rule(target))
    with refused(409, "InvalidBucketState"):
        s3.put_bucket_versioning(Bucket=source, VersioningConfiguration={"Status": "Suspended"})
    s3.delete_bucket_replication(Bucket=source)
    s3.put_bucket_versioning(Bucket=source, VersioningConfiguration={"Status": "Suspended"})


def test_objects_are_replicated_with_all_that_is_said_of_them(s3: Any, pair: Buckets) -> None:
    source, target = pair
    destination = {"Bucket": f"arn:aws:s3:::{target}", "StorageClass": "STANDARD_IA"}
    replicate(s3, source, rule(target, Filter={"Prefix": "in/"}, Destination=destination))
    s3.put_object(Bucket=source, Key="out", Body=b"stays")
    described = {"ContentType": "text/plain", "Metadata": {"a": "b"}}
    for number in range(3):
        s3.put_object(Bucket=source, Key="in/k", Body=b"version %d" % number, **described)
    until(lambda: status(s3, source, "in/k") == "COMPLETED")
    found = s3.get_object(Bucket=target, Key="in/k")
    assert found["Body"].read() == b"version 2"
    assert (found["ContentType"], found["Metadata"]) == ("text/plain", {"a": "b"})
    assert (found["ReplicationStatus"], found["StorageClass"]) == ("REPLICA", "STANDARD_IA")
    rows = s3.list_object_versions(Bucket=target)["Versions"]
    bodies = [read(s3, target, "in/k", VersionId=row["VersionId"]) for row in rows]
    assert bodies == [b"version 2", b"version 1", b"version 0"]
    assert status(s3, source, "out") is None
    assert {row["Key"] for row in rows} == {"in/k"}


def test_delete_markers_go_where_the_rule_says_and_removals_do_not(s3: Any, pair: Buckets) -> None:
    source, target = pair
    replicate(s3, source, rule(target, DeleteMarkerReplication={"Status": "Enabled"}))
    version = s3.put_object(Bucket=source, Key="k", Body=b"1")["VersionId"]
    until(lambda: status(s3, source, "k") == "COMPLETED")
    s3.delete_object(Bucket=source, Key="k")
    until(lambda: bool(s3.list_object_versions(Bucket=target).get("DeleteMarkers")))
    s3.delete_object(Bucket=source, Key="k", VersionId=version)
    s3.put_object(Bucket=source, Key="last", Body=b"")
    until(lambda: status(s3, source, "last") == "COMPLETED")
    assert [row["Key"] for row in s3.list_object_versions(Bucket=target)["Versions"]] == [
        "k",
        "last",
    ]


def test_replicas_are_not_replicated_back(s3: Any, pair: Buckets) -> None:
    source, target = pair
    replicate(s3, source, rule(target))
    replicate(s3, target, rule(source))
    s3.put_object(Bucket=source, Key="k", Body=b"1")
    until(lambda: status(s3, source, "k") == "COMPLETED")
    s3.put_object(Bucket=target, Key="other", Body=b"2")
    until(lambda: status(s3, target, "other") == "COMPLETED")
    for name in pair:
        rows = s3.list_object_versions(Bucket=name)["Versions"]
        assert [row["Key"] for row in rows] == ["k", "other"]


def test_what_was_there_before_is_replicated_where_a_rule_asks_for_it(
    node: Node, s3: Any, pair: Buckets
) -> None:
    source, target = pair
    for number in range(5):
        s3.put_object(Bucket=source, Key=f"k{number}", Body=b"%d" % number)
    replicate(s3, source, rule(target, ExistingObjectReplication={"Status": "Enabled"}))
    until(lambda: s3.list_objects_v2(Bucket=target)["KeyCount"] == 5)
    until(lambda: status(s3, source, "k4") == "COMPLETED")


def test_a_multipart_upload_is_replicated_once_it_is_complete(s3: Any, pair: Buckets) -> None:
    source, target = pair
    replicate(s3, source, rule(target))
    upload = s3.create_multipart_upload(Bucket=source, Key="large")["UploadId"]
    body = b"x" * (5 << 20)
    part = s3.upload_part(Bucket=source, Key="large", UploadId=upload, PartNumber=1, Body=body)[
        "ETag"
    ]
    s3.complete_multipart_upload(
        Bucket=source,
        Key="large",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]},
    )
    until(lambda: status(s3, source, "large") == "COMPLETED")
    assert read(s3, target, "large") == body


def test_tags_say_what_is_replicated_and_go_along(s3: Any, pair: Buckets) -> None:
    source, target = pair
    filtered = {"And": {"Prefix": "in/", "Tags": [{"Key": "keep", "Value": "yes"}]}}
    replicate(s3, source, rule(target, Filter=filtered))
    s3.put_object(Bucket=source, Key="in/bare", Body=b"1")
    s3.put_object(Bucket=source, Key="in/other", Body=b"1", Tagging="keep=no")
    s3.put_object(Bucket=source, Key="out", Body=b"1", Tagging="keep=yes")
    s3.put_object(Bucket=source, Key="in/k", Body=b"1", Tagging="keep=yes&n=1")
    until(lambda: status(s3, source, "in/k") == "COMPLETED")
    assert tags_of(s3, target, "in/k") == {"keep": "yes", "n": "1"}
    for key in ("in/bare", "in/other", "out"):
        assert status(s3, source, key) is None
    changed = {"TagSet": [{"Key": "keep", "Value": "yes"}, {"Key": "n", "Value": "2"}]}
    s3.put_object_tagging(Bucket=source, Key="in/k", Tagging=changed)
    until(lambda: tags_of(s3, target, "in/k") == {"keep": "yes", "n": "2"})
    assert {row["Key"] for row in s3.list_object_versions(Bucket=target)["Versions"]} == {"in/k"}
