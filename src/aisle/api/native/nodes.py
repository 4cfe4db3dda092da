"""Handlers of one node: its entry in the map, state, machine, mountpaths, disks and counters.

`/v1/daemon` is about the node that is asked; `/v1/reverse/daemon` about the one that
`Ais-Node-Id` names, which this one asks in turn (`relay`). The cluster's forms ask all nodes. JSON
is AIStore's.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any, Final

import msgspec

from aisle import __version__
from aisle.api.base import Context, Response, Service
from aisle.api.native import config, relay, smap
from aisle.api.native.errors import NodeUnreachable
from aisle.api.native.message import JSON, Message, NativeHandler
from aisle.api.native.route import Route
from aisle.api.native.smap import NODE_HEADER, Peer
from aisle.core import counters
from aisle.core.errors import InvalidArgument, StoreError
from aisle.core.machine import Machine, file_system_of
from aisle.namespace.store import store_id

_MACHINE: Final = Machine()
_DAEMON: Final = "/v1/daemon"


def json_reply(value: object) -> Response:
    return Response(200, JSON, msgspec.json.encode(value))


async def get_snode(svc: Service, ctx: Context, message: Message) -> Response:
    """This node's entry in the map."""
    peer, kind = await _self(svc, ctx)
    return json_reply(smap.snode(peer, kind))


async def get_stats(svc: Service, ctx: Context, message: Message) -> Response:
    """This node's counters and capacity."""
    return json_reply(await stats(svc, ctx))


async def get_node_status(svc: Service, ctx: Context, message: Message) -> Response:
    """This node's counters, capacity, state and machine."""
    return json_reply(await status(svc, ctx))


async def get_sysinfo(svc: Service, ctx: Context, message: Message) -> Response:
    """Memory, processors and load of the machine or container under this node."""
    return json_reply(await asyncio.to_thread(_MACHINE.info))


async def get_mountpaths(svc: Service, ctx: Context, message: Message) -> Response:
    """This node's directories for objects."""
    return json_reply({"available": _paths(svc), "waiting_dd": [], "disabled": []})


async def get_disks(svc: Service, ctx: Context, message: Message) -> Response:
    """Throughput and utilization of the disks under this node's mountpaths."""
    return json_reply(await asyncio.to_thread(_MACHINE.disks, _paths(svc)))


async def get_metric_names(svc: Service, ctx: Context, message: Message) -> Response:
    """The counters by name, and what kind each is."""
    return json_reply({**counters.kinds(), "up.ns.time": "special"})


async def stats(svc: Service, ctx: Context) -> dict[str, Any]:
    """AIStore's `Node`: what a node counts, and the room that it has."""
    peer, kind = await _self(svc, ctx)
    tracked = {**svc.counters.read(), "up.ns.time": svc.counters.uptime()}
    return {
        "snode": smap.snode(peer, kind),
        "tracker": {name: {"v": str(value)} for name, value in tracked.items()},
        "capacity": await capacity(svc),
    }


async def status(svc: Service, ctx: Context) -> dict[str, Any]:
    """AIStore's `NodeStatus`."""
    peer, _ = await _self(svc, ctx)
    version = str(await smap.version(svc))
    in_k8s = "KUBERNETES_SERVICE_HOST" in os.environ
    return {
        **await stats(svc, ctx),
        "rebalance_snap": None,
        "status": peer.state,
        "deployment": "K8s" if in_k8s else "linux",
        "ais_version": __version__,
        "build_time": "",
        "k8s_pod_name": os.environ.get("HOSTNAME", "") if in_k8s else "",
        "cluster": {
            "smap": {
                "version": version,
                "uuid": await store_id(svc.store.index),
                "primary": await smap.primary(svc, ctx),
            },
            "flags": "0",
        },
        "sys_info": await asyncio.to_thread(_MACHINE.info),
        "smap_version": version,
    }


async def capacity(svc: Service) -> dict[str, Any]:
    """AIStore's `Tcdf`: how full the places for objects are."""
    try:
        total, used, free = await svc.store.blobs.space()
        places = await asyncio.to_thread(_places, _paths(svc))
        error = ""
    except (StoreError, OSError) as failure:
        total = used = free = 0
        places, error = {}, str(failure)
    if not places:
        places = {"blobs": _place("", "", used, free)}
    percents = [place["pct_used"] for place in places.values()]
    return {
        "mountpaths": places,
        "pct_max": max(percents),
        "pct_avg": sum(percents) // len(percents),
        "pct_min": min(percents),
        "total_used": str(used),
        "total_avail": str(free),
        "total": str(total),
        "cs_err": error,
    }


def _paths(svc: Service) -> list[str]:
    return list(svc.local.get("fspaths", {}))


def _places(paths: list[str]) -> dict[str, dict[str, Any]]:
    found = {}
    for path in paths:
        disk = os.statvfs(path)
        used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize
        found[path] = _place(path, file_system_of(path), used, disk.f_bavail * disk.f_frsize)
    return found


