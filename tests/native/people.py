"""Users of a node under test: made through its API, asking with the tokens of their logins."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.cluster.cluster import wait_until
from tests.harness import Node, Reply
from tests.people import as_root, log_in

PASSWORD = "correct horse battery staple"
_numbers = itertools.count(1)


def fresh(name: str) -> str:
    """A name that nothing on the node has."""
    return f"{name}-{os.getpid()}-{next(_numbers)}"


@dataclass(frozen=True)
class Person:
    """Somebody who asks a node."""

    node: Node
    name: str
    token: str

    def send(self, method: str, target: str, body: bytes = b"", **headers: str) -> Reply:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            fields["Authorization"] = f"Bearer {self.token}"
        if body:
            fields["Content-Length"] = str(len(body))
        return self.node.send(method, target, headers=fields, body=body, signed=False)

    def tell(self, method: str, target: str, value: object = None) -> Reply:
        """A request with a JSON body."""
        return self.send(method, target, b"" if value is None else json.dumps(value).encode())

    def act(self, method: str, target: str, action: str, value: Any = None) -> Reply:
        """A request with an action message."""
        return self.tell(method, target, {"action": action, "name": "", "value": value})


def login(node: Node, name: str, password: str = PASSWORD, **more: Any) -> Person:
    return Person(node, name, log_in(node, name, password, **more))


def told(reply: Reply) -> Any:
    assert reply.status == 200, reply.body
    assert reply.headers["content-type"] == "application/json"
    return json.loads(reply.body)


def make_role(node: Node, bits: int, bucket: str = "", **more: Any) -> str:
    """A role that gives `bits` in the cluster, or on a bucket; its name."""
    name = fresh("role")
    place: dict[str, Any] = {"clusters": [{"id": "", "perm": str(bits)}]}
    if bucket:
        place = {"buckets": [{"bck": {"name": bucket, "provider": "ais"}, "perm": str(bits)}]}
    as_root(node, "POST", "/v1/roles", {"name": name, "desc": "made by a test", **place, **more})
    return name


def make_user(
    node: Node,
    roles: Sequence[str] = (),
    policies: Mapping[str, object] | None = None,
    **more: Any,
) -> Person:
    """A user that has logged in."""
    name = fresh("user")
    as_root(node, "POST", "/v1/users", {"id": name, "pass": PASSWORD, "roles": [*roles], **more})
    for policy, document in (policies or {}).items():
        as_root(node, "PUT", f"/v1/users/{name}/policies/{policy}", document)
    return login(node, name)


def soon(happened: Callable[[], bool], what: str) -> None:
    """Return once every gateway knows of a change; where there is one node, that is at once."""
    for _ in range(2):  # requests alternate between the gateways of a cluster
        wait_until(happened, what)


def allow(*actions: str, resource: str) -> dict[str, Any]:
    """A policy of a user."""
    statement = {"Effect": "Allow", "Action": [*actions], "Resource": resource}
    return {"Version": "2012-10-17", "Statement": [statement]}
