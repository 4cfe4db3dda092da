"""The node's map and configuration over the native API, on a node of its own."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness import Node
from tests.native.support import act, message, props

READ = "/v1/cluster?what=cluster_config"


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


def test_the_configuration_is_nested_and_the_same_in_both_places(own: Node) -> None:
    found = config(own)
    assert found == config(own, "/v1/daemon?what=config")
    assert found["net"]["http"]["write_buffer_size"] == 65536
    assert found["features"].isdigit()
    assert found["config_version"].isdigit()


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
        ("checksum.type=md5&transient=true", 501, "transient is not supported"),
    ],
)
def test_what_makes_no_sense_changes_nothing(own: Node, query: str, status: int, text: str) -> None:
    before = config(own)
    reply = own.send("PUT", f"/v1/cluster/set-config?{query}")
    assert reply.status == status
    assert text in message(reply)
    assert config(own) == before
