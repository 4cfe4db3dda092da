"""No secret reaches a log, an error or a `repr`: every way to authenticate is tried, right and
wrong, with secrets that can be searched for."""

from __future__ import annotations

import json
import urllib.parse
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import botocore.exceptions
import pytest
from botocore.config import Config

from aisle.api.native import keys, tokens, users
from aisle.auth.credentials import Credential
from aisle.auth.principal import ANONYMOUS
from aisle.client import AccessKey, Client, Keys, Refused
from aisle.core.redaction import redact
from aisle.namespace import records
from aisle.namespace.users.principals import RootKeys
from tests.harness import ACCESS_KEY, REGION, SECRET_KEY, Node, Reply, presign, sign

PASSWORD = "hunter2-PASSWORD-of-alice"
WRONG = "hunter3-PASSWORD-that-is-wrong"
IMPORTED = "hunter4/SECRET+KEY=of0alice"
BAD_SECRET = "hunter5-SECRET-KEY-of-nobody"
COOKIE = "hunter6-COOKIE"
IN_QUERY = "hunter7-TOKEN-in-a-query"
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    options = ("--access-log", "--audit", "all", "--log-level", "debug")
    running = Node(tmp_path_factory.mktemp("secrets") / "data", workers=1, options=options).start()
    yield running
    if running.running:
        assert running.stop() == 0, running.log_tail()


