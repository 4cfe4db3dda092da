"""The handler of copy-object: PUT on the source, `object_to` names the destination."""

from __future__ import annotations

from typing import Final

from aisle.api.access import authorise
from aisle.api.base import Context, Response, Service
from aisle.api.native import windows
from aisle.api.native.message import Message, open_bucket, parse_uname
from aisle.api.native.needs import PUT_OBJECT
from aisle.api.native.objects import ETL, stored_headers
from aisle.api.native.route import Route
from aisle.core.errors import InvalidArgument, InvalidRequest
from aisle.core.names import encode_key
from aisle.namespace import copies, objects
from aisle.namespace.objects import Description
from aisle.namespace.windows import READ


async def copy_object(svc: Service, ctx: Context, message: Message) -> Response:
    """`latest-ver` has a copy of a remote object compared first, and so has `synchronize`: what
    would be deleted for it is the destination's object, which is replaced anyway."""
    source = await open_bucket(svc, ctx)
    name, to = parse_uname(ctx.head.params["object_to"])
    if not to:
        raise InvalidArgument(
            "object_to names a bucket without an object: provider/@#/bucket/object",
            name="object_to",
        )
    key, target = encode_key(ctx.key), encode_key(to)
    bucket = await windows.open_named(svc, ctx, name)
    await authorise(svc, ctx, PUT_OBJECT, bucket, to)
    if bucket.record.id == source.record.id and key == target:
        raise InvalidRequest("an object cannot be copied onto itself")
    how = READ._replace(latest=windows.wants_latest(ctx) or windows.wants_synchronized(ctx))
    found, small = await objects.find_small(svc.store, source, key, how)
    record = found.record
    description = Description(
        headers=record.headers,
        meta=record.meta,
        storage_class=record.storage_class,
        owner=bucket.record.owner,
    )
    copied = await copies.copy(svc.store, found, bucket, target, description, small=small)
    return Response(200, stored_headers(copied))


ROUTES: Final = (
    Route(
        "PUT",
        "objects/B/K",
        "param",
        ("object_to",),
        "copy-object",
        copy_object,
        ("uploadId", "partNumber", *ETL),
    ),
)
