"""The AuthN API on the wire: users, their access keys and policies; and who may use it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import boto3
import pytest

from aisle.core import permissions as bits
from tests.harness import ACCESS_KEY, REGION, SECRET_KEY, Node, Reply
from tests.native.people import (
    PASSWORD,
    Person,
    allow,
    fresh,
    login,
    make_role,
    make_user,
    soon,
    told,
)
from tests.native.support import message
from tests.people import as_root, ask


def by_key(node: Node, key: Mapping[str, str]) -> Reply:
    """Who the user of an access key is."""
    return node.send("GET", "/v1/self", access_key=key["access_key"], secret_key=key["secret_key"])


# --- users --------------------------------------------------------------------------------------


def test_a_user_is_shown_with_all_but_its_secrets(node: Node) -> None:
    role = make_role(node, bits.READ_ONLY)
    display, email = fresh("Display"), f"{fresh('mail')}@example.com"
    person = make_user(
        node, [role], {"p": allow("s3:*", resource="*")}, display=display, email=email
    )
    key = told(person.tell("POST", f"/v1/users/{person.name}/keys", {}))
    found = told(ask(node, "GET", f"/v1/users/{person.name}"))
    assert found["id"] == person.name
    assert [one["name"] for one in found["roles"]] == [role]
    assert (found["display"], found["email"], found["owner"]) == (display, email, True)
    assert len(found["account"]) == 12
    assert len(found["canonical_id"]) == 64
    assert found["arn"] == f"arn:aws:iam::{found['account']}:user/{person.name}"
    assert found["policies"] == ["p"]
    assert found["login"] is True
    assert [one["access_key"] for one in found["keys"]] == [key["access_key"]]
    everything = ask(node, "GET", "/v1/users").body + json.dumps(found).encode()
    for secret in (PASSWORD, key["secret_key"], "argon2"):
        assert secret.encode() not in everything


def test_a_user_that_joins_an_account_does_not_own_it(node: Node) -> None:
    owner = told(make_user(node).send("GET", "/v1/self"))
    member = told(make_user(node, account=owner["account"]).send("GET", "/v1/self"))
    assert (member["canonical_id"], member["owner"]) == (owner["canonical_id"], False)


def test_roles_come_by_name_or_as_they_are_told_and_can_be_taken_away(node: Node) -> None:
    first, second = make_role(node, bits.GET), make_role(node, bits.PUT)
    person = make_user(node, [first])
    target = f"/v1/users/{person.name}"

    def held() -> list[str]:
        return [one["name"] for one in told(ask(node, "GET", target))["roles"]]

    assert ask(node, "PUT", target, {"id": person.name, "roles": [{"name": second}]}).status == 200
    assert held() == [second]
    # As AIStore's clients write it: the password alone is to be changed.
    assert ask(node, "PUT", target, {"pass": "another one", "roles": []}).status == 200
    assert held() == [second]
    assert ask(node, "PUT", target, {"password": None, "roles": []}).status == 200
    assert held() == []


def test_an_account_gets_other_names(node: Node) -> None:
    person = make_user(node)
    email = f"{fresh('mail')}@example.com"
    target = f"/v1/users/{person.name}"
    assert ask(node, "PUT", target, {"display": "New Name", "email": email}).status == 200

    def named() -> bool:
        found = told(person.send("GET", "/v1/self"))
        return (found["display"], found["email"]) == ("New Name", email)

    soon(named, "the account has its names")
    assert ask(node, "PUT", f"/v1/users/{make_user(node).name}", {"email": email}).status == 409


def test_an_account_whose_owner_is_gone_gets_another(node: Node) -> None:
    """What the owner has made is its account's, which nobody inherits by joining it."""
    owner = make_user(node)
    account = told(owner.send("GET", "/v1/self"))["account"]
    bucket = fresh("bucket")
    assert owner.act("POST", f"/v1/buckets/{bucket}", "create-bck").status == 200
    heir, other = make_user(node, account=account), make_user(node)
    as_root(node, "DELETE", f"/v1/users/{owner.name}")
    target = f"/v1/users/{heir.name}"
    assert heir.tell("PUT", target, {"owner": True}).status == 403
    assert heir.send("HEAD", f"/v1/buckets/{bucket}").status == 403
    assert ask(node, "PUT", target, {"owner": False}).status == 400
    assert ask(node, "PUT", target, {"owner": True}).status == 200
    assert told(heir.send("GET", "/v1/self"))["owner"] is True
    soon(lambda: heir.send("HEAD", f"/v1/buckets/{bucket}").status == 200, "the bucket is its own")
    assert other.send("HEAD", f"/v1/buckets/{bucket}").status == 403
    assert heir.act("DELETE", f"/v1/buckets/{bucket}", "destroy-bck").status == 200


