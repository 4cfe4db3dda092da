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
from aisle.api.native import props
from aisle.api.native.grants import authorise_new, refuse_denied
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
from aisle.core.errors import BucketExists, BucketNotFound, InvalidArgument, NotSupported
from aisle.core.names import BucketName
from aisle.namespace import buckets
from aisle.namespace.destroy import destroy

TEXT: Final = [(b"content-type", b"text/plain; charset=utf-8")]
ACCESS: Final = "access"  # the property that closes what it leaves out
_PAGE: Final = 1000
# What `namespace` says for all remote clusters, none of which there is.
REMOTE_CLUSTERS: Final = ("@", "@*")
# What `presence` may ask for (AIStore's `FltPresence`); the last is what is only outside.
_OUTSIDE: Final = "5"
_PRESENCE: Final = ("", "0", "1", "2", "3", "4", _OUTSIDE)


def only_outside(ctx: Context) -> bool:
    """Whether a request is for what is not in the cluster. Raises `InvalidArgument`."""
    asked = ctx.head.params.get("presence", "")
    if asked not in _PRESENCE:
        raise InvalidArgument("presence is a number from 0 to 5", name="presence", value=asked)
    return asked == _OUTSIDE


def filters(ctx: Context) -> tuple[str, str | None]:
    """The provider and namespace whose buckets a request is for; `""` and `None` are all of them.

    Raises `InvalidArgument` and `NotSupported`.
    """
    space = ctx.head.params.get("namespace", "")
    return provider(ctx, default=""), parse_namespace(space) if space else None


async def list_buckets(svc: Service, ctx: Context, message: Message) -> Response:
    """Those that the caller is told of."""
    await refuse_denied(svc, ctx, LIST_OWN)
    remote = ctx.head.params.get("namespace", "") in REMOTE_CLUSTERS
    if only_outside(ctx) or remote:
        return Response(200, JSON, b"[]")
    wanted, space = filters(ctx)
    found = []
    after = b""
    while rows := await buckets.list_all(svc.store, after=after, limit=_PAGE, namespace=space):
        after = rows[-1].key
        for row in rows:
            record = row.record
            if (wanted and record.provider != wanted) or not lists(ctx, record):
                continue
            shown = {"uuid": "", "name": record.namespace}
            found.append({"name": record.name, "provider": record.provider, "namespace": shown})
    return Response(200, JSON, msgspec.json.encode(found))


async def create_bck(svc: Service, ctx: Context, message: Message) -> Response:
    name = bucket_name(ctx)
    _check_local(name)
    values = settings.bucket_defaults((await svc.store.config()).values)
    values |= settings.changed(values, props.asked(message.value), "bucket")
    await buckets.create(svc.store, name, owner=ctx.who.canonical, props=values)
    return Response(200)


def _check_local(name: BucketName) -> None:
    if name.provider != "ais":
        raise NotSupported(f"buckets of provider {name.provider} are not supported yet")


async def destroy_bck(svc: Service, ctx: Context, message: Message) -> Response:
    row = await open_bucket(svc, ctx)
    await destroy(svc.store, row.name)
    return Response(200)


async def head_bck(svc: Service, ctx: Context, message: Message) -> Response:
    row = await open_bucket(svc, ctx)
    if only_outside(ctx):
        raise BucketNotFound(row.record.name, row.record.namespace)
    shown = props.shown(row.record, (await svc.store.config()).values)
    return Response(200, [(b"ais-bucket-props", json.dumps(shown).encode())])


async def move_bck(svc: Service, ctx: Context, message: Message) -> Response:
    """Have a bucket renamed; what can be refused at once is. The reply is the job's id."""
    target = ctx.head.params.get("bck_to", "")
    if not target:
        raise InvalidArgument("move-bck needs bck_to: provider/@#/name/", name="bck_to")
    row, new = await open_bucket(svc, ctx), parse_bucket(target)
    _check_local(new)
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
    asked = props.asked(message.value)
    if not asked and not message.value:
        raise InvalidArgument("there is nothing to set: name at least one property")
    if ACCESS in asked:
        await authorise(svc, ctx, SET_BUCKET_ACL, row)
    values = settings.changed(row.record.props, asked, "bucket")
    await buckets.change_props(svc.store, row.name, values)
    return Response(200)


async def reset_bprops(svc: Service, ctx: Context, message: Message) -> Response:
    """As if the bucket were made now: a fresh snapshot of the cluster's values."""
    row = await open_bucket(svc, ctx)
    if ACCESS in row.record.props:
        await authorise(svc, ctx, SET_BUCKET_ACL, row)
    defaults = settings.bucket_defaults((await svc.store.config()).values)
    dropped = dict.fromkeys(row.record.props)
    await buckets.change_props(svc.store, row.name, {**dropped, **defaults})
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
