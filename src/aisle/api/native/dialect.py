"""The native pipeline: route, authenticate, read the message, authorise, call the handler; tell
errors.

Strangers are answered on a few paths only, such as health and login. Whether anything else exists
is not told before the sender is known: an unknown path is refused like a known one.
"""

from __future__ import annotations

from typing import Final

from aisle.api.access import count_user, identify
from aisle.api.base import Context, Response, Service
from aisle.api.native import easy
from aisle.api.native.errors import tell
from aisle.api.native.grants import grant, hide_missing
from aisle.api.native.message import EMPTY, read_message
from aisle.api.native.operations import OPEN, candidates, parse_target, pick
from aisle.api.native.twophase import redirect
from aisle.auth.payload import UNSIGNED
from aisle.auth.principal import ANONYMOUS
from aisle.core.clusters import CIRCLING, VIA, VIA_HEADER, parse_via
from aisle.core.errors import AccessDenied, ObjectNotFound
from aisle.namespace.store import store_id

__all__ = ["NAME", "handle", "tell"]

NAME: Final = "native"
# What the limits of users are for. The cluster's own settings must be in reach in any case.
_LIMITED: Final = ("objects", "buckets", "ml/")


async def handle(svc: Service, ctx: Context) -> Response:
    """Answer one request. Raises `AisleError`s."""
    target = parse_target(ctx.head.path)
    if (ctx.head.method, target.path) in OPEN:
        # With whatever credentials: an old token must not keep anybody from a new one.
        ctx.principal, ctx.payload = ANONYMOUS, UNSIGNED
    else:
        await identify(svc, ctx)
        if ctx.who.anonymous:
            raise AccessDenied(
                "this node wants to know who asks: log in, or sign with an access key"
            )
        if target.path.startswith(_LIMITED) or ctx.head.path.startswith(easy.PREFIXES):
            count_user(svc, ctx)
    head = ctx.head
    if VIA_HEADER in head.headers:
        await _note_way(svc, head.headers[VIA_HEADER])
    if head.path.startswith(easy.PREFIXES):
        head = ctx.head = easy.native_head(head)
        target = parse_target(head.path)
    rows = candidates(head, target)
    ctx.bucket, ctx.key = target.bucket, target.key
    if target.path == "objects/B/K" and (elsewhere := redirect(ctx, svc.node)):
        ctx.operation = "redirect"
        return elsewhere
    message = await read_message(ctx) if rows[0].by == "action" else EMPTY
    row = pick(rows, head, message.action)
    ctx.operation = row.name
    await grant(svc, ctx, row.name, message)
    try:
        return await row.handler(svc, ctx, message)
    except ObjectNotFound:
        await hide_missing(svc, ctx)
        raise


async def _note_way(svc: Service, told: str) -> None:
    """Note what clusters a request has come through. Each request has a context of its own."""
    names = parse_via(told)
    VIA.set(names)
    CIRCLING.set(await store_id(svc.store.index) in names)
