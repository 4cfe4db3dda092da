"""Ways in which a user might get more than it was given: each ends in a refusal.

Named after what has gone wrong elsewhere: CVE-2021-43858, CVE-2022-24842, CVE-2024-24747 and
CVE-2024-55949 (users that raise themselves or others by calls that manage users), CVE-2023-27589
(a user with the administrator's access key).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness import ACCESS_KEY, Reply
from tests.people import Person, allow, join, make_role, new_user, policy, refused, with_key

Names = Callable[[str], str]
EVERYTHING = policy(allow("*"))


def native(person: Person, method: str, target: str, value: Any = None) -> Reply:
    """A request of AIStore's own API."""
    return person.node.send(
        method,
        target,
        headers={"X-Amz-Security-Token": person.token} if person.token else {},
        body=b"" if value is None else json.dumps(value).encode(),
        access_key=person.access_key,
        secret_key=person.secret_key,
    )


@pytest.fixture
def helper(alice: Person, fresh: Names) -> Person:
    """A user in alice's account that may call all of IAM, and nothing else."""
    return join(alice, fresh("helper"), allow("iam:*"))


# --- raising oneself ------------------------------------------------------------------------


def test_cve_2021_43858_a_user_without_the_right_gives_itself_no_policy(
    alice: Person, fresh: Names
) -> None:
    bob = join(alice, fresh("bob"), allow("s3:*"))
    with refused("AccessDenied", 403):
        bob.iam.put_user_policy(UserName=bob.name, PolicyName="more", PolicyDocument=EVERYTHING)
    with refused("AccessDenied", 403):
        bob.iam.create_access_key()
    with refused("AccessDenied", 403):
        bob.iam.create_user(UserName=fresh("new"))


def test_a_policy_of_ones_own_making_ends_at_the_account(
    root: Person, alice: Person, mallory: Person, fresh: Names
) -> None:
    """Who may write policies in an account may do everything there, and nothing elsewhere."""
    own = "arn:aws:iam::*:user/${aws:username}"
    bob = join(alice, fresh("bob"), allow("iam:PutUserPolicy", own))
    with refused("AccessDenied", 403):
        bob.iam.put_user_policy(UserName=alice.name, PolicyName="more", PolicyDocument=EVERYTHING)
    bob.iam.put_user_policy(UserName=bob.name, PolicyName="more", PolicyDocument=EVERYTHING)
    theirs = fresh("theirs")
    mallory.s3.create_bucket(Bucket=theirs)
    with refused("AccessDenied", 403):
        bob.s3.put_object(Bucket=theirs, Key="k", Body=b"")
    for name in (mallory.name, "root"):
        with refused("NoSuchEntity", 404):
            bob.iam.get_user(UserName=name)
        with refused("NoSuchEntity", 404):
            bob.iam.create_access_key(UserName=name)
    for person in (bob, alice):
        alice.iam.put_user_policy(
            UserName=person.name, PolicyName="more", PolicyDocument=EVERYTHING
        )
        refusals = [
            native(person, "PUT", "/v1/cluster", {"action": "set-config", "value": {}}),
            native(person, "POST", "/v1/users", {"id": fresh("new"), "roles": ["Admin"]}),
            native(person, "PUT", f"/v1/users/{person.name}", {"roles": ["Admin"]}),
            native(person, "POST", "/v1/roles", {"name": fresh("role"), "admin": True}),
        ]
        assert [reply.status for reply in refusals] == [403] * 4
    with refused("AccessDenied", 403):
        bob.sts.assume_role(
            RoleArn=f"arn:aws:iam::{bob.sts.get_caller_identity()['Account']}:role/Admin",
            RoleSessionName="more",
        )
    alice.iam.delete_user_policy(UserName=alice.name, PolicyName="more")
    mallory.s3.delete_bucket(Bucket=theirs)


def test_a_user_is_moved_only_between_paths_that_one_has(alice: Person, fresh: Names) -> None:
    mover = join(alice, fresh("mover"), allow("iam:*", ["arn:aws:iam::*:user/mine/*"]))
    name = fresh("bob")
    alice.iam.create_user(UserName=name, Path="/theirs/")
    with refused("AccessDenied", 403):
        mover.iam.update_user(UserName=name, NewPath="/mine/")
    own = fresh("own")
    mover.iam.create_user(UserName=own, Path="/mine/")
    with refused("AccessDenied", 403):
        mover.iam.update_user(UserName=own, NewPath="/theirs/")


