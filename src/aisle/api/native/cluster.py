"""Handlers of the cluster's life: health, maintenance, nodes that end, orders to all nodes."""

from __future__ import annotations

from typing import Final

from aisle.api.base import Context, Headers, Response, Service
from aisle.api.native import orders, smap
from aisle.api.native.errors import NotReady
from aisle.api.native.message import Message, fields
from aisle.api.native.route import Route
from aisle.api.native.smap import Peer
from aisle.core.errors import InvalidArgument, InvalidRequest, NotSupported
from aisle.jobs import members


async def health(svc: Service, ctx: Context, message: Message) -> Response:
    """200 while the node lives; with `readiness=true` or `prr=true` only while it wants requests.
    With `prr=true` the uptimes of node and cluster in nanoseconds are in the headers."""
    params = ctx.head.params
    uptimes = params.get("prr", "") == "true"
    if (uptimes or params.get("readiness", "") == "true") and not svc.ready():
        raise NotReady("the node is not ready: it is in maintenance, stopping, or cut off")
    return Response(200, _uptimes(svc) if uptimes else [])


def _uptimes(svc: Service) -> Headers:
    """From memory alone: strangers may ask, as often as they like."""
    node = cluster = svc.counters.uptime()
    if svc.watch is not None:
        started = [known.member.started for known in svc.watch.latest if known.alive]
        cluster = max(node, svc.store.now() - min(started, default=svc.store.now()))
    return [
        (b"ais-cluster-uptime", str(cluster).encode()),
        (b"ais-node-uptime", str(node).encode()),
    ]


async def start_maintenance(svc: Service, ctx: Context, message: Message) -> Response:
    """The node in `value.sid` is no longer ready: load balancers leave it alone."""
    peer = await _named(svc, ctx, message)
    await members.change_state(svc.store.index, peer.id, members.MAINTENANCE)
    return Response(200)


async def stop_maintenance(svc: Service, ctx: Context, message: Message) -> Response:
    """The node in `value.sid` is ready again."""
    peer = await _named(svc, ctx, message)
    await members.change_state(svc.store.index, peer.id, members.ONLINE)
    return Response(200)


async def decommission_node(svc: Service, ctx: Context, message: Message) -> Response:
    """The node in `value.sid` ends and leaves the map; a dead one is taken off it."""
    peer = await _named(svc, ctx, message)
    if peer.alive:
        await members.change_state(svc.store.index, peer.id, members.DECOMMISSION)
    else:
        await members.remove(svc.store.index, peer.id)
    return Response(200)


async def _named(svc: Service, ctx: Context, message: Message) -> Peer:
    """The node of the cluster that a message is about."""
    if svc.watch is None:
        raise InvalidRequest("this node is alone with its store: there is no cluster to change")
    return await smap.find(svc, ctx, _sid(message))


def _sid(message: Message) -> str:
    name = fields(message.value).get("sid", "")
    if not isinstance(name, str) or not name:
        raise InvalidArgument('the value of the message must name a node: {"sid": ID}', name="sid")
    return name


async def shutdown_node(svc: Service, ctx: Context, message: Message) -> Response:
    """The node in `value.sid` finishes its requests and ends; it may be started again."""
    peer = await smap.find(svc, ctx, _sid(message))
    if not peer.alive:
        raise InvalidRequest(f'node "{peer.id}" does not live')
    return await _shut_down(svc, [peer])


async def shutdown(svc: Service, ctx: Context, message: Message) -> Response:
    """Every node finishes its requests and ends."""
    return await _shut_down(svc, [peer for peer in await smap.peers(svc, ctx) if peer.alive])


async def _shut_down(svc: Service, nodes: list[Peer]) -> Response:
    if svc.stop is None:
        raise NotSupported("this process was not started by aisnode: end it where it was started")
    await orders.give(svc, _sessions(nodes), orders.SHUTDOWN)
    return Response(200)


async def decommission(svc: Service, ctx: Context, message: Message) -> Response:
    """Refused: a store is given up by removing its buckets, and never by one request."""
    raise NotSupported(
        "a cluster is not decommissioned as a whole: remove its buckets, and shut it down"
    )


async def set_primary(svc: Service, ctx: Context, message: Message) -> Response:
    """The primary is elected: this succeeds for the node that is it already."""
    peer = await smap.find(svc, ctx, ctx.key)
    if peer.id != await smap.primary(svc, ctx):
        raise NotSupported(
            f'the primary is elected, and cannot be set to "{ctx.key}":'
            " a node in maintenance gives the duty up"
        )
    return Response(200)


async def rotate_logs(svc: Service, ctx: Context, message: Message) -> Response:
    """Every node puts its log file away and begins another."""
    await orders.give(svc, await _living(svc, ctx), orders.ROTATE_LOGS)
    return Response(200)


async def reset_stats(svc: Service, ctx: Context, message: Message) -> Response:
    """Every node counts from zero again; with `value` true only its errors."""
    if message.value not in (None, True, False):
        raise InvalidArgument("the value is true to reset errors alone", name="value")
    what = orders.RESET_ERRORS if message.value is True else orders.RESET_STATS
    await orders.give(svc, await _living(svc, ctx), what)
    return Response(200)


async def reload_creds(svc: Service, ctx: Context, message: Message) -> Response:
    """Nothing to do: credentials of backends that are refused are looked up anew."""
    return Response(200)


async def _living(svc: Service, ctx: Context) -> dict[str, str]:
    return _sessions([peer for peer in await smap.peers(svc, ctx) if peer.alive])


def _sessions(nodes: list[Peer]) -> dict[str, str]:
    return {peer.node: peer.session for peer in nodes}


ROUTES: Final = (
    Route("GET", "health", "", (), "health", health),
    Route("HEAD", "health", "", (), "health", health),
    Route(
        "PUT", "cluster", "action", ("start-maintenance",), "start-maintenance", start_maintenance
    ),
    Route("PUT", "cluster", "action", ("stop-maintenance",), "stop-maintenance", stop_maintenance),
    Route(
        "PUT", "cluster", "action", ("decommission-node",), "decommission-node", decommission_node
    ),
    Route("PUT", "cluster", "action", ("shutdown-node",), "shutdown-node", shutdown_node),
    Route("PUT", "cluster", "action", ("shutdown",), "shutdown", shutdown),
    Route("PUT", "cluster", "action", ("decommission",), "decommission", decommission),
    Route("PUT", "cluster", "action", ("rotate-logs",), "rotate-logs", rotate_logs),
    Route("PUT", "cluster", "action", ("reset-stats",), "reset-stats", reset_stats),
    Route("PUT", "cluster", "action", ("reload-creds",), "reload-creds", reload_creds),
    Route("PUT", "cluster/proxy/N", "", (), "set-primary", set_primary),
)
