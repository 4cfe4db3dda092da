"""Users, as boto3's IAM client makes, finds, changes and deletes them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest

from tests.people import Person, allow, join, refused

Names = Callable[[str], str]


def test_a_user_is_made_in_the_account_of_the_caller(alice: Person, fresh: Names) -> None:
    name, account = fresh("bob"), alice.sts.get_caller_identity()["Account"]
    tags = [{"Key": "team", "Value": "storage más"}, {"Key": "cost", "Value": ""}]
    made = alice.iam.create_user(UserName=name, Path="/dev&<ops>/", Tags=tags)["User"]
    assert made["Arn"] == f"arn:aws:iam::{account}:user/dev&<ops>/{name}"
    assert made["UserId"].startswith("AIDA")
    assert made["Path"] == "/dev&<ops>/"
    assert abs(made["CreateDate"] - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=1)
    assert sorted(made["Tags"], key=lambda tag: tag["Key"], reverse=True) == tags
    assert alice.iam.get_user(UserName=name)["User"] == made


def test_a_name_is_taken_in_the_whole_store(alice: Person, mallory: Person, fresh: Names) -> None:
    name = fresh("taken")
    alice.iam.create_user(UserName=name)
    for somebody in (alice, mallory):
        with refused("EntityAlreadyExists", 409):
            somebody.iam.create_user(UserName=name)


def test_get_user_is_about_the_caller_by_default(root: Person, alice: Person, fresh: Names) -> None:
    assert alice.iam.get_user()["User"]["UserName"] == alice.name
    told = root.iam.get_user()["User"]
    assert told["Arn"] == "arn:aws:iam::000000000000:root"
    assert "UserName" not in told
    bob = join(alice, fresh("bob"))
    with refused("AccessDenied", 403):
        bob.iam.get_user()


def test_users_are_listed_by_path_and_page(alice: Person, fresh: Names) -> None:
    path = f"/{fresh('path')}/"
    names = sorted(fresh(f"u{number}") for number in range(5))
    for name in names:
        alice.iam.create_user(UserName=name, Path=path)
    iam = alice.iam
    assert [user["UserName"] for user in iam.list_users(PathPrefix=path)["Users"]] == names
    first = iam.list_users(PathPrefix=path, MaxItems=2)
    assert [user["UserName"] for user in first["Users"]] == names[:2]
    assert first["IsTruncated"]
    rest = iam.list_users(PathPrefix=path, Marker=first["Marker"])
    assert [user["UserName"] for user in rest["Users"]] == names[2:]
    assert not rest["IsTruncated"]
    pages = iam.get_paginator("list_users").paginate(
        PathPrefix=path, PaginationConfig={"PageSize": 2}
    )
    assert [user["UserName"] for page in pages for user in page["Users"]] == names
    everyone = {user["UserName"] for user in iam.list_users()["Users"]}
    assert {alice.name, *names} <= everyone


def test_others_accounts_are_not_listed(root: Person, alice: Person, mallory: Person) -> None:
    assert alice.name not in {user["UserName"] for user in mallory.iam.list_users()["Users"]}
    pages = root.iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 3})
    everyone = {user["UserName"] for page in pages for user in page["Users"]}
    assert {alice.name, mallory.name} <= everyone
    assert "root" not in everyone


def test_the_path_of_a_user_is_changed_and_its_name_is_not(alice: Person, fresh: Names) -> None:
    name = fresh("bob")
    alice.iam.create_user(UserName=name)
    alice.iam.update_user(UserName=name, NewPath="/ops/")
    assert alice.iam.get_user(UserName=name)["User"]["Arn"].endswith(f":user/ops/{name}")
    alice.iam.update_user(UserName=name, NewUserName=name)
    with refused("NotImplemented", 501):
        alice.iam.update_user(UserName=name, NewUserName=fresh("other"))
    with refused("NoSuchEntity", 404):
        alice.iam.update_user(UserName=fresh("nobody"), NewPath="/ops/")


def test_tags_are_set_listed_and_removed(alice: Person, fresh: Names) -> None:
    iam, name = alice.iam, fresh("bob")
    iam.create_user(UserName=name, Tags=[{"Key": "a", "Value": "1"}])
    iam.tag_user(
        UserName=name, Tags=[{"Key": "a", "Value": "2"}, {"Key": "b/c:d", "Value": "x y@z"}]
    )
    tags = iam.list_user_tags(UserName=name)["Tags"]
    assert tags == [{"Key": "a", "Value": "2"}, {"Key": "b/c:d", "Value": "x y@z"}]
    page = iam.list_user_tags(UserName=name, MaxItems=1)
    assert (page["IsTruncated"], page["Tags"]) == (True, tags[:1])
    assert iam.list_user_tags(UserName=name, Marker=page["Marker"])["Tags"] == tags[1:]
    iam.untag_user(UserName=name, TagKeys=["a", "not there"])
    assert iam.list_user_tags(UserName=name)["Tags"] == tags[1:]
    with refused("InvalidInput", 400):
        twice = [{"Key": "k", "Value": "1"}, {"Key": "K", "Value": "2"}]
        iam.tag_user(UserName=name, Tags=twice)
    with refused("LimitExceeded", 409):
        many = [{"Key": f"k{number}", "Value": ""} for number in range(50)]
        iam.tag_user(UserName=name, Tags=many)
    assert iam.list_user_tags(UserName=name)["Tags"] == tags[1:]


def test_a_user_is_deleted_when_it_has_nothing_left(alice: Person, fresh: Names) -> None:
    iam, name = alice.iam, fresh("bob")
    bob = join(alice, name, allow("s3:ListAllMyBuckets"))
    iam.create_login_profile(UserName=name, Password="correct horse")
    bob.s3.list_buckets()
    steps: tuple[tuple[str, dict[str, str]], ...] = (
        ("delete_login_profile", {}),
        ("delete_access_key", {"AccessKeyId": bob.access_key}),
        ("delete_user_policy", {"PolicyName": "own"}),
    )
    for step, parameters in steps:
        with refused("DeleteConflict", 409):
            iam.delete_user(UserName=name)
        getattr(iam, step)(UserName=name, **parameters)
    iam.delete_user(UserName=name)
    with refused("NoSuchEntity", 404):
        iam.get_user(UserName=name)
    with refused("NoSuchEntity", 404):
        iam.delete_user(UserName=name)


@pytest.mark.parametrize(
    "parameters",
    [
        {"UserName": "with space"},
        {"UserName": "a/b"},
        {"UserName": "é"},
        {"UserName": "x" * 65},
        {"UserName": "fine", "Path": "/open"},
        {"UserName": "fine", "Path": "/with space/"},
        {"UserName": "fine", "Tags": [{"Key": "new\nline", "Value": ""}]},
        {"UserName": "fine", "Tags": [{"Key": "k", "Value": "<>"}]},
        {"UserName": "fine", "PermissionsBoundary": "arn:aws:iam::aws:policy/ReadOnly"},
    ],
    ids=str,
)
def test_what_no_user_can_have_is_refused(alice: Person, parameters: dict[str, object]) -> None:
    with refused("ValidationError", 400):
        alice.iam.create_user(**parameters)


@pytest.mark.parametrize("name", ["root", "ROOT", "Root"])
def test_nobody_else_is_called_root(root: Person, alice: Person, name: str) -> None:
    for somebody in (root, alice):
        with refused("ValidationError", 400):
            somebody.iam.create_user(UserName=name)