def test_cve_2025_62506_a_session_makes_itself_no_lasting_credentials(alice: Person) -> None:
    """Neither by IAM nor by AIStore's API: what is lent ends."""
    lent = alice.lent(alice.sts.get_session_token()["Credentials"])
    with refused("AccessDenied", 403):
        lent.iam.create_access_key()
    with refused("AccessDenied", 403):
        lent.iam.create_login_profile(UserName=alice.name, Password="correct horse")
    brought = {"access_key": "BROUGHTALONG", "secret_key": "correct horse"}
    refusals = [
        native(lent, "POST", f"/v1/users/{alice.name}/keys", {}),
        native(lent, "POST", f"/v1/users/{alice.name}/keys", brought),
        native(lent, "PUT", f"/v1/users/{alice.name}", {"pass": "correct horse"}),
    ]
    assert [reply.status for reply in refusals] == [403] * 3
    keys = alice.iam.list_access_keys()["AccessKeyMetadata"]
    assert "BROUGHTALONG" not in {key["AccessKeyId"] for key in keys}


# --- through others -------------------------------------------------------------------------


def test_cve_2024_24747_an_account_does_not_reach_users_of_another(
    mallory: Person, alice: Person, fresh: Names
) -> None:
    bob = join(alice, fresh("bob"))
    iam, victim = mallory.iam, {"UserName": bob.name}
    key = {"AccessKeyId": bob.access_key}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("get_user", {}),
        ("update_user", {"NewPath": "/x/"}),
        ("delete_user", {}),
        ("tag_user", {"Tags": [{"Key": "a", "Value": "b"}]}),
        ("untag_user", {"TagKeys": ["a"]}),
        ("list_user_tags", {}),
        ("create_access_key", {}),
        ("list_access_keys", {}),
        ("update_access_key", {**key, "Status": "Inactive"}),
        ("delete_access_key", key),
        ("put_user_policy", {"PolicyName": "p", "PolicyDocument": EVERYTHING}),
        ("get_user_policy", {"PolicyName": "p"}),
        ("list_user_policies", {}),
        ("delete_user_policy", {"PolicyName": "p"}),
        ("create_login_profile", {"Password": "correct horse"}),
        ("get_login_profile", {}),
        ("update_login_profile", {"Password": "correct horse"}),
        ("delete_login_profile", {}),
        ("list_attached_user_policies", {}),
        ("list_groups_for_user", {}),
        ("list_mfa_devices", {}),
        ("list_ssh_public_keys", {}),
        ("list_service_specific_credentials", {}),
        ("list_signing_certificates", {}),
    ]
    for call, parameters in calls:
        with refused("NoSuchEntity", 404):
            getattr(iam, call)(**victim, **parameters)
    for call in ("update_access_key", "delete_access_key"):
        extra = {"Status": "Inactive"} if call.startswith("update") else {}
        with refused("NoSuchEntity", 404):
            getattr(iam, call)(**key, **extra)
    assert bob.sts.get_caller_identity()["Arn"].endswith(bob.name)


def test_the_owner_of_an_account_is_changed_by_itself_alone(alice: Person, helper: Person) -> None:
    iam, owner = helper.iam, {"UserName": alice.name}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("create_access_key", {}),
        ("update_access_key", {"AccessKeyId": alice.access_key, "Status": "Inactive"}),
        ("delete_access_key", {"AccessKeyId": alice.access_key}),
        ("put_user_policy", {"PolicyName": "p", "PolicyDocument": EVERYTHING}),
        ("create_login_profile", {"Password": "correct horse"}),
        ("update_user", {"NewPath": "/x/"}),
        ("delete_user", {}),
    ]
    for call, parameters in calls:
        with refused("AccessDenied", 403):
            getattr(iam, call)(**owner, **parameters)
    assert iam.get_user(**owner), "to look is another matter"
    made = alice.iam.create_access_key()["AccessKey"]
    alice.iam.delete_access_key(AccessKeyId=made["AccessKeyId"])


