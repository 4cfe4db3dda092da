"""Locks that come with a write: by its headers, or by the default of its bucket.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
"""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import Any

from tests.harness import Node
from tests.wire.locks import BODY, DAY, default, put, soon
from tests.wire.support import (
    begin,
    complete,
    content_md5,
    expect_error,
    object_target,
    put_part,
    refused,
)


def test_a_lock_comes_with_a_write(s3: Any, locked: str) -> None:
    until = soon()
    lock = {
        "ObjectLockMode": "GOVERNANCE",
        "ObjectLockRetainUntilDate": until,
        "ObjectLockLegalHoldStatus": "ON",
    }
    put(s3, locked, "put", **lock)
    put(s3, locked, "plain")
    source = {"Bucket": locked, "Key": "put"}
    s3.copy_object(Bucket=locked, Key="copied", CopySource=source)
    for directive in ("COPY", "REPLACE"):
        s3.copy_object(
            Bucket=locked, Key=directive, CopySource=source, MetadataDirective=directive, **lock
        )
    upload = begin(s3, locked, "parts", **lock)
    part = put_part(s3, locked, "parts", upload, 1, BODY)
    complete(s3, locked, "parts", upload, [part])
    for key in ("put", "parts", "COPY", "REPLACE"):
        for reply in (
            s3.head_object(Bucket=locked, Key=key),
            s3.get_object(Bucket=locked, Key=key),
        ):
            assert {name: reply[name] for name in lock} == lock, key
    for key in ("plain", "copied"):
        reply = s3.head_object(Bucket=locked, Key=key)
        assert lock.keys().isdisjoint(reply)


HEADERS = {
    "no date": {"mode": "GOVERNANCE"},
    "no mode": {"retain-until-date": "2100-01-01T00:00:00Z"},
    "another mode": {"mode": "governance", "retain-until-date": "2100-01-01T00:00:00Z"},
    "no real date": {"mode": "GOVERNANCE", "retain-until-date": "in May"},
    "past": {"mode": "GOVERNANCE", "retain-until-date": "2001-01-01T00:00:00Z"},
    "too far": {"mode": "GOVERNANCE", "retain-until-date": "9999-12-31T23:59:59Z"},
    "another hold": {"legal-hold": "MAYBE"},
}


def test_headers_that_are_wrong_store_nothing(node: Node, s3: Any, locked: str) -> None:
    for case, given in HEADERS.items():
        headers = {f"x-amz-object-lock-{name}": value for name, value in given.items()}
        headers["Content-MD5"] = content_md5(BODY)
        reply = node.send("PUT", object_target(locked, "k"), headers=headers, body=BODY)
        assert (reply.status, reply.code) == (400, "InvalidArgument"), case
    assert "Versions" not in s3.list_object_versions(Bucket=locked)


def test_a_body_that_is_to_be_locked_comes_with_a_digest(node: Node, s3: Any, locked: str) -> None:
    target = object_target(locked, "k")
    lock = {
        "x-amz-object-lock-mode": "GOVERNANCE",
        "x-amz-object-lock-retain-until-date": soon().isoformat(),
    }
    assert node.send("PUT", target, body=BODY).status == 200
    expect_error(node.send("PUT", target, headers=lock, body=BODY), 400, "InvalidRequest")
    lock["Content-MD5"] = content_md5(BODY)
    assert node.send("PUT", target, headers=lock, body=BODY).status == 200
    configuration = default(Days=1)
    s3.put_object_lock_configuration(Bucket=locked, ObjectLockConfiguration=configuration)
    expect_error(node.send("PUT", target, body=BODY), 400, "InvalidRequest")
    upload = begin(s3, locked, "u")
    part = f"{object_target(locked, 'u')}?partNumber=1&uploadId={upload}"
    expect_error(node.send("PUT", part, body=BODY), 400, "InvalidRequest")
    assert (
        node.send("PUT", part, headers={"Content-MD5": content_md5(BODY)}, body=BODY).status == 200
    )
    s3.abort_multipart_upload(Bucket=locked, Key="u", UploadId=upload)


def test_a_default_is_for_what_says_nothing_of_its_own(s3: Any, locked: str) -> None:
    upload = begin(s3, locked, "parts")
    part = put_part(s3, locked, "parts", upload, 1, BODY)
    put(s3, locked, "before")
    configuration = default(Days=3)
    s3.put_object_lock_configuration(Bucket=locked, ObjectLockConfiguration=configuration)
    complete(s3, locked, "parts", upload, [part])
    put(s3, locked, "put")
    put(s3, locked, "held", ObjectLockLegalHoldStatus="ON")
    s3.copy_object(Bucket=locked, Key="copied", CopySource={"Bucket": locked, "Key": "before"})
    for key in ("parts", "put", "held", "copied"):
        reply = s3.head_object(Bucket=locked, Key=key)
        assert reply["ObjectLockMode"] == "GOVERNANCE"
        late = reply["ObjectLockRetainUntilDate"] - reply["LastModified"]
        assert 3 * DAY <= late <= 3 * DAY + dt.timedelta(seconds=1), key
        with refused(403, "AccessDenied"):
            s3.delete_object(Bucket=locked, Key=key, VersionId=reply["VersionId"])
    assert s3.head_object(Bucket=locked, Key="held")["ObjectLockLegalHoldStatus"] == "ON"
    assert "ObjectLockMode" not in s3.head_object(Bucket=locked, Key="before")
    own = soon(1)
    put(s3, locked, "own", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=own)
    assert s3.head_object(Bucket=locked, Key="own")["ObjectLockRetainUntilDate"] == own


EVENT_HOLDS: tuple[dict[str, Any], ...] = (
    {"ObjectLockEventHold": "ON"},
    {"ObjectLockEventHold": "ON", "ObjectLockEventHoldDurationDays": 3},
    {"ObjectLockEventHoldDurationYears": 1},
)


def test_event_holds_are_refused_and_not_passed_over(s3: Any, locked: str) -> None:
    """Who asks for one is not to believe that the object is kept."""
    put(s3, locked, "from")
    source = {"Bucket": locked, "Key": "from"}
    for more in EVENT_HOLDS:
        for call in (
            partial(s3.put_object, Key="n", Body=BODY),
            partial(s3.put_object, Key="n", Body=BODY, WriteOffsetBytes=0),
            partial(s3.copy_object, Key="n", CopySource=source),
            partial(s3.create_multipart_upload, Key="n"),
        ):
            with refused(501, "NotImplemented"):
                call(Bucket=locked, **more)
    duration = {"Days": 3}
    for retention in ({"EventHold": "ON"}, {"EventHold": "ON", "EventHoldDuration": duration}):
        with refused(501, "NotImplemented"):
            s3.put_object_retention(Bucket=locked, Key="from", Retention=retention)
    for more in ({}, {"Mode": "GOVERNANCE", "Days": 1}):
        rule = {"DefaultRetention": {"DefaultEventHold": duration, **more}}
        with refused(501, "NotImplemented"):
            s3.put_object_lock_configuration(
                Bucket=locked,
                ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule},
            )
    assert [each["Key"] for each in s3.list_object_versions(Bucket=locked)["Versions"]] == ["from"]
    told = s3.get_object_lock_configuration(Bucket=locked)["ObjectLockConfiguration"]
    assert told == {"ObjectLockEnabled": "Enabled"}
