"""Who may see, set and pass over a lock, and the conditions of policies on it.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.people import fresh, policy
from tests.wire.locks import default, governed, put, remove, retain, soon
from tests.wire.people import People
from tests.wire.support import content_md5, object_target, refused


@pytest.fixture
def guarded(people: People) -> Iterator[str]:
    """A bucket of Alice's with Object Lock and a version `k` that governance keeps."""
    name = fresh("guarded")
    people.alice.s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    put(people.alice.s3, name, **governed(), ObjectLockLegalHoldStatus="OFF")
    yield name
    people.alice.s3.delete_bucket_policy(Bucket=name)
    remove(people.alice.s3, name)


def objects_of(bucket: str, *actions: str, **more: Any) -> dict[str, Any]:
    return {
        "Action": [f"s3:{action}" for action in actions],
        "Resource": f"arn:aws:s3:::{bucket}/*",
        **more,
    }


def test_the_lock_is_told_to_who_may_read_it(people: People, guarded: str) -> None:
    ann = people.ann.s3
    with people.allowed(people.ann, objects_of(guarded, "GetObject")):
        reply = ann.head_object(Bucket=guarded, Key="k")
        assert not [name for name in reply if name.startswith("ObjectLock")]
        with people.allowed(people.ann, objects_of(guarded, "GetObjectRetention")):
            reply = ann.get_object(Bucket=guarded, Key="k")
            assert reply["ObjectLockMode"] == "GOVERNANCE"
            assert "ObjectLockLegalHoldStatus" not in reply
        with people.allowed(people.ann, objects_of(guarded, "GetObjectLegalHold")):
            reply = ann.head_object(Bucket=guarded, Key="k")
            assert reply["ObjectLockLegalHoldStatus"] == "OFF"
            assert "ObjectLockMode" not in reply


def test_passing_over_governance_needs_a_permission(people: People, guarded: str) -> None:
    ann = people.ann.s3
    version = people.alice.s3.head_object(Bucket=guarded, Key="k")["VersionId"]
    named = {"Key": "k", "VersionId": version}
    bypass = {"BypassGovernanceRetention": True}

    def attempt() -> list[str]:
        """Whatever needs it; the codes of what was refused."""
        codes = []
        for call in (
            lambda: retain(ann, guarded, "GOVERNANCE", soon(0.5), **bypass),
            lambda: ann.delete_object(Bucket=guarded, **named, **bypass),
        ):
            try:
                call()
            except ann.exceptions.ClientError as error:
                codes.append(error.response["Error"]["Code"])
        told = ann.delete_objects(Bucket=guarded, Delete={"Objects": [named]}, **bypass)
        return codes + [error["Code"] for error in told.get("Errors", [])]

    allowed = objects_of(guarded, "DeleteObjectVersion", "PutObjectRetention")
    with people.allowed(people.ann, allowed):
        assert attempt() == ["AccessDenied"] * 3
        ann.put_object_retention(
            Bucket=guarded, Key="k", BypassGovernanceRetention=False,
            Retention={"Mode": "GOVERNANCE", "RetainUntilDate": soon(3)},
        )  # fmt: skip
        with people.allowed(people.ann, objects_of(guarded, "BypassGovernanceRetention")):
            assert attempt() == []
    assert "Versions" not in people.alice.s3.list_object_versions(Bucket=guarded)


def test_a_bucket_is_made_with_it_by_who_may(people: People) -> None:
    create = {"Action": ["s3:CreateBucket"], "Resource": "*"}
    with people.allowed(people.ann, create), refused(403, "AccessDenied"):
        people.ann.s3.create_bucket(Bucket=fresh("lock"), ObjectLockEnabledForBucket=True)


CONDITIONS: dict[str, tuple[dict[str, Any], Any, Any]] = {
    "mode": (
        {"StringEquals": {"s3:object-lock-mode": "GOVERNANCE"}},
        ("GOVERNANCE", 5),
        ("COMPLIANCE", 5),
    ),
    "days": (
        {"NumericLessThanEquals": {"s3:object-lock-remaining-retention-days": "10"}},
        ("GOVERNANCE", 10),
        ("GOVERNANCE", 12),
    ),
    "date": (
        {"DateLessThan": {"s3:object-lock-retain-until-date": soon(10).isoformat()}},
        ("GOVERNANCE", 9),
        ("GOVERNANCE", 11),
    ),
}


