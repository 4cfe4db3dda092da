"""PutObjectAcl: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html"""

from __future__ import annotations

from typing import Any

import pytest

from aisle.namespace.versions import ids
from tests.harness import Node
from tests.wire import acls
from tests.wire.support import expect_error, object_target, put_parts, read, refused


@pytest.fixture
def key(s3: Any, bucket: str) -> str:
    s3.put_object(Bucket=bucket, Key="a/k ü", Body=b"kept", Metadata={"a": "1"})
    return "a/k ü"


@pytest.fixture
def owner(s3: Any, bucket: str) -> str:
    return str(s3.get_bucket_acl(Bucket=bucket)["Owner"]["ID"])


@pytest.mark.parametrize("name", sorted(acls.CANNED))
def test_a_canned_acl_is_set(
    node: Node, s3: Any, bucket: str, key: str, owner: str, name: str
) -> None:
    reply = node.send("PUT", object_target(bucket, key, "acl"), headers={"x-amz-acl": name})
    assert (reply.status, reply.body) == (200, b"")
    first, *others = acls.of_object(s3, bucket, key)
    assert first == (owner, "FULL_CONTROL")
    assert set(others) == acls.CANNED[name]


def test_the_object_stays_as_it_was(s3: Any, bucket: str, key: str) -> None:
    before = s3.head_object(Bucket=bucket, Key=key)
    s3.put_object_acl(Bucket=bucket, Key=key, ACL="public-read")
    after = s3.head_object(Bucket=bucket, Key=key)
    for name in ("ETag", "LastModified", "ContentLength", "ContentType", "Metadata"):
        assert after[name] == before[name]
    assert read(s3, bucket, key) == b"kept"


def test_an_object_of_parts_stays_as_it_was(s3: Any, bucket: str) -> None:
    bodies = [b"a" * (5 << 20), b"b"]
    etag = put_parts(s3, bucket, "k", bodies)["ETag"]
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="public-read")
    assert s3.head_object(Bucket=bucket, Key="k", PartNumber=2)["PartsCount"] == 2
    assert s3.head_object(Bucket=bucket, Key="k")["ETag"] == etag
    assert read(s3, bucket, "k") == b"".join(bodies)


def test_a_document_sets_grants(s3: Any, bucket: str, key: str, owner: str) -> None:
    given = [
        ("CanonicalUser", owner, "FULL_CONTROL"),
        ("Group", acls.AUTHENTICATED_USERS, "READ_ACP"),
    ]
    s3.put_object_acl(Bucket=bucket, Key=key, AccessControlPolicy=acls.policy(owner, *given))
    assert acls.of_object(s3, bucket, key) == [(who, permission) for _, who, permission in given]


def test_headers_grant(s3: Any, bucket: str, key: str, owner: str) -> None:
    s3.put_object_acl(
        Bucket=bucket,
        Key=key,
        GrantFullControl=f'id="{owner}"',
        GrantReadACP=f'uri="{acls.ALL_USERS}"',
        GrantWriteACP=f'uri="{acls.LOG_DELIVERY}"',
    )
    assert acls.of_object(s3, bucket, key) == [
        (owner, "FULL_CONTROL"),
        (acls.ALL_USERS, "READ_ACP"),
        (acls.LOG_DELIVERY, "WRITE_ACP"),
    ]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"x-amz-acl": "public"}, "InvalidArgument"),
        ({"x-amz-grant-read": "id=nobody"}, "InvalidArgument"),
        ({"x-amz-acl": "private", "x-amz-grant-read": "id=nobody"}, "InvalidRequest"),
        ({}, "MissingSecurityHeader"),
    ],
)
def test_a_bad_request_is_refused_and_changes_nothing(
    node: Node, s3: Any, bucket: str, key: str, headers: dict[str, str], code: str
) -> None:
    reply = node.send("PUT", object_target(bucket, key, "acl"), headers=headers)
    expect_error(reply, 400, code)
    assert len(acls.of_object(s3, bucket, key)) == 1


def test_a_bad_document_is_refused(node: Node, s3: Any, bucket: str, key: str, owner: str) -> None:
    target = object_target(bucket, key, "acl")
    full = [acls.grant("CanonicalUser", "ID", owner, "FULL_CONTROL")]
    reply = node.send("PUT", target, body=acls.document("f" * 64, full))
    expect_error(reply, 403, "AccessDenied")
    reply = node.send("PUT", target, body=acls.document(owner, full)[:-4])
    expect_error(reply, 400, "MalformedACLError")
    reply = node.send("PUT", target, body=acls.document(owner, full * 101))
    expect_error(reply, 400, "MalformedACLError")
    assert read(s3, bucket, key) == b"kept"


def test_what_is_not_there_gets_no_acl(s3: Any, bucket: str) -> None:
    with refused(404, "NoSuchKey"):
        s3.put_object_acl(Bucket=bucket, Key="k", ACL="private")
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    with refused(404, "NoSuchVersion"):
        s3.put_object_acl(Bucket=bucket, Key="k", ACL="private", VersionId=ids.mint(3))
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="public-read", VersionId="null")
    assert len(acls.of_object(s3, bucket, "k")) == 2


def test_with_the_owner_enforced_only_its_full_control_can_be_said(
    s3: Any, bucket: str, key: str, owner: str
) -> None:
    rules = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=rules)
    full = acls.policy(owner, ("CanonicalUser", owner, "FULL_CONTROL"))
    read_too = acls.policy(
        owner, ("CanonicalUser", owner, "FULL_CONTROL"), ("Group", acls.ALL_USERS, "READ")
    )
    s3.put_object_acl(Bucket=bucket, Key=key, ACL="bucket-owner-full-control")
    s3.put_object_acl(Bucket=bucket, Key=key, AccessControlPolicy=full)
    s3.put_object_acl(Bucket=bucket, Key=key, GrantFullControl=f'id="{owner}"')
    s3.put_object(Bucket=bucket, Key="new", Body=b"1", ACL="bucket-owner-full-control")
    for given in ({"ACL": "public-read"}, {"ACL": "private"}, {"AccessControlPolicy": read_too}):
        with refused(400, "AccessControlListNotSupported"):
            s3.put_object_acl(Bucket=bucket, Key=key, **given)
    for call in (s3.put_object, s3.create_multipart_upload):
        with refused(400, "AccessControlListNotSupported"):
            call(Bucket=bucket, Key="k", ACL="public-read")
        with refused(400, "AccessControlListNotSupported"):
            call(Bucket=bucket, Key="k", GrantRead=f'uri="{acls.ALL_USERS}"')


def test_where_public_acls_are_blocked_none_can_be_set(s3: Any, bucket: str, key: str) -> None:
    s3.put_public_access_block(
        Bucket=bucket, PublicAccessBlockConfiguration={"BlockPublicAcls": True}
    )
    source = {"Bucket": bucket, "Key": key}
    for given in ({"ACL": "public-read"}, {"GrantWriteACP": f'uri="{acls.AUTHENTICATED_USERS}"'}):
        with refused(403, "AccessDenied"):
            s3.put_object_acl(Bucket=bucket, Key=key, **given)
        with refused(403, "AccessDenied"):
            s3.put_object(Bucket=bucket, Key="new", Body=b"1", **given)
        with refused(403, "AccessDenied"):
            s3.copy_object(Bucket=bucket, Key="new", CopySource=source, **given)
        with refused(403, "AccessDenied"):
            s3.create_multipart_upload(Bucket=bucket, Key="new", **given)
    s3.put_object_acl(Bucket=bucket, Key=key, ACL="private")
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
