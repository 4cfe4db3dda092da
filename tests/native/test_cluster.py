"""Orders to nodes, and what is refused, on a node that is alone. Many are in test_relay.py."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.harness import Node
from tests.native.support import act, message


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    running = Node(tmp_path_factory.mktemp("cluster") / "data").start()
    yield running
    assert running.stop() == 0, running.log_tail()


def me(own: Node) -> str:
    (name,) = json.loads(own.send("GET", "/v1/daemon?what=smap").body)["pmap"]
    return str(name)


@pytest.mark.parametrize(
    ("target", "action", "value", "status", "text"),
    [
        ("", "start-maintenance", {"sid": "p1"}, 400, "alone with its store"),
        ("", "decommission-node", {"sid": "p1"}, 400, "alone with its store"),
        ("", "shutdown-node", {"sid": "p1"}, 404, 'node "p1" is not in the cluster'),
        ("", "shutdown-node", None, 400, "must name a node"),
        ("", "shutdown-node", {"sid": 7}, 400, "must name a node"),
        ("", "shutdown-node", "p1", 400, "must be an object"),
        ("", "decommission", None, 501, "not decommissioned as a whole"),
        ("", "reset-stats", "all", 400, "true to reset errors alone"),
        ("/proxy/nobody", "", None, 404, 'node "nobody" is not in the cluster'),
        ("/attach", "", None, 400, "name what to attach: ALIAS=URL"),
        ("/attach?alias=a&url=http%3A%2F%2F127.0.0.1%3A1", "", None, 400, "cannot be attached"),
        ("/detach?alias=a", "", None, 404, 'remote cluster "a" is not attached'),
        ("/enable-bend/oci", "", None, 400, 'there is no backend "oci" here'),
        ("/disable-bend/nope", "", None, 400, 'invalid backend provider "nope"'),
        ("", "nonsense", None, 501, 'action "nonsense" is not supported'),
    ],
)
def test_what_is_not_offered_is_refused_and_the_node_lives(
    own: Node, target: str, action: str, value: object, status: int, text: str
) -> None:
    reply = act(own, "PUT", f"/v1/cluster{target}", action, value)
    assert reply.status == status
    assert text in message(reply)
    assert own.send("GET", "/v1/health", signed=False).status == 200


def test_the_primary_is_the_primary(own: Node) -> None:
    assert act(own, "PUT", f"/v1/cluster/proxy/{me(own)}").status == 200


def test_there_are_no_credentials_to_reload(own: Node) -> None:
    assert act(own, "PUT", "/v1/cluster", "reload-creds").status == 200


@pytest.mark.parametrize("action", ["shutdown-node", "shutdown"])
def test_a_node_that_is_shut_down_ends_in_order(own: Node, action: str) -> None:
    value = {"sid": me(own)} if action == "shutdown-node" else None
    assert act(own, "PUT", "/v1/cluster", action, value).status == 200
    assert own.wait() == 0, own.log_tail()
    own.start()
    assert own.send("GET", "/v1/health", signed=False).status == 200
