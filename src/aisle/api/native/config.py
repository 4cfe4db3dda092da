"""Handlers of the configuration: the cluster's, and what single nodes have of their own.

A change is either lasting or, with `transient=true`, in force until a node restarts; see
`namespace.configuration` for what counts when. Any node may be asked about any other, whose
configuration is in the rows they share.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from aisle.api.base import Context, Response, Service
from aisle.api.native import smap
from aisle.api.native.message import JSON, Message, fields
from aisle.api.native.route import Route
from aisle.api.native.smap import Peer
from aisle.core import clusters, settings
from aisle.core.errors import InvalidArgument
from aisle.namespace import configuration
from aisle.namespace.configuration import BACKENDS, ENABLED
from aisle.namespace.records import Config
from aisle.namespace.store import store_id


async def get_config(svc: Service, ctx: Context, message: Message) -> Response:
    """The cluster's configuration, nested, with transient changes."""
    await svc.store.config()
    own = svc.store.node_config
    transient = own.transient if own.session == svc.session else {}
    cluster = svc.store.cluster_config
    nested = await _nested(svc, cluster, {**cluster.values, **transient})
    return Response(200, JSON, msgspec.json.encode(nested))


async def get_node_config(svc: Service, ctx: Context, message: Message) -> Response:
    """What is in force on this node, and its local configuration."""
    config = await svc.store.config()
    nested = await _nested(svc, config, config.values)
    return Response(200, JSON, msgspec.json.encode({**nested, **svc.local}))


async def _nested(
    svc: Service, config: Config, values: Mapping[str, settings.Value]
) -> dict[str, Any]:
    plain = {name: value for name, value in values.items() if not name.startswith(BACKENDS)}
    nested = settings.nest({**settings.cluster_defaults(), **plain})
    nested["auth"]["enabled"] = svc.auth_enabled
    nested["backend"] = _backends(values)
    nested["tracing"] = {"enabled": False}
    nested["ext"] = {}
    nested["uuid"] = await store_id(svc.store.index)
    nested["config_version"] = str(config.version)
    changed = datetime.fromtimestamp(config.changed // 1_000_000_000, UTC)
    nested["lastupdate_time"] = f"{changed:%Y-%m-%d %H:%M:%S UTC}" if config.changed else ""
    return nested


def _backends(values: Mapping[str, settings.Value]) -> dict[str, Any]:
    """AIStore's section of backends: those that were told to be used, and what clusters there are
    by alias."""
    shown: dict[str, Any] = {
        name.removeprefix(BACKENDS): {} for name, value in values.items() if value == ENABLED
    }
    if known := clusters.attached(values):
        shown["ais"] = {one.alias: list(one.urls) for one in known}
    return shown


async def set_config_query(svc: Service, ctx: Context, message: Message) -> Response:
    """Change settings by `?name=value&...`; `transient=true` changes them until nodes restart."""
    return await _set_cluster(svc, ctx, _from_query(ctx))


async def set_config(svc: Service, ctx: Context, message: Message) -> Response:
    """Change the settings in `value`, nested or flat."""
    return await _set_cluster(svc, ctx, settings.flatten(fields(message.value)))


async def _set_cluster(svc: Service, ctx: Context, asked: Mapping[str, Any]) -> Response:
    await svc.store.config()
    values = _checked(svc, svc.store.cluster_config.values, asked)
    if _transient(ctx):
        await _set_transient(
            svc, [peer for peer in await smap.peers(svc, ctx) if peer.alive], values
        )
    else:
        await svc.store.change_config(values)
    return Response(200)


async def reset_config(svc: Service, ctx: Context, message: Message) -> Response:
    """Set the cluster's configuration back to its defaults, or the sections that `value` names."""
    await svc.store.change_config({}, reset=_sections(message))
    return Response(200)


async def set_node_config_query(svc: Service, ctx: Context, message: Message) -> Response:
    """Change settings of one node by `?name=value&...`."""
    return await _set_node(svc, ctx, _from_query(ctx))


async def set_node_config(svc: Service, ctx: Context, message: Message) -> Response:
    """Change settings of one node, nested or flat in `value`."""
    return await _set_node(svc, ctx, settings.flatten(fields(message.value)))


async def _set_node(svc: Service, ctx: Context, asked: Mapping[str, Any]) -> Response:
    peer = await smap.meant(svc, ctx)
    await svc.store.config()
    own = await configuration.of_node(svc.store.index, peer.node)
    known = {**svc.store.cluster_config.values, **own.values}
    values = _checked(svc, known, asked)
    if _transient(ctx):
        await _set_transient(svc, [peer], values)
    else:
        await configuration.change_node(svc.store.index, peer.node, values)
        svc.store.forget_config()
    return Response(200)


async def reset_node_config(svc: Service, ctx: Context, message: Message) -> Response:
    """Take back what one node has of its own, or the sections of it that `value` names."""
    peer = await smap.meant(svc, ctx)
    await configuration.reset_node(svc.store.index, peer.node, _sections(message))
    svc.store.forget_config()
    return Response(200)


def _from_query(ctx: Context) -> dict[str, Any]:
    return {
        name: value
        for name, value in ctx.head.params.items()
        if not name.startswith("X-Amz-") and name != "transient"
    }


def _transient(ctx: Context) -> bool:
    asked = ctx.head.params.get("transient", "false")
    if asked not in ("", "true", "false"):
        raise InvalidArgument("transient is true or false", name="transient", value=asked)
    return asked == "true"


def _checked(
    svc: Service, known: Mapping[str, settings.Value], asked: Mapping[str, Any]
) -> dict[str, settings.Value]:
    """The canonical values of what is asked for. Raises `InvalidArgument`."""
    if not asked:
        raise InvalidArgument("there is nothing to set: name at least one setting")
    return settings.changed({**known, "auth.enabled": svc.auth_enabled}, asked, "cluster")


async def _set_transient(
    svc: Service, nodes: list[Peer], values: Mapping[str, settings.Value]
) -> None:
    sessions = {peer.node: peer.session for peer in nodes}
    await configuration.set_transient(svc.store.index, sessions, values)
    svc.store.forget_config()


def _sections(message: Message) -> bool | frozenset[str]:
    """The settings to set back: all (`True`), or those below the sections that are named."""
    asked = message.value
    if asked is None or asked == "" or asked == []:
        return True
    words = [asked] if isinstance(asked, str) else asked
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise InvalidArgument("the value must be a list of sections or settings", name="value")
    return frozenset(row.name for word in words for row in settings.section(word, "cluster"))


ROUTES: Final = (
    Route("GET", "daemon", "what", ("config",), "get-node-config", get_node_config),
    Route("GET", "cluster", "what", ("cluster_config",), "get-config", get_config),
    Route("PUT", "cluster/set-config", "", (), "set-config", set_config_query),
    Route("PUT", "cluster", "action", ("set-config",), "set-config", set_config),
    Route("PUT", "cluster", "action", ("reset-config",), "reset-config", reset_config),
    Route("PUT", "daemon/set-config", "", (), "set-node-config", set_node_config_query),
    Route("PUT", "daemon", "action", ("set-config",), "set-node-config", set_node_config),
    Route("PUT", "daemon", "action", ("reset-config",), "reset-node-config", reset_node_config),
    Route("PUT", "reverse/daemon/set-config", "", (), "set-node-config", set_node_config_query),
    Route("PUT", "reverse/daemon", "action", ("set-config",), "set-node-config", set_node_config),
    Route(
        "PUT", "reverse/daemon", "action", ("reset-config",), "reset-node-config", reset_node_config
    ),
)
