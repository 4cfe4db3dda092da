"""What a node tells of itself: map entry, state, machine, mountpaths, disks, log, buckets."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.cluster import wait_until
from tests.harness import Node
from tests.native.support import act, message


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    running = Node(tmp_path_factory.mktemp("nodes") / "data").start()
    yield running
    assert running.stop() == 0, running.log_tail()


def told(own: Node, target: str, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    reply = own.send("GET", target, headers=named)
    assert reply.status == 200, reply.body
    return json.loads(reply.body)


def target_of(own: Node) -> str:
    (name,) = told(own, "/v1/daemon?what=smap")["tmap"]
    return str(name)


def test_the_status_is_aistore_s(own: Node) -> None:
    name = target_of(own)
    status = told(own, "/v1/reverse/daemon?what=node_status", ais_node_id=name)
    assert set(status) == {
        "snode", "tracker", "capacity", "rebalance_snap", "status", "deployment", "ais_version",
        "build_time", "k8s_pod_name", "cluster", "sys_info", "smap_version",
    }  # fmt: skip
    assert status["snode"] == told(own, "/v1/daemon?what=smap")["tmap"][name]
    assert status["status"] == "online"
    assert int(status["tracker"]["up.ns.time"]["v"]) > 0
    assert status["cluster"]["smap"]["primary"] == name[1:]
    (place,) = status["capacity"]["mountpaths"].values()
    assert int(place["avail"]) > 0
    assert 0 <= status["capacity"]["pct_max"] <= 100
    assert told(own, "/v1/daemon?what=node_status")["snode"] == status["snode"]


def test_a_gateway_is_told_as_one(own: Node) -> None:
    name = "p" + target_of(own)[1:]
    snode = told(own, "/v1/reverse/daemon?what=snode", ais_node_id=name)
    assert (snode["daemon_id"], snode["daemon_type"]) == (name, "proxy")


def test_one_node_may_be_asked_about_itself_in_every_way(own: Node) -> None:
    name = target_of(own)
    for what in ("snode", "sysinfo", "mountpaths", "disk", "metrics", "stats", "smap", "config"):
        assert type(told(own, f"/v1/daemon?what={what}")) is dict
        assert type(told(own, f"/v1/reverse/daemon?what={what}", ais_node_id=name)) is dict


def test_the_cluster_is_what_its_nodes_are(own: Node) -> None:
    name = target_of(own)
    stats = told(own, "/v1/cluster?what=stats")
    assert list(stats["target"]) == [name]
    assert (
        stats["proxy"]["capacity"]["total_avail"]
        == stats["target"][name]["capacity"]["total_avail"]
    )
    assert list(told(own, "/v1/cluster?what=sysinfo")["target"]) == [name]
    paths = told(own, "/v1/cluster?what=mountpaths")["targets"][name]
    assert paths == told(own, "/v1/daemon?what=mountpaths")
    assert told(own, "/v1/cluster?what=smap") == told(own, "/v1/daemon?what=smap")
    assert own.send("GET", "/v1/cluster?what=target_ips").body == b"localhost"
    assert told(own, "/v1/cluster?what=remote") == {"a": [], "ver": 0}
    assert told(own, "/v1/cluster?what=backends") == ["aws", "gcp", "azure", "ht", "ais"]


def test_every_bucket_is_in_the_bmd(own: Node) -> None:
    before = told(own, "/v1/cluster?what=bmd")
    assert before["providers"] == {}
    for bucket in ("abc", "xyz"):
        act(own, "POST", f"/v1/buckets/{bucket}", "create-bck")
    act(own, "POST", "/v1/buckets/abc?namespace=%23ns", "create-bck")
    bmd = told(own, "/v1/daemon?what=bmd")
    assert bmd["version"] != before["version"]
    found = {space: sorted(names) for space, names in bmd["providers"]["ais"].items()}
    assert found == {"@#": ["abc", "xyz"], "@#ns": ["abc"]}
    assert bmd["providers"]["ais"]["@#"]["abc"]["checksum"]["type"] == "xxhash"
    for space in ("", "?namespace=%23ns"):
        act(own, "DELETE", f"/v1/buckets/abc{space}", "destroy-bck")
    act(own, "DELETE", "/v1/buckets/xyz", "destroy-bck")


def test_health_tells_uptimes_to_whoever_asks_for_readiness(own: Node) -> None:
    ready = own.send("GET", "/v1/health?prr=true", signed=False)
    assert ready.status == 200
    assert int(ready.headers["ais-node-uptime"]) > 0
    assert int(ready.headers["ais-cluster-uptime"]) >= int(ready.headers["ais-node-uptime"])
    assert "ais-node-uptime" not in own.send("HEAD", "/v1/health", signed=False).headers


def test_the_log_is_told_by_severity_and_whole_as_an_archive(own: Node) -> None:
    name = {"ais-node-id": target_of(own)}

    def lines(severity: str) -> list[bytes]:
        reply = own.send("GET", f"/v1/reverse/daemon?what=log&severity={severity}", headers=name)
        assert (reply.status, reply.headers["content-type"]) == (200, "text/plain; charset=utf-8")
        return reply.body.splitlines()

    wait_until(lambda: any(b" INFO " in line for line in lines("info")), "the node logs its start")
    assert all(b" INFO " not in line for line in lines("warning") + lines("error"))
    assert act(own, "PUT", "/v1/cluster", "rotate-logs").status == 200
    wait_until(lambda: not lines("info"), "the log file is put away")
    whole = own.send("GET", "/v1/reverse/daemon?what=log&severity=info&all=true", headers=name)
    assert whole.headers["content-type"] == "application/gzip"
    with tarfile.open(fileobj=io.BytesIO(whole.body), mode="r:gz") as archive:
        kept = [found.read() for m in archive.getmembers() if (found := archive.extractfile(m))]
    assert any(b" INFO " in text for text in kept)


@pytest.mark.parametrize(
    ("target", "headers", "status", "text"),
    [
        ("/v1/reverse/daemon?what=node_status", {}, 400, "Ais-Node-Id must name a node"),
        ("/v1/reverse/daemon?what=log", {"ais-node-id": "tx"}, 404, 'node "tx" is not in'),
        ("/v1/reverse/daemon?what=nonsense", {"ais-node-id": "tx"}, 501, "not supported"),
        ("/v1/daemon?what=log&severity=loud", {}, 400, "severity is one of info"),
        ("/v1/daemon?what=nonsense", {}, 501, 'what "nonsense" is not supported'),
        ("/v1/cluster", {}, 400, "needs a what parameter"),
    ],
)
def test_what_cannot_be_told_is_refused(
    own: Node, target: str, headers: dict[str, str], status: int, text: str
) -> None:
    reply = own.send("GET", target, headers=headers)
    assert reply.status == status
    assert text in message(reply)


def test_a_stranger_hears_of_no_node(own: Node) -> None:
    for target in (
        "/v1/daemon?what=log",
        "/v1/reverse/daemon?what=node_status",
        "/v1/cluster?what=bmd",
        "/v1/metrics",
        "/v1/openapi.json",
    ):
        assert own.send("GET", target, signed=False).status == 401
