"""Conditions on tags: those that an object has, those that a request sets, those of a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.people import fresh, policy
from tests.wire.people import People
from tests.wire.support import content_md5, object_target, outcome, refused


def tag_set(**tags: str) -> dict[str, Any]:
    return {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}


def statement(bucket: str, *actions: str, **more: Any) -> dict[str, Any]:
    return {
        "Action": [f"s3:{action}" for action in actions],
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        **more,
    }


def equals(key: str, value: str) -> dict[str, Any]:
    return {"StringEquals": {key: value}}


@pytest.fixture
def shelf(people: People) -> Iterator[str]:
    """A versioned bucket of Alice's: `k` is open and was secret before, `plain` has no tags."""
    name, s3 = fresh("tagged"), people.alice.s3
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=name, Key="k", Body=b"secret", Tagging="class=secret")
    s3.put_object(Bucket=name, Key="k", Body=b"open", Tagging="Class=open")
    s3.put_object(Bucket=name, Key="plain", Body=b"x")
    yield name
    s3.delete_bucket_policy(Bucket=name)
    for version in s3.list_object_versions(Bucket=name)["Versions"]:
        s3.delete_object(Bucket=name, Key=version["Key"], VersionId=version["VersionId"])
    s3.delete_bucket(Bucket=name)


def secret_of(people: People, shelf: str) -> str:
    versions = people.alice.s3.list_object_versions(Bucket=shelf, Prefix="k")["Versions"]
    return next(str(row["VersionId"]) for row in versions if not row["IsLatest"])


def test_an_allowance_for_objects_with_a_tag(people: People, shelf: str) -> None:
    ann, secret = people.ann.s3, secret_of(people, shelf)
    allowed = statement(
        shelf, "GetObject", "GetObjectVersion", "GetObjectTagging", "GetObjectVersionTagging",
        Condition=equals("s3:ExistingObjectTag/class", "open"),
    )  # fmt: skip
    with people.allowed(people.ann, allowed):
        assert ann.get_object(Bucket=shelf, Key="k")["Body"].read() == b"open"
        assert ann.head_object(Bucket=shelf, Key="k")["TagCount"] == 1
        assert ann.get_object_tagging(Bucket=shelf, Key="k")["TagSet"]
        for more in ({"Key": "k", "VersionId": secret}, {"Key": "plain"}, {"Key": "none"}):
            with refused(403, "AccessDenied"):
                ann.get_object(Bucket=shelf, **more)
            with refused(403, "AccessDenied"):
                ann.get_object_tagging(Bucket=shelf, **more)


def test_a_tag_that_is_changed_counts_at_once(people: People, shelf: str) -> None:
    allowed = statement(shelf, "GetObject", Condition=equals("s3:ExistingObjectTag/class", "open"))
    with people.allowed(people.ann, allowed):
        people.alice.s3.put_object_tagging(Bucket=shelf, Key="k", Tagging=tag_set(Class="shut"))
        with refused(403, "AccessDenied"):
            people.ann.s3.get_object(Bucket=shelf, Key="k")
        people.alice.s3.put_object_tagging(Bucket=shelf, Key="plain", Tagging=tag_set(CLASS="open"))
        assert people.ann.s3.get_object(Bucket=shelf, Key="plain")["Body"].read() == b"x"


def test_a_denial_of_objects_with_a_tag(people: People, shelf: str) -> None:
    """Neither the version that is read nor that of a copy's source is hidden by another name."""
    alice, secret = people.alice.s3, secret_of(people, shelf)
    denied = statement(
        shelf, "GetObject", "GetObjectVersion", Effect="Deny", Principal="*",
        Condition=equals("s3:ExistingObjectTag/class", "secret"),
    )  # fmt: skip
    alice.put_bucket_policy(Bucket=shelf, Policy=policy(denied))
    assert alice.get_object(Bucket=shelf, Key="k")["Body"].read() == b"open"
    assert alice.get_object(Bucket=shelf, Key="plain")["Body"].read() == b"x"
    with refused(403, "AccessDenied"):
        alice.get_object(Bucket=shelf, Key="k", VersionId=secret)
    open_one = alice.head_object(Bucket=shelf, Key="k")["VersionId"]
    upload = alice.create_multipart_upload(Bucket=shelf, Key="c")["UploadId"]
    part = f"partNumber=1&uploadId={upload}"
    for source in ("", f"?versionId={secret}"):
        alice.put_object_tagging(Bucket=shelf, Key="k", Tagging=tag_set(Class="secret"))
        headers = {"x-amz-copy-source": f"/{shelf}/k{source}"}
        reply = people.node.send(
            "PUT", object_target(shelf, "c"), headers=headers, **people.alice.signing
        )
        assert (reply.status, reply.code) == (403, "AccessDenied")
        # A version among the parameters is not that of the source.
        target = object_target(shelf, "c", f"{part}&versionId={open_one}")
        reply = people.node.send("PUT", target, headers=headers, **people.alice.signing)
        assert (reply.status, reply.code) == (403, "AccessDenied")
        target = object_target(shelf, "c", f"versionId={open_one}")
        reply = people.node.send("PUT", target, headers=headers, **people.alice.signing)
        assert (reply.status, reply.code) == (400, "InvalidArgument")
    # Nor is the source that a read pretends to be for.
    headers = {"x-amz-copy-source": f"/{shelf}/plain"}
    target = object_target(shelf, "k", f"versionId={secret}")
    reply = people.node.send("GET", target, headers=headers, **people.alice.signing)
    assert (reply.status, reply.code) == (403, "AccessDenied")


