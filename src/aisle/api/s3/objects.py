"""Handlers of single objects: PutObject, GetObject, HeadObject, DeleteObject, GetObjectAttributes.

A handler reads its parameters, calls the namespace, and returns a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aisle.api.access import writer
from aisle.api.base import Context, Headers, Response, Service
from aisle.api.s3 import acls, growth, lifecycle, objectlock, replication, restores, sse, tagging
from aisle.api.s3 import headers as h
from aisle.api.s3.common import integer, open_bucket, part_number, version_of
from aisle.api.s3.errors import S3Error
from aisle.api.s3.incoming import S3Incoming
from aisle.api.s3.xml import document, element
from aisle.core.dates import http_date
from aisle.core.errors import InvalidArgument, InvalidPartNumber, InvalidRequest
from aisle.core.names import encode_key
from aisle.core.ranges import Span, resolve_range
from aisle.namespace import events, objects, reads
from aisle.namespace.objects import Found
from aisle.namespace.records import Object, PartInfo
from aisle.namespace.sealing import wishes
from aisle.namespace.versions import removal
from aisle.namespace.windows import LOOK, PART, READ

# What S3 computes for a body that comes without a checksum ("Checking object integrity").
DEFAULT_CHECKSUM: Final = "CRC64NVME"
MARKER: Final = ((b"x-amz-delete-marker", b"true"),)
ATTRIBUTES: Final = ("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize")


async def put_object(svc: Service, ctx: Context) -> Response:
    head = ctx.head
    bucket = await open_bucket(svc, ctx)
    h.refuse_unsupported(head, offset=True)
    await sse.admit(svc, ctx, bucket.record)
    if "partNumber" in head.params or "uploadId" in head.params:
        raise InvalidArgument("partNumber and uploadId come together", name="partNumber")
    key = encode_key(ctx.key)
    incoming = S3Incoming(head, ctx.known_payload, ctx.body)
    lock = objectlock.of_new(svc, head, bucket)
    await objectlock.check_digest(svc, ctx, bucket, lock)
    described = h.description(
        head,
        owner=writer(svc, ctx, bucket),
        checksum=incoming.checksum or DEFAULT_CHECKSUM,
        acl=await acls.of_new_object(svc, ctx, bucket),
        replication=await replication.status_of(svc, ctx, bucket),
        tags=tagging.of_new(head, bucket),
        lock=lock,
        behind=bucket.record.behind,
    )
    if growth.is_asked(ctx):
        return await growth.append(svc, ctx, bucket, key, incoming, described)
    record = await objects.put(
        svc.store,
        bucket,
        key,
        incoming,
        described,
        conditions=h.write_conditions(head),
        algorithms=incoming.algorithms,
        via=ctx.via,
        event=events.POST if ctx.operation == "PostObject" else events.PUT,
    )
    headers: Headers = [
        (b"etag", b'"%b"' % record.etag.encode()),
        *h.version_headers(record, bucket.record),
        *sse.told(svc, record.sealed, sse.customer_key(head), context=True),
    ]
    headers += h.checksum_headers(record.checksums, record.checksum_type)
    headers += await lifecycle.expiration(svc.store, bucket, key, record)
    return Response(200, headers)


async def get_object(svc: Service, ctx: Context) -> Response:
    head = ctx.head
    bucket = await open_bucket(svc, ctx, recent=True)
    version = version_of(ctx)
    conditions = h.read_conditions(head)
    part = conditions is not None or "range" in head.headers or "partNumber" in head.params
    how = PART if part else READ
    if ctx.via is not None:
        how = how._replace(via=ctx.via)
    customer = sse.reading(head)
    if customer:
        await sse.admit(svc, ctx)
        how = how._replace(customer_key=customer)
    if version:
        how = how._replace(version=version)
    found, small = await objects.find_small(svc.store, bucket, encode_key(ctx.key), how)
    record = found.record
    if conditions is not None:
        conditions.check(record)
    headers = h.object_headers(record) + h.version_headers(record, bucket.record)
    headers += sse.told(svc, record.sealed, customer)
    if record.restored:
        headers += restores.told(record, svc.store.now())
    if record.tags or record.lock is not None:
        headers += await tagging.told(svc, ctx, bucket, record)
        headers += await objectlock.told(svc, ctx, bucket, record)
    headers += await lifecycle.expiration_of(
        svc.store, bucket, encode_key(ctx.key), record, version
    )
    status, span = _select(ctx, found, headers)
    h.override(headers, head, anonymous=ctx.anonymous)
    if span.length == record.size:
        body = await reads.whole(svc.store, bucket, ctx.key, found, small)
        return Response(status, headers, body, span.length)
    data = await reads.part(svc.store, found, small, span.start, span.length)
    return Response(status, headers, data, span.length)


async def head_object(svc: Service, ctx: Context) -> Response:
    head = ctx.head
    bucket = await open_bucket(svc, ctx, recent=True)
    customer = sse.reading(head)
    await sse.admit(svc, ctx)
    how = LOOK._replace(version=version_of(ctx))
    found = await objects.find(svc.store, bucket, encode_key(ctx.key), how)
    wishes.check_customer(found.record.sealed, customer)
    conditions = h.read_conditions(head)
    if conditions is not None:
        conditions.check(found.record)
    headers = h.object_headers(found.record) + h.version_headers(found.record, bucket.record)
    headers += sse.told(svc, found.record.sealed, customer)
    headers += restores.told(found.record, svc.store.now())
    headers += await tagging.told(svc, ctx, bucket, found.record)
    headers += await objectlock.told(svc, ctx, bucket, found.record)
    headers += await lifecycle.expiration_of(
        svc.store, bucket, encode_key(ctx.key), found.record, how.version
    )
    status, span = _select(ctx, found, headers)
    h.override(headers, head, anonymous=ctx.anonymous)
    return Response(status, headers, b"", span.length)


def _select(ctx: Context, found: Found, headers: Headers) -> tuple[int, Span]:
    """Status and span of a read; adds the headers that depend on them."""
    record = found.record
    size = record.size
    wanted = ctx.head.headers.get("range")
    in_parts = "partNumber" in ctx.head.params
    checksums, kind = record.checksums, record.checksum_type
    status, span = 200, Span(0, size)
    if in_parts:
        if wanted is not None:
            raise S3Error(
                "InvalidRequest", "Cannot specify both Range header and partNumber query parameter"
            )
        span, part = _part_span(found, part_number(ctx))
        # A 206 has a Content-Range (RFC 9110, 15.3.7), and there is none of no bytes.
        status = 206 if span.length else 200
        if part is not None:
            checksums, kind = part.checksums, record.checksum_type
            headers.append((b"x-amz-mp-parts-count", str(record.part_count).encode()))
    elif wanted is not None and h.range_holds(ctx.head, record):
        resolved = resolve_range(wanted, size)
        if resolved is not None:
            status, span = 206, resolved
            checksums = {}
    if status == 206:
        headers.append((b"content-range", f"bytes {span.start}-{span.last}/{size}".encode()))
    if checksums and ctx.head.header("x-amz-checksum-mode").upper() == "ENABLED":
        headers += h.checksum_headers(checksums, kind)
    return status, span


def _part_span(found: Found, number: int) -> tuple[Span, PartInfo | None]:
    """Where a part lies. An object that was not uploaded in parts is its own part 1."""
    if not found.parts:
        if number != 1:
            raise InvalidPartNumber(number, 1)
        return Span(0, found.record.size), None
    start = 0
    for part in found.parts:
        if part.number == number:
            return Span(start, part.size), part
        start += part.size
    raise InvalidPartNumber(number, found.record.part_count)


async def delete_object(svc: Service, ctx: Context) -> Response:
    bucket = await open_bucket(svc, ctx)
    key, conditions = encode_key(ctx.key), h.delete_conditions(ctx.head)
    version = version_of(ctx)
    if version:
        removed = await removal.remove(
            svc.store, bucket, key, version, bypass=h.bypass(ctx.head), conditions=conditions
        )
        named = [(b"x-amz-version-id", version.encode())]
        return Response(204, [*MARKER, *named] if removed and removed.marker else named)
    done = await objects.delete(
        svc.store,
        bucket,
        key,
        conditions=conditions,
        owner=writer(svc, ctx, bucket),
        replication=await replication.status_of(svc, ctx, bucket),
    )
    if done.marker is None:
        return Response(204)
    return Response(204, [*MARKER, *h.version_headers(done.marker, bucket.record)])


async def get_object_attributes(svc: Service, ctx: Context) -> Response:
    head = ctx.head
    bucket = await open_bucket(svc, ctx)
    how = LOOK._replace(version=version_of(ctx))
    asked = [name.strip() for name in head.header("x-amz-object-attributes").split(",")]
    if asked == [""]:
        raise InvalidRequest(
            "The x-amz-object-attributes header specifying the attributes to be retrieved is"
            " either missing or empty"
        )
    for name in asked:
        if name not in ATTRIBUTES:
            raise InvalidArgument(
                "Invalid attribute name specified.", name="x-amz-object-attributes", value=name
            )
    limit = integer(head.header("x-amz-max-parts"), "x-amz-max-parts", 1000)
    marker = integer(head.header("x-amz-part-number-marker"), "x-amz-part-number-marker", 0)
    customer = sse.reading(head)
    await sse.admit(svc, ctx)
    found = await objects.find(svc.store, bucket, encode_key(ctx.key), how)
    record = found.record
    wishes.check_customer(record.sealed, customer)
    conditions = h.read_conditions(head)
    if conditions is not None:
        conditions.check(record)
    parts: list[str] = []
    if "ETag" in asked:
        parts.append(element("ETag", record.etag))
    if "Checksum" in asked and record.checksums:
        parts.append(f"<Checksum>{_checksums(record)}</Checksum>")
    if "ObjectParts" in asked and record.part_count:
        parts.append(_parts(record, found.parts, marker, min(limit, 1000)))
    if "StorageClass" in asked:
        parts.append(element("StorageClass", record.storage_class))
    if "ObjectSize" in asked:
        parts.append(element("ObjectSize", record.size))
    headers: Headers = [
        (b"content-type", b"application/xml"),
        (b"last-modified", http_date(record.mtime // h.SECOND)),
        *h.version_headers(record, bucket.record),
    ]
    return Response(200, headers, document("GetObjectAttributesResponse", *parts))


def _checksums(record: Object) -> str:
    values = "".join(element(f"Checksum{name}", v) for name, v in record.checksums.items())
    return values + element("ChecksumType", record.checksum_type)


def _parts(record: Object, parts: Sequence[PartInfo], marker: int, limit: int) -> str:
    """The parts after `marker`. S3 lists them only if they have checksums, else just counts."""
    listed = [part for part in parts if part.number > marker] if record.checksums else []
    page = listed[:limit]
    truncated = limit > 0 and len(listed) > len(page)  # a page of none leads to no other
    items = "".join(
        "<Part>"
        + "".join(element(f"Checksum{name}", value) for name, value in part.checksums.items())
        + element("PartNumber", part.number)
        + element("Size", part.size)
        + "</Part>"
        for part in page
    )
    return (
        "<ObjectParts>"
        + element("IsTruncated", "true" if truncated else "false")
        + element("MaxParts", limit)
        + element("NextPartNumberMarker", page[-1].number if page else marker)
        + element("PartNumberMarker", marker)
        + element("PartsCount", record.part_count)
        + items
        + "</ObjectParts>"
    )
