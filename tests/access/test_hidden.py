"""What nobody hears who may not: whether a key is there, what it is, whether conditions hold."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from aisle.namespace.versions import ids
from tests.people import policy
from tests.wire.people import People, remove
from tests.wire.support import bucket_target, content_md5, object_target, outcome, read, refused

CONDITIONS = (
    {"If-None-Match": "*"},
    {"If-Match": '"no such etag"'},
    {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"},
    {"If-Unmodified-Since": "Thu, 01 Jan 1970 00:00:01 GMT"},
    {"Range": "bytes=1000000-"},
)


@pytest.fixture
def filled(people: People, alices: str) -> str:
    """A bucket of Alice's with the object `k`."""
    people.alice.s3.put_object(Bucket=alices, Key="k", Body=b"secret")
    return alices


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("name", ["ann", "bob", "nobody"])
def test_conditions_are_looked_at_after_the_permission(
    people: People, filled: str, name: str, method: str
) -> None:
    """CVE-2024-36107: a conditional read told who may not read that the object had changed."""
    etag = people.alice.s3.head_object(Bucket=filled, Key="k")["ETag"]
    told = set()
    for key in ("k", "missing"):
        for headers in ({}, *CONDITIONS, {"If-None-Match": etag}):
            target = object_target(filled, key)
            who = people.by_name(name).signing
            reply = people.node.send(method, target, headers=headers, **who)
            told.add((reply.status, reply.code))
            assert "etag" not in reply.headers
            assert "last-modified" not in reply.headers
            assert "content-range" not in reply.headers
    assert told == {(403, "" if method == "HEAD" else "AccessDenied")}


READS: dict[str, Any] = {
    "GetObject": lambda s3, bucket, key: s3.get_object(Bucket=bucket, Key=key),
    "HeadObject": lambda s3, bucket, key: s3.head_object(Bucket=bucket, Key=key),
    "GetObjectAttributes": lambda s3, bucket, key: s3.get_object_attributes(
        Bucket=bucket, Key=key, ObjectAttributes=["ETag"]
    ),
    "GetObjectAcl": lambda s3, bucket, key: s3.get_object_acl(Bucket=bucket, Key=key),
    "PutObjectAcl": lambda s3, bucket, key: s3.put_object_acl(
        Bucket=bucket, Key=key, ACL="private"
    ),
    "CopyObject": lambda s3, bucket, key: s3.copy_object(
        Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": key}
    ),
    "PutObject with If-Match": lambda s3, bucket, key: s3.put_object(
        Bucket=bucket, Key=key, Body=b"new", IfMatch='"00000000000000000000000000000000"'
    ),
    "DeleteObject with If-Match": lambda s3, bucket, key: s3.delete_object(
        Bucket=bucket, Key=key, IfMatch='"00000000000000000000000000000000"'
    ),
}


@pytest.mark.parametrize("operation", READS)
def test_a_missing_key_is_only_told_to_who_may_list(
    people: People, filled: str, operation: str
) -> None:
    ann = people.ann.s3
    keys = {"Action": "s3:*Object*", "Resource": f"arn:aws:s3:::{filled}/*"}
    names = {"Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{filled}"}
    with people.allowed(people.ann, keys):
        code = outcome(lambda: READS[operation](ann, filled, "missing"))
        assert code in ("AccessDenied", "403"), code
        with people.allowed(people.ann, names):
            code = outcome(lambda: READS[operation](ann, filled, "missing"))
            assert code in ("NoSuchKey", "404"), code
    assert outcome(lambda: READS[operation](people.alice.s3, filled, "missing")) in (
        "NoSuchKey",
        "404",
    )


def test_a_missing_version_is_only_told_to_who_may_list(people: People, filled: str) -> None:
    def ask(s3: Any) -> str:
        return outcome(lambda: s3.get_object(Bucket=filled, Key="k", VersionId=ids.mint(9)))

    keys = {"Action": "s3:GetObject*", "Resource": f"arn:aws:s3:::{filled}/*"}
    with people.allowed(people.ann, keys):
        assert ask(people.ann.s3) == "AccessDenied"
    assert ask(people.alice.s3) == "NoSuchVersion"