@pytest.mark.parametrize("case", CONDITIONS)
def test_conditions_on_what_a_lock_is_to_be(people: People, guarded: str, case: str) -> None:
    condition, good, bad = CONDITIONS[case]
    ann = people.ann.s3
    writes = objects_of(guarded, "PutObject", "PutObjectRetention", Condition=condition)
    with people.allowed(people.ann, writes):
        with refused(403, "AccessDenied"):
            retain(ann, guarded, bad[0], soon(bad[1]))
        retain(ann, guarded, good[0], soon(good[1]))
        for (mode, days), fails in ((bad, True), (good, False)):
            lock = {"ObjectLockMode": mode, "ObjectLockRetainUntilDate": soon(days)}
            if fails:
                with refused(403, "AccessDenied"):
                    put(ann, guarded, "n", **lock)
            else:
                put(ann, guarded, "n", **lock)


def test_what_a_body_says_is_not_said_by_headers(people: People, guarded: str) -> None:
    """A condition on the hold that is put goes by the document, whatever headers say."""
    condition = {"StringEquals": {"s3:object-lock-legal-hold": "ON"}}
    allowed = objects_of(guarded, "PutObjectLegalHold", Condition=condition)
    target = object_target(guarded, "k", "legal-hold")
    with people.allowed(people.ann, allowed):
        for status, expected in (("ON", 200), ("OFF", 403)):
            body = f"<LegalHold><Status>{status}</Status></LegalHold>".encode()
            headers = {"x-amz-object-lock-legal-hold": "ON", "Content-MD5": content_md5(body)}
            reply = people.node.send(
                "PUT", target, headers=headers, body=body, **people.ann.signing
            )
            assert reply.status == expected, reply.body
        body = b"<Broken"
        headers = {"x-amz-object-lock-legal-hold": "ON", "Content-MD5": content_md5(body)}
        reply = people.node.send("PUT", target, headers=headers, body=body, **people.ann.signing)
        assert reply.status == 403, reply.body


def test_the_period_of_a_default_is_a_condition(people: People, guarded: str) -> None:
    days = {"NumericLessThanEquals": {"s3:object-lock-remaining-retention-days": "30"}}
    text = policy({
        "Effect": "Allow",
        "Principal": {"AWS": people.bob.arn or people.bob.canonical},
        "Action": "s3:PutBucketObjectLockConfiguration",
        "Resource": f"arn:aws:s3:::{guarded}",
        "Condition": days,
    })  # fmt: skip
    people.alice.s3.put_bucket_policy(Bucket=guarded, Policy=text)
    for given, good in (
        (default(Days=30), True), (default(Days=31), False), (default(Years=1), False),
    ):  # fmt: skip
        if good:
            people.bob.s3.put_object_lock_configuration(
                Bucket=guarded, ObjectLockConfiguration=given
            )
        else:
            with refused(403, "AccessDenied"):
                people.bob.s3.put_object_lock_configuration(
                    Bucket=guarded, ObjectLockConfiguration=given
                )


def test_locks_in_a_bucket_are_its_owners_to_set_whoever_wrote_the_object(
    people: People, guarded: str
) -> None:
    """Who may only write could otherwise keep the owner of a bucket from ever emptying it."""
    alice, bob = people.alice.s3, people.bob.s3
    whom = {"AWS": people.bob.arn}
    writing = objects_of(guarded, "PutObject", Principal=whom)
    alice.put_bucket_policy(Bucket=guarded, Policy=policy(writing))
    for _ in ("its first object", "and any other"):
        for lock in (governed(), {"ObjectLockLegalHoldStatus": "ON"}):
            with refused(403, "AccessDenied"):
                put(bob, guarded, "bobs", **lock)
        put(bob, guarded, "bobs")
        people.settle()
    kept = {"Mode": "GOVERNANCE", "RetainUntilDate": soon()}
    with refused(403, "AccessDenied"):
        bob.put_object_retention(Bucket=guarded, Key="bobs", Retention=kept)
    hold = {"Bucket": guarded, "Key": "bobs"}
    alice.put_object_legal_hold(**hold, LegalHold={"Status": "ON"})
    assert alice.get_object_legal_hold(**hold)["LegalHold"] == {"Status": "ON"}
    alice.put_object_legal_hold(**hold, LegalHold={"Status": "OFF"})
    locking = objects_of(guarded, "PutObject", "PutObjectRetention", Principal=whom)
    alice.put_bucket_policy(Bucket=guarded, Policy=policy(locking))
    put(bob, guarded, "bobs", **governed())
