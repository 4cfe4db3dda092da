"""Retention and holds of versions: what they keep, from whom, and how they end.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from tests.harness import Node
from tests.wire.locks import BODY, governed, lift, put, retain, soon
from tests.wire.support import content_md5, expect_error, object_target, refused


def test_retention_of_a_version(s3: Any, locked: str) -> None:
    first, second = put(s3, locked), put(s3, locked)
    for call in (s3.get_object_retention, s3.get_object_legal_hold):
        with refused(404, "NoSuchObjectLockConfiguration"):
            call(Bucket=locked, Key="k")
    until = soon()
    retain(s3, locked, "GOVERNANCE", until, VersionId=first)
    told = s3.get_object_retention(Bucket=locked, Key="k", VersionId=first)["Retention"]
    assert told == {"Mode": "GOVERNANCE", "RetainUntilDate": until}
    with refused(404, "NoSuchObjectLockConfiguration"):
        s3.get_object_retention(Bucket=locked, Key="k", VersionId=second)
    with refused(404, "NoSuchKey"):
        s3.get_object_retention(Bucket=locked, Key="n")
    marker = s3.delete_object(Bucket=locked, Key="k")["VersionId"]
    with refused(405, "MethodNotAllowed"):
        retain(s3, locked, "GOVERNANCE", soon(), VersionId=marker)
    with refused(405, "MethodNotAllowed"):
        s3.put_object_legal_hold(
            Bucket=locked, Key="k", VersionId=marker, LegalHold={"Status": "ON"}
        )


def test_governance_yields_to_who_passes_over_it(s3: Any, locked: str) -> None:
    version = put(s3, locked, **governed(5))
    retain(s3, locked, "GOVERNANCE", soon(6))
    for mode, days in (("GOVERNANCE", 5), ("COMPLIANCE", 6), ("COMPLIANCE", 7)):
        with refused(403, "AccessDenied"):
            retain(s3, locked, mode, soon(days))
    with refused(403, "AccessDenied"):
        s3.put_object_retention(Bucket=locked, Key="k", Retention={})
    with refused(403, "AccessDenied"):
        s3.delete_object(Bucket=locked, Key="k", VersionId=version)
    retain(s3, locked, "GOVERNANCE", soon(2), BypassGovernanceRetention=True)
    s3.put_object_retention(Bucket=locked, Key="k", Retention={}, BypassGovernanceRetention=True)
    with refused(404, "NoSuchObjectLockConfiguration"):
        s3.get_object_retention(Bucket=locked, Key="k")
    s3.delete_object(Bucket=locked, Key="k", VersionId=version)


def test_compliance_only_becomes_longer(s3: Any, locked: str) -> None:
    """It lasts two seconds, so that the bucket can go in the end."""
    end = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1.5)
    version = put(s3, locked, ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=end)
    bypass = {"BypassGovernanceRetention": True}
    end += dt.timedelta(seconds=1)
    retain(s3, locked, "COMPLIANCE", end)
    for more in ({}, bypass):
        with refused(403, "AccessDenied"):
            s3.delete_object(Bucket=locked, Key="k", VersionId=version, **more)
        with refused(403, "AccessDenied"):
            s3.put_object_retention(Bucket=locked, Key="k", Retention={}, **more)
        with refused(403, "AccessDenied"):
            retain(s3, locked, "GOVERNANCE", soon(), **more)
        with refused(403, "AccessDenied"):
            shorter = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=0.2)
            retain(s3, locked, "COMPLIANCE", shorter, **more)
    told = s3.delete_objects(
        Bucket=locked, Delete={"Objects": [{"Key": "k", "VersionId": version}]}, **bypass
    )
    assert [error["Code"] for error in told["Errors"]] == ["AccessDenied"]
    assert s3.get_object(Bucket=locked, Key="k", VersionId=version)["Body"].read() == BODY
    while dt.datetime.now(dt.UTC) < end + dt.timedelta(seconds=0.2):
        pass
    s3.delete_object(Bucket=locked, Key="k", VersionId=version)


def test_a_legal_hold_stays_until_it_is_taken_off(s3: Any, locked: str) -> None:
    version = put(s3, locked, ObjectLockLegalHoldStatus="ON")
    reply = s3.head_object(Bucket=locked, Key="k")
    assert reply["ObjectLockLegalHoldStatus"] == "ON"
    for more in ({}, {"BypassGovernanceRetention": True}):
        with refused(403, "AccessDenied"):
            s3.delete_object(Bucket=locked, Key="k", VersionId=version, **more)
    retain(s3, locked, "GOVERNANCE", soon())
    lift(s3, locked, "k", version)
    assert s3.get_object_legal_hold(Bucket=locked, Key="k")["LegalHold"] == {"Status": "OFF"}
    told = s3.get_object_retention(Bucket=locked, Key="k")["Retention"]
    assert told["Mode"] == "GOVERNANCE"
    with refused(403, "AccessDenied"):
        s3.delete_object(Bucket=locked, Key="k", VersionId=version)


def test_what_is_locked_can_be_hidden_and_replaced(s3: Any, locked: str) -> None:
    version = put(s3, locked, **governed())
    put(s3, locked)
    s3.delete_object(Bucket=locked, Key="k")
    reply = s3.delete_objects(Bucket=locked, Delete={"Objects": [{"Key": "k"}]})
    assert reply["Deleted"][0]["DeleteMarker"]
    assert s3.get_object(Bucket=locked, Key="k", VersionId=version)["Body"].read() == BODY
    with refused(409, "BucketNotEmpty"):
        s3.delete_bucket(Bucket=locked)


def test_the_native_api_shows_it_and_does_not_remove_it(node: Node, s3: Any, locked: str) -> None:
    version = put(s3, locked, ObjectLockLegalHoldStatus="ON")
    reply = node.send("HEAD", f"/v1/objects/{locked}/k?provider=ais")
    assert (reply.status, reply.headers["content-length"]) == (200, str(len(BODY)))
    body = b'{"action": "destroy-bck"}'
    reply = node.send("DELETE", f"/v1/buckets/{locked}?provider=ais", body=body)
    assert (reply.status, b"legal hold" in reply.body) == (403, True)
    assert node.send("DELETE", f"/v1/objects/{locked}/k?provider=ais").status == 200
    assert s3.get_object(Bucket=locked, Key="k", VersionId=version)["Body"].read() == BODY
    body = b'{"action": "set-bprops", "value": {"versioning": {"enabled": false}}}'
    reply = node.send("PATCH", f"/v1/buckets/{locked}?provider=ais", body=body)
    assert reply.status == 409, reply.body
    assert s3.get_bucket_versioning(Bucket=locked)["Status"] == "Enabled"


RETENTIONS = {
    "no mode": "<RetainUntilDate>2100-01-01T00:00:00Z</RetainUntilDate>",
    "no date": "<Mode>GOVERNANCE</Mode>",
    "another mode": "<Mode>X</Mode><RetainUntilDate>2100-01-01T00:00:00Z</RetainUntilDate>",
    "no real date": "<Mode>GOVERNANCE</Mode><RetainUntilDate>tomorrow</RetainUntilDate>",
    "another element": "<Mode>GOVERNANCE</Mode><Until>2100-01-01T00:00:00Z</Until>",
}


def test_retentions_that_are_wrong(node: Node, s3: Any, locked: str) -> None:
    put(s3, locked)
    bodies = [f"<Retention>{inner}</Retention>".encode() for inner in RETENTIONS.values()]
    for body in [*bodies, b"<Retention>"]:
        headers = {"Content-MD5": content_md5(body)}
        target = object_target(locked, "k", "retention")
        expect_error(node.send("PUT", target, headers=headers, body=body), 400, "MalformedXML")
    for body in (b"<LegalHold/>", b"<LegalHold><Status>on</Status></LegalHold>", b"<Hold/>"):
        headers = {"Content-MD5": content_md5(body)}
        target = object_target(locked, "k", "legal-hold")
        expect_error(node.send("PUT", target, headers=headers, body=body), 400, "MalformedXML")
    for until in (soon(-1), soon(40_000)):
        with refused(400, "InvalidArgument"):
            retain(s3, locked, "GOVERNANCE", until)
    with refused(404, "NoSuchObjectLockConfiguration"):
        s3.get_object_retention(Bucket=locked, Key="k")
