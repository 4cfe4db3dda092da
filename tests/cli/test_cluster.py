"""`ais show cluster` on a node that is alone. Real clusters are in tests/cluster."""

from __future__ import annotations

import json

from tests.cli.conftest import Ais
from tests.harness import Node


def test_a_node_alone_is_its_own_primary(ais: Ais, own: Node) -> None:
    smap = json.loads(ais("show", "cluster", "--json").stdout)
    assert list(smap["pmap"]) == [smap["proxy_si"]["daemon_id"]]
    assert smap["proxy_si"]["public_net"]["direct_url"] == own.root
    lines = ais("show", "cluster", "smap", "-H").stdout.splitlines()
    assert [line.split()[1:] for line in lines] == [
        ["proxy", own.root, "online"],
        ["target", own.root, "online"],
    ]
    assert lines[0].split()[0] == f"{smap['proxy_si']['daemon_id']}[P]"


def test_there_is_no_cluster_to_change(ais: Ais) -> None:
    for action in ("start-maintenance", "stop-maintenance", "decommission"):
        done = ais("cluster", "add-remove-nodes", action, "p1", code=1)
        assert "alone" in done.stderr
