"""How a request says who sent it: tokens beside dummy keys, one way at a time, version 2 or not."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cluster.cluster import wait_until
from tests.harness import Endpoint, Reply, presign, sign
from tests.people import log_in
from tests.wire.people import People
from tests.wire.support import expect_error, object_target, outcome, pattern, read

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Login:
    """A user with a password, a token of theirs, and a bucket with the object `k`."""

    user: str
    token: str
    bucket: str


@pytest.fixture(scope="module")
def login(people: People) -> Login:
    node = people.node
    made = json.dumps({"id": "tom", "pass": PASSWORD}).encode()
    assert node.send("POST", "/v1/users", body=made).status == 200
    token = log_in(node, "tom", PASSWORD)
    client(node, token).create_bucket(Bucket="toms-bucket")
    client(node, token).put_object(Bucket="toms-bucket", Key="k", Body=b"tom's")
    return Login("tom", token, "toms-bucket")


def client(node: Endpoint, token: str, **config: Any) -> Any:
    """A boto3 client as a user of AIStore sets it up: a token, and keys that mean nothing."""
    keys = {"access_key": "dummy", "secret_key": "dummy", "token": token}
    return node.client(**keys, s3={"addressing_style": "path"}, **config)


def get(node: Endpoint, login: Login, query: str = "", **headers: str) -> Reply:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return node.send("GET", object_target(login.bucket, "k", query), headers=fields, signed=False)


# --- tokens ---------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_a_token_beside_dummy_keys_is_who_it_is_of(
    people: People, login: Login, version: str
) -> None:
    s3 = client(people.node, login.token, signature_version=version)
    data = pattern(300_000)
    s3.put_object(Bucket=login.bucket, Key="n", Body=data)
    assert read(s3, login.bucket, "n") == data
    names = [entry["Key"] for entry in s3.list_objects_v2(Bucket=login.bucket)["Contents"]]
    assert names == ["k", "n"]
    assert s3.list_buckets()["Owner"]["DisplayName"] == "tom"
    s3.delete_object(Bucket=login.bucket, Key="n")


def test_chunks_signed_with_dummy_keys_are_taken_with_a_token(people: People, login: Login) -> None:
    """Their signatures are of nobody's key: the chunks are decoded, and held to their digest."""
    body = b"5;chunk-signature=" + b"0" * 64 + b"\r\nhello\r\n"
    body += b"0;chunk-signature=" + b"0" * 64 + b"\r\n\r\n"
    headers = {
        "x-amz-security-token": login.token,
        "x-amz-decoded-content-length": "5",
        "content-encoding": "aws-chunked",
    }
    target = object_target(login.bucket, "chunked")
    reply = people.node.send(
        "PUT",
        target,
        headers=headers,
        body=body,
        access_key="dummy",
        secret_key="dummy",
        payload="STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    )
    assert reply.status == 200, reply.body
    assert read(client(people.node, login.token), login.bucket, "chunked") == b"hello"
    client(people.node, login.token).delete_object(Bucket=login.bucket, Key="chunked")


def test_a_bearer_token_is_who_it_is_of(people: People, login: Login) -> None:
    assert get(people.node, login, Authorization=f"Bearer {login.token}").body == b"tom's"
    assert get(people.node, login, Authorization=f"bearer {login.token}").body == b"tom's"


def changed(token: str) -> Iterator[tuple[str, str]]:
    header, claims, proof = token.split(".")
    nobody = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    yield "signature", f"{header}.{claims}.{'A' if proof[0] != 'A' else 'B'}{proof[1:]}"
    yield "no signature", f"{header}.{claims}."
    yield "none", f"{nobody}.{claims}."
    yield "claims", f"{header}.{claims[:-2]}.{proof}"
    yield "empty", "eyJ.."
    yield "long", f"eyJ{'A' * 20_000}.A.A"


def test_a_token_that_was_changed_is_refused(people: People, login: Login) -> None:
    """Beside dummy keys as well as by itself, and it is not repeated."""
    for name, token in changed(login.token):
        beside = sign(
            "GET",
            object_target(login.bucket, "k"),
            host=people.node.host,
            headers={"x-amz-security-token": token},
            access_key="dummy",
            secret_key="dummy",
        ).headers
        for headers in ({"Authorization": f"Bearer {token}"}, beside):
            reply = people.node.send(
                "GET", object_target(login.bucket, "k"), headers=headers, signed=False
            )
            assert (name, reply.status, reply.code) in (
                (name, 400, "InvalidToken"),
                (name, 431, ""),  # more than a header may have
            )
            assert token.encode() not in reply.body


def test_an_expired_token_is_refused(people: People, login: Login) -> None:
    token = log_in(people.node, login.user, PASSWORD, expires_in=1)
    replies = [get(people.node, login, Authorization=f"Bearer {token}")]

    def refused() -> bool:
        replies.append(get(people.node, login, Authorization=f"Bearer {token}"))
        return replies[-1].status != 200

    wait_until(refused, "the token has expired", seconds=60)
    expect_error(replies[-1], 400, "ExpiredToken")


def test_the_token_of_a_user_who_is_gone_is_void(people: People) -> None:
    node = people.node
    made = json.dumps({"id": "tim", "pass": PASSWORD}).encode()
    assert node.send("POST", "/v1/users", body=made).status == 200
    token = log_in(node, "tim", PASSWORD)
    assert outcome(client(node, token).list_buckets) == ""
    assert node.send("DELETE", "/v1/users/tim").status == 200
    people.settle()
    assert outcome(client(node, token).list_buckets) == "InvalidToken"


# --- one way at a time ----------------------------------------------------------------------


def test_a_token_and_another_way_to_sign_are_refused_together(people: People, login: Login) -> None:
    node, alice = people.node, people.alice
    bearer = {"Authorization": f"Bearer {login.token}"}
    url = presign("GET", object_target(login.bucket, "k"), host=node.host, **alice.signing)
    expect_error(node.send("GET", url, headers=bearer, signed=False), 400, "InvalidArgument")
    v2 = "AWSAccessKeyId=x&Expires=9999999999&Signature=x"
    expect_error(get(node, login, v2, **bearer), 400, "InvalidArgument")
    beside = bearer | {"x-amz-security-token": login.token}
    expect_error(get(node, login, **beside), 400, "InvalidArgument")


def test_a_token_in_a_query_is_refused(people: People, login: Login) -> None:
    """It would stand in logs, in histories and in Referer headers."""
    node = people.node
    for name in ("token", "access_token", "Authorization"):
        expect_error(get(node, login, f"{name}={login.token}"), 403, "AccessDenied")
    target = object_target(login.bucket, "k", f"X-Amz-Security-Token={login.token}")
    url = presign("GET", target, host=node.host, access_key="dummy", secret_key="dummy")
    expect_error(node.send("GET", url, signed=False), 403, "InvalidAccessKeyId")
    url = presign("GET", target, host=node.host, **people.alice.signing)
    expect_error(node.send("GET", url, signed=False), 400, "InvalidToken")


def test_a_session_token_without_a_signature_is_refused(people: People, login: Login) -> None:
    for token in (login.token, "made-up"):
        reply = get(people.node, login, x_amz_security_token=token)
        expect_error(reply, 403, "AccessDenied")


# --- version 2 ------------------------------------------------------------------------------


@pytest.fixture
def without_v2(people: People) -> Iterator[None]:
    def switch(on: bool) -> None:
        target = f"/v1/cluster/set-config?auth.signature_v2={str(on).lower()}"
        reply = people.node.send("PUT", target)
        assert reply.status == 200, reply.body

    switch(False)
    yield
    switch(True)


@pytest.mark.usefixtures("without_v2")
def test_a_cluster_may_refuse_version_2(people: People, alices: str) -> None:
    node, alice = people.node, people.alice
    keys = {"access_key": alice.access_key, "secret_key": alice.secret_key}
    old = node.client(**keys, signature_version="s3", s3={"addressing_style": "path"})
    assert outcome(lambda: old.list_objects_v2(Bucket=alices)) == "InvalidRequest"
    url = old.generate_presigned_url("list_objects_v2", Params={"Bucket": alices})
    target = url.removeprefix(node.root)
    expect_error(node.send("GET", target, signed=False), 400, "InvalidRequest")
    alice.s3.list_objects_v2(Bucket=alices)


def test_version_2_is_accepted_unless_it_is_switched_off(people: People, alices: str) -> None:
    alice = people.alice
    keys = {"access_key": alice.access_key, "secret_key": alice.secret_key}
    old = people.node.client(**keys, signature_version="s3", s3={"addressing_style": "path"})
    old.put_object(Bucket=alices, Key="k", Body=b"old")
    assert read(old, alices, "k") == b"old"
