"""Login profiles: the passwords that AIStore's clients log in with."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.people import Person, allow, join, refused

Names = Callable[[str], str]


def logs_in(person: Person, password: str) -> bool:
    """Whether a login with this password, as AIStore's clients send it, is a right one."""
    body = json.dumps({"password": password}).encode()
    reply = person.node.send("POST", f"/v1/users/{person.name}", body=body, signed=False)
    assert reply.status in (200, 401), reply.body
    return reply.status == 200


def test_a_password_is_made_changed_and_taken_away(alice: Person, fresh: Names) -> None:
    iam, bob = alice.iam, join(alice, fresh("bob"))
    with refused("NoSuchEntity", 404):
        iam.get_login_profile(UserName=bob.name)
    with refused("NoSuchEntity", 404):
        iam.update_login_profile(UserName=bob.name, Password="first horse")
    made = iam.create_login_profile(UserName=bob.name, Password="first horse")["LoginProfile"]
    assert made["UserName"] == bob.name
    assert iam.get_login_profile(UserName=bob.name)["LoginProfile"] == made
    assert logs_in(bob, "first horse")
    with refused("EntityAlreadyExists", 409):
        iam.create_login_profile(UserName=bob.name, Password="second horse")
    assert logs_in(bob, "first horse")
    iam.update_login_profile(UserName=bob.name, Password="second horse")
    assert not logs_in(bob, "first horse")
    assert logs_in(bob, "second horse")
    iam.delete_login_profile(UserName=bob.name)
    assert not logs_in(bob, "second horse")


def test_a_user_changes_its_password_knowing_the_old_one(alice: Person, fresh: Names) -> None:
    bob = join(alice, fresh("bob"), allow("iam:ChangePassword"))
    alice.iam.create_login_profile(UserName=bob.name, Password="first horse")
    with refused("AccessDenied", 403):
        bob.iam.change_password(OldPassword="wrong horse", NewPassword="second horse")
    bob.iam.change_password(OldPassword="first horse", NewPassword="second horse")
    assert logs_in(bob, "second horse")
    carol = join(alice, fresh("carol"))
    alice.iam.create_login_profile(UserName=carol.name, Password="first horse")
    with refused("AccessDenied", 403):
        carol.iam.change_password(OldPassword="first horse", NewPassword="second horse")


def test_the_administrators_password_is_not_changed_here(root: Person) -> None:
    with refused("InvalidUserType", 400):
        root.iam.change_password(OldPassword="first horse", NewPassword="second horse")
    with refused("NoSuchEntity", 404):
        root.iam.create_login_profile(UserName="root", Password="second horse")


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"Password": "x" * 129}, "ValidationError"),
        ({"Password": "€uro"}, "ValidationError"),
        ({"Password": "   "}, "PasswordPolicyViolation"),
        ({}, "ValidationError"),
        ({"Password": "first horse", "PasswordResetRequired": True}, "NotImplemented"),
    ],
    ids=str,
)
def test_a_password_that_cannot_be_is_refused_and_never_repeated(
    alice: Person, fresh: Names, parameters: dict[str, str], code: str
) -> None:
    name = fresh("bob")
    alice.iam.create_user(UserName=name)
    with pytest.raises(alice.iam.exceptions.ClientError) as caught:
        alice.iam.create_login_profile(UserName=name, **parameters)
    error = caught.value.response["Error"]
    assert error["Code"] == code
    assert parameters.get("Password", "nothing") not in error["Message"].replace(" ", "")
    with refused("NoSuchEntity", 404):
        alice.iam.get_login_profile(UserName=name)
