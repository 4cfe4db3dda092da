"""Handlers of buckets: list-buckets, create-bck, destroy-bck, head-bck, move-bck, set-bprops and
reset-bprops.

Props are shown whole and nested as AIStore nests them, see `props`. Summaries are in `summaries`.
"""

from __future__ import annotations

import json
from typing import Final

import msgspec

from aisle.api.access import authorise, lists
from aisle.api.base import Context, Response, Service
from aisle.api.native import props, windows
from aisle.api.native.grants import administer, administers, authorise_new, refuse_denied
from aisle.api.native.message import (
    JSON,
    Message,
    bucket_name,
    open_bucket,
    parse_bucket,
    parse_namespace,
    provider,
)
from aisle.api.native.needs import LIST_OWN, MOVE_TO, SET_BUCKET_ACL
from aisle.api.native.route import Route
from aisle.core import settings
from aisle.core.errors import BucketExists, BucketNotFound, InvalidArgument, InvalidRequest
from aisle.core.names import BucketName, parse_bucket_name
from aisle.namespace import attached, buckets
from aisle.namespace.destroy import destroy
from aisle.namespace.records import BACKEND_BCK
from aisle.namespace.window import adding
from aisle.namespace.window.adding import is_remote
from aisle.namespace.window.directory import EVERY_CLUSTER, in_namespace, listed

TEXT: Final = [(b"content-type", b"text/plain; charset=utf-8")]
ACCESS: Final = "access"  # the property that closes what it leaves out
_PAGE: Final = 1000
# What `presence` may ask for (AIStore's `FltPresence`); the last is what is only outside.
_OUTSIDE: Final = "5"
_PRESENT_ONLY: Final = ("2", "3", "4")
_PRESENCE: Final = ("", "0", "1", "2", "3", "4", _OUTSIDE)


def _presence(ctx: Context) -> str:
    """What a request asks for by `presence`. Raises `InvalidArgument`."""
    asked = ctx.head.params.get("presence", "")
    if asked not in _PRESENCE:
        raise InvalidArgument("presence is a number from 0 to 5", name="presence", value=asked)
    return asked


def only_outside(ctx: Context) -> bool:
    """Whether a request is for what is not in the cluster. Raises `InvalidArgument`."""
    return _presence(ctx) == _OUTSIDE


async def filters(svc: Service, ctx: Context) -> tuple[str, str | None]:
    """The provider and namespace whose buckets a request is for; `""` and `None` are all of them,
    and one of `EVERY_CLUSTER` those of all other clusters. Raises `InvalidArgument`."""
    space = ctx.head.params.get("namespace", "")
    if not space or space in EVERY_CLUSTER:
        return provider(ctx, default=""), space or None
    known = await attached.canonical_namespace(svc.store, parse_namespace(space))
    return provider(ctx, default=""), known


async def list_buckets(svc: Service, ctx: Context, message: Message) -> Response:
    """Those that the caller is told of; administrators also hear of remote ones that are not in
    the cluster, unless only those that are `present` are asked for."""
    await refuse_denied(svc, ctx, LIST_OWN)
    presence, (wanted, space) = _presence(ctx), await filters(svc, ctx)
    present = await _present(svc, ctx, wanted, space)
    found = [] if presence == _OUTSIDE else present
    if presence not in _PRESENT_ONLY and await administers(svc, ctx):
        known = set(present)
        found += [name for name in await listed(svc.store, wanted, space) if name not in known]
    return Response(200, JSON, msgspec.json.encode([props.bucket_json(name) for name in found]))


async def _present(
    svc: Service, ctx: Context, provider: str, space: str | None
) -> list[BucketName]:
    found: list[BucketName] = []
    after = b""
    while rows := await buckets.list_all(svc.store, after=after, limit=_PAGE):
        after = rows[-1].key
        found += [
            row.name
            for row in rows
            if provider in ("", row.record.provider)
            and in_namespace(row.record.namespace, space)
            and lists(ctx, row.record)
        ]
    return found


async def create_bck(svc: Service, ctx: Context, message: Message) -> Response:
    """Make a bucket, or a window on a remote one, which has to be there unless
    `dont_head_remote_bck` says that nobody is to look."""
    name = await attached.canonical(svc.store, bucket_name(ctx))
    asked = await _asked(svc, message)
    config = (await svc.store.config()).values
    values = settings.changed(settings.bucket_defaults(config), asked.values, "bucket")
    if not is_remote(name) and not asked.behind:
        given = {**settings.bucket_defaults(config), **values}
        await windows.check_may_turn(svc, ctx, settings.bucket_defaults({}), given)
        await buckets.create(svc.store, name, owner=ctx.who.canonical, props=given)
        return Response(200)
    await administer(svc, ctx)
    if asked.behind:
        adding.check_attachable(name, parse_bucket_name(asked.behind))
        values[BACKEND_BCK] = asked.behind
    look_up = windows.first_use(ctx).look_up
    await adding.add(svc.store, name, owner=ctx.who.canonical, props=values, lookup=look_up)
    return Response(200)