def _place(label: str, system: str, used: int, free: int) -> dict[str, Any]:
    return {
        "mountpath_label": label,
        "fs": system,
        "used": str(used),
        "avail": str(free),
        "pct_used": round(used * 100 / (used + free)) if used + free else 0,
        "disks": [],
    }


async def _self(svc: Service, ctx: Context) -> tuple[Peer, str]:
    """This node, and as which of the two it is meant."""
    peer = await smap.itself(svc, ctx)
    return peer, "proxy" if ctx.head.header(NODE_HEADER) == f"p{peer.id}" else "target"


# --- other nodes ----------------------------------------------------------------------------


def relayed(handler: NativeHandler) -> NativeHandler:
    """The handler of `/v1/reverse/daemon` that asks the node which is meant."""

    async def handle(svc: Service, ctx: Context, message: Message) -> Response:
        if not ctx.head.header(NODE_HEADER):
            raise InvalidArgument("the header Ais-Node-Id must name a node", name=NODE_HEADER)
        peer = await smap.meant(svc, ctx)
        if peer.node == svc.node:
            return await handler(svc, ctx, message)
        return await relay.ask(svc, ctx, peer, _DAEMON, _kept(ctx))

    handle.__doc__ = f"Of the node that `Ais-Node-Id` names: {_lower(handler.__doc__ or '')}"
    return handle


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _kept(ctx: Context) -> dict[str, str]:
    """The query without what signed it."""
    return {name: value for name, value in ctx.head.params.items() if not name.startswith("X-Amz-")}


async def gather(svc: Service, ctx: Context, what: str, own: NativeHandler) -> dict[str, Any]:
    """What every living node answers, by its plain id; `None` for one that cannot be asked."""
    found = [peer for peer in await smap.peers(svc, ctx) if peer.alive]

    async def one(peer: Peer) -> Any:
        if peer.node == svc.node:
            reply = await own(svc, ctx, Message())
            assert isinstance(reply.body, bytes)
            return msgspec.json.decode(reply.body)
        try:
            reply = await relay.ask(svc, ctx, peer, _DAEMON, {"what": what})
            data = await relay.read(reply)
            return msgspec.json.decode(data) if reply.status == 200 else None
        except (NodeUnreachable, msgspec.DecodeError):
            return None

    answers = await asyncio.gather(*(one(peer) for peer in found))
    return {peer.id: answer for peer, answer in zip(found, answers, strict=True)}


async def cluster_stats(svc: Service, ctx: Context, message: Message) -> Response:
    """Counters and capacity of every node that can be asked."""
    found = await gather(svc, ctx, "stats", get_stats)
    first = await smap.primary(svc, ctx)
    return json_reply(
        {"proxy": found.get(first), "target": {f"t{id}": told for id, told in found.items()}}
    )


async def cluster_sysinfo(svc: Service, ctx: Context, message: Message) -> Response:
    """The machines under all nodes."""
    found = await gather(svc, ctx, "sysinfo", get_sysinfo)
    return json_reply(
        {
            "proxy": {f"p{id}": told for id, told in found.items()},
            "target": {f"t{id}": told for id, told in found.items()},
        }
    )


async def cluster_mountpaths(svc: Service, ctx: Context, message: Message) -> Response:
    """The directories for objects of all nodes."""
    found = await gather(svc, ctx, "mountpaths", get_mountpaths)
    return json_reply({"targets": {f"t{id}": told for id, told in found.items()}})


async def target_ips(svc: Service, ctx: Context, message: Message) -> Response:
    """The host names of all nodes, with commas between them."""
    found = [smap.snode(peer, "target") for peer in await smap.peers(svc, ctx) if peer.alive]
    names = dict.fromkeys(node["public_net"]["node_hostname"] for node in found)
    return Response(200, [(b"content-type", b"text/plain")], ",".join(names).encode())


_OF_A_NODE: Final = (
    ("snode", "get-snode", get_snode),
    ("stats", "get-stats", get_stats),
    ("node_status", "get-node-status", get_node_status),
    ("sysinfo", "get-sysinfo", get_sysinfo),
    ("mountpaths", "get-mountpaths", get_mountpaths),
    ("disk", "get-disks", get_disks),
    ("metrics", "get-metric-names", get_metric_names),
)
_READS: Final = (*_OF_A_NODE, ("smap", "get-smap", smap.get_smap),
                 ("config", "get-node-config", config.get_node_config))  # fmt: skip
ROUTES: Final = (
    *(Route("GET", "daemon", "what", (what,), name, do) for what, name, do in _OF_A_NODE),
    *(
        Route("GET", "reverse/daemon", "what", (what,), name, relayed(do))
        for what, name, do in _READS
    ),
    Route("GET", "cluster", "what", ("stats",), "get-cluster-stats", cluster_stats),
    Route("GET", "cluster", "what", ("sysinfo",), "get-cluster-sysinfo", cluster_sysinfo),
    Route("GET", "cluster", "what", ("mountpaths",), "get-cluster-mountpaths", cluster_mountpaths),
    Route("GET", "cluster", "what", ("target_ips",), "get-target-ips", target_ips),
)
