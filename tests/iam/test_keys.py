"""Access keys, as boto3's IAM client makes, switches and deletes them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest

from tests.people import Person, allow, join, refused, with_key

Names = Callable[[str], str]


def test_a_key_signs_as_its_user_until_it_is_deleted(alice: Person, fresh: Names) -> None:
    bob = join(alice, fresh("bob"))
    assert bob.access_key.startswith("AKIA")
    assert len(bob.secret_key) == 40
    assert bob.sts.get_caller_identity()["Arn"].endswith(f":user/{bob.name}")
    alice.iam.delete_access_key(UserName=bob.name, AccessKeyId=bob.access_key)
    with refused("InvalidClientTokenId", 403):
        bob.sts.get_caller_identity()
    with refused("InvalidAccessKeyId", 403):
        bob.s3.list_buckets()
    with refused("NoSuchEntity", 404):
        alice.iam.delete_access_key(UserName=bob.name, AccessKeyId=bob.access_key)


def test_a_wrong_secret_is_told_as_iam_tells_it(alice: Person) -> None:
    stranger = Person(alice.node, alice.name, alice.access_key, "not the secret of alice")
    with refused("SignatureDoesNotMatch", 403):
        stranger.iam.get_user()
    unknown = Person(alice.node, alice.name, "AKIANOBODYHASTHISONE", alice.secret_key)
    with refused("InvalidClientTokenId", 403):
        unknown.iam.get_user()


def test_a_key_is_switched_off_and_on(alice: Person, fresh: Names) -> None:
    bob = join(alice, fresh("bob"))
    key = {"UserName": bob.name, "AccessKeyId": bob.access_key}
    alice.iam.update_access_key(**key, Status="Inactive")
    with refused("InvalidClientTokenId", 403):
        bob.sts.get_caller_identity()
    (listed,) = alice.iam.list_access_keys(UserName=bob.name)["AccessKeyMetadata"]
    assert listed["Status"] == "Inactive"
    alice.iam.update_access_key(**key, Status="Active")
    assert bob.sts.get_caller_identity()
    with refused("ValidationError", 400):
        alice.iam.update_access_key(**key, Status="Expired")


def test_keys_are_listed_without_secrets(alice: Person, fresh: Names) -> None:
    bob = join(alice, fresh("bob"))
    other = with_key(alice, bob.name)
    listed = alice.iam.list_access_keys(UserName=bob.name)["AccessKeyMetadata"]
    assert {key["AccessKeyId"] for key in listed} == {bob.access_key, other.access_key}
    for key in listed:
        assert key.keys() == {"UserName", "AccessKeyId", "Status", "CreateDate"}
        assert abs(key["CreateDate"] - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=1)
    page = alice.iam.list_access_keys(UserName=bob.name, MaxItems=1)
    rest = alice.iam.list_access_keys(UserName=bob.name, Marker=page["Marker"])
    assert page["AccessKeyMetadata"] + rest["AccessKeyMetadata"] == listed
    mine = alice.iam.list_access_keys()["AccessKeyMetadata"]
    assert alice.access_key in {key["AccessKeyId"] for key in mine}


def test_there_is_a_limit_of_keys(alice: Person, fresh: Names) -> None:
    name = fresh("bob")
    alice.iam.create_user(UserName=name)
    for _ in range(10):
        alice.iam.create_access_key(UserName=name)
    with refused("LimitExceeded", 409):
        alice.iam.create_access_key(UserName=name)


def test_a_user_needs_a_policy_to_look_after_its_own_keys(alice: Person, fresh: Names) -> None:
    bob = join(alice, fresh("bob"))
    with refused("AccessDenied", 403):
        bob.iam.list_access_keys()
    name = fresh("carol")
    own = "arn:aws:iam::*:user/${aws:username}"
    carol = join(alice, name, allow(["iam:ListAccessKeys", "iam:*AccessKey"], own))
    made = carol.iam.create_access_key()["AccessKey"]
    assert made["UserName"] == name
    assert len(carol.iam.list_access_keys()["AccessKeyMetadata"]) == 2
    carol.iam.delete_access_key(AccessKeyId=made["AccessKeyId"])
    with refused("AccessDenied", 403):
        carol.iam.create_access_key(UserName=bob.name)


def test_when_a_key_was_last_used(alice: Person, mallory: Person, fresh: Names) -> None:
    name = fresh("bob")
    alice.iam.create_user(UserName=name)
    bob = with_key(alice, name)
    told = alice.iam.get_access_key_last_used(AccessKeyId=bob.access_key)
    assert told["UserName"] == name
    never = {"ServiceName": "N/A", "Region": "N/A"}
    assert told["AccessKeyLastUsed"] == never
    with refused("NoSuchEntity", 404):
        mallory.iam.get_access_key_last_used(AccessKeyId=bob.access_key)
    with refused("NoSuchEntity", 404):
        alice.iam.get_access_key_last_used(AccessKeyId="AKIANOBODYHASTHISONE")
    with refused("AccessDenied", 403):
        bob.iam.get_access_key_last_used(AccessKeyId=bob.access_key)


def test_a_stranger_does_not_learn_whose_a_key_is(
    alice: Person, mallory: Person, fresh: Names
) -> None:
    spy = join(mallory, fresh("spy"))
    said = set()
    for key in (alice.access_key, "AKIANOBODYHASTHISONE"):
        with pytest.raises(spy.iam.exceptions.ClientError) as caught:
            spy.iam.get_access_key_last_used(AccessKeyId=key)
        said.add(str(caught.value))
    assert len(said) == 1
    assert alice.name not in said.pop()
