"""Handlers of the nodes and their configuration: health, the map, maintenance, config.

Every node is told as a gateway and a target under one address, since every node serves everything.
A node whose own address was not advertised is told by the one the client used to reach it: a client
must be able to follow what the map says.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from aisle.api.base import Context, Response, Service
from aisle.api.native.errors import NotReady
from aisle.api.native.message import JSON, Message, fields
from aisle.core import settings
from aisle.core.errors import InvalidArgument, InvalidRequest
from aisle.jobs import leases, members
from aisle.jobs.leases import PRIMARY
from aisle.namespace.store import store_id

# AIStore's bits of an Snode's flags.
_FLAGS: Final = {members.MAINTENANCE: 1 << 2, members.DECOMMISSION: 1 << 3}


async def health(svc: Service, ctx: Context, message: Message) -> Response:
    """200 while the node lives; with `readiness=true` only while it wants requests."""
    if ctx.head.params.get("readiness", "") == "true" and not svc.ready():
        raise NotReady("the node is not ready: it is in maintenance, stopping, or cut off")
    return Response(200)


async def get_smap(svc: Service, ctx: Context, message: Message) -> Response:
    """The nodes that live or are in maintenance, each as a gateway and as a target."""
    index = svc.store.index
    uuid = await store_id(index)
    if svc.watch is None:
        shown, primary, version = [_self(svc, ctx, uuid[:8])], uuid[:8], 1
    else:
        nodes = await svc.watch.nodes()
        shown = [_shown(svc, ctx, node) for node in nodes if node.alive or _flags(node)]
        primary = await leases.holder(index, PRIMARY)
        version = await members.map_version(index)
    pmap = {f"p{node.id}": _snode(node, "proxy") for node in shown}
    smap = {
        "pmap": pmap,
        "tmap": {f"t{node.id}": _snode(node, "target") for node in shown},
        "proxy_si": pmap.get(f"p{primary}"),
        "uuid": uuid,
        "version": str(version),
        "creation_time": "",
    }
    return Response(200, JSON, msgspec.json.encode(smap))


class _Shown(NamedTuple):
    """A node as the map tells it to clients."""

    id: str
    url: str
    flags: int


def _self(svc: Service, ctx: Context, identity: str) -> _Shown:
    return _Shown(identity, svc.advertise or _here(ctx), 0)


def _shown(svc: Service, ctx: Context, node: members.Node) -> _Shown:
    # Where nothing was advertised, the way that the client came by is one that it can go.
    reached = _here(ctx) if node.id == svc.node and not svc.advertise else node.member.url
    return _Shown(node.id, reached, _flags(node))


def _here(ctx: Context) -> str:
    return f"{ctx.head.scheme}://{ctx.head.header('host')}"


def _flags(node: members.Node) -> int:
    return _FLAGS.get(node.member.state, 0)


def _snode(node: _Shown, kind: str) -> dict[str, Any]:
    """An entry of the map, AIStore's Snode."""
    parts = urlsplit(node.url)
    net = {
        "node_hostname": parts.hostname or "",
        "daemon_port": str(parts.port or ""),
        "direct_url": node.url,
    }
    identity = kind[0] + node.id
    return {
        "daemon_id": identity,
        "daemon_type": kind,
        "public_net": net,
        "intra_control_net": net,
        "intra_data_net": net,
        "flags": node.flags,
        # What clients hash names against; every node serves every object.
        "id_digest": int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8], "big"),
    }


async def start_maintenance(svc: Service, ctx: Context, message: Message) -> Response:
    await members.change_state(svc.store.index, await _named(svc, message), members.MAINTENANCE)
    return Response(200)


async def stop_maintenance(svc: Service, ctx: Context, message: Message) -> Response:
    await members.change_state(svc.store.index, await _named(svc, message), members.ONLINE)
    return Response(200)


async def decommission(svc: Service, ctx: Context, message: Message) -> Response:
    """A living node hears of it and ends; a dead one is taken off the map."""
    name = await _named(svc, message)
    assert svc.watch is not None
    alive = {node.id for node in await svc.watch.nodes() if node.alive}
    if name in alive:
        await members.change_state(svc.store.index, name, members.DECOMMISSION)
    else:
        await members.remove(svc.store.index, name)
    return Response(200)


async def _named(svc: Service, message: Message) -> str:
    """The node that a message is about, by its own id or by one of its two in the map."""
    if svc.watch is None:
        raise InvalidRequest("this node is alone with its store: there is no cluster to change")
    name = fields(message.value).get("sid", "")
    if not isinstance(name, str) or not name:
        raise InvalidArgument('the value of the message must name a node: {"sid": ID}', name="sid")
    known = {node.id for node in await svc.watch.nodes()}
    if name not in known and name[0] in "pt" and name[1:] in known:
        return name[1:]
    return name


async def get_config(svc: Service, ctx: Context, message: Message) -> Response:
    config = await svc.store.config()
    nested = settings.nest({**settings.cluster_defaults(), **config.values})
    nested["uuid"] = await store_id(svc.store.index)
    nested["config_version"] = str(config.version)
    return Response(200, JSON, msgspec.json.encode(nested))


async def set_config_query(svc: Service, ctx: Context, message: Message) -> Response:
    """The form `?name=value&...`, which the command line of AIStore uses."""
    asked = {
        name: value
        for name, value in ctx.head.params.items()
        if not name.startswith("X-Amz-") and name != "transient"
    }
    return await _set(svc, asked)


async def set_config(svc: Service, ctx: Context, message: Message) -> Response:
    """The form with the nested configuration in the body."""
    return await _set(svc, settings.flatten(fields(message.value)))


async def _set(svc: Service, asked: dict[str, Any]) -> Response:
    if not asked:
        raise InvalidArgument("there is nothing to set: name at least one setting")
    values = (await svc.store.config()).values
    await svc.store.change_config(settings.changed(values, asked, "cluster"))
    return Response(200)


async def reset_config(svc: Service, ctx: Context, message: Message) -> Response:
    await svc.store.change_config({}, reset=True)
    return Response(200)
