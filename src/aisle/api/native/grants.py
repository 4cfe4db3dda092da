"""Asking whether the caller may do what a native operation needs.

`grant` is asked for every operation, before its handler is called, by the table `needs`. The other
functions are for handlers that touch more than the request's own bucket and object.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from aisle.api.access import authorise, may, refused
from aisle.api.base import Context, Service
from aisle.api.native.message import Message, open_bucket
from aisle.api.native.needs import ADMIN, LIST_OBJECTS, NEEDS, SHOW, Where
from aisle.auth.access import Action
from aisle.core import templates
from aisle.jobs.jobs import JobView
from aisle.namespace.store import BucketRow

_READS: Final = frozenset({"GET", "HEAD"})
_PREFIX: Final = "s3:prefix"
_EXPANDED: Final = 10_000  # names of a template that are looked at one by one
_AT_ONCE: Final = 256


async def grant(svc: Service, ctx: Context, operation: str, message: Message) -> None:
    """Raise `AccessDenied` unless the caller may do this operation here, and `BucketNotFound`."""
    need = NEEDS[operation]
    if need.where is Where.OPEN or need.where is Where.KNOWN:
        return
    if need.where is Where.CLUSTER:
        for action in need.actions:
            await authorise(svc, ctx, action)
        return
    note(ctx, message)
    of_object = need.where is Where.OBJECT
    recent = of_object and ctx.head.method in _READS
    row = await open_bucket(svc, ctx, recent=recent, value=message.value)
    for action in need.actions:
        await authorise(svc, ctx, action, row, ctx.key if of_object else "")
    for action in need.whole:
        await authorise_whole(svc, ctx, action, row)


def note(ctx: Context, message: Message) -> None:
    """What policies may ask of a listing stands in its message or its path here, not in its
    query."""
    if isinstance(message.value, Mapping):
        prefix = message.value.get("prefix")
        ctx.facts[_PREFIX] = (prefix if isinstance(prefix, str) else "",)
    elif NEEDS[ctx.operation].where is Where.BUCKET and ctx.key:
        ctx.facts[_PREFIX] = (ctx.key,)


async def hide_missing(svc: Service, ctx: Context) -> None:
    """Raise `AccessDenied` if the caller is not to learn that an object is missing."""
    if ctx.row is not None and not await may(svc, ctx, LIST_OBJECTS, ctx.row):
        raise refused(ctx, LIST_OBJECTS, ctx.row)


async def authorise_whole(
    svc: Service, ctx: Context, action: Action, row: BucketRow, prefix: str = ""
) -> None:
    """Raise `AccessDenied` unless the caller may do `action` to everything in a bucket, or to all
    that begins with a prefix."""
    if not await may(svc, ctx, action, row, prefix, whole=True):
        raise refused(ctx, action, row, prefix)


async def authorise_new(svc: Service, ctx: Context, action: Action, name: str) -> None:
    """Raise `AccessDenied` unless the caller may have a bucket of this name, which is another one
    than the request is for."""
    asked, ctx.bucket = ctx.bucket, name
    try:
        await authorise(svc, ctx, action)
    finally:
        ctx.bucket = asked


async def refuse_denied(svc: Service, ctx: Context, action: Action) -> None:
    """Raise `AccessDenied` where a policy of the caller's denies what needs no permission, or that
    of its session does not allow it."""
    asked, ctx.principal = ctx.who, replace(ctx.who, admin=True)
    try:
        await authorise(svc, ctx, action)
    finally:
        ctx.principal = asked


async def authorise_selected(
    svc: Service,
    ctx: Context,
    action: Action,
    row: BucketRow,
    names: Sequence[str] | None,
    template: str | None,
) -> None:
    """Raise `AccessDenied` unless the caller may do `action` to all that a list or a template
    selects. A template that stands for very many names takes a permission for the whole bucket."""
    selects = templates.parse(template) if template and not names else None
    prefix = (selects.prefix or "") if selects is not None else ""
    if await may(svc, ctx, action, row, prefix, whole=True):
        return
    listed: Iterable[str] = names or ()
    if selects is not None and selects.prefix is None and selects.count <= _EXPANDED:
        listed = selects.names()
    elif not names:
        raise refused(ctx, action, row, prefix)
    for number, key in enumerate(listed):
        await authorise(svc, ctx, action, row, key)
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)  # it may be a long list, and others wait for their turn


async def is_self(svc: Service, ctx: Context, user: str) -> None:
    """Raise `AccessDenied` unless the caller is this user, in a session or not, or administers."""
    if ctx.who.name != user:
        await administer(svc, ctx)


async def themselves(svc: Service, ctx: Context, user: str) -> None:
    """Raise `AccessDenied` unless the caller is this user, and not in a session, which might get
    beyond its limits by changing whose session it is; or administers."""
    if ctx.who.name != user or ctx.who.temporary or ctx.who.session is not None:
        await administer(svc, ctx)


async def administer(svc: Service, ctx: Context) -> None:
    """Raise `AccessDenied` unless the caller administers the cluster."""
    await authorise(svc, ctx, ADMIN)


async def shows(svc: Service, ctx: Context) -> bool:
    """Whether the caller may see what goes on in the cluster, whoever has begun it."""
    return await may(svc, ctx, SHOW)


def is_own(ctx: Context, job: JobView) -> bool:
    return job.record.user == ctx.who.name


async def administers(svc: Service, ctx: Context) -> bool:
    """Whether the caller administers the cluster."""
    return await may(svc, ctx, ADMIN)
