"""Handlers of AIStore's native bucket inventories: create-, show- and destroy-inventory; and which
inventory a listing asks for, in its headers or by a flag.

A remote bucket has one inventory of the cluster's own. It is not kept in chunks here, so those that
are told are what it would be.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from aisle.api.access import authorise
from aisle.api.base import Context, Response, Service
from aisle.api.native.message import JSON, Message, filled, open_bucket
from aisle.api.native.needs import ADMIN
from aisle.api.native.route import Route
from aisle.core.errors import InvalidArgument, InventoryNotFound
from aisle.jobs.inventories import CHUNK
from aisle.namespace.store import BucketRow
from aisle.namespace.window.inventory import finding
from aisle.namespace.window.inventory.finding import Where
from aisle.namespace.window.inventory.generations import InventoryRow

_TEXT: Final = [(b"content-type", b"text/plain")]
# The props that an inventory may be asked to have; it has all of them in any case.
_PROPS: Final = frozenset(
    {"name", "size", "cached", "checksum", "atime", "version", "custom", "status", "copies"}
    | {"location", "ec", "chunked"}
)


class _Asked(msgspec.Struct, frozen=True):
    """The value of create-inventory (AIStore's CreateNBIMsg)."""

    name: str = ""
    prefix: str = ""
    props: str = ""
    names_per_chunk: int | str = 0
    force: bool = False
    flags: int | str = 0


async def create_inventory(svc: Service, ctx: Context, message: Message) -> Response:
    """The reply is the id of the job."""
    bucket = await open_bucket(svc, ctx)
    try:
        asked = msgspec.convert(filled(message.value), _Asked)
    except msgspec.ValidationError as error:
        raise InvalidArgument(f"the value of the message: {error}", name="value") from None
    unknown = {word.strip() for word in asked.props.split(",") if word.strip()} - _PROPS
    if unknown:
        raise InvalidArgument(
            f"unknown object properties: {', '.join(sorted(unknown))}", name="props"
        )
    job = await svc.inventories.create(
        bucket,
        name=asked.name or message.name,
        prefix=asked.prefix,
        chunk=_number(asked.names_per_chunk),
        force=asked.force,
        user=ctx.who.name,
    )
    return Response(200, _TEXT, job.encode())


def _number(value: int | str) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise InvalidArgument("names_per_chunk is a number", name="names_per_chunk", value=text)
    return int(text)


async def destroy_inventory(svc: Service, ctx: Context, message: Message) -> Response:
    bucket = await open_bucket(svc, ctx)
    await svc.inventories.destroy(bucket, message.name)
    return Response(200)


async def show_inventory(svc: Service, ctx: Context, message: Message) -> Response:
    """All that the bucket has, or the one that `name` names, by the names they have in AIStore."""
    bucket = await open_bucket(svc, ctx)
    found = await svc.inventories.shown(bucket, message.name)
    if found is None and message.name:
        raise InventoryNotFound(
            f'bucket "{bucket.record.name}" has no inventory "{message.name}" of the cluster\'s own'
        )
    told = {} if found is None else {_object_name(bucket, found): _shown(bucket, found)}
    return Response(200, JSON, msgspec.json.encode(told))


def _object_name(bucket: BucketRow, row: InventoryRow) -> str:
    name = bucket.name
    space = name.namespace if name.namespace.startswith("@") else f"@#{name.namespace}"
    return f"{name.provider}/{space}/{name.name}/{row.record.name}"


def _shown(bucket: BucketRow, row: InventoryRow) -> dict[str, Any]:
    """AIStore's NBIInfo."""
    record = row.record
    return {
        "bucket": str(bucket.name),
        "name": record.name,
        "obj_name": _object_name(bucket, row),
        "size": record.size,
        "prefix": record.prefix,
        "started": record.started,
        "finished": record.finished,
        "ntotal": record.count,
        "smap_ver": 0,
        "chunks": -(-record.count // (record.chunk or CHUNK)),
        "nat": 1 if record.rows else 0,
    }


async def asked(svc: Service, ctx: Context, *, flagged: bool) -> Where | None:
    """Which inventory a listing asks for, if any. Raises `InvalidArgument`, `AccessDenied`."""
    where = finding.asked(ctx.head.headers, flagged=flagged)
    if where is not None and where.elsewhere:
        await authorise(svc, ctx, ADMIN)
    return where


ROUTES: Final = (
    Route(
        "POST", "buckets/B", "action", ("create-inventory",), "create-inventory", create_inventory
    ),
    Route(
        "DELETE",
        "buckets/B",
        "action",
        ("destroy-inventory",),
        "destroy-inventory",
        destroy_inventory,
    ),
    Route("GET", "buckets/B", "action", ("show-inventory",), "show-inventory", show_inventory),
)
