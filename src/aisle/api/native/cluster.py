"""Handlers of the node and its configuration: health, the cluster map, reading and setting config.

A node tells of itself alone, as a cluster of one gateway and one target under one address: the one
the client used to reach it, since a client must be able to follow what the map says.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from aisle.api.base import Context, Response, Service
from aisle.api.native.errors import NotReady
from aisle.api.native.message import JSON, Message, fields
from aisle.core import settings
from aisle.core.errors import InvalidArgument
from aisle.namespace.store import store_id


async def health(svc: Service, ctx: Context, message: Message) -> Response:
    if not svc.ready():
        raise NotReady("the node is not ready")
    return Response(200)


async def get_smap(svc: Service, ctx: Context, message: Message) -> Response:
    uuid = await store_id(svc.store.index)
    gateway, target = _node(ctx, uuid, "proxy"), _node(ctx, uuid, "target")
    smap = {
        "pmap": {gateway["daemon_id"]: gateway},
        "tmap": {target["daemon_id"]: target},
        "proxy_si": gateway,
        "uuid": uuid,
        "version": "1",
        "creation_time": "",
    }
    return Response(200, JSON, msgspec.json.encode(smap))


def _node(ctx: Context, uuid: str, kind: str) -> dict[str, Any]:
    """An entry of the map, AIStore's Snode."""
    host = ctx.head.header("host")
    name, _, port = host.rpartition(":") if host.rfind(":") > host.rfind("]") else (host, "", "")
    net = {
        "node_hostname": name,
        "daemon_port": port,
        "direct_url": f"{ctx.head.scheme}://{host}",
    }
    identity = kind[0] + uuid[:8]
    return {
        "daemon_id": identity,
        "daemon_type": kind,
        "public_net": net,
        "intra_control_net": net,
        "intra_data_net": net,
        "flags": 0,
        # What clients hash names against; with one target any number serves.
        "id_digest": int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8], "big"),
    }


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