def test_a_deleted_user_is_gone_with_its_keys_and_tokens(node: Node) -> None:
    person = make_user(node)
    key = told(person.tell("POST", f"/v1/users/{person.name}/keys", {}))
    keys = {"access_key": key["access_key"], "secret_key": key["secret_key"]}
    assert by_key(node, keys).status == 200
    as_root(node, "DELETE", f"/v1/users/{person.name}")
    soon(lambda: by_key(node, keys).status == 401, "the key is gone")
    soon(lambda: person.send("GET", "/v1/self").status == 401, "the token is void")
    as_root(node, "POST", "/v1/users", {"id": person.name, "pass": PASSWORD, "roles": []})
    assert person.send("GET", "/v1/self").status == 401
    assert login(node, person.name).send("GET", "/v1/self").status == 200


@pytest.mark.parametrize(
    ("value", "status", "text"),
    [
        ({}, 400, "a user name has"),
        ({"id": "a/b"}, 400, "a user name has"),
        ({"id": "root"}, 400, "the administrator's"),
        ({"id": "ROOT"}, 400, "the administrator's"),
        ({"id": "x1", "pass": " "}, 400, "password"),
        ({"id": "x1", "pass": "p" * 2000}, 400, "password"),
        ({"id": "x1", "roles": ["no-such-role"]}, 404, 'role "no-such-role"'),
        ({"id": "x1", "account": "123456789012"}, 404, 'account "123456789012"'),
        ({"id": "x1", "email": "nobody"}, 400, "mail address"),
        ({"id": "x1", "pass": 7}, 400, "Expected `str | null`"),
        ({"id": "x1", "roles": {}}, 400, "Expected"),
        ([], 400, "Expected `object`"),
    ],
    ids=repr,
)
def test_a_user_that_cannot_be_is_refused(
    node: Node, value: object, status: int, text: str
) -> None:
    reply = ask(node, "POST", "/v1/users", value)
    assert reply.status == status
    assert text in message(reply)
    assert ask(node, "GET", "/v1/users/x1").status == 404


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 5000, b'{"id": "x1"} {}'])
def test_a_body_that_is_not_json_is_refused(node: Node, body: bytes) -> None:
    for target in ("/v1/users", "/v1/roles", "/v1/clusters", "/v1/users/root/keys"):
        reply = node.send("POST", target, body=body)
        assert reply.status == 400
        assert "body of the request" in message(reply)


def test_what_is_there_already_or_not_at_all_is_told_in_the_words_that_clients_look_for(
    node: Node,
) -> None:
    user, role, cluster = make_user(node).name, make_role(node, 1), fresh("cluster")
    as_root(node, "POST", "/v1/clusters", {"id": cluster, "alias": fresh("alias")})
    for target, value, word in (
        ("/v1/users", {"id": user}, "user "),
        ("/v1/roles", {"name": role}, "role "),
        ("/v1/clusters", {"id": cluster}, "cluster "),
    ):
        reply = ask(node, "POST", target, value)
        assert (reply.status, word in message(reply)) == (409, True)
        for method, more in (("GET", None), ("PUT", {}), ("DELETE", None)):
            reply = ask(node, method, f"{target}/no-such-thing", more)
            assert (reply.status, word in message(reply)) == (404, True), reply


