"""Handlers of single objects: put-object, get-object, delete-object; and head-object's row.

Other operations on the path of an object have modules of their own: `attributes` (HEAD), `parts`
(multipart uploads), `append`, `copies` (`object_to`), `edits` (names and custom metadata).
"""

from __future__ import annotations

from typing import Final

from aisle.api.access import writer
from aisle.api.base import Context, Headers, Response, Service
from aisle.api.native import peers
from aisle.api.native.attributes import head_object
from aisle.api.native.caching import bring
from aisle.api.native.headers import checksum_headers, object_headers, version_headers
from aisle.api.native.incoming import NativeIncoming
from aisle.api.native.message import Message, open_bucket
from aisle.api.native.route import Route
from aisle.api.native.windows import wants_latest
from aisle.core.errors import InvalidArgument, ObjectNotFound
from aisle.core.names import encode_key
from aisle.core.ranges import Span, resolve_range
from aisle.namespace import bodies, destroy, objects, reads
from aisle.namespace.bodies import DIGEST_OF
from aisle.namespace.objects import Description, Found
from aisle.namespace.records import Object
from aisle.namespace.store import BucketRow
from aisle.namespace.windows import How

ETL: Final = ("etl_name", "etl_pipeline", "etl_args")


async def put_object(svc: Service, ctx: Context, message: Message) -> Response:
    for name in ("object_to", "append_type"):  # of other operations, which are not meant without
        if name in ctx.head.params:
            raise InvalidArgument(f"{name} is empty: leave it away to put an object", name=name)
    bucket = await open_bucket(svc, ctx)
    key = encode_key(ctx.key)
    incoming = NativeIncoming(ctx)
    record = await objects.put(
        svc.store,
        bucket,
        key,
        incoming,
        peers.described(ctx, described(ctx, bucket, inherits=True)),
        conditions=peers.conditions(ctx),
        algorithms=incoming.algorithms,
    )
    return Response(200, stored_headers(record) + peers.stored_headers(ctx, record))


def described(ctx: Context, bucket: BucketRow, *, inherits: bool = False) -> Description:
    """What a request that brings bytes says of them. A new version that is PUT `inherits` the
    custom metadata of the one before, as AIStore has it.

    AIStore knows no owners of objects: what is written through its API is the bucket's owner's, who
    would not be able to read what a user with a role has put there otherwise.
    """
    # AIStore's SDK calls every body JSON, whatever is in it: that says nothing of the object.
    kind = ctx.head.header("content-type")
    kept = {"content-type": kind} if kind not in ("", "application/json") else {}
    return Description(headers=kept, owner=bucket.record.owner, inherits=inherits)


def stored_headers(record: Object) -> Headers:
    """What the writer of an object hears of it."""
    headers: Headers = [
        (b"etag", b'"%b"' % record.etag.encode()),
        *version_headers(record),
    ]
    return headers + checksum_headers(*record.digest)


async def get_object(svc: Service, ctx: Context, message: Message) -> Response:
    latest = wants_latest(ctx)
    bucket = await open_bucket(svc, ctx, recent=True)
    if bucket.record.behind is not None:
        await bring(svc, ctx, bucket, latest=latest)
    wanted = ctx.head.headers.get("range")
    how = How(latest=latest, whole=wanted is None, used=True)
    found, small = await objects.find_small(svc.store, bucket, encode_key(ctx.key), how)
    record = found.record
    headers = object_headers(record) + peers.content_headers(ctx, record)
    span = resolve_range(wanted, record.size) if wanted is not None else None
    if span is None:
        headers += checksum_headers(*record.digest)
        body = await reads.whole(svc.store, bucket, ctx.key, found, small)
        return Response(200, headers, body, record.size)
    headers.append((b"content-range", f"bytes {span.start}-{span.last}/{record.size}".encode()))
    headers += checksum_headers(*await _range_digest(svc, bucket, found, small, span))
    data = await reads.part(svc.store, found, small, span.start, span.length)
    return Response(206, headers, data, span.length)


async def _range_digest(
    svc: Service, bucket: BucketRow, found: Found, small: bytes | None, span: Span
) -> tuple[str, str]:
    """The checksum to tell with a range: its own if the bucket says so, else the whole object's.

    A range that is not in memory is read twice, since its checksum stands before its bytes.
    """
    if not await svc.store.setting("checksum.enable_read_range", bucket.record):
        return found.record.digest
    kind = await svc.store.text("checksum.type", bucket.record)
    algorithm = DIGEST_OF[kind]
    if not algorithm:
        return ("none", "")
    if small is not None:
        piece = small[span.start : span.start + span.length]
        return (kind, bodies.digest_small(piece, algorithm).hex())
    digest = await bodies.digest_of(svc.store, found.extents, span.start, span.length, algorithm)
    return (kind, digest.hex())


async def delete_object(svc: Service, ctx: Context, message: Message) -> Response:
    bucket = await open_bucket(svc, ctx)
    owner = writer(svc, ctx, bucket)
    if not await destroy.delete_present(svc.store, bucket, encode_key(ctx.key), owner=owner):
        raise ObjectNotFound(bucket.record.name, ctx.key)
    return Response(200)


ROUTES: Final = (
    Route(
        "PUT",
        "objects/B/K",
        "param",
        ("",),
        "put-object",
        put_object,
        ETL,
    ),
    Route(
        "GET",
        "objects/B/K",
        "param",
        ("",),
        "get-object",
        get_object,
        ETL,
    ),
    Route("HEAD", "objects/B/K", "", (), "head-object", head_object, ("archpath", *ETL)),
    Route(
        "DELETE",
        "objects/B/K",
        "action",
        ("",),
        "delete-object",
        delete_object,
        ("uploadId", "archpath"),
    ),
)
