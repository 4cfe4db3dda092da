"""Policies of users: kept as they are given, in force at once, refused if they are malformed."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.people import Person, allow, deny, join, policy, refused

Names = Callable[[str], str]


def test_a_policy_is_put_got_listed_and_deleted(alice: Person, fresh: Names) -> None:
    iam, name = alice.iam, fresh("bob")
    iam.create_user(UserName=name)
    document = policy(allow("s3:GetObject", "arn:aws:s3:::büro/*+%20 x"))
    iam.put_user_policy(UserName=name, PolicyName="first", PolicyDocument=document)
    iam.put_user_policy(UserName=name, PolicyName="second", PolicyDocument=policy(deny("s3:*")))
    assert iam.list_user_policies(UserName=name)["PolicyNames"] == ["first", "second"]
    told = iam.get_user_policy(UserName=name, PolicyName="first")
    assert told["PolicyDocument"] == json.loads(document)
    assert (told["UserName"], told["PolicyName"]) == (name, "first")
    iam.put_user_policy(UserName=name, PolicyName="first", PolicyDocument=policy(allow("s3:*")))
    told = iam.get_user_policy(UserName=name, PolicyName="first")
    assert told["PolicyDocument"]["Statement"][0]["Action"] == "s3:*"
    iam.delete_user_policy(UserName=name, PolicyName="first")
    assert iam.list_user_policies(UserName=name)["PolicyNames"] == ["second"]
    for missing in (iam.get_user_policy, iam.delete_user_policy):
        with refused("NoSuchEntity", 404):
            missing(UserName=name, PolicyName="first")
    page = iam.list_user_policies(UserName=name, MaxItems=1)
    assert not page["IsTruncated"]


def test_policies_decide_what_a_user_may_do(alice: Person, fresh: Names) -> None:
    bucket = fresh("bucket")
    alice.s3.create_bucket(Bucket=bucket)
    bob = join(alice, fresh("bob"))
    s3 = bob.s3
    with refused("AccessDenied", 403):
        s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    document = policy(allow("s3:*Object", f"arn:aws:s3:::{bucket}/*"))
    alice.iam.put_user_policy(UserName=bob.name, PolicyName="p", PolicyDocument=document)
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    document = policy(deny("s3:DeleteObject"))
    alice.iam.put_user_policy(UserName=bob.name, PolicyName="q", PolicyDocument=document)
    with refused("AccessDenied", 403):
        s3.delete_object(Bucket=bucket, Key="k")
    alice.iam.delete_user_policy(UserName=bob.name, PolicyName="q")
    s3.delete_object(Bucket=bucket, Key="k")
    alice.s3.delete_bucket(Bucket=bucket)


def test_iam_itself_is_a_matter_of_policies(alice: Person, fresh: Names) -> None:
    team = fresh("team")
    bob = join(
        alice,
        fresh("bob"),
        allow(["iam:CreateUser", "iam:GetUser", "iam:TagUser"], f"arn:aws:iam::*:user/{team}/*"),
        allow("iam:ListUsers"),
        deny("iam:GetUser", f"arn:aws:iam::*:user/{team}/secret*"),
    )
    name = fresh("new")
    bob.iam.create_user(UserName=name, Path=f"/{team}/")
    assert bob.iam.get_user(UserName=name)
    assert name in {user["UserName"] for user in bob.iam.list_users()["Users"]}
    with refused("AccessDenied", 403):
        bob.iam.delete_user(UserName=name)
    with refused("AccessDenied", 403):
        bob.iam.create_user(UserName=fresh("elsewhere"))
    secret = fresh("secret")
    bob.iam.create_user(UserName=secret, Path=f"/{team}/")
    with refused("AccessDenied", 403):
        bob.iam.get_user(UserName=secret)


def test_nobody_without_a_right_learns_who_is_there(alice: Person, fresh: Names) -> None:
    bob = join(alice, fresh("bob"))
    said = []
    for name in (alice.name, fresh("nobody")):
        with pytest.raises(bob.iam.exceptions.ClientError) as caught:
            bob.iam.get_user(UserName=name)
        said.append(caught.value.response["Error"]["Message"].replace(name, "NAME"))
    assert said[0] == said[1]


@pytest.mark.parametrize(
    "document",
    [
        "{}",
        "not json",
        "[]",
        '{"Version":"2012-10-17","Statement":[{"Effect":"Maybe","Action":"*","Resource":"*"}]}',
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*"}]}',
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*",'
        '"Principal":"*"}]}',
        '{"Version":"2012-10-17","Statement":' + "[" * 4000 + "]" * 4000 + "}",
    ],
    ids=lambda document: document[:60],
)
def test_a_malformed_policy_is_refused(alice: Person, fresh: Names, document: str) -> None:
    name = fresh("bob")
    alice.iam.create_user(UserName=name)
    with refused("MalformedPolicyDocument", 400):
        alice.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document)
    assert alice.iam.list_user_policies(UserName=name)["PolicyNames"] == []


def test_what_is_not_kept_at_all_is_listed_as_nothing(alice: Person) -> None:
    iam = alice.iam
    assert iam.list_attached_user_policies(UserName=alice.name)["AttachedPolicies"] == []
    assert iam.list_groups_for_user(UserName=alice.name)["Groups"] == []
    assert iam.list_account_aliases()["AccountAliases"] == []
    assert iam.list_virtual_mfa_devices(AssignmentStatus="Assigned")["VirtualMFADevices"] == []
    for name in ({"UserName": alice.name}, {}):
        assert iam.list_mfa_devices(**name)["MFADevices"] == []
        assert iam.list_ssh_public_keys(**name)["SSHPublicKeys"] == []
        assert iam.list_signing_certificates(**name)["Certificates"] == []
        assert iam.list_service_specific_credentials(**name)["ServiceSpecificCredentials"] == []
    summary = iam.get_account_summary()["SummaryMap"]
    assert summary["Users"] == len(iam.list_users(MaxItems=1000)["Users"])
    assert summary["Groups"] == 0
