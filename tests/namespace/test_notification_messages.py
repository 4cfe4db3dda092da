"""The messages are S3's, to the letter."""

import json
from typing import Any

import msgspec
import pytest

from aisle.namespace.notifications import messages
from aisle.namespace.records import Notification

AT = 1_700_000_000_123_456_789
TOLD = Notification(
    at=AT,
    rule="images",
    event="s3:ObjectCreated:Put",
    bucket="photos",
    owner="canonical",
    key="a b/ü+c.jpg".encode(),
    size=12,
    etag="900150983cd24fb0d6963f7d28e17f72",
    version="",
    principal="arn:aws:iam::123456789012:user/alice",
    address="192.0.2.7",
    request="A1B2",
)


def record(**changes: Any) -> dict[str, Any]:
    told = msgspec.structs.replace(TOLD, **changes)
    found = json.loads(messages.record(told, region="eu-west-1", sequencer="0F"))
    assert list(found) == ["Records"]
    (one,) = found["Records"]
    whole: dict[str, Any] = one
    return whole


def test_an_event_is_told_as_s3_tells_it() -> None:
    assert record() == {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-west-1",
        "eventTime": "2023-11-14T22:13:20.123Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "arn:aws:iam::123456789012:user/alice"},
        "requestParameters": {"sourceIPAddress": "192.0.2.7"},
        "responseElements": {"x-amz-request-id": "A1B2", "x-amz-id-2": "YWlzbGU="},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "images",
            "bucket": {
                "name": "photos",
                "ownerIdentity": {"principalId": "canonical"},
                "arn": "arn:aws:s3:::photos",
            },
            "object": {
                "key": "a+b/%C3%BC%2Bc.jpg",
                "size": 12,
                "eTag": "900150983cd24fb0d6963f7d28e17f72",
                "sequencer": "0F",
            },
        },
    }


@pytest.mark.parametrize(
    ("event", "version", "fields"),
    [
        ("s3:ObjectCreated:Copy", "2.1", {"size", "eTag"}),
        ("s3:ObjectRemoved:Delete", "2.1", set()),
        ("s3:ObjectRemoved:DeleteMarkerCreated", "2.1", {"eTag"}),
        ("s3:ObjectTagging:Put", "2.3", {"eTag"}),
        ("s3:ObjectAcl:Put", "2.3", {"eTag"}),
        ("s3:LifecycleExpiration:Delete", "2.3", set()),
        ("s3:LifecycleExpiration:DeleteMarkerCreated", "2.3", {"eTag"}),
        ("s3:LifecycleTransition", "2.3", {"size", "eTag"}),
        ("s3:Replication:OperationFailedReplication", "2.2", {"eTag"}),
    ],
)
def test_what_is_said_of_the_object_depends_on_the_event(
    event: str, version: str, fields: set[str]
) -> None:
    one = record(event=event, version="v1")
    assert (one["eventVersion"], one["eventName"]) == (version, event[3:])
    assert set(one["s3"]["object"]) == {"key", "versionId", "sequencer"} | fields


def test_a_delete_marker_has_the_etag_of_nothing() -> None:
    one = record(event="s3:ObjectRemoved:DeleteMarkerCreated", etag="", version="m")
    assert one["s3"]["object"]["eTag"] == "d41d8cd98f00b204e9800998ecf8427e"


def test_lifecycle_is_the_services_own_doing_and_jobs_the_clusters() -> None:
    one = record(event="s3:LifecycleExpiration:Delete", principal="", address="", request="")
    assert one["userIdentity"] == {"principalId": "s3.amazonaws.com"}
    assert one["requestParameters"] == {"sourceIPAddress": "s3.amazonaws.com"}
    one = record(principal="", address="", request="")
    assert one["userIdentity"] == {"principalId": "aisle"}
    assert one["responseElements"]["x-amz-request-id"]


def test_the_test_event() -> None:
    assert json.loads(messages.test("photos", at=AT, request="R")) == {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": "2023-11-14T22:13:20.123Z",
        "Bucket": "photos",
        "RequestId": "R",
        "HostId": "YWlzbGU=",
    }


def test_eventbridge_has_names_of_its_own() -> None:
    told = msgspec.structs.replace(TOLD, event="s3:ObjectRemoved:DeleteMarkerCreated", version="v")
    one, again = (
        json.loads(messages.bridge(told, region="r", account="1", sequencer="0F")) for _ in range(2)
    )
    assert one == again
    assert len(one.pop("id")) == 36
    assert one == {
        "version": "0",
        "detail-type": "Object Deleted",
        "source": "aws.s3",
        "account": "1",
        "time": "2023-11-14T22:13:20Z",
        "region": "r",
        "resources": ["arn:aws:s3:::photos"],
        "detail": {
            "version": "0",
            "bucket": {"name": "photos"},
            "object": {
                "key": "a b/ü+c.jpg",
                "etag": "900150983cd24fb0d6963f7d28e17f72",
                "version-id": "v",
                "sequencer": "0F",
            },
            "request-id": "A1B2",
            "requester": "arn:aws:iam::123456789012:user/alice",
            "source-ip-address": "192.0.2.7",
            "reason": "DeleteObject",
            "deletion-type": "Delete Marker Created",
        },
    }
    assert not messages.bridged("s3:Replication:OperationNotTracked")
