"""The map of the cluster as clients see it: every node as a gateway and a target.

Both stand under one address, since every node serves everything. A node whose own address was not
advertised is told by the one the client used to reach it: a client must be able to follow what the
map says.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from aisle import __version__
from aisle.api.base import Context, Response, Service
from aisle.api.native.message import JSON, Message
from aisle.api.native.route import Route
from aisle.jobs import leases, members
from aisle.jobs.leases import PRIMARY
from aisle.jobs.members import NodeNotFound
from aisle.namespace.store import store_id

# Names the node that a request is about.
NODE_HEADER: Final = "ais-node-id"
# AIStore's bits of an Snode's flags.
_FLAGS: Final = {members.MAINTENANCE: 1 << 2, members.DECOMMISSION: 1 << 3}


class Peer(NamedTuple):
    """A node of the cluster: its name in the map, where it is reached, and how it goes by in the
    rows of its configuration."""

    id: str
    url: str
    state: str
    alive: bool
    session: str
    node: str

    @property
    def flags(self) -> int:
        return _FLAGS.get(self.state, 0)


async def peers(svc: Service, ctx: Context) -> list[Peer]:
    """The nodes that have joined and not left, dead ones included; this one alone, if it is."""
    if svc.watch is None:
        name = (await store_id(svc.store.index))[:8]
        url = svc.advertise or _here(ctx)
        return [Peer(name, url, members.ONLINE, True, svc.session, svc.node)]
    return [
        Peer(
            node.id,
            _reached(svc, ctx, node),
            node.member.state,
            node.alive,
            node.member.session,
            node.id,
        )
        for node in await svc.watch.nodes()
    ]


def _reached(svc: Service, ctx: Context, node: members.Node) -> str:
    # Where nothing was advertised, the way that the client came by is one that it can go.
    return _here(ctx) if node.id == svc.node and not svc.advertise else node.member.url


def _here(ctx: Context) -> str:
    return f"{ctx.head.scheme}://{ctx.head.header('host')}"


async def find(svc: Service, ctx: Context, name: str) -> Peer:
    """The node called `name`, by its own id or by one of its two in the map.

    Raises `NodeNotFound`.
    """
    known = {peer.id: peer for peer in await peers(svc, ctx)}
    found = known.get(name)
    if found is None and name[:1] in ("p", "t"):
        found = known.get(name[1:])
    if found is None and name == svc.node:
        found = next((peer for peer in known.values() if peer.node == svc.node), None)
    if found is None:
        raise NodeNotFound(name)
    return found


async def meant(svc: Service, ctx: Context) -> Peer:
    """The node that a request is about: the one that `Ais-Node-Id` names, else this one.

    Raises `NodeNotFound`.
    """
    name = ctx.head.header(NODE_HEADER)
    return await find(svc, ctx, name) if name else await itself(svc, ctx)


async def itself(svc: Service, ctx: Context) -> Peer:
    """This node, which the map may not show yet."""
    for peer in await peers(svc, ctx):
        if peer.node == svc.node:
            return peer
    return Peer(svc.node, _here(ctx), members.ONLINE, True, svc.session, svc.node)


async def primary(svc: Service, ctx: Context) -> str:
    """The id of the node that looks after the map; `""` while there is none."""
    if svc.watch is None:
        return (await store_id(svc.store.index))[:8]
    return await leases.holder(svc.store.index, PRIMARY) or ""


async def version(svc: Service) -> int:
    """The number of the map, which moves with every change of it."""
    return 1 if svc.watch is None else await members.map_version(svc.store.index)


def snode(peer: Peer, kind: str) -> dict[str, Any]:
    """An entry of the map, AIStore's Snode; `kind` is `proxy` or `target`."""
    parts = urlsplit(peer.url)
    net = {
        "node_hostname": parts.hostname or "",
        "daemon_port": str(parts.port or ""),
        "direct_url": peer.url,
    }
    identity = kind[0] + peer.id
    return {
        "daemon_id": identity,
        "daemon_type": kind,
        "public_net": net,
        "intra_control_net": net,
        "intra_data_net": net,
        "flags": peer.flags,
        # What clients hash names against; every node serves every object.
        "id_digest": int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8], "big"),
    }


async def build(svc: Service, ctx: Context) -> dict[str, Any]:
    """AIStore's Smap: the nodes that live or are in maintenance."""
    shown = [peer for peer in await peers(svc, ctx) if peer.alive or peer.flags]
    pmap = {f"p{peer.id}": snode(peer, "proxy") for peer in shown}
    return {
        "pmap": pmap,
        "tmap": {f"t{peer.id}": snode(peer, "target") for peer in shown},
        "proxy_si": pmap.get(f"p{await primary(svc, ctx)}"),
        "uuid": await store_id(svc.store.index),
        "version": str(await version(svc)),
        "creation_time": "",
        # By this one Aisle cluster knows another, which it may ask for more than AIStore has.
        "ext": {"aisle": __version__},
    }


async def get_smap(svc: Service, ctx: Context, message: Message) -> Response:
    """The cluster map: every node that lives or is in maintenance, as a gateway and a target."""
    return Response(200, JSON, msgspec.json.encode(await build(svc, ctx)))


ROUTES: Final = (
    Route("GET", "daemon", "what", ("smap",), "get-smap", get_smap),
    Route("GET", "cluster", "what", ("smap",), "get-smap", get_smap),
)
