"""Handlers of summary-bck and of a bucket's info: what is in a bucket, counted by a job.

The first reply is 202 and the job's id; the same request with that `uuid` is 202 until there is
something to tell, 206 with what was counted so far, and 200 with all of it. Any gateway can answer:
what was counted is in the job's rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import msgspec

from aisle.api.access import authorise, lists, may
from aisle.api.base import Context, Headers, Response, Service
from aisle.api.native import props
from aisle.api.native.buckets import TEXT, filters, only_outside
from aisle.api.native.grants import note
from aisle.api.native.message import JSON, Message, filled, open_bucket
from aisle.api.native.needs import LIST_BUCKETS, LIST_OBJECTS
from aisle.api.native.route import Route
from aisle.core.clusters import namespace_json
from aisle.core.errors import BucketNotFound, InvalidArgument, InvalidRequest
from aisle.core.names import BucketName
from aisle.core.units import parse_bool
from aisle.jobs.jobs import JobView
from aisle.jobs.work.summary import Summary, Tally, read
from aisle.namespace import buckets
from aisle.namespace.store import BucketRow

_KIND: Final = "summary-bck"
_NO_PROPS: Final = ("1", "3")  # values of `presence` that ask for no summary


class Ask(msgspec.Struct, frozen=True):
    """The value of a summary-bck message (AIStore's BsummCtrlMsg): what is remote is counted too
    unless only what is `cached` is asked for. Only buckets that are `present` are counted."""

    uuid: str = ""
    prefix: str = ""
    cached: bool = True
    present: bool = True


async def summary_bck(svc: Service, ctx: Context, message: Message) -> Response:
    row, ask = await open_bucket(svc, ctx), _read(message.value)
    note(ctx, message)
    await authorise(svc, ctx, LIST_OBJECTS, row)
    args = _arguments(row, ask.prefix)
    return _told(await _job(svc, ctx, ask.uuid, args, remote=not ask.cached), ask.uuid)


async def summary_all(svc: Service, ctx: Context, message: Message) -> Response:
    """Of all buckets that the caller is told of, or of those of a provider or namespace."""
    ask = _read(message.value)
    note(ctx, message)
    provider, space = await filters(svc, ctx)
    args = {"provider": provider, "namespace": space, "prefix": ask.prefix}
    view = await _job(svc, ctx, ask.uuid, args, remote=not ask.cached)
    shown = await _listed(svc, ctx, _counted(view)) if ask.uuid else frozenset()
    return _told(view, ask.uuid, shown)


async def head_info(svc: Service, ctx: Context, message: Message) -> Response:
    """Props in the first reply, and the summary in a later one, as headers both."""
    params = ctx.head.params
    row, uuid, outside = await open_bucket(svc, ctx), params.get("uuid", ""), only_outside(ctx)
    headers: Headers = []
    if not uuid:
        shown = props.shown(row.record, (await svc.store.config()).values)
        headers.append((b"ais-bucket-props", json.dumps(shown).encode()))
    args = _arguments(row, ctx.key)
    if uuid:
        del args["prefix"]  # AIStore's SDK names it in its first request only
    view = await _job(svc, ctx, uuid, args, remote=_remote(ctx))
    headers.append((b"ais-xaction-id", view.id.encode()))
    reply = _told(view, uuid)
    if reply.status != 202 and params.get("presence", "") not in _NO_PROPS:
        found = _counted(view)
        shown = _shown(Tally(*row.name) if outside else found.tallies[0], found.disks)
        headers.append((b"ais-bucket-summ", json.dumps(shown).encode()))
    return Response(reply.status, headers)


def _read(value: object) -> Ask:
    try:
        return msgspec.convert(filled(value), Ask)
    except msgspec.ValidationError as error:
        raise InvalidArgument(f"the value of summary-bck: {error}", name="value") from None


def _arguments(row: BucketRow, prefix: str) -> dict[str, Any]:
    """What a job counts. Raises `InvalidArgument` for a prefix that no key can have."""
    try:
        prefix.encode()
    except UnicodeEncodeError:
        raise InvalidArgument("a prefix must be valid UTF-8", name="prefix") from None
    return {"bck": list(row.name), "id": row.record.id.hex(), "prefix": prefix}


async def _listed(svc: Service, ctx: Context, found: Summary) -> frozenset[BucketName]:
    """Those of the buckets that were counted of which the caller is told, and may list: one by one,
    or by a right in the whole cluster."""
    shown, every = set(), await may(svc, ctx, LIST_BUCKETS)
    for tally in found.tallies:
        name = BucketName(tally.name, tally.provider, tally.namespace)
        with suppress(BucketNotFound):
            row = await buckets.get(svc.store, name, recent=True)
            if lists(ctx, row.record) and (every or await may(svc, ctx, LIST_OBJECTS, row)):
                shown.add(name)
    return frozenset(shown)


def _remote(ctx: Context) -> bool:
    asked = ctx.head.params.get("bsumm_remote", "")
    try:
        return parse_bool(asked)
    except ValueError:
        raise InvalidArgument(
            "bsumm_remote is true or false", name="bsumm_remote", value=asked
        ) from None


async def _job(
    svc: Service, ctx: Context, uuid: str, args: Mapping[str, Any], *, remote: bool
) -> JobView:
    """The job that counts: a new one, or that of `uuid` if it was begun with these arguments.

    Raises `JobNotFound` and `InvalidArgument`.
    """
    if not uuid:
        args = {**args, "remote": remote}
        return await svc.jobs.get(await svc.jobs.submit(_KIND, args, user=ctx.who.name))
    view = await svc.jobs.get(uuid)
    begun = view.record.args
    if view.record.kind != _KIND or any(begun.get(name) != args[name] for name in args):
        raise InvalidArgument(f'job "{uuid}" is no summary of this', name="uuid", value=uuid)
    return view


def _counted(view: JobView) -> Summary:
    if view.record.state == "finished":
        return msgspec.convert(view.record.result, Summary)
    return read(view.progress.cursor)


def _told(view: JobView, uuid: str, shown: frozenset[BucketName] | None = None) -> Response:
    """The reply to a request with this `uuid`, about the buckets `shown` if not about all. Raises
    `InvalidRequest` if the job has failed."""
    if view.over and view.record.state != "finished":
        reason = view.record.error or view.record.state
        raise InvalidRequest(f'summary "{view.id}" did not finish: {reason}')
    found = _counted(view)
    if not uuid or not (view.over or found.tallies):
        return Response(202, TEXT, view.id.encode())
    told = [
        _shown(tally, found.disks)
        for tally in found.tallies
        if shown is None or (tally.name, tally.provider, tally.namespace) in shown
    ]
    return Response(200 if view.over else 206, JSON, msgspec.json.encode(told))


def _shown(tally: Tally, disks: int) -> dict[str, Any]:
    """AIStore's BsummResult; its 64-bit counts are text."""
    return {
        "name": tally.name,
        "provider": tally.provider,
        "namespace": namespace_json(tally.namespace),
        "ObjCount": {
            "obj_count_present": str(tally.count),
            "obj_count_remote": str(tally.remote_count),
        },
        "ObjSize": {
            "obj_min_size": tally.least,
            "obj_avg_size": tally.size // tally.count if tally.count else 0,
            "obj_max_size": tally.most,
        },
        "TotalSize": {
            "size_on_disk": str(tally.size + tally.former_size),
            "size_all_present_objs": str(tally.size),
            "size_all_remote_objs": str(tally.remote_size),
            "total_disks_size": str(disks),
        },
        "used_pct": (tally.size + tally.former_size) * 100 // disks if disks else 0,
        "is_present": True,
    }


ROUTES: Final = (
    Route("GET", "buckets", "action", ("summary-bck",), "summary-bck", summary_all),
    Route("GET", "buckets/B", "action", ("summary-bck",), "summary-bck", summary_bck),
    Route("HEAD", "buckets/B", "param", ("bsumm_remote",), "head-bck-info", head_info),
    Route("HEAD", "buckets/B/P", "param", ("bsumm_remote",), "head-bck-info", head_info),
)
