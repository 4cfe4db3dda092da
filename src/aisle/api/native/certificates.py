"""Handlers of the certificates that nodes serve HTTPS with: telling of them, reading them anew.

Paths and names are AIStore's (`ais tls`). Reading anew is an order to nodes (see `orders`), each of
which checks its files and keeps the old certificate if they cannot serve; the node that is asked
says so at once if its own cannot.
"""

from __future__ import annotations

import asyncio
from typing import Final

from aisle.api.base import Context, Response, Service
from aisle.api.native import orders, smap
from aisle.api.native.message import Message
from aisle.api.native.nodes import json_reply, relayed
from aisle.api.native.route import Route
from aisle.api.native.smap import NODE_HEADER, Peer
from aisle.core.errors import NotSupported


async def get_certificate(svc: Service, ctx: Context, message: Message) -> Response:
    """The certificate that this node serves: subject, issuer, validity, names, fingerprint."""
    if svc.certificate is None:
        raise NotSupported("this node serves HTTP: it has no certificate")
    return json_reply(svc.certificate.describe())


async def load_here(svc: Service, ctx: Context, message: Message) -> Response:
    """This node reads its certificate anew."""
    return await _load(svc, [await smap.itself(svc, ctx)])


async def load_there(svc: Service, ctx: Context, message: Message) -> Response:
    """The node that `Ais-Node-Id` names reads its certificate anew."""
    return await _load(svc, [await smap.meant(svc, ctx)])


async def load_all(svc: Service, ctx: Context, message: Message) -> Response:
    """Every node reads its certificate anew, or the one that `Ais-Node-Id` names."""
    if ctx.head.header(NODE_HEADER):
        return await load_there(svc, ctx, message)
    return await _load(svc, [peer for peer in await smap.peers(svc, ctx) if peer.alive])


async def _load(svc: Service, nodes: list[Peer]) -> Response:
    if any(peer.node == svc.node for peer in nodes):
        if svc.certificate is None:
            raise NotSupported("this node serves HTTP: it has no certificate")
        await asyncio.to_thread(svc.certificate.check)
    await orders.give(svc, {peer.node: peer.session for peer in nodes}, orders.LOAD_X509)
    return Response(200)


ROUTES: Final = (
    Route("GET", "daemon", "what", ("certificate",), "get-certificate", get_certificate),
    Route(
        "GET",
        "reverse/daemon",
        "what",
        ("certificate",),
        "get-certificate",
        relayed(get_certificate),
    ),
    Route("PUT", "daemon/load-x509", "", (), "load-certificate", load_here),
    Route("PUT", "reverse/daemon/load-x509", "", (), "load-certificate", load_there),
    Route("PUT", "cluster/load-x509", "", (), "load-certificates", load_all),
)
