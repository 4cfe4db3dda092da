"""`ais show cluster`, `ais cluster add-remove-nodes ...`: the nodes, and taking them in and out."""

from __future__ import annotations

import argparse
import json
from typing import Any, Final

from aisle.cli.client import Client
from aisle.cli.tables import Columns

# AIStore's bits of an Snode's flags.
_STATUS: Final = {0: "online", 1 << 2: "maintenance", 1 << 3: "decommission"}


def show_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what", metavar="smap", nargs="?", choices=("smap",), help="the map (all there is so far)"
    )
    parser.add_argument("--json", "-j", action="store_true", help="the map as JSON")
    parser.add_argument("--no-headers", "-H", action="store_true", help="do not print a heading")


def show(client: Client, options: argparse.Namespace) -> None:
    smap = _read(client)
    if options.json:
        print(json.dumps(smap, indent=4))
        return
    primary = (smap["proxy_si"] or {}).get("daemon_id", "")
    rows = [
        (
            f"{node['daemon_id']}[P]" if node["daemon_id"] == primary else node["daemon_id"],
            node["daemon_type"],
            node["public_net"]["direct_url"],
            _STATUS.get(node["flags"], "unknown"),
        )
        for kind in ("pmap", "tmap")
        for _, node in sorted(smap[kind].items())
    ]
    table = Columns(("NODE", "TYPE", "PUBLIC URL", "STATUS"))
    for line in table.lines(rows if options.no_headers else [table.heading, *rows]):
        print(line)
    if not options.no_headers:
        print(
            f"\nCluster Map version {smap['version']}, UUID {smap['uuid']}: {len(smap['pmap'])}"
            f" gateways, {len(smap['tmap'])} targets"
        )


def _read(client: Client) -> dict[str, Any]:
    smap = json.loads(client.act("GET", "/v1/daemon", {"what": "smap"}).body)
    assert isinstance(smap, dict)
    return smap


def node_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("node", metavar="NODE", help="id of a node, as 'ais show cluster' tells it")


def start_maintenance(client: Client, options: argparse.Namespace) -> None:
    _change(client, "start-maintenance", options.node)
    print(f'Node "{options.node}" is in maintenance: load balancers find it not ready')


def stop_maintenance(client: Client, options: argparse.Namespace) -> None:
    _change(client, "stop-maintenance", options.node)
    print(f'Node "{options.node}" is back from maintenance')


def decommission(client: Client, options: argparse.Namespace) -> None:
    _change(client, "decommission-node", options.node)
    print(f'Node "{options.node}" finishes its requests, ends and leaves the cluster')


def _change(client: Client, action: str, node: str) -> None:
    client.act("PUT", "/v1/cluster", {}, action, {"sid": node})
