"""Handlers of work over many objects: copy-bck, copy-listrange and delete-listrange.

Each checks what it can at once, submits a job, and answers with its id as plain text. Buckets are
told to the job by their ids too, so that it never works on another bucket of the same name.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec

from aisle.api.base import Context, Headers, Response, Service
from aisle.api.native import windows
from aisle.api.native.grants import authorise_new, authorise_selected, authorise_whole
from aisle.api.native.message import (
    Message,
    filled,
    named_bucket,
    open_bucket,
    parse_bucket,
)
from aisle.api.native.needs import (
    CREATE_BUCKET,
    DELETE_OBJECT,
    GET_OBJECT,
    PUT_OBJECT,
)
from aisle.api.native.route import Route
from aisle.core import templates
from aisle.core.errors import BucketExists, BucketNotFound, InvalidArgument, NotSupported
from aisle.core.names import BucketName, encode_key
from aisle.jobs.task import TO
from aisle.jobs.work.selection import NAMES, PREFIX, TEMPLATE, Selection, bucket_args
from aisle.namespace import buckets
from aisle.namespace.store import BucketRow
from aisle.namespace.window.adding import is_remote, own_props

TEXT: Final[Headers] = [(b"content-type", b"text/plain")]
_MOST_WORKERS: Final = 1 << 16
_PRESENT_ONLY: Final = ("2", "3", "4")

T = TypeVar("T", bound=msgspec.Struct)


class ListRange(msgspec.Struct, frozen=True):
    """The part of a message that selects objects: a list, or else a template."""

    names: list[str] | None = msgspec.field(default=None, name="objnames")
    template: str | None = None


class Copying(ListRange, frozen=True, rename="kebab"):
    """The value of copy-bck and copy-listrange (AIStore's TCBMsg and TCOMsg)."""

    tobck: Any = None
    prefix: str = ""
    prepend: str = ""
    ext: dict[str, str] | None = None
    dry_run: bool = msgspec.field(default=False, name="dry_run")
    force: bool = False
    latest_ver: bool = False
    synchronize: bool = False
    num_workers: int | str | None = None
    coer: bool = False
    id: str = ""
    pipeline: list[str] | None = None


async def copy_bck(svc: Service, ctx: Context, message: Message) -> Response:
    """All objects, or those that begin with a prefix."""
    source = await open_bucket(svc, ctx)
    asked = read_value(message.value, Copying)
    named = ctx.head.params.get("bck_to", "")
    if not named:
        raise InvalidArgument("copy-bck needs the bucket to copy to: bck_to", name="bck_to")
    chosen = {PREFIX: asked.prefix}
    await authorise_whole(svc, ctx, GET_OBJECT, source, asked.prefix)
    return await _copy(svc, ctx, "copy-bck", source, parse_bucket(named), asked, chosen)


async def copy_listrange(svc: Service, ctx: Context, message: Message) -> Response:
    source = await open_bucket(svc, ctx)
    asked = read_value(message.value, Copying)
    chosen = selected(asked)
    await authorise_selected(svc, ctx, GET_OBJECT, source, asked.names, asked.template)
    to = named_bucket(asked.tobck, "tobck")
    return await _copy(svc, ctx, "copy-listrange", source, to, asked, chosen)


async def _copy(
    svc: Service,
    ctx: Context,
    kind: str,
    source: BucketRow,
    to: BucketName,
    asked: Copying,
    chosen: dict[str, Any],
) -> Response:
    if asked.id or asked.pipeline:
        raise NotSupported("ETL is not supported: a copy cannot transform objects")
    if to == source.name:
        _check_within(source, asked, chosen)
    if asked.prepend:
        encode_key(asked.prepend)
    args: dict[str, Any] = {
        **chosen,
        "prepend": asked.prepend,
        "ext": {old.lstrip("."): new.lstrip(".") for old, new in (asked.ext or {}).items()},
        "dry_run": asked.dry_run,
        "synchronize": asked.synchronize,
        "num_workers": workers(asked.num_workers),
        "coer": asked.coer,
        # To synchronize is to want the latest too, as AIStore has it.
        "latest": asked.latest_ver or asked.synchronize,
        # AIStore's flt-presence: a copy of a whole bucket may be one of what is in the cluster.
        "all": ctx.head.params.get("presence", "") not in _PRESENT_ONLY,
        **bucket_args(source),
    }
    if asked.dry_run:
        args |= {TO: list(to), "owner": ctx.who.canonical}
    else:
        target = await _destination(svc, ctx, source, to)
        await authorise_whole(svc, ctx, PUT_OBJECT, target, asked.prepend)
        if asked.synchronize:
            await authorise_whole(svc, ctx, DELETE_OBJECT, target, asked.prepend)
        args |= {**bucket_args(target, TO), "owner": target.record.owner}
    return await submit(svc, ctx, kind, args)


def _check_within(source: BucketRow, asked: Copying, chosen: dict[str, Any]) -> None:
    if asked.synchronize:
        raise InvalidArgument(f"{source.name} cannot be synchronized with itself")
    if source.record.behind is not None and Selection(chosen).prefix is not None:
        raise NotSupported(
            f"cannot copy all of {source.name} within itself: copies could not be told from what is"
            " to be copied; name objects by a list or template"
        )
    if not asked.prepend and not asked.ext:
        raise InvalidArgument(
            f"cannot copy {source.name} onto itself: the copies would need other names (prepend)"
        )


async def _destination(
    svc: Service, ctx: Context, source: BucketRow, name: BucketName
) -> BucketRow:
    """The bucket to copy to, made with the source's props if there is none and it is no remote
    one."""
    try:
        return await windows.open_named(svc, ctx, name)
    except BucketNotFound:
        if is_remote(name):
            raise
    await authorise_new(svc, ctx, CREATE_BUCKET, name.name)
    try:
        props = await own_props(svc.store, source)
        return await buckets.create(svc.store, name, owner=ctx.who.canonical, props=props)
    except BucketExists:
        return await buckets.get(svc.store, name)  # another request was faster


async def delete_listrange(svc: Service, ctx: Context, message: Message) -> Response:
    bucket = await open_bucket(svc, ctx)
    asked = read_value(message.value, ListRange)
    chosen = selected(asked)
    await authorise_selected(svc, ctx, DELETE_OBJECT, bucket, asked.names, asked.template)
    return await submit(svc, ctx, "delete-listrange", {**chosen, **bucket_args(bucket)})


def selected(asked: ListRange) -> dict[str, Any]:
    """What a message selects, as arguments of a job. Raises `InvalidArgument` and `KeyTooLong`.

    To select everything one has to say so, with an empty template: to say nothing is a mistake,
    and not one that should empty a bucket.
    """
    if asked.names:
        if asked.template:
            raise InvalidArgument("either objnames or template, not both", name="template")
        for name in asked.names:
            encode_key(name)
        return {NAMES: asked.names}
    if asked.template is None:
        raise InvalidArgument("no objects are named: objnames or template is needed")
    templates.parse(asked.template)
    return {TEMPLATE: asked.template}


def workers(asked: int | str | None) -> int:
    """`num-workers`, which AIStore writes as a number or as text; -1 is none but the first."""
    try:
        number = int(asked or 0)
    except ValueError:
        number = _MOST_WORKERS + 1
    if not -1 <= number <= _MOST_WORKERS:
        raise InvalidArgument(
            f'num-workers is not a number from -1 on: "{asked}"', name="num-workers"
        )
    return number


def read_value(value: object, kind: type[T]) -> T:
    """The value of a message as what it should be. Raises `InvalidArgument`."""
    try:
        return msgspec.convert(filled(value), kind)
    except msgspec.ValidationError as error:
        raise InvalidArgument(f"the value of the message: {error}", name="value") from None


async def submit(
    svc: Service, ctx: Context, kind: str, args: dict[str, Any], *, only: str = ""
) -> Response:
    """Have a job done (by the node `only`, if it is named); the reply tells its id."""
    identity = await svc.jobs.submit(kind, args, user=ctx.who.name, only=only)
    return Response(200, TEXT, identity.encode())


_BUCKET: Final = "buckets/B"
ROUTES: Final = (
    Route("POST", _BUCKET, "action", ("copy-bck",), "copy-bck", copy_bck),
    Route("POST", _BUCKET, "action", ("copy-listrange",), "copy-listrange", copy_listrange),
    Route("DELETE", _BUCKET, "action", ("delete-listrange",), "delete-listrange", delete_listrange),
)
