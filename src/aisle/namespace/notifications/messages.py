"""The messages that targets get: S3's event notifications, test events, and EventBridge's events.

Spec: user guide, "Event message structure" and "Using EventBridge". Pure functions.
"""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote_plus

import msgspec

from aisle.namespace.notifications.rules import BRIDGE
from aisle.namespace.records import Notification

# The second id of a request, which replies carry as x-amz-id-2.
_HOST: Final = "YWlzbGU="
_LIFECYCLE: Final = "s3:Lifecycle"
_SERVICE: Final = "s3.amazonaws.com"
# Whose doing it is where no request was behind it: jobs of the cluster.
_ITSELF: Final = "aisle"
_NEWER: Final = (
    _LIFECYCLE,
    "s3:IntelligentTiering",
    "s3:ObjectAcl:",
    "s3:ObjectTagging:",
    "s3:ObjectRestore:Delete",
    "s3:ObjectAnnotation:",
    "s3:ObjectRetention:",
)
_SIZED: Final = ("s3:ObjectCreated:", "s3:ObjectRestore:", "s3:LifecycleTransition")
# A permanent delete leaves nothing that would have an ETag.
_GONE: Final = frozenset({"s3:ObjectRemoved:Delete", "s3:LifecycleExpiration:Delete"})
_EMPTY: Final = hashlib.md5(b"", usedforsecurity=False).hexdigest()
# Name of an event -> EventBridge's detail type, and what else its details say.
_DETAILS: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "s3:ObjectCreated:Put": ("Object Created", {"reason": "PutObject"}),
    "s3:ObjectCreated:Post": ("Object Created", {"reason": "POST Object"}),
    "s3:ObjectCreated:Copy": ("Object Created", {"reason": "CopyObject"}),
    "s3:ObjectCreated:CompleteMultipartUpload": (
        "Object Created",
        {"reason": "CompleteMultipartUpload"},
    ),
    "s3:ObjectRemoved:Delete": (
        "Object Deleted",
        {"reason": "DeleteObject", "deletion-type": "Permanently Deleted"},
    ),
    "s3:ObjectRemoved:DeleteMarkerCreated": (
        "Object Deleted",
        {"reason": "DeleteObject", "deletion-type": "Delete Marker Created"},
    ),
    "s3:LifecycleExpiration:Delete": (
        "Object Deleted",
        {"reason": "Lifecycle Expiration", "deletion-type": "Permanently Deleted"},
    ),
    "s3:LifecycleExpiration:DeleteMarkerCreated": (
        "Object Deleted",
        {"reason": "Lifecycle Expiration", "deletion-type": "Delete Marker Created"},
    ),
    "s3:ObjectTagging:Put": ("Object Tags Added", {}),
    "s3:ObjectTagging:Delete": ("Object Tags Deleted", {}),
    "s3:ObjectAcl:Put": ("Object ACL Updated", {}),
}


def bridged(event: str) -> bool:
    """Whether EventBridge has a name for an event."""
    return event in _DETAILS


def of(target: str, told: Notification, *, region: str, sequencer: str, account: str = "") -> bytes:
    """An event as a target gets it."""
    if target == BRIDGE and not told.rule:
        return bridge(told, region=region, account=account, sequencer=sequencer)
    return record(told, region=region, sequencer=sequencer)


def record(told: Notification, *, region: str, sequencer: str) -> bytes:
    """An event as S3 tells it."""
    service = told.event.startswith(_LIFECYCLE)
    thing: dict[str, Any] = {"key": quote_plus(told.key, safe="/")}
    if told.event.startswith(_SIZED):
        thing["size"] = told.size
    if told.event not in _GONE:
        thing["eTag"] = told.etag or _EMPTY
    if told.version:
        thing["versionId"] = told.version
    thing["sequencer"] = sequencer
    principal = _SERVICE if service else told.principal or _ITSELF
    message = {
        "eventVersion": _version(told.event),
        "eventSource": "aws:s3",
        "awsRegion": region,
        "eventTime": iso(told.at),
        "eventName": told.event.removeprefix("s3:"),
        "userIdentity": {"principalId": principal},
        "requestParameters": {"sourceIPAddress": _SERVICE if service else told.address or _ITSELF},
        "responseElements": {
            "x-amz-request-id": told.request or sequencer,
            "x-amz-id-2": _HOST,
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": told.rule,
            "bucket": {
                "name": told.bucket,
                "ownerIdentity": {"principalId": told.owner},
                "arn": f"arn:aws:s3:::{told.bucket}",
            },
            "object": thing,
        },
    }
    return msgspec.json.encode({"Records": [message]})


def bridge(told: Notification, *, region: str, account: str, sequencer: str) -> bytes:
    """An event as EventBridge tells it. Its id is the same however often it is told."""
    kind, more = _DETAILS[told.event]
    thing: dict[str, Any] = {"key": told.key.decode("utf-8", "replace")}
    if told.event.startswith(_SIZED):
        thing["size"] = told.size
    if told.event not in _GONE:
        thing["etag"] = told.etag or _EMPTY
    if told.version:
        thing["version-id"] = told.version
    thing["sequencer"] = sequencer
    name = hashlib.sha256(told.bucket.encode() + b"\0" + told.key + sequencer.encode()).digest()
    message = {
        "version": "0",
        "id": str(uuid.UUID(bytes=name[:16], version=4)),
        "detail-type": kind,
        "source": "aws.s3",
        "account": account,
        "time": iso(told.at)[:19] + "Z",
        "region": region,
        "resources": [f"arn:aws:s3:::{told.bucket}"],
        "detail": {
            "version": "0",
            "bucket": {"name": told.bucket},
            "object": thing,
            "request-id": told.request or sequencer,
            "requester": told.principal or _ITSELF,
            "source-ip-address": told.address,
            **more,
        },
    }
    return msgspec.json.encode(message)


def test(bucket: str, *, at: int, request: str) -> bytes:
    """What a target hears once, when a bucket begins to tell it anything."""
    message = {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": iso(at),
        "Bucket": bucket,
        "RequestId": request,
        "HostId": _HOST,
    }
    return msgspec.json.encode(message)


def iso(at: int) -> str:
    """Nanoseconds since the epoch, to the millisecond."""
    seconds = datetime.fromtimestamp(at // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{seconds}.{at // 1_000_000 % 1000:03d}Z"


def _version(event: str) -> str:
    if event.startswith("s3:Replication:"):
        return "2.2"
    return "2.3" if event.startswith(_NEWER) else "2.1"
