"""Who may prefetch and evict: through a node with authorisation on, of a window that nobody looks
behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aisle.core import permissions as bits
from tests.harness import Node
from tests.native.people import Person, fresh, make_role, make_user
from tests.native.support import act

LISTED = {"objnames": ["a"]}


@pytest.fixture(scope="module")
def window(node: Node) -> Iterator[str]:
    name = fresh("window")
    target = f"/v1/buckets/{name}?provider=aws&dont_head_remote_bck=true"
    assert act(node, "POST", target, "create-bck").status == 200
    yield name
    act(node, "DELETE", f"/v1/buckets/{name}?provider=aws", "evict-remote-bck")


@pytest.fixture(scope="module")
def people(node: Node) -> dict[str, Person]:
    reads = bits.GET | bits.LIST_OBJECTS
    return {
        "admin": make_user(node, ["Admin"]),
        "stranger": make_user(node),
        "lister": make_user(node, [make_role(node, bits.LIST_OBJECTS)]),
        "reader": make_user(node, [make_role(node, reads)]),
        "deleter": make_user(node, [make_role(node, bits.LIST_OBJECTS | bits.DELETE_OBJECT)]),
    }


@pytest.mark.parametrize(
    ("method", "path", "action", "value", "name", "may"),
    [
        ("POST", "buckets", "prefetch-listrange", LISTED, "", {"admin", "reader"}),
        ("POST", "buckets", "prefetch-listrange", {"template": ""}, "", {"admin", "reader"}),
        ("POST", "objects", "blob-download", {}, "a", {"admin", "reader"}),
        ("DELETE", "buckets", "evict-listrange", LISTED, "", {"admin", "deleter"}),
        ("DELETE", "buckets", "evict-remote-bck", None, "", {"admin"}),
    ],
)
def test_prefetching_is_for_readers_and_evicting_for_who_may_delete(
    window: str,
    people: dict[str, Person],
    method: str,
    path: str,
    action: str,
    value: object,
    name: str,
    may: set[str],
) -> None:
    target = f"/v1/{path}/{window}?provider=aws&keep_bck_md=true"
    message = {"action": action, "name": name, "value": value}
    replies = {who: person.tell(method, target, message) for who, person in people.items()}
    assert {who for who, reply in replies.items() if reply.status == 200} == may
    assert {reply.status for who, reply in replies.items() if who not in may} == {403}
