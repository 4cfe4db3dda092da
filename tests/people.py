"""Somebody with keys at a node, for every suite in which it matters who asks.

A `Person` has unmodified boto3 clients; `signing` is what `Endpoint.send` needs for a request that
no client would send. Users are made as `ais auth` makes them, or by IAM; policies are written as
short as they can be. `tests.wire.people` has everybody whom the tests of S3 need, and what a
cluster's other gateways have to be told; `tests.native.people` those who ask with tokens.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import pytest
from botocore import UNSIGNED
from botocore.exceptions import ClientError

from aisle.client import Client
from tests.harness import ACCESS_KEY, SECRET_KEY, Endpoint, Node, Reply

Statement = Mapping[str, Any]


@dataclass(frozen=True)
class Person:
    """Somebody, or without an access key nobody. `token` is a session's; `canonical` is the
    account's id, which S3 shows as an owner."""

    node: Endpoint
    name: str
    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    account: str = ""
    canonical: str = ""
    arn: str = ""

    def client(self, service: str, endpoint: str = "") -> Any:
        """A boto3 client of a service, pointed at the node; nothing is tried twice."""
        config: dict[str, Any] = {} if self.access_key else {"signature_version": UNSIGNED}
        return self.node.client(
            service=service,
            endpoint=endpoint or (self.node.endpoint if service == "s3" else self.node.root),
            access_key=self.access_key,
            secret_key=self.secret_key,
            token=self.token,
            retries={"max_attempts": 0},
            s3={"addressing_style": "path"},
            **config,
        )

    @cached_property
    def iam(self) -> Any:
        return self.client("iam")

    @cached_property
    def sts(self) -> Any:
        return self.client("sts")

    @cached_property
    def s3(self) -> Any:
        return self.client("s3")

    @property
    def signing(self) -> dict[str, Any]:
        """What `Endpoint.send` needs to send a request of theirs."""
        if not self.access_key:
            return {"signed": False}
        return {"access_key": self.access_key, "secret_key": self.secret_key}

    def lent(self, credentials: Mapping[str, Any]) -> Person:
        """The same person with temporary credentials."""
        return replace(
            self,
            access_key=credentials["AccessKeyId"],
            secret_key=credentials["SecretAccessKey"],
            token=credentials["SessionToken"],
        )


# --- users ----------------------------------------------------------------------------------


def fresh(prefix: str) -> str:
    """A name that nobody has had."""
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


def ask(node: Endpoint, method: str, target: str, value: object = None) -> Reply:
    """What the administrator hears, whatever it is."""
    body = b"" if value is None else json.dumps(value).encode()
    more = {"Content-Length": str(len(body))} if body else {}
    return node.send(method, target, body=body, unsigned_headers=more)


def as_root(node: Endpoint, method: str, target: str, value: object = None) -> Reply:
    """What the administrator does, with the node's own keys."""
    reply = ask(node, method, target, value)
    assert reply.status == 200, reply.body
    return reply


def root_of(node: Endpoint) -> Person:
    """The administrator."""
    return _known(Person(node, "root", ACCESS_KEY, SECRET_KEY))


def new_user(
    node: Endpoint,
    name: str,
    account: str = "",
    *,
    roles: tuple[str, ...] = (),
    password: str = "",
) -> Person:
    """A user with a key, as `ais auth` makes it: with an account of its own, or in this one."""
    made = {"account": account} if account else {"display": name.title()}
    as_root(node, "POST", "/v1/users", {"id": name, "roles": roles, "pass": password, **made})
    key = json.loads(as_root(node, "POST", f"/v1/users/{name}/keys", {}).body)
    return _known(Person(node, name, key["access_key"], key["secret_key"]))


def with_key(maker: Person, name: str) -> Person:
    """A user that is there, with a fresh access key that `maker` makes for it over IAM."""
    key = maker.iam.create_access_key(UserName=name)["AccessKey"]
    return _known(Person(maker.node, name, key["AccessKeyId"], key["SecretAccessKey"]))


def join(owner: Person, name: str, *statements: Statement) -> Person:
    """A user in the account of `owner`, with a key and a policy of these statements."""
    owner.iam.create_user(UserName=name)
    if statements:
        document = policy(*statements)
        owner.iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document)
    return with_key(owner, name)


def _known(person: Person) -> Person:
    told = json.loads(as_root(person.node, "GET", f"/v1/users/{person.name}").body)
    return replace(person, account=told["account"], canonical=told["canonical_id"], arn=told["arn"])


def log_in(node: Endpoint, name: str, password: str, **more: Any) -> str:
    """A token of AIStore's for who knows the password."""
    body = json.dumps({"password": password, **more}).encode()
    reply = node.send("POST", f"/v1/users/{name}", body=body, signed=False)
    assert reply.status == 200, reply.body
    return str(json.loads(reply.body)["token"])


def forget_everybody(client: Client) -> None:
    """Remove all users and roles that a node was not made with."""
    for user in client.auth.users():
        if user.name != "root":
            client.auth.remove_user(user.name)
    for role in client.auth.roles():
        if role.name != "Admin":
            client.auth.remove_role(role.name)


# --- policies and roles ---------------------------------------------------------------------


def policy(*statements: Statement) -> str:
    """A policy of these statements; `Allow` is what is not said."""
    told = [{"Effect": "Allow", **statement} for statement in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": told})


def allow(action: str | list[str], resource: str | list[str] = "*") -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def deny(action: str | list[str], resource: str | list[str] = "*") -> dict[str, Any]:
    return {"Effect": "Deny", "Action": action, "Resource": resource}


def make_role(root: Person, name: str, **rights: Any) -> None:
    """One of AIStore's roles, made as `ais auth` does it."""
    as_root(root.node, "POST", "/v1/roles", {"name": name, **rights})


@contextmanager
def refused(code: str, status: int = 0) -> Iterator[None]:
    """The block ends in this error, and with this status if one is given."""
    with pytest.raises(ClientError) as caught:
        yield
    told = caught.value.response
    assert told["Error"]["Code"] == code, told["Error"]
    if status:
        assert told["ResponseMetadata"]["HTTPStatusCode"] == status


# --- fixtures: two tenants of `node` --------------------------------------------------------


@pytest.fixture(scope="session")
def root(node: Node) -> Person:
    """The administrator of `node`."""
    return root_of(node)


@pytest.fixture(scope="session")
def alice(node: Node) -> Person:
    """The owner of an account."""
    return new_user(node, fresh("alice"))


@pytest.fixture(scope="session")
def mallory(node: Node) -> Person:
    """The owner of another account, who means no good."""
    return new_user(node, fresh("mallory"))
