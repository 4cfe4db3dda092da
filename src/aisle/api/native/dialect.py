"""The native pipeline: route, authenticate, read the message, call the handler; tell errors.

Only `/v1/health` answers a stranger. Whether anything else exists is not told before the sender is
known: an unknown path is refused like a known one.
"""

from __future__ import annotations

from typing import Final

from aisle.api.base import Context, Response, Service
from aisle.api.native import easy
from aisle.api.native.errors import tell
from aisle.api.native.message import EMPTY, read_message
from aisle.api.native.operations import OPEN, candidates, parse_target, pick
from aisle.api.native.twophase import redirect
from aisle.auth.authenticate import authenticate
from aisle.auth.credentials import Identity
from aisle.auth.payload import unchecked_payload
from aisle.core.errors import AccessDenied

__all__ = ["handle", "tell"]

ANYONE: Final = Identity("root", "", anonymous=False)


async def handle(svc: Service, ctx: Context) -> Response:
    """Answer one request. Raises `AisleError`s."""
    target = parse_target(ctx.head.path)
    if target.path not in OPEN:
        _identify(svc, ctx)
    head = ctx.head
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
    return await row.handler(svc, ctx, message)


def _identify(svc: Service, ctx: Context) -> None:
    head = ctx.head
    if not svc.auth_enabled:
        ctx.identity, ctx.payload = ANYONE, unchecked_payload(head)
        return
    known = authenticate(head, svc.lookup, now=svc.store.now() / 1e9)
    ctx.identity, ctx.payload = known.identity, known.payload
    if known.identity.anonymous:
        raise AccessDenied("this node wants signed requests: sign with its access key")
