"""Nodes of a real cluster over PostgreSQL and files on a shared file system: joining, maintenance,
decommission, restarts, and starts that must be refused."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import environment
from tests.cluster.cluster import Cluster, Engines, Gateway, Seat, wait_until
from tests.harness import BIN, Node, free_port
from tests.servers.postgres import Postgres


@pytest.fixture
def engines(postgres: Postgres, tmp_path: Path) -> Engines:
    """A fresh store: a database, and a directory that all gateways mount."""
    return Engines(("--index", postgres.create_database(), "--mountpath", str(tmp_path / "shared")))


@pytest.fixture
def cluster(engines: Engines, tmp_path: Path) -> Iterator[Cluster]:
    running = Cluster(tmp_path / "cluster", engines).start()
    yield running
    running.kill()


def ais(node: Node, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ais", *words],
        env=environment(node),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def answers(gateway: Gateway) -> bool:
    try:
        return gateway.send("GET", "/v1/health", signed=False, timeout=5).status == 200
    except OSError:
        return False


def on_map(through: Gateway) -> set[str]:
    reply = through.send("GET", "/v1/daemon?what=smap")
    assert reply.status == 200, reply.body
    return {name[1:] for name in json.loads(reply.body)["pmap"]}


def sees_both(gateway: Gateway) -> bool:
    return on_map(gateway) == {"g0", "g1"}


def flags(through: Gateway, name: str) -> int:
    told: dict[str, Any] = json.loads(through.send("GET", "/v1/daemon?what=smap").body)
    number: int = told["pmap"][f"p{name}"]["flags"]
    assert told["tmap"][f"t{name}"]["flags"] == number
    return number


def test_every_gateway_is_on_the_map_of_every_other(cluster: Cluster) -> None:
    for gateway in cluster.gateways:
        wait_until(partial(sees_both, gateway), f"{gateway.name} sees both")
    wait_until(lambda: cluster.primary() is not None, "there is a primary")
    maps = [cluster.smap(gateway) for gateway in cluster.gateways]
    assert maps[0]["uuid"] == maps[1]["uuid"]
    assert maps[0]["version"] == maps[1]["version"]
    assert maps[0]["proxy_si"]["daemon_id"] == maps[1]["proxy_si"]["daemon_id"]
    for gateway in cluster.gateways:
        assert maps[0]["pmap"][f"p{gateway.name}"]["public_net"]["direct_url"] in (
            gateway.root,
            f"http://localhost:{gateway.port}",
        )


def test_what_one_writes_the_other_reads(cluster: Cluster) -> None:
    """Inline and on the shared disk."""
    first, second = (gateway.client() for gateway in cluster.gateways)
    first.create_bucket(Bucket="both")
    for size in (10, 300_000):
        first.put_object(Bucket="both", Key=f"k{size}", Body=b"x" * size)
        assert second.get_object(Bucket="both", Key=f"k{size}")["Body"].read() == b"x" * size
    listed = second.list_objects_v2(Bucket="both")["Contents"]
    assert [entry["Key"] for entry in listed] == ["k10", "k300000"]


def test_a_node_in_maintenance_is_not_ready_and_serves_on(cluster: Cluster) -> None:
    first, second = cluster.gateways
    wait_until(lambda: on_map(first) == {"g0", "g1"}, "both are on the map")
    done = ais(first, "cluster", "add-remove-nodes", "start-maintenance", "pg1")
    assert done.returncode == 0, done.stderr
    wait_until(lambda: not second.ready(), "g1 is not ready")
    assert second.send("GET", "/v1/health", signed=False).status == 200
    assert second.send("GET", "/").status == 200
    assert flags(first, "g1") == 1 << 2
    second.restart()
    wait_until(lambda: not second.ready(), "it is in maintenance again after a restart")
    assert flags(second, "g1") == 1 << 2
    done = ais(first, "cluster", "add-remove-nodes", "stop-maintenance", "g1")
    assert done.returncode == 0, done.stderr
    wait_until(second.ready, "g1 is ready again")
    assert flags(first, "g1") == 0


def test_a_decommissioned_node_ends_by_itself_and_leaves_the_map(cluster: Cluster) -> None:
    first, second = cluster.gateways
    wait_until(lambda: on_map(first) == {"g0", "g1"}, "both are on the map")
    assert ais(first, "cluster", "add-remove-nodes", "decommission", "g1").returncode == 0
    wait_until(lambda: not answers(second), "g1 has ended")
    wait_until(lambda: on_map(first) == {"g0"}, "g1 is off the map")
    second.kill()  # it is gone: this only forgets it
    again = ais(first, "cluster", "add-remove-nodes", "decommission", "g1")
    assert (again.returncode, again.stderr.count("\n")) == (1, 1)
    assert "g1" in again.stderr
    second.start()
    wait_until(lambda: on_map(first) == {"g0", "g1"}, "it may come back as a new node")


def test_a_node_that_stops_leaves_at_once_and_another_is_primary(cluster: Cluster) -> None:
    wait_until(lambda: cluster.primary() is not None, "there is a primary")
    primary = cluster.primary()
    assert primary is not None
    (other,) = (gateway for gateway in cluster.gateways if gateway is not primary)
    primary.stop()
    wait_until(lambda: on_map(other) == {other.name}, "it has left")
    wait_until(lambda: cluster.primary(other) is other, "the other is the primary")


def test_a_killed_primary_is_followed_by_another(cluster: Cluster) -> None:
    wait_until(lambda: cluster.primary() is not None, "there is a primary")
    primary = cluster.primary()
    assert primary is not None
    (other,) = (gateway for gateway in cluster.gateways if gateway is not primary)
    primary.kill()
    wait_until(lambda: cluster.primary(other) is other, "the other is the primary")
    wait_until(lambda: on_map(other) == {other.name}, "the killed one counts as dead")
    done = ais(other, "cluster", "add-remove-nodes", "decommission", primary.name)
    assert done.returncode == 0, done.stderr


def test_a_gateway_whose_database_is_gone_is_not_ready_and_comes_back(
    tmp_path: Path,
) -> None:
    server = Postgres(fsync=True).start()
    try:
        url = server.create_database()
        running = Cluster(
            tmp_path / "cluster",
            Engines(("--index", url, "--mountpath", str(tmp_path / "shared"))),
            seats=(Seat(),),
        ).start()
        try:
            (gateway,) = running.gateways
            client = gateway.client()
            client.create_bucket(Bucket="kept")
            server.kill()
            wait_until(lambda: not gateway.ready(), "it is not ready")
            assert gateway.send("GET", "/v1/health", signed=False).status == 200
            reply = gateway.send("GET", "/kept?list-type=2", timeout=60)
            assert (reply.status, reply.code) == (503, "ServiceUnavailable")
            assert "retry-after" in reply.headers
            server.restart()
            wait_until(gateway.ready, "it is ready again")
            client.put_object(Bucket="kept", Key="k", Body=b"x")
        finally:
            running.kill()
    finally:
        server.stop()


def test_the_id_of_a_node_is_kept(engines: Engines, tmp_path: Path) -> None:
    node = Node(tmp_path / "data", workers=1, options=engines.options)
    node.start()
    try:
        made = (tmp_path / "data" / "node.id").read_text().strip()
        wait_until(lambda: made in str(node.send("GET", "/v1/daemon?what=smap").body), "joined")
        node.restart()
        assert (tmp_path / "data" / "node.id").read_text().strip() == made
    finally:
        node.kill()


def refused(tmp_path: Path, *options: str, **variables: str) -> str:
    """The one line that a node says which cannot start."""
    done = subprocess.run(
        [
            *(str(BIN / "aisnode"), "--data", str(tmp_path / "refused")),
            *("--port", str(free_port()), *options),
        ],
        env=environment(None, **variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("aisnode: error: ")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_a_database_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    said = refused(tmp_path, AISLE_INDEX="postgresql://aisle:pass-word@127.0.0.1:1/aisle")
    assert "127.0.0.1" in said
    assert "pass-word" not in said


def test_a_disk_of_its_own_is_not_the_shared_one(
    cluster: Cluster, engines: Engines, tmp_path: Path
) -> None:
    """A gateway that is given another directory would not find what the others wrote."""
    elsewhere = (*engines.options[:2], "--mountpath", str(tmp_path / "elsewhere"))
    assert "mountpath" in refused(tmp_path, *elsewhere)


def test_a_store_of_a_later_release_is_refused(
    cluster: Cluster, engines: Engines, postgres: Postgres, tmp_path: Path
) -> None:
    database = engines.options[1].rpartition("/")[2]
    cluster.stop()
    postgres.sql(
        "UPDATE aisle_row SET v = '9' WHERE encode(k, 'escape') LIKE 'config%format'", database
    )
    assert "newer" in refused(tmp_path, *engines.options)
