"""A node that is asked about another one: over PostgreSQL and a shared directory, signed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from aisle.core.permissions import SHOW_CLUSTER
from tests.cli.conftest import environment
from tests.cluster.cluster import Cluster, Engines, Gateway, wait_until
from tests.harness import BIN, Node, Reply, children
from tests.native.people import Person, make_role, make_user
from tests.native.support import act, message
from tests.servers import certificates
from tests.servers.postgres import Postgres

REVERSE = "/v1/reverse/daemon"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Cluster]:
    directory = tmp_path_factory.mktemp("relay")
    options = ("--index", postgres.create_database(), "--mountpath", str(directory / "shared"))
    running = Cluster(directory / "cluster", Engines(options)).start()
    for gateway in running.gateways:
        wait_until(partial(sees_both, gateway), f"{gateway.name} sees both")
    yield running
    running.kill()


def sees_both(gateway: Node) -> bool:
    found = json.loads(gateway.send("GET", "/v1/daemon?what=smap").body)
    return len(found["tmap"]) == 2 and found["proxy_si"] is not None


def replaced(node: Node, before: list[int]) -> bool:
    now = children(node.pid)
    return len(now) == len(before) and not set(now) & set(before)


def ask(gateway: Node, node: str, what: str) -> Reply:
    return gateway.send("GET", f"{REVERSE}?what={what}", headers={"ais-node-id": node})


def log_size(gateway: Gateway, node: str) -> str:
    told: dict[str, Any] = json.loads(ask(gateway, node, "config").body)
    return str(told["log"]["max_size"])


def has_size(gateway: Gateway, node: str, size: str) -> bool:
    return log_size(gateway, node) == size


def test_any_node_answers_for_any_other_with_the_caller_s_authority(cluster: Cluster) -> None:
    for gateway in cluster.gateways:
        for name in ("g0", "g1"):
            status = json.loads(ask(gateway, f"t{name}", "node_status").body)
            assert status["snode"]["daemon_id"] == f"t{name}"
            assert status["status"] == "online"
            assert json.loads(ask(gateway, f"p{name}", "snode").body)["daemon_type"] == "proxy"
            log = ask(gateway, f"t{name}", "log")
            assert log.headers["content-type"] == "text/plain; charset=utf-8"
            assert f"node {name}," in log.body.decode()


def test_the_cluster_s_numbers_are_those_of_all_nodes(cluster: Cluster) -> None:
    first = cluster.gateways[0]
    stats = json.loads(first.send("GET", "/v1/cluster?what=stats").body)
    assert sorted(stats["target"]) == ["tg0", "tg1"]
    assert all(told is not None for told in stats["target"].values())
    assert sorted(json.loads(first.send("GET", "/v1/cluster?what=sysinfo").body)["proxy"]) == [
        "pg0",
        "pg1",
    ]


def test_who_may_see_the_cluster_is_relayed_with_a_token_too(cluster: Cluster) -> None:
    first = cluster.gateways[0]
    viewer = make_user(first, [make_role(first, SHOW_CLUSTER)])
    nobody = make_user(first)
    for gateway in cluster.gateways:
        for person, status in ((viewer, 200), (nobody, 403)):
            asking = Person(gateway, person.name, person.token)
            for name in ("g0", "g1"):
                target = f"{REVERSE}?what=sysinfo"
                assert asking.send("GET", target, ais_node_id=f"t{name}").status == status
            assert asking.send("GET", "/v1/cluster?what=sysinfo").status == status
        # The administrators' alone, whichever node has it.
        assert asking.send("GET", f"{REVERSE}?what=log", ais_node_id="tg1").status == 403


def test_a_stranger_is_not_relayed(cluster: Cluster) -> None:
    first = cluster.gateways[0]
    reply = first.send(
        "GET", f"{REVERSE}?what=log", signed=False, unsigned_headers={"ais-node-id": "tg1"}
    )
    assert reply.status == 401


def test_a_transient_change_reaches_every_living_node_until_it_restarts(cluster: Cluster) -> None:
    first, second = cluster.gateways
    query = "/v1/cluster/set-config?log.max_size=9mb&transient=true"
    assert first.send("PUT", query).status == 200
    for name in ("tg0", "tg1"):
        wait_until(partial(has_size, first, name, "9mb"), f"{name} has it")
    second.restart()
    wait_until(partial(sees_both, second), "it is back")
    assert log_size(second, "tg1") == "4mb"
    assert log_size(first, "tg0") == "9mb"


def test_a_node_s_own_value_is_set_from_anywhere(cluster: Cluster) -> None:
    first, second = cluster.gateways
    named = {"ais-node-id": "tg1"}
    assert (
        act(first, "PUT", REVERSE, "set-config", {"log.max_size": "7mb"}, headers=named).status
        == 200
    )
    wait_until(lambda: log_size(second, "tg1") == "7mb", "the other node has it")
    assert act(first, "PUT", REVERSE, "reset-config", headers=named).status == 200
    wait_until(lambda: log_size(second, "tg1") == "4mb", "it is reset")


def test_an_order_reaches_every_node(cluster: Cluster) -> None:
    first, second = cluster.gateways
    assert act(first, "POST", "/v1/buckets/orders", "create-bck").status == 200
    second.send("GET", "/v1/buckets/orders", headers={})

    def counted(node: str) -> int:
        tracker = json.loads(ask(first, node, "stats").body)["tracker"]
        return int(tracker["put.n"]["v"])

    for gateway in cluster.gateways:
        assert gateway.send("PUT", "/v1/objects/orders/k", body=b"1").status == 200
    assert (counted("tg0"), counted("tg1")) == (1, 1)
    assert act(first, "PUT", "/v1/cluster", "reset-stats").status == 200
    wait_until(lambda: (counted("tg0"), counted("tg1")) == (0, 0), "both count anew")


def test_the_primary_can_be_named_only_if_it_is_the_primary(cluster: Cluster) -> None:
    first = cluster.gateways[0]
    primary = json.loads(first.send("GET", "/v1/daemon?what=smap").body)["proxy_si"]["daemon_id"]
    assert act(first, "PUT", f"/v1/cluster/proxy/{primary}").status == 200
    other = "pg1" if primary == "pg0" else "pg0"
    reply = act(first, "PUT", f"/v1/cluster/proxy/{other}")
    assert reply.status == 501
    assert "elected" in message(reply)


def test_a_node_that_was_shut_down_is_told_with_its_address_and_comes_back(
    cluster: Cluster,
) -> None:
    first, second = cluster.gateways
    assert act(first, "PUT", "/v1/cluster", "shutdown-node", {"sid": "tg1"}).status == 200
    assert second.wait() == 0, second.log_tail()
    assert ask(first, "tg1", "node_status").status == 404  # it took leave
    second.start()
    wait_until(partial(sees_both, first), "it is back")
    second.kill()
    reply = ask(first, "tg1", "node_status")
    assert reply.status == 503
    assert f'node "g1" at http://localhost:{second.port}' in message(reply)
    stats = json.loads(first.send("GET", "/v1/cluster?what=stats").body)
    assert stats["target"]["tg0"] is not None
    assert stats["target"].get("tg1") is None
    done = subprocess.run(
        [str(BIN / "ais"), "show", "cluster", "-H"],
        env=environment(first),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    offline = [line for line in done.stdout.splitlines() if "g1" in line]
    assert [line.split()[-6:] for line in offline] == [
        ["offline", "-", "-", "does", "not", "answer"]
    ] * 2
    second.start()
    wait_until(partial(sees_both, first), "it is back once more")


def test_over_https_the_other_node_must_show_who_it_is(postgres: Postgres, tmp_path: Path) -> None:
    """Its certificate is of an authority that the machine does not know."""
    shared = ("--index", postgres.create_database(), "--mountpath", str(tmp_path / "shared"))
    pair = certificates.make(tmp_path / "tls")
    nodes = [
        Node(tmp_path / name, workers=1, tls=pair, options=("--node-id", name, *shared))
        for name in ("g0", "g1")
    ]
    try:
        for node in nodes:
            node.start()
        first = nodes[0]
        wait_until(partial(sees_both, first), "both are on the map")
        reply = ask(first, "tg1", "snode")
        assert reply.status == 503
        assert "certificate verify failed" in message(reply)
        assert first.send("PUT", "/v1/cluster/set-config?net.http.skip_verify=true").status == 200
        assert json.loads(ask(first, "tg1", "snode").body)["daemon_id"] == "tg1"
        told = json.loads(ask(first, "tg1", "certificate").body)
        assert told["issued by (CN)"] == "authority of a test"
        # One node is asked, and each reads its certificate anew.
        workers = [children(node.pid) for node in nodes]
        assert first.send("PUT", "/v1/cluster/load-x509").status == 200
        for node, before in zip(nodes, workers, strict=True):
            wait_until(partial(replaced, node, before), "other workers serve")
    finally:
        for node in nodes:
            node.kill()
