"""Handlers of single objects: put-object, get-object, head-object, delete-object."""

from __future__ import annotations

from aisle.api.base import Context, Headers, Response, Service
from aisle.api.native.headers import checksum_headers, object_headers
from aisle.api.native.incoming import NativeIncoming
from aisle.api.native.message import Message, open_bucket
from aisle.core.errors import ObjectNotFound
from aisle.core.names import encode_key
from aisle.core.ranges import Span, resolve_range
from aisle.namespace import bodies, objects
from aisle.namespace.objects import Description


async def put_object(svc: Service, ctx: Context, message: Message) -> Response:
    bucket = await open_bucket(svc, ctx)
    key = encode_key(ctx.key)
    incoming = NativeIncoming(ctx)
    # AIStore's SDK calls every body JSON, whatever is in it: that says nothing of the object.
    kind = ctx.head.header("content-type")
    kept = {"content-type": kind} if kind not in ("", "application/json") else {}
    record = await objects.put(
        svc.store,
        bucket,
        key,
        incoming,
        Description(headers=kept, owner=svc.owner.id),
        algorithms=incoming.algorithms,
    )
    headers: Headers = [
        (b"etag", b'"%b"' % record.etag.encode()),
        (b"ais-version", str(record.seq).encode()),
    ]
    return Response(200, headers + checksum_headers(*record.digest))


async def get_object(svc: Service, ctx: Context, message: Message) -> Response:
    bucket = await open_bucket(svc, ctx, recent=True)
    found, small = await objects.find_small(svc.store, bucket, encode_key(ctx.key))
    record = found.record
    headers = object_headers(record)
    status, span = 200, Span(0, record.size)
    wanted = ctx.head.headers.get("range")
    resolved = resolve_range(wanted, record.size) if wanted is not None else None
    if resolved is not None:
        status, span = 206, resolved
        where = f"bytes {span.start}-{span.last}/{record.size}"
        headers.append((b"content-range", where.encode()))
    if small is not None:
        return Response(status, headers, small[span.start : span.start + span.length], span.length)
    stream = bodies.read_extents(svc.store, found.extents, span.start, span.length)
    return Response(status, headers, stream, span.length)


async def head_object(svc: Service, ctx: Context, message: Message) -> Response:
    """All that is known, whichever `props` are asked for: it costs no more."""
    bucket = await open_bucket(svc, ctx, recent=True)
    record = await objects.head(svc.store, bucket, encode_key(ctx.key))
    return Response(200, object_headers(record), b"", record.size)


async def delete_object(svc: Service, ctx: Context, message: Message) -> Response:
    bucket = await open_bucket(svc, ctx)
    if not await objects.delete(svc.store, bucket, encode_key(ctx.key)):
        raise ObjectNotFound(bucket.record.name, ctx.key)
    return Response(200)
