"""The node's map and configuration over the native API, on a node of its own."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness import Node
from tests.native.support import act, message, props

READ = "/v1/cluster?what=cluster_config"
NODE = "/v1/daemon?what=config"
SET = "/v1/cluster/set-config"
REVERSE = "/v1/reverse/daemon"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    running = Node(tmp_path_factory.mktemp("config") / "data").start()
    yield running
    assert running.stop() == 0, running.log_tail()


def config(own: Node, target: str = READ) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(own.send("GET", target).body)
    return found


def test_the_map_has_this_node_under_the_address_the_client_used(own: Node) -> None:
    smap = json.loads(own.send("GET", "/v1/daemon?what=smap").body)
    (target,) = smap["tmap"].values()
    (gateway,) = smap["pmap"].values()
    assert gateway == smap["proxy_si"]
    assert (gateway["daemon_type"], target["daemon_type"]) == ("proxy", "target")
    assert target["public_net"]["direct_url"] == own.root
    assert target["public_net"]["daemon_port"] == str(own.port)
    assert smap["version"].isdigit()
    assert smap["uuid"]
    again = json.loads(own.send("GET", "/v1/daemon?what=smap").body)
    assert again == smap


def test_the_configuration_is_nested_and_a_node_adds_what_is_its_own(own: Node) -> None:
    found = config(own)
    assert found["net"]["http"]["write_buffer_size"] == 65536
    assert found["features"].isdigit()
    assert found["config_version"].isdigit()
    assert found["auth"]["enabled"] is True
    assert (found["backend"], found["ext"]) == ({}, {})
    told = config(own, NODE)
    assert {name: value for name, value in told.items() if name in found} == found
    assert told["host_net"]["port"] == str(own.port)
    assert told["log_dir"] == f"{told['confdir']}/log"
    assert list(told["fspaths"]) == [f"{told['confdir']}/disk"]


def test_a_configuration_may_be_written_back_as_it_was_read(own: Node) -> None:
    before = config(own)
    kept = {
        name: value
        for name, value in before.items()
        if name not in ("uuid", "config_version", "lastupdate_time", "backend", "ext", "tracing")
    }
    assert act(own, "PUT", "/v1/cluster", "set-config", kept).status == 200
    told = config(own)
    assert {name: told[name] for name in kept} == kept
    act(own, "PUT", "/v1/cluster", "reset-config")


def test_a_transient_change_is_in_force_until_the_restart(own: Node) -> None:
    assert own.send("PUT", f"{SET}?log.max_size=9mb&transient=true").status == 200
    value = {"space": {"lowwm": 71}}
    assert act(own, "PUT", "/v1/cluster?transient=true", "set-config", value).status == 200
    for _ in range(4):  # whichever worker answers
        found = config(own)
        assert (found["log"]["max_size"], found["space"]["lowwm"]) == ("9mb", 71)
    assert own.send("PUT", f"{SET}?checksum.type=md5").status == 200
    own.restart()
    found = config(own)
    assert (found["log"]["max_size"], found["space"]["lowwm"]) == ("4mb", 75)
    assert found["checksum"]["type"] == "md5"
    act(own, "PUT", "/v1/cluster", "reset-config")


def test_a_lasting_change_ends_a_transient_one(own: Node) -> None:
    own.send("PUT", f"{SET}?log.max_size=9mb&transient=true")
    own.send("PUT", f"{SET}?log.max_size=8mb")
    assert config(own)["log"]["max_size"] == "8mb"
    own.send("PUT", f"{SET}?log.max_size=9mb&transient=true")
    act(own, "PUT", "/v1/cluster", "reset-config")
    assert config(own)["log"]["max_size"] == "4mb"


def test_a_node_has_values_of_its_own(own: Node) -> None:
    named = {"ais-node-id": config(own)["uuid"][:8]}
    assert own.send("PUT", "/v1/daemon/set-config?log.max_size=5mb").status == 200
    assert (config(own, NODE)["log"]["max_size"], config(own)["log"]["max_size"]) == ("5mb", "4mb")
    assert own.send("PUT", f"{REVERSE}/set-config?log.level=4", headers=named).status == 200
    value = {"log": {"max_total": "64mb"}}
    assert act(own, "PUT", REVERSE, "set-config", value, headers=named).status == 200
    assert act(own, "PUT", "/v1/daemon", "set-config", {"log.to_stderr": True}).status == 200
    log = config(own, NODE)["log"]
    assert (log["level"], log["max_total"], log["to_stderr"]) == (4, "64mb", True)
    assert act(own, "PUT", "/v1/daemon", "reset-config", ["log.max_size"]).status == 200
    assert config(own, NODE)["log"]["max_size"] == "4mb"
    assert config(own, NODE)["log"]["level"] == 4
    assert act(own, "PUT", REVERSE, "reset-config", headers=named).status == 200
    assert config(own, NODE)["log"]["level"] == 3


def test_sections_are_reset_by_name(own: Node) -> None:
    own.send("PUT", f"{SET}?checksum.type=md5&space.lowwm=70&log.max_size=8mb")
    assert act(own, "PUT", "/v1/cluster", "reset-config", ["checksum", "log"]).status == 200
    found = config(own)
    assert (found["checksum"]["type"], found["log"]["max_size"]) == ("xxhash", "4mb")
    assert found["space"]["lowwm"] == 70
    for wrong in (["nonsense"], [7], {"a": 1}):
        assert act(own, "PUT", "/v1/cluster", "reset-config", wrong).status == 400
    assert config(own) == found
    act(own, "PUT", "/v1/cluster", "reset-config")


def test_a_node_that_is_not_there_has_no_configuration(own: Node) -> None:
    named = {"ais-node-id": "tnobody"}
    for reply in (
        own.send("PUT", f"{REVERSE}/set-config?log.level=4", headers=named),
        act(own, "PUT", REVERSE, "reset-config", headers=named),
        own.send("GET", f"{REVERSE}?what=config", headers=named),
    ):
        assert reply.status == 404
        assert 'node "tnobody" is not in the cluster' in message(reply)


def test_both_forms_set_and_reset_takes_back(own: Node) -> None:
    version = int(config(own)["config_version"])
    query = "/v1/cluster/set-config?checksum.type=md5&space.lowwm=70"
    assert own.send("PUT", query).status == 200
    assert config(own)["checksum"]["type"] == "md5"
    assert config(own)["space"]["lowwm"] == 70
    value = {"checksum": {"type": "sha256"}, "versioning": {"enabled": True}}
    assert act(own, "PUT", "/v1/cluster", "set-config", value).status == 200
    assert config(own)["checksum"]["type"] == "sha256"
    assert config(own)["versioning"]["enabled"] is True
    assert int(config(own)["config_version"]) == version + 2
    assert act(own, "PUT", "/v1/cluster", "reset-config").status == 200
    assert config(own)["checksum"]["type"] == "xxhash"
    assert config(own)["space"]["lowwm"] == 75


def test_new_buckets_take_a_snapshot(own: Node) -> None:
    act(own, "POST", "/v1/buckets/before", "create-bck")
    act(own, "PUT", "/v1/cluster", "set-config", {"checksum": {"type": "md5"}})
    act(own, "POST", "/v1/buckets/after", "create-bck")
    assert props(own, "before")["checksum"]["type"] == "xxhash"
    assert props(own, "after")["checksum"]["type"] == "md5"
    act(own, "PATCH", "/v1/buckets/before", "reset-bprops")
    assert props(own, "before")["checksum"]["type"] == "md5"
    act(own, "PUT", "/v1/cluster", "reset-config")


@pytest.mark.parametrize(
    ("query", "status", "text"),
    [
        ("checksum.type=rot13", 400, "expected one of"),
        ("nonsense=1", 400, "no setting 'nonsense'"),
        ("access=0", 400, "no setting 'access'"),
        ("space.lowwm=99", 400, "must not exceed"),
        ("", 400, "nothing to set"),
        ("checksum.type=md5&transient=maybe", 400, "transient is true or false"),
        ("auth.enabled=false", 400, "cannot be set here"),
        ("uuid=1", 400, "which cannot be set"),
    ],
)
def test_what_makes_no_sense_changes_nothing(own: Node, query: str, status: int, text: str) -> None:
    before = config(own)
    reply = own.send("PUT", f"/v1/cluster/set-config?{query}")
    assert reply.status == status
    assert text in message(reply)
    assert config(own) == before
