"""Handlers of copies: CopyObject and UploadPartCopy.

The source is a bucket and key of this store, named by `x-amz-copy-source`, which is parsed like a
request path: split at the first slash, then percent-decoded, never normalised.
"""

from __future__ import annotations

from typing import NamedTuple

from aisle.api.access import authorise, writer
from aisle.api.base import Context, Response, Service
from aisle.api.s3 import acls, slowly
from aisle.api.s3 import headers as h
from aisle.api.s3.actions import on_version
from aisle.api.s3.common import (
    XML,
    check_owner,
    hide,
    named_bucket,
    open_bucket,
    part_number,
)
from aisle.api.s3.errors import S3Error
from aisle.api.s3.xml import document, element
from aisle.core import checksums
from aisle.core.dates import iso_date
from aisle.core.errors import (
    InvalidArgument,
    InvalidRequest,
    ObjectNotFound,
    VersionNotFound,
)
from aisle.core.http import RequestHead, decode_component
from aisle.core.names import encode_key
from aisle.core.ranges import Span, resolve_copy_range
from aisle.namespace import bodies, objects, uploads
from aisle.namespace.objects import Description, Found
from aisle.namespace.store import BucketRow
from aisle.namespace.windows import PART, READ

MAX_COPY = 5 << 30


class Source(NamedTuple):
    """Where a copy comes from."""

    bucket: BucketRow
    key: bytes
    found: Found
    small: bytes | None  # its bytes, if they are one row


async def find_source(svc: Service, ctx: Context) -> Source:
    """The object that `x-amz-copy-source` names, if whoever asks may read it and the conditions
    on it hold."""
    head = ctx.head
    name, key, version = parse_source(head.header("x-amz-copy-source"))
    bucket = await named_bucket(svc, ctx, name)
    await check_owner(svc, ctx, bucket.record, "x-amz-source-expected-bucket-owner")
    if version:
        ctx.facts["s3:versionid"] = (version,)  # the target has none
    await authorise(svc, ctx, on_version("GetObject", version), bucket, key)
    raw_key = encode_key(key)
    conditions = h.read_conditions(head, "x-amz-copy-source-")
    how = PART if conditions is not None or "x-amz-copy-source-range" in head.headers else READ
    try:
        if version not in ("", "null"):
            raise VersionNotFound(name, key, version)
        found, small = await objects.find_small(svc.store, bucket, raw_key, how)
    except (ObjectNotFound, VersionNotFound) as error:
        raise await hide(svc, ctx, bucket, error, key) from None
    if conditions is not None:
        conditions.check_copy(found.record)
    return Source(bucket, raw_key, found, small)


def parse_source(text: str) -> tuple[str, str, str]:
    """Bucket, key and version of a copy source. Raises `InvalidArgument`."""
    path, _, query = text.partition("?versionId=")
    path = path.removeprefix("/")
    if "/" not in path and "%2f" in path.lower():
        # Some clients encode the separator too; before decoding there is then no other slash.
        path = decode_component(path).encode("utf-8", "surrogateescape").decode("latin-1")
        bucket, _, key = path.partition("/")
        key = key.encode("latin-1").decode("utf-8", "surrogateescape")
    else:
        bucket, _, raw = path.partition("/")
        bucket, key = decode_component(bucket), decode_component(raw)
    if not bucket or not key:
        raise InvalidArgument(
            "Invalid copy source object key" if bucket else "Invalid copy source bucket name",
            name="x-amz-copy-source",
            value=text,
        )
    return bucket, key, decode_component(query)


def _directive(head: RequestHead, name: str) -> str:
    value = head.header(name).upper() or "COPY"
    if value not in ("COPY", "REPLACE"):
        raise InvalidArgument(f"Unknown {name} value", name=name, value=value)
    return value


async def copy_object(svc: Service, ctx: Context) -> Response:
    bucket = await open_bucket(svc, ctx)
    return await slowly.answer(svc, ctx, bucket, _copy(svc, ctx, bucket))


async def _copy(svc: Service, ctx: Context, bucket: BucketRow) -> Response:
    head = ctx.head
    h.refuse_unsupported(head)
    key = encode_key(ctx.key)
    replace = _directive(head, "x-amz-metadata-directive") == "REPLACE"
    _directive(head, "x-amz-tagging-directive")
    source = await find_source(svc, ctx)
    record = source.found.record
    if record.size > MAX_COPY:
        raise InvalidRequest(
            "The specified copy source is larger than the maximum allowable size for a copy"
            f" source: {MAX_COPY}"
        )
    algorithm = head.header("x-amz-checksum-algorithm").upper()
    if algorithm and algorithm not in checksums.ALGORITHMS:
        raise InvalidRequest("Checksum algorithm provided is unsupported.")
    itself = source.bucket.record.id == bucket.record.id and source.key == key
    changes = replace or algorithm or "x-amz-storage-class" in head.headers
    if itself and not changes:
        raise InvalidRequest(
            "This copy request is illegal because it is trying to copy an object to itself"
            " without changing the object's metadata, storage class, website redirect location"
            " or encryption attributes."
        )
    checksum = algorithm or next(iter(record.checksums), "")
    acl = await acls.of_new_object(svc, ctx, bucket)
    described = (
        h.description(head, owner=writer(svc, ctx, bucket), checksum=checksum, acl=acl)
        if replace
        else Description(
            headers=record.headers,
            meta=record.meta,
            storage_class=h.storage_class(head),
            owner=writer(svc, ctx, bucket),
            checksum_algorithm=checksum,
            acl=acl,
        )
    )
    conditions = h.write_conditions(head)
    copied = None
    if itself and "-" not in record.etag and checksum in ("", *record.checksums):
        copied = await objects.redescribe(
            svc.store, source.found, bucket, key, described, conditions=conditions
        )
    if copied is None:
        copied = await objects.copy(
            svc.store,
            source.found,
            bucket,
            key,
            described,
            small=source.small,
            conditions=conditions,
        )
    values = [element(f"Checksum{name}", value) for name, value in copied.checksums.items()]
    if values:
        values.append(element("ChecksumType", copied.checksum_type))
    body = document(
        "CopyObjectResult",
        element("ETag", f'"{copied.etag}"'),
        element("LastModified", iso_date(copied.mtime // h.SECOND)),
        *values,
    )
    return Response(200, XML + h.version_headers(copied), body)


async def upload_part_copy(svc: Service, ctx: Context) -> Response:
    head = ctx.head
    bucket = await open_bucket(svc, ctx)
    number = part_number(ctx)
    upload = await uploads.find(
        svc.store, bucket, encode_key(ctx.key), head.params.get("uploadId", "")
    )
    source = await find_source(svc, ctx)
    size = source.found.record.size
    wanted = head.headers.get("x-amz-copy-source-range")
    span = resolve_copy_range(wanted, size) if wanted is not None else Span(0, size)
    if span.length > MAX_COPY:
        raise S3Error("EntityTooLarge", ProposedSize=span.length, MaxSizeAllowed=MAX_COPY)
    stretch = bodies.Stretch(
        svc.store, source.found.extents, span.start, span.length, small=source.small
    )
    part = await uploads.put_part(
        svc.store,
        bucket,
        upload,
        number,
        stretch,
    )
    body = document(
        "CopyPartResult",
        element("LastModified", iso_date(part.mtime // h.SECOND)),
        element("ETag", f'"{part.etag}"'),
        *(element(f"Checksum{name}", value) for name, value in part.checksums.items()),
    )
    return Response(200, XML, body)
