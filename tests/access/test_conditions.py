"""Condition keys as requests fill them: each statement allows one request and not another."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import pytest

from tests.harness import presign
from tests.people import policy
from tests.wire.people import People
from tests.wire.support import object_target, outcome, refused

Call = Callable[[Any, str], Any]
WRITE = {"Action": ["s3:PutObject", "s3:PutObjectAcl"]}
READ = {"Action": ["s3:GetObject", "s3:GetObjectVersion"]}
LIST = {"Action": ["s3:ListBucket", "s3:ListBucketMultipartUploads"]}


def put(**parameters: Any) -> Call:
    return lambda s3, bucket: s3.put_object(Bucket=bucket, Key="n", Body=b"x", **parameters)


def get(**parameters: Any) -> Call:
    return lambda s3, bucket: s3.get_object(Bucket=bucket, Key="k", **parameters)


def names(**parameters: Any) -> Call:
    return lambda s3, bucket: s3.list_objects_v2(Bucket=bucket, **parameters)


def copy(**parameters: Any) -> Call:
    source = "k"
    return lambda s3, bucket: s3.copy_object(
        Bucket=bucket,
        Key="c",
        CopySource={"Bucket": bucket, "Key": parameters.pop("source", source)},
        **parameters,
    )


class Case(NamedTuple):
    """A condition on some actions, a call that meets it and one that does not."""

    name: str
    statement: dict[str, Any]
    condition: dict[str, dict[str, Any]]
    meets: Call
    misses: Call


COPYING = {"Action": ["s3:PutObject", "s3:GetObject"]}
CASES = (
    Case("prefix", LIST, {"StringEquals": {"s3:prefix": "a/"}}, names(Prefix="a/"), names()),
    Case(
        "prefix, of another listing",
        LIST,
        {"StringLike": {"s3:prefix": ["a/*"]}},
        lambda s3, bucket: s3.list_multipart_uploads(Bucket=bucket, Prefix="a/b"),
        lambda s3, bucket: s3.list_multipart_uploads(Bucket=bucket, Prefix="b"),
    ),
    Case(
        "delimiter",
        LIST,
        {"StringEquals": {"s3:delimiter": "/"}},
        names(Delimiter="/"),
        names(Delimiter="-"),
    ),
    Case(
        "max-keys",
        LIST,
        {"NumericLessThanEquals": {"s3:max-keys": "10"}},
        names(MaxKeys=10),
        names(MaxKeys=11),
    ),
    Case(
        "x-amz-acl",
        WRITE,
        {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}},
        put(ACL="bucket-owner-full-control"),
        put(ACL="private"),
    ),
    Case(
        "x-amz-storage-class",
        WRITE,
        {"StringEquals": {"s3:x-amz-storage-class": "STANDARD_IA"}},
        put(StorageClass="STANDARD_IA"),
        put(),
    ),
    Case(
        "if-none-match",
        WRITE,
        {"Null": {"s3:if-none-match": "false"}},
        put(IfNoneMatch="*"),
        put(),
    ),
    Case(
        "ObjectCreationOperation",
        WRITE,
        {"Bool": {"s3:ObjectCreationOperation": "false"}},
        lambda s3, bucket: s3.create_multipart_upload(Bucket=bucket, Key="n"),
        put(),
    ),
    Case(
        "x-amz-metadata-directive",
        COPYING,
        {"StringEquals": {"s3:x-amz-metadata-directive": "REPLACE"}},
        copy(MetadataDirective="REPLACE"),
        copy(),
    ),
    Case(
        "x-amz-copy-source",
        COPYING,
        {"StringLike": {"s3:x-amz-copy-source": "*/k"}},
        copy(),
        copy(source="other"),
    ),
    Case(
        "VersionId",
        READ,
        {"StringEquals": {"s3:VersionId": "null"}},
        get(VersionId="null"),
        get(VersionId="other"),
    ),
    Case("SecureTransport", READ, {"Bool": {"aws:SecureTransport": "false"}}, get(), put()),
    Case("signatureversion", READ, {"StringEquals": {"s3:signatureversion": "AWS4-HMAC-SHA256"}},
         get(), put()),
    Case("authType", READ, {"StringEquals": {"s3:authType": "REST-HEADER"}}, get(), put()),
    Case("signatureAge", READ, {"NumericLessThan": {"s3:signatureAge": "600000"}}, get(), put()),
    Case(
        "UserAgent",
        READ,
        {"StringLike": {"aws:UserAgent": "*Botocore*"}},
        get(),
        put(),
    ),
    Case(
        "CurrentTime",
        READ,
        {"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}},
        get(),
        put(),
    ),
    Case("EpochTime", READ, {"NumericGreaterThan": {"aws:EpochTime": "1577836800"}}, get(), put()),
    Case("username", READ, {"StringEquals": {"aws:username": "ann"}}, get(), put()),
)  # fmt: skip


@pytest.fixture
def filled(people: People, alices: str) -> str:
    for key in ("k", "other"):
        people.alice.s3.put_object(Bucket=alices, Key=key, Body=b"x")
    return alices


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_condition_allows_only_what_meets_it(people: People, filled: str, case: Case) -> None:
    allowed = {**case.statement, "Resource": "*", "Condition": case.condition}
    with people.allowed(people.ann, allowed):
        assert outcome(lambda: case.misses(people.ann.s3, filled)) == "AccessDenied"
        assert outcome(lambda: case.meets(people.ann.s3, filled)) == ""


def test_what_an_upload_is_to_become_is_asked_of_its_parts_as_it_was_begun(
    people: People, alices: str
) -> None:
    """A part has no header that says so, and would never meet such a rule."""
    bob, objects = people.bob, f"arn:aws:s3:::{alices}/*"
    principal, action = {"AWS": bob.arn}, "s3:PutObject"
    handed_over = {"StringNotEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}}
    rules = policy(
        {"Principal": principal, "Action": action, "Resource": objects},
        {
            "Effect": "Deny",
            "Principal": principal,
            "Action": action,
            "Resource": objects,
            "Condition": handed_over,
        },
    )
    people.alice.s3.put_bucket_policy(Bucket=alices, Policy=rules)
    with refused(403, "AccessDenied"):
        bob.s3.create_multipart_upload(Bucket=alices, Key="k")
    acl = "bucket-owner-full-control"
    upload = bob.s3.create_multipart_upload(Bucket=alices, Key="k", ACL=acl)["UploadId"]
    names = {"Bucket": alices, "Key": "k", "UploadId": upload}
    etag = bob.s3.upload_part(**names, PartNumber=1, Body=b"x")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    bob.s3.complete_multipart_upload(**names, MultipartUpload=parts)
    assert people.alice.s3.get_object(Bucket=alices, Key="k")["Body"].read() == b"x"
    hers = people.alice.s3.create_multipart_upload(Bucket=alices, Key="k")["UploadId"]
    with refused(403, "AccessDenied"):
        bob.s3.upload_part(Bucket=alices, Key="k", UploadId=hers, PartNumber=1, Body=b"x")
    with refused(403, "AccessDenied"):
        bob.s3.upload_part(Bucket=alices, Key="k", UploadId="none", PartNumber=1, Body=b"x")


@pytest.mark.parametrize(
    "written",
    ["{}/secret/k", "/{}/secret/k", "{}/%73ecret/k", "{}%2Fsecret%2Fk", "%2F{}%2Fsecret%2Fk"],
)
def test_a_denied_source_of_copies_is_denied_however_it_is_written(
    people: People, alices: str, written: str
) -> None:
    alice = people.alice
    alice.s3.put_object(Bucket=alices, Key="secret/k", Body=b"x")
    denied = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{alices}/*",
        "Condition": {"StringLike": {"s3:x-amz-copy-source": f"{alices}/secret/*"}},
    }
    headers = {"x-amz-copy-source": written.format(alices)}

    def copied() -> int:
        target = object_target(alices, "copy")
        return people.node.send("PUT", target, headers=headers, **alice.signing).status

    assert copied() == 200
    alice.s3.put_bucket_policy(Bucket=alices, Policy=policy(denied))
    assert copied() == 403


@pytest.mark.parametrize(
    ("condition", "met"),
    [
        ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, True),
        ({"IpAddress": {"aws:SourceIp": ["::1/128", "127.0.0.1"]}}, True),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, False),
        ({"NotIpAddress": {"aws:SourceIp": "127.0.0.1/32"}}, False),
        ({"StringLike": {"aws:Referer": "https://example.org/*"}}, True),
        ({"StringLike": {"aws:Referer": "https://example.com/*"}}, False),
        ({"Null": {"s3:authType": "true"}}, True),
        ({"Null": {"aws:username": "true"}}, True),
        ({"StringEquals": {"aws:PrincipalType": "Anonymous"}}, True),
        ({"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, False),
    ],
)
def test_a_condition_on_strangers(
    people: People, filled: str, condition: dict[str, Any], met: bool
) -> None:
    statement = {
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{filled}/*",
        "Condition": condition,
    }
    people.alice.s3.put_bucket_policy(Bucket=filled, Policy=policy(statement))
    reply = people.node.send(
        "GET",
        object_target(filled, "k"),
        signed=False,
        headers={"Referer": "https://example.org/page"},
    )
    assert reply.status == (200 if met else 403), reply.body


def test_the_forwarded_address_of_a_client_is_not_believed(people: People, filled: str) -> None:
    statement = {
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{filled}/*",
        "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}},
    }
    people.alice.s3.put_bucket_policy(Bucket=filled, Policy=policy(statement))
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP"):
        value = "for=192.0.2.1" if name == "Forwarded" else "192.0.2.1"
        target = object_target(filled, "k")
        reply = people.node.send("GET", target, signed=False, headers={name: value})
        assert reply.status == 403


def test_a_presigned_request_is_known_by_its_type_and_age(people: People, filled: str) -> None:
    """A bucket may refuse presigned requests, or old ones, even of its owner."""
    node, alice = people.node, people.alice
    url = presign("GET", object_target(filled, "k"), host=node.host, **alice.signing)

    def status_with(condition: dict[str, Any]) -> int:
        statement = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{filled}/*",
            "Condition": condition,
        }
        alice.s3.put_bucket_policy(Bucket=filled, Policy=policy(statement))
        return node.send("GET", url, signed=False).status

    assert status_with({"StringEquals": {"s3:authType": "REST-HEADER"}}) == 200
    assert status_with({"StringEquals": {"s3:authType": "REST-QUERY-STRING"}}) == 403
    assert status_with({"NumericGreaterThan": {"s3:signatureAge": "600000"}}) == 200
    assert status_with({"NumericLessThan": {"s3:signatureAge": "600000"}}) == 403
    assert status_with({"StringEquals": {"s3:signatureversion": "AWS"}}) == 200
    assert status_with({"StringNotEquals": {"s3:x-amz-content-sha256": "x"}}) == 403


def test_a_listing_parameter_on_another_request_means_nothing(people: People, filled: str) -> None:
    """Else a read that names a prefix would pass for a listing below it."""
    reading = {"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{filled}/*"}
    listing = {
        "Action": "s3:ListBucket",
        "Resource": f"arn:aws:s3:::{filled}",
        "Condition": {"StringEquals": {"s3:prefix": "a/"}},
    }
    target = object_target(filled, "missing", "prefix=a/")
    with people.allowed(people.ann, reading, listing):
        assert people.node.send("GET", target, **people.ann.signing).status == 403


def test_a_bucket_may_be_made_only_where_it_is_said(people: People) -> None:
    ann = people.ann.s3
    statement = {
        "Action": "s3:CreateBucket",
        "Resource": "*",
        "Condition": {"StringEquals": {"s3:LocationConstraint": "eu-north-1"}},
    }

    def make(region: str) -> str:
        where = {"LocationConstraint": region}
        return outcome(
            lambda: ann.create_bucket(Bucket="where-it-is", CreateBucketConfiguration=where)
        )

    with people.allowed(people.ann, statement):
        assert outcome(lambda: ann.create_bucket(Bucket="where-it-is")) == "AccessDenied"
        assert make("eu-south-1") == "AccessDenied"
        with refused(404, "404"):
            people.alice.s3.head_bucket(Bucket="where-it-is")
        assert make("eu-north-1") == ""
    # What a user makes is its account's.
    assert people.alice.s3.get_bucket_location(Bucket="where-it-is")["LocationConstraint"] == (
        "eu-north-1"
    )
    people.alice.s3.delete_bucket(Bucket="where-it-is")


@pytest.mark.parametrize("key", ["s3:ResourceAccount", "aws:ResourceAccount"])
def test_the_account_that_owns_a_bucket_is_a_condition(
    people: People, filled: str, key: str
) -> None:
    """The way to keep users from carrying data to others' buckets."""
    forbidden = {
        "Effect": "Deny",
        "Action": "s3:GetObject",
        "Resource": "*",
        "Condition": {"StringNotEquals": {key: people.bob.account}},
    }
    allowed = {"Action": "s3:GetObject", "Resource": "*"}
    with people.allowed(people.ann, allowed):
        assert outcome(lambda: get()(people.ann.s3, filled)) == ""
        with people.allowed(people.ann, forbidden):
            assert outcome(lambda: get()(people.ann.s3, filled)) == "AccessDenied"


def test_the_tags_that_an_object_is_to_have_are_a_condition(people: People, filled: str) -> None:
    statement = {
        "Action": ["s3:PutObject", "s3:PutObjectTagging"],
        "Resource": "*",
        "Condition": {
            "StringEquals": {"s3:RequestObjectTag/Team": "blue"},
            "ForAllValues:StringEquals": {"s3:RequestObjectTagKeys": ["Team"]},
        },
    }
    with people.allowed(people.ann, statement):
        for tagging, code in (
            ("Team=blue", ""),
            ("Team=red", "AccessDenied"),
            ("Team=blue&Other=x", "AccessDenied"),
            ("", "AccessDenied"),
        ):
            assert outcome(partial(put(Tagging=tagging), people.ann.s3, filled)) == code