def test_a_tag_that_only_writes_have_says_nothing_of_them(people: People, shelf: str) -> None:
    """PutObject has no condition on the tags that are there: an allowance by one is void."""
    with refused(400, "MalformedPolicy"):
        people.alice.s3.put_bucket_policy(
            Bucket=shelf,
            Policy=policy(
                statement(
                    shelf, "PutObject", Effect="Allow", Principal="*",
                    Condition=equals("s3:ExistingObjectTag/class", "open"),
                )
            ),
        )  # fmt: skip
    allowed = statement(shelf, "*", Condition=equals("s3:ExistingObjectTag/class", "open"))
    with people.allowed(people.ann, allowed), refused(403, "AccessDenied"):
        people.ann.s3.put_object(Bucket=shelf, Key="k", Body=b"n")


def test_tags_that_a_request_sets(people: People, shelf: str) -> None:
    ann = people.ann.s3
    allowed = statement(
        shelf, "PutObject", "PutObjectTagging",
        Condition={
            "StringEquals": {"s3:RequestObjectTag/team": "blue"},
            "ForAllValues:StringEquals": {"s3:RequestObjectTagKeys": ["team", "größe"]},
        },
    )  # fmt: skip
    with people.allowed(people.ann, allowed):
        for tags, good in (
            ({"team": "blue"}, True),
            ({"team": "blue", "größe": "1"}, True),
            ({"team": "red"}, False),
            ({"team": "blue", "other": "x"}, False),
            ({}, False),
        ):
            set_tags = partial(ann.put_object_tagging, Bucket=shelf, Key="k")
            write = partial(ann.put_object, Bucket=shelf, Key="n", Body=b"x")
            expected = "" if good else "AccessDenied"
            assert outcome(partial(set_tags, Tagging=tag_set(**tags))) == expected
            assert outcome(partial(write, Tagging=urlencode(tags))) == expected
        # What is read for a condition is still held to what was said of it.
        body = b"<Tagging><TagSet><Tag><Key>team</Key><Value>blue</Value></Tag></TagSet></Tagging>"
        headers = {"Content-MD5": content_md5(b"other")}
        target = object_target(shelf, "k", "tagging")
        reply = people.node.send("PUT", target, headers=headers, body=body, **people.ann.signing)
        assert (reply.status, reply.code) == (403, "AccessDenied")


def test_parts_of_an_upload_have_the_tags_that_it_was_begun_with(
    people: People, shelf: str
) -> None:
    ann = people.ann.s3
    condition = equals("s3:RequestObjectTag/team", "blue")
    allowed = statement(shelf, "PutObject", "PutObjectTagging", Condition=condition)
    with people.allowed(people.ann, allowed):
        with refused(403, "AccessDenied"):
            ann.create_multipart_upload(Bucket=shelf, Key="u", Tagging="team=red")
        upload = {"Bucket": shelf, "Key": "u"}
        upload["UploadId"] = ann.create_multipart_upload(
            Bucket=shelf, Key="u", Tagging="team=blue"
        )["UploadId"]
        etag = ann.upload_part(**upload, PartNumber=1, Body=b"x")["ETag"]
        parts = [{"PartNumber": 1, "ETag": etag}]
        ann.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert people.alice.s3.get_object_tagging(Bucket=shelf, Key="u")["TagSet"]


def test_tags_of_a_bucket_count_where_that_is_enabled(people: People, shelf: str) -> None:
    alice, ann = people.alice.s3, people.ann.s3
    alice.put_bucket_tagging(Bucket=shelf, Tagging=tag_set(Project="Sun"))
    for key in ("aws:ResourceTag/project", "s3:BucketTag/Project"):
        allowed = statement(shelf, "GetObject", "ListBucket", Condition=equals(key, "Sun"))
        with people.allowed(people.ann, allowed):
            with refused(403, "AccessDenied"):
                ann.get_object(Bucket=shelf, Key="k")
            alice.put_bucket_abac(Bucket=shelf, AbacStatus={"Status": "Enabled"})
            people.settle()
            assert ann.get_object(Bucket=shelf, Key="k")["Body"].read() == b"open"
            assert ann.list_objects_v2(Bucket=shelf)["KeyCount"] == 2
            alice.put_bucket_tagging(Bucket=shelf, Tagging=tag_set(Project="Moon"))
            people.settle()
            with refused(403, "AccessDenied"):
                ann.get_object(Bucket=shelf, Key="k")
            alice.put_bucket_tagging(Bucket=shelf, Tagging=tag_set(Project="Sun"))
            alice.put_bucket_abac(Bucket=shelf, AbacStatus={"Status": "Disabled"})
            people.settle()


def test_tags_that_a_bucket_is_to_have(people: People, shelf: str) -> None:
    ann = people.ann.s3
    condition = {"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}} | equals(
        "aws:RequestTag/team", "blue"
    )
    allowed = {
        "Action": ["s3:PutBucketTagging", "s3:TagResource", "s3:CreateBucket"],
        "Resource": "*",
        "Condition": condition,
    }
    name = fresh("tagged")
    with people.allowed(people.ann, allowed):
        with refused(403, "AccessDenied"):
            ann.put_bucket_tagging(Bucket=shelf, Tagging=tag_set(team="red"))
        ann.put_bucket_tagging(Bucket=shelf, Tagging=tag_set(team="blue"))
        for tags, good in (({}, False), ({"team": "red"}, False), ({"team": "blue"}, True)):
            given = {"Tags": tag_set(**tags)["TagSet"]}
            if good:
                ann.create_bucket(Bucket=name, CreateBucketConfiguration=given)
            else:
                with refused(403, "AccessDenied"):
                    ann.create_bucket(Bucket=name, CreateBucketConfiguration=given)
    people.alice.s3.delete_bucket(Bucket=name)