def test_the_administrator_stays(node: Node) -> None:
    assert ask(node, "DELETE", "/v1/users/root").status == 400
    assert ask(node, "PUT", "/v1/users/root", {"pass": "another"}).status == 400
    assert ask(node, "PUT", "/v1/users/root", {"roles": []}).status == 400
    assert ask(node, "DELETE", "/v1/roles/Admin").status == 400
    assert ask(node, "PUT", "/v1/roles/Admin", {"admin": False}).status == 400


def test_no_user_gets_the_administrator_s_access_key(node: Node) -> None:
    """Another store's root was locked out so: its key was given to a user."""
    person = make_user(node)
    given = {"access_key": ACCESS_KEY, "secret_key": "of/somebody+else's"}
    assert person.tell("POST", f"/v1/users/{person.name}/keys", given).status == 409
    assert node.send("GET", "/v1/self").status == 200


# --- self service -------------------------------------------------------------------------------


def test_users_see_themselves_and_nobody_else(node: Node) -> None:
    person, other = make_user(node), make_user(node)
    assert told(person.send("GET", f"/v1/users/{person.name}"))["id"] == person.name
    assert told(person.send("GET", "/v1/self")) == told(
        person.send("GET", f"/v1/users/{person.name}")
    )
    for name in (other.name, "root", "no-such-user"):
        for target in (f"/v1/users/{name}", f"/v1/users/{name}/keys"):
            assert person.send("GET", target).status == 403


def test_users_change_their_password_and_nothing_else_of_themselves(node: Node) -> None:
    person = make_user(node)
    target = f"/v1/users/{person.name}"
    values: tuple[dict[str, object], ...] = (
        {"roles": ["Admin"]},
        {"pass": "new password", "roles": ["Admin"]},
        {"roles": []},
        {"display": "Somebody Else"},
        {"email": "x@example.com"},
        {"pass": "new password", "display": "Somebody Else"},
    )
    for value in values:
        assert person.tell("PUT", target, value).status == 403
    assert person.tell("PUT", f"{target}/policies/p", allow("*", resource="*")).status == 403
    assert person.send("DELETE", target).status == 403
    assert person.tell("PUT", target, {"id": person.name, "pass": "new password"}).status == 200
    soon(lambda: person.send("GET", "/v1/self").status == 401, "the token is void")
    assert login(node, person.name, "new password").send("GET", "/v1/self").status == 200


def test_users_look_after_their_own_keys(node: Node) -> None:
    person, other = make_user(node), make_user(node)
    target = f"/v1/users/{person.name}/keys"
    made = told(person.tell("POST", target, {}))
    assert set(made) == {"access_key", "secret_key", "user", "active", "created", "last_used"}
    mine = {"access_key": fresh("MYKEY"), "secret_key": "a/secret+of=my-own"}
    brought = told(person.tell("POST", target, mine))
    assert {name: brought[name] for name in mine} == mine
    assert by_key(node, mine).status == 200
    one = f"{target}/{mine['access_key']}"
    assert person.tell("PUT", one, {"active": False}).status == 200
    soon(lambda: by_key(node, mine).status == 401, "the key is off")
    shown = told(person.send("GET", target))["keys"]
    assert [(key["access_key"], key["active"]) for key in shown] == [
        (made["access_key"], True),
        (mine["access_key"], False),
    ]
    assert not any("secret_key" in key for key in shown)
    for method, value in (("PUT", {"active": True}), ("DELETE", None)):
        assert other.tell(method, one, value).status == 403
        theirs = f"/v1/users/{other.name}/keys/{mine['access_key']}"
        assert other.tell(method, theirs, value).status == 404
    assert other.tell("POST", target, {}).status == 403
    assert person.send("DELETE", one).status == 200
    assert person.send("DELETE", one).status == 404
    assert person.tell("PUT", one, {"active": True}).status == 404
    assert person.tell("PUT", one, {"active": 1}).status == 400


@pytest.mark.parametrize(
    "given",
    [
        {"access_key": "ABCDEFGH"},
        {"secret_key": "a/secret+of=my-own"},
        {"access_key": "with a space", "secret_key": "a/secret+of=my-own"},
        {"access_key": "ABCDEFGH", "secret_key": 7},
    ],
    ids=repr,
)
def test_a_key_that_cannot_be_is_refused_without_repeating_it(
    node: Node, given: dict[str, object]
) -> None:
    reply = ask(node, "POST", "/v1/users/root/keys", given)
    assert reply.status == 400
    assert "of=my-own" not in reply.body.decode()


