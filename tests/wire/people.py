"""Three users in two accounts, for tests of who may do what.

`root` administers the cluster. Alice owns account 1, in which Ann is a user like any other; Bob
owns account 2. Nobody does not say who it is. Each has a boto3 client; Ann has no policies but
those that a test gives her.

Of a change of users, policies or ACLs a cluster's other gateways know a moment later. What these
clients change they wait for; after other changes call `People.settle`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import pytest

from tests.cluster.cluster import Cluster, wait_until
from tests.conftest import empty_and_remove
from tests.harness import Node
from tests.people import Person, fresh, new_user, policy, root_of

BEACON = "beacon"
WATCHED = (
    "PutBucketPolicy",
    "DeleteBucketPolicy",
    "PutBucketAcl",
    "PutBucketOwnershipControls",
    "DeleteBucketOwnershipControls",
    "PutPublicAccessBlock",
    "DeletePublicAccessBlock",
)


@dataclass(frozen=True)
class People:
    """Everybody, and what the administrator does for them."""

    node: Node | Cluster
    root: Person
    alice: Person
    ann: Person
    bob: Person
    nobody: Person

    def by_name(self, name: str) -> Person:
        person: Person = getattr(self, name)
        return person

    def new_user(self, name: str, account: str = "") -> Person:
        """Make a user with an access key: in an account of its own, or in this one."""
        return new_user(self.node, name, account)

    def settle(self) -> None:
        """Return once every gateway knows of all that was changed so far."""
        if isinstance(self.node, Cluster):
            mark = uuid.uuid4().hex
            target, told = f"/v1/users/{BEACON}", {"display": mark}
            assert self.node.send("PUT", target, body=json.dumps(told).encode()).status == 200
            for gateway in self.node.gateways:
                wait_until(partial(_knows, gateway, target, mark), f"{gateway.name} knows of it")

    @contextmanager
    def allowed(self, person: Person, *statements: Mapping[str, Any]) -> Iterator[None]:
        """Give somebody a policy of these statements for a while."""
        target = f"/v1/users/{person.name}/policies/{uuid.uuid4().hex[:8]}"
        reply = self.node.send("PUT", target, body=policy(*statements).encode())
        assert reply.status == 200, reply.body
        self.settle()
        try:
            yield
        finally:
            assert self.node.send("DELETE", target).status == 200
            self.settle()


def _knows(gateway: Node, target: str, mark: str) -> bool:
    told: dict[str, Any] = json.loads(gateway.send("GET", target).body)
    return bool(told["display"] == mark)


@cache
def assemble(node: Node | Cluster) -> People:
    """Make everybody on a node, once."""
    root = root_of(node)
    alice = new_user(node, "alice")
    ann = new_user(node, "ann", alice.account)
    bob = new_user(node, "bob")
    people = People(node, root, alice, ann, bob, Person(node, "nobody"))
    if isinstance(node, Cluster):
        new_user(node, BEACON)
        for person in (root, alice, ann, bob, people.nobody):
            for operation in WATCHED:
                person.s3.meta.events.register(
                    f"after-call.s3.{operation}", lambda **_: people.settle()
                )
    return people


@pytest.fixture(scope="session")
def people(node: Node | Cluster) -> People:
    """Three users in two accounts of `node`, the administrator, and nobody."""
    return assemble(node)


@pytest.fixture
def alices(people: People) -> Iterator[str]:
    """A fresh bucket of Alice's."""
    yield from bucket_of(people, people.alice)


def bucket_of(people: People, owner: Person) -> Iterator[str]:
    """A fresh bucket of somebody's, which is removed in the end."""
    name = fresh(owner.name)
    owner.s3.create_bucket(Bucket=name)
    yield name
    remove(people, name)


def remove(people: People, bucket: str) -> None:
    """Remove a bucket, whatever it says of access, with all that is in it."""
    people.root.s3.delete_bucket_policy(Bucket=bucket)
    empty_and_remove(people.root.s3, bucket)
