"""What operations need, against the tables of operations and of actions."""

from __future__ import annotations

import pytest

from aisle.api.s3.actions import NEEDS, needed, needed_of_new, on_version
from aisle.api.s3.operations import ROUTES
from aisle.auth.policy.actions import KINDS, Kind
from aisle.core import permissions
from aisle.core.http import RequestHead

LEVELS: dict[str, str] = {name: row.level for row in ROUTES for name in row.names}
LEVELS["PostObject"] = "object"  # which its form names
# What is asked for on a bucket is the permission to delete in it.
KEYS_OF_A_BUCKET = {"DeleteObjects"}


def head(query: str = "", **headers: str) -> RequestHead:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return RequestHead("PUT", b"/b/k", query.encode(), fields)


def names(operation: str, request: RequestHead) -> list[str]:
    return [action.name for action in needed(operation, request)]


def test_every_operation_has_a_row() -> None:
    assert NEEDS.keys() == LEVELS.keys()


@pytest.mark.parametrize("operation", sorted(NEEDS))
def test_an_operation_needs_actions_that_policies_can_name(operation: str) -> None:
    kinds = {"object": Kind.OBJECT, "bucket": Kind.BUCKET, "service": Kind.ACCOUNT}
    needs = NEEDS[operation]
    for action in needs.actions + needs.of_version:
        expected = Kind.OBJECT if operation in KEYS_OF_A_BUCKET else kinds[LEVELS[operation]]
        assert KINDS[action.name.lower()] is expected
    for action in (*needs.actions, *(one for _, one in needs.by_header + needs.on_new)):
        assert action.name.lower() in KINDS
        assert action.bit & permissions.EVERYTHING == action.bit != 0


@pytest.mark.parametrize("operation", sorted(NEEDS))
def test_what_changes_something_takes_more_than_reading(operation: str) -> None:
    """So that a bucket that is closed to writers is so in every operation."""
    reads = operation.startswith(("Get", "Head", "List", "Select", "CreateSession"))
    reading = permissions.READ_ONLY | permissions.LIST_BUCKETS
    assert all(bool(action.bit & reading) is reads for action in NEEDS[operation].actions)


def test_a_version_that_is_named_takes_another_action() -> None:
    assert names("GetObject", head()) == ["s3:GetObject"]
    assert names("GetObject", head("versionId=null")) == ["s3:GetObjectVersion"]
    assert names("GetObjectAttributes", head("versionId=")) == [
        "s3:GetObjectVersion",
        "s3:GetObjectVersionAttributes",
    ]
    assert on_version("DeleteObjects", "").name == "s3:DeleteObject"
    assert on_version("DeleteObjects", "null").name == "s3:DeleteObjectVersion"


def test_headers_that_ask_for_more_take_more_actions() -> None:
    acl = head(x_amz_acl="private", x_amz_grant_read="id=1", x_amz_tagging="a=b")
    assert names("PutObject", acl) == ["s3:PutObject"]
    assert [action.name for action in needed_of_new("PutObject", acl)] == [
        "s3:PutObjectAcl",
        "s3:PutObjectTagging",
    ]
    assert needed_of_new("UploadPart", acl) == ()
    assert names("CreateBucket", acl) == ["s3:CreateBucket", "s3:PutBucketAcl"]


def test_a_condition_that_names_an_etag_takes_the_right_to_see_it() -> None:
    for operation in ("PutObject", "CopyObject", "CompleteMultipartUpload", "DeleteObject"):
        own = names(operation, head())
        assert names(operation, head(if_match='"x"')) == [*own, "s3:GetObject"]
        assert names(operation, head(if_match="*")) == own
        assert names(operation, head(if_none_match="*")) == own
