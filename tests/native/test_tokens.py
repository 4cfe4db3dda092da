"""Tokens on the wire: logged in, used in every way there is, ended; and the keys they are signed
with, on a node of their own since its settings change."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.harness import SECRET_KEY, Node, Reply
from tests.native.people import PASSWORD, Person, login, make_user
from tests.native.support import message
from tests.people import as_root

SECOND = 1_000_000_000
DAY = 24 * 3600


@pytest.fixture(scope="module")
def token_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    running = Node(tmp_path_factory.mktemp("tokens") / "data", workers=2).start()
    yield running
    assert running.stop() == 0, running.log_tail()


def read(token: str) -> dict[str, Any]:
    """What a token says, unchecked."""
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


def whoami(person: Person) -> Reply:
    return person.send("GET", "/v1/self")


def get(node: Node, target: str, **more: Any) -> Reply:
    return node.send("GET", target, signed=False, **more)


def with_config(node: Node, name: str, value: str) -> None:
    as_root(node, "PUT", "/v1/cluster", {"action": "set-config", "value": {name: value}})


# --- what a token says --------------------------------------------------------------------------


def test_a_token_has_the_claims_that_aistore_s_have(token_node: Node) -> None:
    told = read(login(token_node, "root", SECRET_KEY).token)
    assert told["sub"] == "root"
    assert told["admin"] is True
    assert told["exp"] - told["iat"] in (DAY, DAY + 1)
    assert {"iss", "aud", "jti", "clusters", "buckets"} <= set(told)
    person = make_user(token_node, ["Admin"])
    assert read(person.token)["admin"] is True
    assert read(make_user(token_node).token)["admin"] is False


def test_a_token_is_good_as_long_as_is_asked_for(token_node: Node) -> None:
    name = make_user(token_node).name

    def lifetime(**asked: Any) -> int:
        told = read(login(token_node, name, **asked).token)
        return int(told["exp"] - told["iat"] + 1) // 60

    assert lifetime(expires_in=3600 * SECOND) == 60
    assert lifetime(expires_in=0) == 90 * 24 * 60
    assert lifetime(expires_in=None) == 24 * 60
    with_config(token_node, "auth.expiration_time", "30m")
    assert lifetime() == 30
    with_config(token_node, "auth.expiration_time", "24h")


@pytest.mark.parametrize("asked", [-1, 91 * DAY * SECOND, 1 << 62, "1h", 1.5, True])
def test_a_lifetime_that_cannot_be_is_refused(token_node: Node, asked: object) -> None:
    reply = Person(token_node, "", "").tell(
        "POST", "/v1/users/root", {"password": SECRET_KEY, "expires_in": asked}
    )
    assert reply.status == 400


def test_a_token_with_many_roles_stays_short_enough_for_a_header(token_node: Node) -> None:
    entries = [
        {"bck": {"name": f"a-bucket-with-some-name-{number}"}, "perm": "1"} for number in range(200)
    ]
    as_root(token_node, "POST", "/v1/roles", {"name": "many", "buckets": entries})
    person = make_user(token_node, ["many"])
    assert len(person.token) < 1024
    assert whoami(person).status == 200


# --- how it is given ----------------------------------------------------------------------------


def test_a_token_is_given_as_a_bearer_or_beside_a_signature_of_any_keys(token_node: Node) -> None:
    person = make_user(token_node)
    assert whoami(person).status == 200
    for scheme in ("bearer", "BEARER"):
        fields = {"Authorization": f"{scheme} {person.token}"}
        assert get(token_node, "/v1/self", headers=fields).status == 200
    beside = token_node.send(
        "GET",
        "/v1/self",
        headers={"X-Amz-Security-Token": person.token},
        access_key="DUMMY",
        secret_key="dummy",
    )
    assert json.loads(beside.body)["id"] == person.name


def test_a_token_in_a_query_or_given_twice_is_refused(token_node: Node) -> None:
    token = make_user(token_node).token
    for query in (f"X-Amz-Security-Token={token}", f"token={token}", f"access_token={token}"):
        assert get(token_node, f"/v1/self?{query}").status == 401
    both = {"Authorization": f"Bearer {token}", "X-Amz-Security-Token": token}
    assert get(token_node, "/v1/self", headers=both).status == 400
    signed = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00"
    fields = {"Authorization": f"Bearer {token}"}
    assert get(token_node, f"/v1/self?{signed}", headers=fields).status == 400


@pytest.mark.parametrize(
    "token",
    ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "x" * 9000, "eyJ.." * 100, "\xff\xfe.a.b"],
    ids=lambda token: token[:20],
)
def test_what_is_no_token_is_refused_and_not_repeated(token_node: Node, token: str) -> None:
    reply = get(token_node, "/v1/self", headers={"Authorization": f"Bearer {token}"})
    assert reply.status in (400, 401)
    assert len(token) < 10 or token not in reply.body.decode()


def test_an_old_token_does_not_keep_anybody_from_logging_in(token_node: Node) -> None:
    person = make_user(token_node)
    stale = Person(token_node, person.name, "eyJ.no.token")
    assert stale.tell("POST", f"/v1/users/{person.name}", {"password": PASSWORD}).status == 200


# --- how it ends --------------------------------------------------------------------------------


def test_a_token_that_was_revoked_is_void_and_others_are_not(token_node: Node) -> None:
    first = make_user(token_node)
    second = login(token_node, first.name)
    assert first.tell("DELETE", "/v1/tokens", {"token": first.token}).status == 200
    for _ in range(4):  # whichever worker is asked
        reply = whoami(first)
        assert (reply.status, message(reply)) == (401, "the token has been revoked")
        assert whoami(second).status == 200
    assert first.tell("DELETE", "/v1/tokens", {"token": first.token}).status == 401


@pytest.mark.parametrize("value", [{}, {"token": 1}, {"token": ""}, {"token": "a.b.c"}, []])
def test_what_is_no_token_cannot_be_revoked(token_node: Node, value: object) -> None:
    assert make_user(token_node).tell("DELETE", "/v1/tokens", value).status == 400


def test_a_token_ends_at_its_time(token_node: Node) -> None:
    person = login(token_node, make_user(token_node).name, expires_in=1)
    while (reply := whoami(person)).status == 200:  # until the present second is over
        assert time.time() < read(person.token)["exp"] + 1
    assert (reply.status, message(reply)) == (401, "the token has expired: log in again")


def test_a_new_password_ends_the_tokens_before_it(token_node: Node) -> None:
    person = make_user(token_node)
    as_root(token_node, "PUT", f"/v1/users/{person.name}", {"pass": "another one"})
    reply = whoami(person)
    assert (reply.status, message(reply)) == (401, "the token is void: log in again")
    assert whoami(login(token_node, person.name, "another one")).status == 200


def test_the_administrator_s_tokens_end_with_its_password(tmp_path: Path) -> None:
    """It is an option of the nodes: no row tells that it has changed."""
    data = tmp_path / "data"
    secrets = [SECRET_KEY, "another+secret/key"]
    tokens: list[str] = []
    for secret in secrets:
        running = Node(data, workers=1, environment={"AISLE_ROOT_SECRET_KEY": secret}).start()
        try:
            for token in tokens:
                reply = whoami(Person(running, "root", token))
                assert (reply.status, message(reply)) == (401, "the token is void: log in again")
            root = login(running, "root", secret)
            assert whoami(root).status == 200
            tokens.append(root.token)
        finally:
            assert running.stop() == 0, running.log_tail()


# --- keys ---------------------------------------------------------------------------------------


def test_tokens_outlive_the_rotation_of_their_key(token_node: Node) -> None:
    before = make_user(token_node)
    as_root(token_node, "POST", "/v1/rotate-key")
    after = login(token_node, before.name)
    kids = {jwt.get_unverified_header(person.token)["kid"] for person in (before, after)}
    assert len(kids) == 2
    for person in (before, after):
        for _ in range(3):
            assert whoami(person).status == 200


def test_with_a_secret_there_is_no_public_key(token_node: Node) -> None:
    reply = get(token_node, "/v1/public-key")
    assert (reply.status, "HS256" in message(reply)) == (501, True)
    assert json.loads(get(token_node, "/.well-known/jwks.json").body) == {"keys": []}


def test_others_can_verify_tokens_signed_with_rsa(token_node: Node) -> None:
    old = make_user(token_node)
    with_config(token_node, "auth.signature.method", "RS256")
    try:
        person = login(token_node, old.name)
        told = json.loads(get(token_node, "/.well-known/openid-configuration").body)
        assert told["id_token_signing_alg_values_supported"] == ["RS256"]
        path = told["jwks_uri"].removeprefix(token_node.root)
        keys = jwt.PyJWKSet.from_dict(json.loads(get(token_node, path).body))
        kid = jwt.get_unverified_header(person.token)["kid"]
        claims = read(person.token)
        pem = get(token_node, "/v1/public-key").body.decode()
        for key in (keys[kid].key, pem):
            found = jwt.decode(
                person.token,
                key,
                algorithms=["RS256"],
                audience=claims["aud"],
                issuer=told["issuer"],
            )
            assert found["sub"] == person.name
        assert "PRIVATE" not in pem
        for one in (old, person):
            assert whoami(one).status == 200
    finally:
        with_config(token_node, "auth.signature.method", "HS256")
    assert whoami(person).status == 200


def test_a_token_names_the_audience_that_is_required(token_node: Node) -> None:
    before = make_user(token_node)
    with_config(token_node, "auth.required_claims.aud", "here,there")
    try:
        reply = whoami(before)
        assert (reply.status, message(reply)) == (401, "the token is for another audience")
        after = login(token_node, before.name)
        assert read(after.token)["aud"] == ["here", "there"]
        assert whoami(after).status == 200
    finally:
        with_config(token_node, "auth.required_claims.aud", "")
    assert whoami(before).status == 200


def test_only_the_administrator_rotates(token_node: Node) -> None:
    assert make_user(token_node).send("POST", "/v1/rotate-key").status == 403