class Journal:
    """What was sent as a secret, and what came back as an error."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.secrets = {PASSWORD, WRONG, IMPORTED, BAD_SECRET, COOKIE, IN_QUERY, SECRET_KEY}
        self.errors: list[bytes] = []

    def send(self, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Reply:
        reply = self.node.send(
            method, target, signed=False, unsigned_headers={**headers, "cookie": COOKIE}, body=body
        )
        if reply.status >= 400:
            self.errors.append(reply.body + json.dumps(reply.headers).encode())
        return reply

    def signed(
        self, method: str, target: str, secret: str, key: str = ACCESS_KEY, **more: Any
    ) -> Reply:
        made = sign(method, target, host=self.node.host, access_key=key, secret_key=secret, **more)
        if secret != BAD_SECRET:
            self.secrets.add(made.signature)
        return self.send(method, target, made.headers)

    def presigned(self, target: str, secret: str, **more: Any) -> Reply:
        made = presign("GET", target, host=self.node.host, secret_key=secret, **more)
        if secret != BAD_SECRET:
            self.secrets.add(made.rpartition("=")[2])
        return self.send("GET", made, {})


def native(journal: Journal) -> str:
    """Users, keys and tokens; returns a token."""
    node = journal.node
    with Client(node.root, keys=Keys(ACCESS_KEY, SECRET_KEY)) as root:
        root.auth.add_user("alice", PASSWORD)
        root.auth.add_key("alice", access_key="ALICE", secret_key=IMPORTED)
        journal.secrets.add(root.auth.add_key("alice").secret_key)
        token = root.auth.login("alice", PASSWORD)
        spent = root.auth.login("alice", PASSWORD)
        root.auth.revoke(spent)
        journal.secrets |= {token, spent}
        for attempt in (
            lambda: root.auth.login("alice", WRONG),
            lambda: root.auth.login("nobody", WRONG),
            lambda: root.auth.add_user("alice", PASSWORD),
            lambda: root.auth.add_user("b/ad", PASSWORD),
            lambda: root.auth.add_key("alice", access_key="ALICE", secret_key=IMPORTED),
            lambda: root.auth.add_key("alice", access_key="X", secret_key=f"{BAD_SECRET} \n"),
            lambda: root.auth.revoke(f"{spent}x"),
        ):
            with pytest.raises(Refused) as refused:
                attempt()
            journal.errors.append(str(refused.value).encode())
    for bearer in (token, spent, f"{token}x", token.replace(".", ".."), BAD_SECRET):
        for target in ("/v1/buckets", "/none/key", "/"):
            journal.send("GET", target, {"authorization": f"Bearer {bearer}"})
        dummy = sign(
            "GET", "/", host=node.host, headers={"x-amz-security-token": bearer}, secret_key="dummy"
        )
        journal.send("GET", "/", dummy.headers)
    for name in ("X-Amz-Security-Token", "token", "access_token"):
        journal.send("GET", f"/demo?{name}={token}", {})
        journal.send("GET", f"/v1/buckets?{name}={IN_QUERY}", {})
    # Whoever asks for a key of that name is told that it is not there: logs are all that counts.
    node.send("GET", f"/demo/{token}", signed=False)
    for body in (
        f'{{"password": "{PASSWORD}"',
        f'{{"password": ["{PASSWORD}"]}}',
        f'["{PASSWORD}"]',
    ):
        journal.send("POST", "/v1/users/alice", {"content-type": "application/json"}, body.encode())
    return token


def s3(journal: Journal, token: str) -> None:
    node = journal.node
    for secret in (SECRET_KEY, BAD_SECRET):
        journal.signed("PUT", "/demo", secret)
        journal.signed("GET", "/demo/none", secret)
        journal.signed("GET", "/v1/buckets", secret)
        journal.signed("GET", "/", secret, at="20200101T000000Z")
        journal.signed("GET", "/", secret, headers={"x-amz-security-token": token})
        journal.presigned("/demo/none", secret)
        journal.presigned("/demo/none", secret, at="20200101T000000Z")
        journal.presigned("/demo/none", secret, expires="soon")
        basic = b64encode(f"{ACCESS_KEY}:{secret}".encode()).decode()
        journal.secrets.add(basic)
        journal.send("GET", "/", {"authorization": f"Basic {basic}"})
        journal.send("GET", "/", {"authorization": f"AWS4-HMAC-SHA256 {secret}"})
        journal.send("GET", "/", {"authorization": f"AWS {ACCESS_KEY}:{secret}"})
        journal.send(
            "GET",
            f"/demo?AWSAccessKeyId={ACCESS_KEY}&Signature={urllib.parse.quote(secret)}&Expires=1",
            {},
        )
    journal.signed("GET", "/", IMPORTED, key="ALICE")
    journal.signed("GET", "/", IMPORTED, key="NOBODY")
    for version in ("s3", "s3v4"):
        for secret in (IMPORTED, BAD_SECRET):
            client = node.client(access_key="ALICE", secret_key=secret, signature_version=version)
            try:
                client.list_buckets()
                client.put_object(Bucket="none", Key="x", Body=b"x" * 10)
            except botocore.exceptions.ClientError as error:
                journal.errors.append(json.dumps(error.response, default=str).encode())
    with_token = node.client(endpoint=node.root, access_key="any", secret_key="any", token=token)
    assert with_token.list_buckets()["Buckets"] == []
    with_token.close()
    node.close_clients()


def iam(journal: Journal) -> None:
    node = journal.node
    keys = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY}
    common = {
        "endpoint_url": node.root,
        "region_name": REGION,
        "config": Config(retries={"max_attempts": 1}),
    }
    users, sts = boto3.client("iam", **common, **keys), boto3.client("sts", **common, **keys)
    users.create_user(UserName="iris")
    made = users.create_access_key(UserName="iris")["AccessKey"]
    users.create_login_profile(UserName="iris", Password=PASSWORD)
    session = sts.get_session_token()["Credentials"]
    journal.secrets |= {
        made["SecretAccessKey"],
        session["SecretAccessKey"],
        session["SessionToken"],
    }
    attempts: list[Callable[[], Any]] = [
        lambda: users.create_login_profile(UserName="iris", Password=PASSWORD),
        lambda: users.change_password(OldPassword=WRONG, NewPassword=PASSWORD),
        lambda: users.create_login_profile(UserName="none", Password=WRONG),
    ]
    for attempt in attempts:
        with pytest.raises(botocore.exceptions.ClientError) as refused:
            attempt()
        journal.errors.append(json.dumps(refused.value.response, default=str).encode())
    for token in (session["SessionToken"], session["SessionToken"] + "x", ""):
        temporary = sign(
            "GET",
            "/",
            host=node.host,
            access_key=session["AccessKeyId"],
            secret_key=session["SecretAccessKey"],
            headers={"x-amz-security-token": token} if token else {},
        )
        journal.send("GET", "/", temporary.headers)
    wrong = sign(
        "GET",
        "/",
        host=node.host,
        access_key=session["AccessKeyId"],
        secret_key=BAD_SECRET,
        headers={"x-amz-security-token": session["SessionToken"]},
    )
    assert journal.send("GET", "/", wrong.headers).code == "SignatureDoesNotMatch"
    for body in (
        f"Action=CreateLoginProfile&Version=2010-05-08&UserName=x&Password={WRONG}",
        f"Action=CreateUser&Version=2010-05-08&Password={WRONG}",
        f"Action=None&SecretAccessKey={BAD_SECRET}",
        f"Action=AssumeRoleWithWebIdentity&Version=2011-06-15&WebIdentityToken={IN_QUERY}"
        "&RoleArn=arn:aws:iam::000000000000:role/x&RoleSessionName=xx",
    ):
        journal.send("POST", "/", FORM, body.encode())
        journal.send("GET", f"/?{body}", {})
    for one in (users, sts):
        one.close()


def test_no_secret_is_in_a_log_or_an_error(node: Node) -> None:
    journal = Journal(node)
    token = native(journal)
    s3(journal, token)
    iam(journal)
    assert node.stop() == 0
    logs = [node.log, *(node.data / "log").iterdir()]
    texts = {path.name: path.read_bytes() for path in logs}
    texts["errors"] = b"\n".join(journal.errors)
    assert texts["audit.jsonl"].count(b"\n") > 50
    assert len(journal.errors) > 50
    forms = {
        form for secret in journal.secrets for form in (secret, urllib.parse.quote(secret, ""))
    }
    for name, text in texts.items():
        found = {form for form in forms if form.encode() in text}
        shown = [line for line in text.splitlines() if any(s.encode() in line for s in found)]
        assert not shown, name


@pytest.mark.parametrize(
    "value",
    [
        RootKeys("A", IMPORTED, PASSWORD),
        Credential("A", IMPORTED, ANONYMOUS, IN_QUERY),
        records.AccessKey("A", IMPORTED, "alice", 0),
        records.Session("A", IMPORTED, IN_QUERY, "alice", 0, 0),
        records.User("alice", "1", 0, PASSWORD),
        records.KeyPair("A", IMPORTED),
        records.TokenKeys([records.TokenKey("1", "HS256", IMPORTED.encode(), 0)]),
        Keys("A", IMPORTED, IN_QUERY),
        AccessKey("A", True, 0, 0, IMPORTED),
        keys.Brought("A", IMPORTED),
        tokens.Login(PASSWORD),
        tokens.Token(IN_QUERY),
        users.Given("alice", PASSWORD),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_holds_a_secret_does_not_show_it(value: object) -> None:
    for secret in (IMPORTED, PASSWORD, IN_QUERY):
        assert secret not in repr(value)
        assert secret not in f"{value}"


TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.SECRET0123"


@pytest.mark.parametrize(
    "text",
    [
        f"a token {TOKEN} somewhere",
        f"/v1/objects/demo/{TOKEN}",
        "<SecretAccessKey>SECRET0123</SecretAccessKey>",
        "<SessionToken>SECRET0123</SessionToken>",
        "Action=ChangePassword&OldPassword=SECRET0123&NewPassword=SECRET0123",
        '{"id": "alice", "pass": "SECRET0123"}',
        '{"secret_key":"SECRET0123"}',
        "Set-Cookie: session=SECRET0123; HttpOnly",
        "(b'authorization', b'AWS4-HMAC-SHA256 Credential=A, Signature=SECRET0123')",
        "auth.secret=SECRET0123",
        "WebIdentityToken=SECRET0123",
        "User(name='x', password='SECRET0123')",
        "x-amz-security-token:SECRET0123",
    ],
)
def test_text_is_redacted(text: str) -> None:
    assert "SECRET0123" not in redact(text)
    assert "[redacted]" in redact(text)