def test_a_missing_key_in_a_public_bucket(people: People, filled: str) -> None:
    """Who may list knows anyway; who may only read does not."""
    nobody, alice = people.nobody.s3, people.alice.s3
    reading = {
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{filled}/*",
    }
    listing = {"Principal": "*", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{filled}"}
    alice.put_bucket_policy(Bucket=filled, Policy=policy(reading))
    assert read(nobody, filled, "k") == b"secret"
    with refused(403, "AccessDenied"):
        nobody.get_object(Bucket=filled, Key="missing")
    with refused(403, "403"):
        nobody.head_object(Bucket=filled, Key="missing")
    alice.put_bucket_policy(Bucket=filled, Policy=policy(reading, listing))
    with refused(404, "NoSuchKey"):
        nobody.get_object(Bucket=filled, Key="missing")
    with refused(404, "404"):
        nobody.head_object(Bucket=filled, Key="missing")


@pytest.mark.parametrize("acl", ["public-read", "public-read-write"])
def test_a_missing_key_is_told_to_whom_an_acl_lets_list(
    people: People, filled: str, acl: str
) -> None:
    """Without the object there is no ACL of it, and nothing to hide from who sees the names."""
    people.alice.s3.put_bucket_acl(Bucket=filled, ACL=acl)
    for who in (people.nobody, people.bob):
        with refused(404, "NoSuchKey"):
            who.s3.get_object(Bucket=filled, Key="missing")
        with refused(404, "404"):
            who.s3.head_object(Bucket=filled, Key="missing")
        with refused(403, "AccessDenied"):
            who.s3.get_object(Bucket=filled, Key="k")


def test_a_missing_key_among_objects_of_others_is_told_to_the_buckets_owner(
    people: People, filled: str
) -> None:
    """Once another account has written there, each object says for itself who may read it."""
    alice, bob = people.alice, people.bob
    alice.s3.put_bucket_acl(Bucket=filled, GrantWrite=f"id={bob.canonical}")
    bob.s3.put_object(Bucket=filled, Key="bobs", Body=b"his")
    with refused(403, "AccessDenied"):
        alice.s3.get_object(Bucket=filled, Key="bobs")
    for operation in ("GetObject", "HeadObject", "GetObjectAcl", "PutObjectAcl"):
        ask = READS[operation]
        assert outcome(partial(ask, alice.s3, filled, "missing")) in ("NoSuchKey", "404")
        assert outcome(partial(ask, bob.s3, filled, "missing")) in ("AccessDenied", "403")
    target = f"/v1/objects/{filled}/missing"
    assert people.node.send("HEAD", target, **alice.signing).status == 404
    assert people.node.send("HEAD", target, **bob.signing).status == 403


def test_a_missing_bucket_is_told_to_everybody(people: People) -> None:
    for name in ("root", "alice", "ann", "nobody"):
        with refused(404, "NoSuchBucket"):
            people.by_name(name).s3.list_objects_v2(Bucket="there-is-no-such-bucket")


def test_the_sub_resources_of_a_bucket_say_nothing_either(people: People, filled: str) -> None:
    """The answer does not depend on whether there is a policy, an ACL or a block."""
    block = {"BlockPublicAcls": True}
    bob = people.bob.s3
    calls = [
        lambda: bob.get_bucket_policy(Bucket=filled),
        lambda: bob.get_public_access_block(Bucket=filled),
        lambda: bob.get_bucket_ownership_controls(Bucket=filled),
        lambda: bob.get_bucket_location(Bucket=filled),
    ]
    assert {outcome(call) for call in calls} == {"AccessDenied"}
    people.alice.s3.put_public_access_block(Bucket=filled, PublicAccessBlockConfiguration=block)
    assert {outcome(call) for call in calls} == {"AccessDenied"}


# --- DeleteObjects --------------------------------------------------------------------------


def test_of_many_keys_only_those_are_deleted_that_may_be(people: People, alices: str) -> None:
    for key in ("a/1", "a/2", "b/1"):
        people.alice.s3.put_object(Bucket=alices, Key=key, Body=b"x")
    keys = {"Action": "s3:DeleteObject", "Resource": f"arn:aws:s3:::{alices}/a/*"}
    with people.allowed(people.ann, keys):
        reply = people.ann.s3.delete_objects(
            Bucket=alices,
            Delete={"Objects": [{"Key": key} for key in ("a/1", "b/1", "a/none", "b/none")]},
        )
    assert [entry["Key"] for entry in reply["Deleted"]] == ["a/1", "a/none"]
    assert [(entry["Key"], entry["Code"]) for entry in reply["Errors"]] == [
        ("b/1", "AccessDenied"),
        ("b/none", "AccessDenied"),
    ]
    left = people.alice.s3.list_objects_v2(Bucket=alices)["Contents"]
    assert [entry["Key"] for entry in left] == ["a/2", "b/1"]


def test_deleting_a_version_among_many_takes_an_action_of_its_own(
    people: People, filled: str
) -> None:
    keys = {"Action": "s3:DeleteObject", "Resource": f"arn:aws:s3:::{filled}/*"}
    versions = {"Action": "s3:DeleteObjectVersion", "Resource": f"arn:aws:s3:::{filled}/*"}
    delete = {"Objects": [{"Key": "k", "VersionId": "null"}]}
    with people.allowed(people.ann, keys):
        reply = people.ann.s3.delete_objects(Bucket=filled, Delete=delete)
        assert [entry["Code"] for entry in reply["Errors"]] == ["AccessDenied"]
        with people.allowed(people.ann, versions):
            reply = people.ann.s3.delete_objects(Bucket=filled, Delete=delete)
            assert [entry["Key"] for entry in reply["Deleted"]] == ["k"]


def test_a_condition_of_a_delete_among_many_takes_the_right_to_read(
    people: People, filled: str
) -> None:
    """Otherwise it would tell an object's ETag to who only may delete it."""
    entry = "<Object><Key>{}</Key><ETag>{}</ETag></Object>"
    entries = [entry.format(key, "0" * 32) for key in ("k", "missing")]
    body = f"<Delete>{''.join(entries)}</Delete>".encode()

    def ask() -> list[str | None]:
        reply = people.node.send(
            "POST",
            bucket_target(filled, "delete"),
            headers={"Content-MD5": content_md5(body)},
            body=body,
            **people.ann.signing,
        )
        return [error.findtext("Code") for error in reply.xml.iter("Error")]

    keys = {"Action": "s3:DeleteObject", "Resource": f"arn:aws:s3:::{filled}/*"}
    reading = {"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{filled}/*"}
    with people.allowed(people.ann, keys):
        assert ask() == ["AccessDenied", "AccessDenied"]
        with people.allowed(people.ann, reading):
            assert ask() == ["PreconditionFailed", "AccessDenied"]


# --- sources of copies ----------------------------------------------------------------------


@pytest.fixture
def bobs(people: People) -> Iterator[str]:
    """A bucket of Bob's."""
    name = "the-bucket-of-bob"
    people.bob.s3.create_bucket(Bucket=name)
    yield name
    remove(people, name)


def test_the_source_of_a_copy_must_be_readable(people: People, filled: str, bobs: str) -> None:
    source = {"Bucket": filled, "Key": "k"}
    bob = people.bob.s3

    def copy(key: str = "k", **more: Any) -> str:
        named = source | {"Key": key}
        return outcome(lambda: bob.copy_object(Bucket=bobs, Key="c", CopySource=named, **more))

    assert copy() == "AccessDenied"
    assert copy("missing") == "AccessDenied"
    assert copy(CopySourceIfNoneMatch="*") == "AccessDenied"
    upload = bob.create_multipart_upload(Bucket=bobs, Key="u")["UploadId"]

    def copy_part() -> str:
        return outcome(
            lambda: bob.upload_part_copy(
                Bucket=bobs, Key="u", UploadId=upload, PartNumber=1, CopySource=source
            )
        )

    assert copy_part() == "AccessDenied"
    assert "Contents" not in bob.list_objects_v2(Bucket=bobs)
    allowed = {
        "Principal": {"AWS": people.bob.account},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{filled}/*",
    }
    people.alice.s3.put_bucket_policy(Bucket=filled, Policy=policy(allowed))
    assert (copy(), copy_part(), copy("missing")) == ("", "", "AccessDenied")
    assert read(bob, bobs, "c") == b"secret"
    assert copy(ExpectedSourceBucketOwner=people.alice.account) == ""
    assert copy(ExpectedSourceBucketOwner=people.bob.account) == "AccessDenied"


def test_who_may_read_the_source_may_not_write_the_target(
    people: People, filled: str, bobs: str
) -> None:
    source = {"Bucket": filled, "Key": "k"}
    with refused(403, "AccessDenied"):
        people.alice.s3.copy_object(Bucket=bobs, Key="c", CopySource=source)
