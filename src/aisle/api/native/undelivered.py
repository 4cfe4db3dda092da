"""Handlers of events that no target took. AIStore has none of it; the JSON, as `ais events` relies
on it:

* GET `/v1/undelivered`: `{"events": [EVENT], "next": TEXT}`; the query may name a `target` and a
  `bucket`, where to go on (`after`, the `next` of the page before) and the `limit` of a page. EVENT
  has its `id`, `target`, `bucket`, `key`, `event`, when it happened (`at`, nanoseconds since 1970),
  why it was given up (`error`), how often it was refused (`attempts`), and the `message` that the
  target would have got.
* POST `/v1/undelivered` sends events again, DELETE drops them: `{"ids": [ID]}` names some, a
  `target` and a `bucket` choose, `{"all": true}` is all of them; with these an `after`. One request
  deals with a page: `{"count": N, "left": N, "next": TEXT}`, where `left` are those that cannot be
  sent, because their target is not known (any more) or its queue is full.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from aisle.api.base import Context, Response, Service
from aisle.api.native.message import JSON, Message, read_struct
from aisle.api.native.route import Route
from aisle.core.errors import InvalidArgument
from aisle.namespace.notifications import messages, queue, undelivered
from aisle.namespace.notifications.undelivered import MOST, Kept, Page

_PAGE: Final = 100


class Chosen(msgspec.Struct, frozen=True):
    """Which events a request is about."""

    ids: list[str] = []
    target: str = ""
    bucket: str = ""
    all: bool = False
    after: str = ""


async def list_undelivered(svc: Service, ctx: Context, message: Message) -> Response:
    """A page of the events that no target took."""
    params = ctx.head.params
    found = await undelivered.page(
        svc.store,
        target=params.get("target", ""),
        bucket=params.get("bucket", ""),
        after=params.get("after", ""),
        limit=_limit(params.get("limit", "")),
    )
    told = {"events": [_shown(svc, event) for event in found.events], "next": found.next}
    return Response(200, JSON, msgspec.json.encode(told))


async def resend_undelivered(svc: Service, ctx: Context, message: Message) -> Response:
    """Send events again that no target took."""
    page = await _chosen(svc, ctx)
    sent, left = await undelivered.send_again(
        svc.store, page.events, lambda name: svc.targets.get(name) is not None
    )
    return _told(sent, left, page)


async def drop_undelivered(svc: Service, ctx: Context, message: Message) -> Response:
    """Forget events that no target took."""
    page = await _chosen(svc, ctx)
    return _told(await undelivered.drop(svc.store, page.events), 0, page)


async def _chosen(svc: Service, ctx: Context) -> Page:
    given = await read_struct(ctx, Chosen)
    some = bool(given.target or given.bucket)
    if bool(given.ids) + some + given.all != 1:
        raise InvalidArgument("name ids, or a target or a bucket, or say all", name="ids")
    if len(given.ids) > MOST:
        raise InvalidArgument(f"no more than {MOST} ids may be named", name="ids")
    if given.ids:
        return Page(await undelivered.named(svc.store, given.ids), "")
    return await undelivered.page(
        svc.store, target=given.target, bucket=given.bucket, after=given.after
    )


def _told(count: int, left: int, page: Page) -> Response:
    told = {"count": count, "left": left, "next": page.next}
    return Response(200, JSON, msgspec.json.encode(told))


def _limit(text: str) -> int:
    if not text:
        return _PAGE
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= MOST):
        raise InvalidArgument(f"limit is a number from 1 to {MOST}", name="limit", value=text[:64])
    return int(text)


def _shown(svc: Service, event: Kept) -> dict[str, Any]:
    told = event.told
    body = messages.of(event.target, told, region=svc.region, sequencer=queue.sequencer(event.row))
    return {
        "id": event.id,
        "target": event.target,
        "at": told.at,
        "bucket": told.bucket,
        "key": told.key.decode("utf-8", "replace"),
        "event": told.event,
        "attempts": told.attempts,
        "error": told.error,
        "message": msgspec.Raw(body),
    }


ROUTES: Final = (
    Route("GET", "undelivered", "", (), "list-undelivered", list_undelivered),
    Route("POST", "undelivered", "", (), "resend-undelivered", resend_undelivered),
    Route("DELETE", "undelivered", "", (), "drop-undelivered", drop_undelivered),
)