def test_a_session_does_not_get_beyond_its_limits_by_way_of_its_user_cve_2025_62506(
    node: Node,
) -> None:
    """A session policy was not asked where the session worked on its user's own account."""
    person = make_user(node)
    key = told(person.tell("POST", f"/v1/users/{person.name}/keys", {}))
    sts = boto3.client(
        "sts",
        endpoint_url=node.root,
        region_name=REGION,
        aws_access_key_id=key["access_key"],
        aws_secret_access_key=key["secret_key"],
    )
    given = sts.get_session_token()["Credentials"]

    def in_session(method: str, target: str, body: bytes = b"") -> int:
        return node.send(
            method,
            target,
            body=body,
            headers={"X-Amz-Security-Token": given["SessionToken"]},
            access_key=given["AccessKeyId"],
            secret_key=given["SecretAccessKey"],
        ).status

    assert in_session("GET", "/v1/self") == 200
    target = f"/v1/users/{person.name}"
    assert in_session("POST", f"{target}/keys", b"{}") == 403
    assert in_session("PUT", target, b'{"pass": "another one"}') == 403
    assert in_session("DELETE", f"{target}/keys/{key['access_key']}") == 403
    assert person.send("GET", "/v1/self").status == 200


# --- policies -----------------------------------------------------------------------------------


def test_policies_of_users_are_kept_as_they_are_put(node: Node) -> None:
    person = make_user(node)
    target = f"/v1/users/{person.name}/policies"
    document = allow("s3:GetObject", resource="arn:aws:s3:::b/*")
    assert ask(node, "PUT", f"{target}/one", document).status == 200
    assert told(ask(node, "GET", f"{target}/one")) == document
    assert told(ask(node, "GET", target)) == {"one": json.dumps(document)}
    assert ask(node, "DELETE", f"{target}/one").status == 200
    for method in ("GET", "DELETE"):
        assert ask(node, method, f"{target}/one").status == 404
    wrongs: list[object] = [{}, [], "text"]
    for wrong in (*wrongs, {"Version": "2012-10-17", "Statement": [{"Effect": "Maybe"}]}):
        assert ask(node, "PUT", f"{target}/two", wrong).status == 400
    assert node.send("PUT", f"{target}/two", body=b"\xff").status == 400
    assert ask(node, "PUT", f"{target}/a%20b", document).status == 400
    assert told(ask(node, "GET", target)) == {}


# --- guessing -----------------------------------------------------------------------------------


@pytest.fixture
def lone_node(tmp_path: Path) -> Iterator[Node]:
    """A node of its own: where wrong passwords come from, others would have to wait. Each worker
    counts for itself."""
    running = Node(tmp_path / "data", workers=1).start()
    yield running
    assert running.stop() == 0, running.log_tail()


def test_who_guesses_passwords_waits_and_learns_no_names(lone_node: Node) -> None:
    """CVE-2026-33419: logins without any limit, and another answer for users that are there."""
    node = lone_node
    person = make_user(node)
    wrong = Person(node, "", "").tell("POST", "/v1/users/root", {"password": "wrong"})
    assert (wrong.status, message(wrong)) == (401, "invalid credentials")
    login(node, "root", SECRET_KEY)
    guesser = Person(node, "", "")
    answers = {}
    for name in (person.name, fresh("nobody")):
        replies = [
            guesser.tell("POST", f"/v1/users/{name}", {"password": f"guess {number}"})
            for number in range(9)
        ]
        answers[name] = {(reply.status, message(reply)) for reply in replies}
        assert all("retry-after" in reply.headers for reply in replies if reply.status == 429)
    first, second = answers.values()
    assert first <= {
        (401, "invalid credentials"),
        (429, "too many attempts to log in, try again later"),
    }
    assert {status for status, _ in first} == {401, 429}
    assert {status for status, _ in second} <= {401, 429}
