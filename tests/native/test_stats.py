"""Counters of a node, summed over its workers, in JSON and for Prometheus."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from aisle.api.native.operations import ROUTES
from aisle.api.s3.dialect import HANDLERS
from aisle.core.counters import FAMILIES
from tests.harness import Node
from tests.native.support import act, put


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    running = Node(tmp_path_factory.mktemp("stats") / "data").start()
    act(running, "POST", "/v1/buckets/abc", "create-bck")
    yield running
    assert running.stop() == 0, running.log_tail()


def test_every_counted_operation_is_one_that_there_is() -> None:
    known = {row.name for row in ROUTES} | set(HANDLERS)
    for names in FAMILIES.values():
        assert set(names) <= known


def counters(own: Node) -> dict[str, int]:
    found = json.loads(own.send("GET", "/v1/daemon?what=stats").body)["tracker"]
    return {name: int(value["v"]) for name, value in found.items()}


def metrics(own: Node, target: str = "/v1/metrics", **headers: str) -> dict[str, int]:
    reply = own.send("GET", target, headers=headers)
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = re.findall(r'^(\w+)\{node_id="t\w+"\} (\d+)$', reply.body.decode(), re.MULTILINE)
    return {name: int(value) for name, value in found}


def test_requests_of_both_dialects_are_counted_whichever_worker_answers(own: Node) -> None:
    assert act(own, "PUT", "/v1/cluster", "reset-stats").status == 200
    for number in range(10):
        assert put(own, "abc", f"k{number}", b"x" * 1000).status == 200
    client = own.client()
    client.put_object(Bucket="abc", Key="s3", Body=b"y" * 500)
    assert client.get_object(Bucket="abc", Key="s3")["Body"].read() == b"y" * 500
    own.send("GET", "/v1/objects/abc/k1", headers={"Range": "bytes=0-9"})
    own.send("HEAD", "/v1/objects/abc/k1")
    act(own, "GET", "/v1/buckets/abc", "list")
    client.list_objects_v2(Bucket="abc")
    own.send("DELETE", "/v1/objects/abc/k2")
    found = counters(own)
    assert (found["put.n"], found["get.n"], found["head.n"]) == (11, 2, 1)
    assert (found["lst.n"], found["del.n"]) == (2, 1)
    assert found["put.size"] >= 10 * 1000 + 500
    assert found["get.size"] == 510
    assert found["put.ns.total"] > 0


def test_errors_are_counted_apart_and_what_is_not_there_is_none(own: Node) -> None:
    act(own, "PUT", "/v1/cluster", "reset-stats")
    own.send("GET", "/v1/objects/abc/missing")
    own.send("GET", "/v1/objects/abc/k1", headers={"Range": "bytes=9999-"})
    own.send("GET", "/v1/objects/abc/k1", signed=False)
    found = counters(own)
    assert found["err.get.n"] == 1
    assert found["err.other.n"] == 1  # a stranger's request is not even looked at
    act(own, "PUT", "/v1/cluster", "reset-stats", True)
    assert counters(own)["err.get.n"] == 0


def test_resetting_errors_leaves_the_rest(own: Node) -> None:
    act(own, "PUT", "/v1/cluster", "reset-stats")
    own.send("GET", "/v1/objects/abc/k1")
    own.send("GET", "/v1/objects/abc/k1", headers={"Range": "bytes=9999-"})
    act(own, "PUT", "/v1/cluster", "reset-stats", True)
    found = counters(own)
    assert (found["get.n"], found["err.get.n"]) == (1, 0)


def test_prometheus_reads_the_same_numbers(own: Node) -> None:
    act(own, "PUT", "/v1/cluster", "reset-stats")
    own.send("GET", "/v1/objects/abc/k1")
    found = metrics(own)
    assert found["ais_target_get_count"] == 1
    assert found["ais_target_get_bytes"] == 1000
    assert found["ais_target_workers"] == 2
    assert found["ais_target_capacity_avail_bytes"] > 0


def test_prometheus_is_served_where_it_looks_and_a_bucket_of_that_name_too(own: Node) -> None:
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
    assert "ais_target_get_count" in metrics(own, "/metrics", accept=accept)
    act(own, "POST", "/v1/buckets/metrics", "create-bck")
    own.client(s3={"addressing_style": "path"}).put_object(Bucket="metrics", Key="k", Body=b"1")
    assert own.send("GET", "/metrics?list-type=2").xml.findtext("Contents/Key") == "k"
    assert own.send("GET", "/metrics").xml.findtext("Contents/Key") == "k"
    act(own, "DELETE", "/v1/buckets/metrics", "destroy-bck")


def test_every_metric_is_explained(own: Node) -> None:
    text = own.send("GET", "/v1/metrics").body.decode()
    for name in metrics(own):
        assert f"# HELP {name} " in text
        assert f"# TYPE {name} " in text


def test_a_restarted_node_counts_from_zero(own: Node) -> None:
    own.send("GET", "/v1/objects/abc/k1")
    own.restart()
    assert counters(own)["get.n"] == 0
