"""GetBucketAcl: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAcl.html"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.harness import Node
from tests.wire import acls
from tests.wire.support import bucket_target, refused

XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


def test_a_new_bucket_is_its_owners_alone(s3: Any, bucket: str) -> None:
    reply = s3.get_bucket_acl(Bucket=bucket)
    owner = reply["Owner"]
    assert len(owner["ID"]) == 64
    assert owner["DisplayName"] == "root"
    [grant] = reply["Grants"]
    assert grant == {"Grantee": {**owner, "Type": "CanonicalUser"}, "Permission": "FULL_CONTROL"}


def test_the_document_is_the_one_of_s3(node: Node, s3: Any, bucket: str) -> None:
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    reply = node.send("GET", bucket_target(bucket, "acl"))
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/xml"
    assert b'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"' in reply.body
    root = reply.xml
    assert root.tag == "AccessControlPolicy"
    assert [child.tag for child in root] == ["Owner", "AccessControlList"]
    grants = root.findall("AccessControlList/Grant")
    assert [[child.tag for child in grant] for grant in grants] == [["Grantee", "Permission"]] * 2
    grantees = [grant.find("Grantee") for grant in grants]
    assert [g.get(XSI_TYPE) for g in grantees if g is not None] == ["CanonicalUser", "Group"]


def test_the_owners_grant_is_shown_first(s3: Any, bucket: str) -> None:
    owner = s3.get_bucket_acl(Bucket=bucket)["Owner"]["ID"]
    given = [("Group", acls.ALL_USERS, "READ"), ("CanonicalUser", owner, "FULL_CONTROL")]
    s3.put_bucket_acl(Bucket=bucket, AccessControlPolicy=acls.policy(owner, *given))
    assert acls.of_bucket(s3, bucket) == [(owner, "FULL_CONTROL"), (acls.ALL_USERS, "READ")]


def test_with_the_owner_enforced_only_the_owner_is_shown(
    s3: Any, make_bucket: Callable[..., str]
) -> None:
    name = make_bucket(ObjectOwnership="BucketOwnerEnforced")
    owner = s3.get_bucket_acl(Bucket=name)["Owner"]["ID"]
    assert acls.of_bucket(s3, name) == [(owner, "FULL_CONTROL")]


def test_a_bucket_that_is_not_there_has_no_acl(s3: Any) -> None:
    with refused(404, "NoSuchBucket"):
        s3.get_bucket_acl(Bucket="no-such-bucket-of-acls")


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_an_acl_is_not_posted_or_deleted(node: Node, bucket: str, method: str) -> None:
    assert node.send(method, bucket_target(bucket, "acl")).status == 405