def test_cve_2022_24842_an_account_does_not_borrow_the_roles_of_its_users(
    root: Person, alice: Person, helper: Person, fresh: Names
) -> None:
    """The cluster gave one user of the account a role; its owner must not sign as that user."""
    role, chosen = fresh("role"), fresh("chosen")
    make_role(root, role, clusters=[{"perm": "1"}])
    alice.iam.create_user(UserName=chosen)
    old = with_key(alice, chosen)
    key = {"UserName": chosen, "AccessKeyId": old.access_key}
    alice.iam.update_access_key(**key, Status="Inactive")
    assert native(root, "PUT", f"/v1/users/{chosen}", {"roles": [role]}).status == 200
    for person in (alice, helper):
        iam = person.iam
        with refused("AccessDenied", 403):
            iam.create_access_key(UserName=chosen)
        with refused("AccessDenied", 403):
            iam.update_access_key(**key, Status="Active")
        with refused("AccessDenied", 403):
            iam.create_login_profile(UserName=chosen, Password="correct horse")
    root.iam.create_login_profile(UserName=chosen, Password="correct horse")
    with refused("AccessDenied", 403):
        alice.iam.update_login_profile(UserName=chosen, Password="another horse")
    assert native(root, "PUT", f"/v1/users/{alice.name}", {"roles": [role]}).status == 200
    alice.iam.update_access_key(**key, Status="Active")
    assert native(root, "PUT", f"/v1/users/{alice.name}", {"roles": []}).status == 200
    alice.iam.delete_access_key(**key)


def test_an_administrator_by_role_reaches_every_account(
    root: Person, alice: Person, fresh: Names
) -> None:
    admin = new_user(root.node, fresh("admin"), roles=("Admin",))
    bob = join(alice, fresh("bob"))
    assert admin.iam.get_user(UserName=bob.name)["User"]["UserName"] == bob.name
    made = with_key(admin, bob.name)
    assert made.sts.get_caller_identity()["Arn"].endswith(bob.name)
    account = admin.iam.create_user(UserName=fresh("new"))["User"]["Arn"].split(":")[4]
    assert account == admin.sts.get_caller_identity()["Account"]


# --- the administrator ----------------------------------------------------------------------


def test_cve_2023_27589_nobody_gets_the_administrators_access_key(
    root: Person, alice: Person
) -> None:
    for person, name in ((root, alice.name), (root, "root"), (alice, alice.name)):
        brought = {"access_key": ACCESS_KEY, "secret_key": "another secret key"}
        reply = native(person, "POST", f"/v1/users/{name}/keys", brought)
        assert reply.status in (400, 409), reply.body
    assert root.sts.get_caller_identity()["Arn"] == "arn:aws:iam::000000000000:root"


def test_the_administrator_is_no_user_that_could_be_changed(root: Person) -> None:
    calls: list[tuple[str, dict[str, Any]]] = [
        ("create_access_key", {}),
        ("put_user_policy", {"PolicyName": "p", "PolicyDocument": EVERYTHING}),
        ("create_login_profile", {"Password": "correct horse"}),
        ("update_user", {"NewPath": "/x/"}),
        ("delete_user", {}),
    ]
    for call, parameters in calls:
        with refused("NoSuchEntity", 404):
            getattr(root.iam, call)(UserName="root", **parameters)
    with refused("ValidationError", 400):
        root.iam.create_access_key()


def test_a_user_of_the_administrators_account_is_no_administrator(
    root: Person, alice: Person, fresh: Names
) -> None:
    bob = join(root, fresh("bob"), allow("iam:*"), allow("s3:*"))
    assert bob.sts.get_caller_identity()["Account"] == "000000000000"
    with refused("NoSuchEntity", 404):
        bob.iam.create_access_key(UserName=alice.name)
    with refused("NoSuchEntity", 404):
        bob.iam.create_access_key(UserName="root")
    assert alice.name not in {user["UserName"] for user in bob.iam.list_users()["Users"]}
    private = fresh("private")
    alice.s3.create_bucket(Bucket=private)
    with refused("AccessDenied", 403):
        bob.s3.list_objects_v2(Bucket=private)
    alice.s3.delete_bucket(Bucket=private)
