"""What commands ask single nodes for: the map, a node's state, and its counters.

Every node is told twice, as a gateway (`p...`) and as a target (`t...`); it is asked once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from aisle.cli.failure import Failure, Refused
from aisle.client import Client

# AIStore's bits of an Snode's flags.
_STATES: Final = {0: "online", 1 << 2: "maintenance", 1 << 3: "decommission"}
_UNREACHABLE: Final = 503


class Daemon(NamedTuple):
    """A row of the map, with what its node told of itself; nothing if it does not answer."""

    id: str
    kind: str
    url: str
    state: str
    told: Mapping[str, Any]


def smap(client: Client) -> dict[str, Any]:
    """The cluster map."""
    found = json.loads(client.act("GET", "/v1/daemon", {"what": "smap"}).body)
    assert isinstance(found, dict)
    return found


def primary_of(found: Mapping[str, Any]) -> str:
    """The id of the primary gateway; `""` while there is none."""
    return str((found["proxy_si"] or {}).get("daemon_id", ""))


def entries(found: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Gateways, then targets, each by their ids."""
    for kind in ("pmap", "tmap"):
        for _, node in sorted(found[kind].items()):
            yield node


def state_of(entry: Mapping[str, Any]) -> str:
    return _STATES.get(entry["flags"], "unknown")


def ask(client: Client, node: str, what: str, **query: str) -> Any:
    """What a node tells in JSON. Raises `Failure`."""
    headers = {"ais-node-id": node}
    reply = client.act("GET", "/v1/reverse/daemon", {"what": what, **query}, headers=headers)
    return json.loads(reply.body)


def daemons(client: Client, found: Mapping[str, Any], node: str = "") -> list[Daemon]:
    """Every row of the map with its node's status, or the rows of `node`. Raises `Failure`."""
    told: dict[str, Mapping[str, Any]] = {}
    rows = []
    for entry in entries(found):
        name = entry["daemon_id"]
        if node not in ("", name, name[1:]):
            continue
        if name[1:] not in told:
            told[name[1:]] = _status(client, name)
        rows.append(
            Daemon(
                name,
                entry["daemon_type"],
                entry["public_net"]["direct_url"],
                state_of(entry),
                told[name[1:]],
            )
        )
    if not rows:
        raise Failure(f'there is no node "{node}" in the cluster map')
    return rows


def targets(client: Client, node: str = "") -> list[Daemon]:
    """The targets that answer, or the one that `node` names by either of its ids."""
    if node and node[0] == "p":
        node = "t" + node[1:]
    return [row for row in daemons(client, smap(client), node) if row.kind == "target" and row.told]


def _status(client: Client, node: str) -> Mapping[str, Any]:
    try:
        told: Mapping[str, Any] = ask(client, node, "node_status")
    except Refused as error:
        if error.status != _UNREACHABLE:
            raise
        return {}
    return told


def counter(told: Mapping[str, Any], name: str) -> int:
    """A counter of a node's status."""
    return int(told["tracker"].get(name, {"v": "0"})["v"])
