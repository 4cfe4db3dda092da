"""GetObjectAcl: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAcl.html"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aisle.namespace.versions import ids
from tests.harness import Node
from tests.wire import acls
from tests.wire.support import object_target, put_parts, read, refused


def test_a_new_object_is_its_owners_alone(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    reply = s3.get_object_acl(Bucket=bucket, Key="k")
    owner = reply["Owner"]
    assert owner == s3.get_bucket_acl(Bucket=bucket)["Owner"]
    [grant] = reply["Grants"]
    assert grant == {"Grantee": {**owner, "Type": "CanonicalUser"}, "Permission": "FULL_CONTROL"}


def test_the_document_is_the_one_of_s3(node: Node, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    reply = node.send("GET", object_target(bucket, "k", "acl"))
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/xml"
    owner = s3.get_object_acl(Bucket=bucket, Key="k")["Owner"]
    account = f"<ID>{owner['ID']}</ID><DisplayName>root</DisplayName>"
    assert reply.body.decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<AccessControlPolicy xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Owner>{account}</Owner><AccessControlList><Grant>"
        '<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">'
        f"{account}</Grantee><Permission>FULL_CONTROL</Permission></Grant></AccessControlList>"
        "</AccessControlPolicy>"
    )


@pytest.mark.parametrize("name", sorted(acls.CANNED))
def test_an_object_is_written_with_a_canned_acl(
    node: Node, s3: Any, bucket: str, name: str
) -> None:
    reply = node.send("PUT", object_target(bucket, "k"), headers={"x-amz-acl": name}, body=b"1")
    assert reply.status == 200
    (_, permission), *others = acls.of_object(s3, bucket, "k")
    assert permission == "FULL_CONTROL"
    assert set(others) == acls.CANNED[name]


def test_an_object_is_written_with_grants(s3: Any, bucket: str) -> None:
    owner = s3.get_bucket_acl(Bucket=bucket)["Owner"]["ID"]
    given = {"GrantRead": f'uri="{acls.ALL_USERS}"', "GrantFullControl": f'id="{owner}"'}
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", **given)
    assert acls.of_object(s3, bucket, "k") == [(owner, "FULL_CONTROL"), (acls.ALL_USERS, "READ")]


def test_a_replaced_object_has_a_new_acl(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", ACL="public-read")
    s3.put_object(Bucket=bucket, Key="k", Body=b"2")
    assert len(acls.of_object(s3, bucket, "k")) == 1


@pytest.mark.parametrize("metadata", ["COPY", "REPLACE"])
def test_a_copy_has_the_acl_that_it_is_made_with(s3: Any, bucket: str, metadata: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", ACL="public-read")
    source = {"Bucket": bucket, "Key": "k"}
    s3.copy_object(Bucket=bucket, Key="a", CopySource=source, MetadataDirective=metadata)
    assert len(acls.of_object(s3, bucket, "a")) == 1
    s3.copy_object(
        Bucket=bucket, Key="b", CopySource=source, ACL="authenticated-read",
        MetadataDirective=metadata,
    )  # fmt: skip
    assert acls.of_object(s3, bucket, "b")[1:] == [(acls.AUTHENTICATED_USERS, "READ")]


def test_a_copy_onto_itself_has_the_acl_that_it_is_made_with(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", ACL="public-read")
    source = {"Bucket": bucket, "Key": "k"}
    given = {"CopySource": source, "MetadataDirective": "REPLACE"}
    s3.copy_object(Bucket=bucket, Key="k", ACL="authenticated-read", **given)
    assert acls.of_object(s3, bucket, "k")[1:] == [(acls.AUTHENTICATED_USERS, "READ")]
    s3.copy_object(Bucket=bucket, Key="k", **given)
    assert len(acls.of_object(s3, bucket, "k")) == 1
    assert read(s3, bucket, "k") == b"1"


def test_an_upload_becomes_an_object_with_the_acl_it_was_begun_with(s3: Any, bucket: str) -> None:
    put_parts(s3, bucket, "k", [b"one"], ACL="public-read")
    assert acls.of_object(s3, bucket, "k")[1:] == [(acls.ALL_USERS, "READ")]
    put_parts(s3, bucket, "k", [b"two"], GrantRead=f'uri="{acls.LOG_DELIVERY}"')
    assert acls.of_object(s3, bucket, "k") == [(acls.LOG_DELIVERY, "READ")]
    put_parts(s3, bucket, "k", [b"three"])
    assert len(acls.of_object(s3, bucket, "k")) == 1


def test_with_the_owner_enforced_everything_is_the_buckets_owners(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", ACL="public-read")
    rules = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=rules)
    assert len(acls.of_object(s3, bucket, "k")) == 1
    s3.delete_bucket_ownership_controls(Bucket=bucket)
    assert acls.of_object(s3, bucket, "k")[1:] == [(acls.ALL_USERS, "READ")]


def test_what_is_not_there_has_no_acl(s3: Any, bucket: str) -> None:
    with refused(404, "NoSuchKey"):
        s3.get_object_acl(Bucket=bucket, Key="k")
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    with refused(404, "NoSuchVersion"):
        s3.get_object_acl(Bucket=bucket, Key="k", VersionId=ids.mint(3))
    with refused(404, "NoSuchBucket"):
        s3.get_object_acl(Bucket="no-such-bucket-of-acls", Key="k")


def test_a_refused_acl_leaves_what_was_there(s3: Any, make_bucket: Callable[..., str]) -> None:
    bucket = make_bucket()
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    for call in (s3.put_object, s3.create_multipart_upload):
        with refused(400, "InvalidArgument"):
            call(Bucket=bucket, Key="k", ACL="public-ready")
        with refused(400, "InvalidArgument"):
            call(Bucket=bucket, Key="k", GrantRead='id="nobody"')
        with refused(400, "InvalidRequest"):
            call(Bucket=bucket, Key="k", ACL="private", GrantRead='id="nobody"')
        with refused(400, "UnresolvableGrantByEmailAddress"):
            call(Bucket=bucket, Key="k", GrantRead='emailAddress="nobody@example.org"')
    assert read(s3, bucket, "k") == b"1"
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