async def _asked(svc: Service, message: Message) -> props.Asked:
    """The props that a message sets, with the bucket behind by its one name."""
    asked = props.asked(message.value)
    if not asked.behind:
        return asked
    behind = await attached.canonical(svc.store, parse_bucket_name(asked.behind))
    return asked._replace(behind=str(behind))


async def destroy_bck(svc: Service, ctx: Context, message: Message) -> Response:
    row = await open_bucket(svc, ctx)
    await destroy(svc.store, row.name)
    return Response(200)


async def head_bck(svc: Service, ctx: Context, message: Message) -> Response:
    row = await open_bucket(svc, ctx)
    added = windows.is_added(row)
    if only_outside(ctx) and added:
        raise BucketNotFound(row.record.name, row.record.namespace, row.record.provider)
    shown = props.shown(row.record, (await svc.store.config()).values)
    return Response(
        200,
        [
            (b"ais-bucket-props", json.dumps(shown).encode()),
            (b"ais-present", b"true" if added else b"false"),
        ],
    )


async def move_bck(svc: Service, ctx: Context, message: Message) -> Response:
    """Have a bucket renamed; what can be refused at once is. The reply is the job's id."""
    target = ctx.head.params.get("bck_to", "")
    if not target:
        raise InvalidArgument("move-bck needs bck_to: provider/@#/name/", name="bck_to")
    row, new = await open_bucket(svc, ctx), parse_bucket(target)
    buckets.refuse_window(row)
    if is_remote(new):
        raise InvalidRequest(f"{row.name} cannot be renamed to {new}: that is a remote bucket")
    if new == row.name:
        raise InvalidArgument(f"{new} has that name already", name="bck_to", value=target)
    await authorise_new(svc, ctx, MOVE_TO, new.name)
    if await buckets.is_taken(svc.store, new):
        raise BucketExists(new.name, owned=True, namespace=new.namespace)
    await buckets.refuse_policy(svc.store, row)
    job = await svc.jobs.submit(
        "move-bck",
        {"bck": list(row.name), "to": list(new), "id": row.record.id.hex()},
        user=ctx.who.name,
    )
    return Response(200, TEXT, job.encode())


async def set_bprops(svc: Service, ctx: Context, message: Message) -> Response:
    row = await open_bucket(svc, ctx)
    asked = await _asked(svc, message)
    if not asked.values and not message.value:
        raise InvalidArgument("there is nothing to set: name at least one property")
    if ACCESS in asked.values:
        await authorise(svc, ctx, SET_BUCKET_ACL, row)
    own = {name: value for name, value in row.record.props.items() if name != BACKEND_BCK}
    values = settings.changed(own, asked.values, "bucket")
    new = {**row.record.props, **values}
    if asked.behind is not None:
        new[BACKEND_BCK] = asked.behind
    await windows.check_may_turn(svc, ctx, {BACKEND_BCK: "", **row.record.props}, new)
    await adding.changed(svc.store, row, values, asked.behind)
    return Response(200)


async def reset_bprops(svc: Service, ctx: Context, message: Message) -> Response:
    """As if the bucket were made now: a fresh snapshot of the cluster's values. Which remote bucket
    is behind it, and how that is reached, stays."""
    row = await open_bucket(svc, ctx)
    if ACCESS in row.record.props:
        await authorise(svc, ctx, SET_BUCKET_ACL, row)
    remote = row.record.behind is not None
    defaults = settings.bucket_defaults((await svc.store.config()).values, remote=remote)
    stays = (BACKEND_BCK, adding.EXTRA) if remote else BACKEND_BCK
    fresh = {**dict.fromkeys(row.record.props), **defaults}
    changes = {name: value for name, value in fresh.items() if not name.startswith(stays)}
    await buckets.change_props(svc.store, row.name, changes)
    return Response(200)


ROUTES: Final = (
    Route("GET", "buckets", "action", ("list", ""), "list-buckets", list_buckets),
    Route("POST", "buckets/B", "action", ("create-bck",), "create-bck", create_bck),
    Route("POST", "buckets/B", "action", ("move-bck",), "move-bck", move_bck),
    Route("DELETE", "buckets/B", "action", ("destroy-bck",), "destroy-bck", destroy_bck),
    Route("HEAD", "buckets/B", "param", ("",), "head-bck", head_bck, ("uuid",)),
    Route("HEAD", "buckets/B/P", "param", ("",), "head-bck", head_bck, ("uuid",)),
    Route("PATCH", "buckets/B", "action", ("set-bprops",), "set-bprops", set_bprops),
    Route("PATCH", "buckets/B", "action", ("reset-bprops",), "reset-bprops", reset_bprops),
)
