"""Handlers of copies: CopyObject and UploadPartCopy.

The source is a bucket and key of this store, named by `x-amz-copy-source`, which is parsed like a
request path: split at the first slash, then percent-decoded, never normalised. A plus is a space
here, as at Amazon, and as several clients write one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from aisle.api.access import authorise, writer
from aisle.api.base import Beside, Context, Headers, Response, Service
from aisle.api.s3 import acls, lifecycle, notes, objectlock, payment, slowly, sse, tagging
from aisle.api.s3 import headers as h
from aisle.api.s3.actions import on_version
from aisle.api.s3.common import (
    XML,
    check_owner,
    empty_version,
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
    DeleteMarkerNamed,
    InvalidArgument,
    InvalidRequest,
    ObjectNotFound,
    VersionNotFound,
)
from aisle.core.http import RequestHead, decode_component
from aisle.core.names import encode_key
from aisle.core.ranges import Span, resolve_copy_range
from aisle.namespace import bodies, copies, objects, uploads
from aisle.namespace.accesslogs import LOGS
from aisle.namespace.objects import Description, Found
from aisle.namespace.sealing import wishes
from aisle.namespace.store import BucketRow
from aisle.namespace.windows import PART, READ

MAX_COPY = 5 << 30


class Source(NamedTuple):
    """Where a copy comes from."""

    bucket: BucketRow
    key: bytes
    found: Found
    small: bytes | None  # its bytes, if they are one row
    version: str  # that the request names

    @property
    def place(self) -> tuple[BucketRow, str, str]:
        """Its bucket, key and version."""
        return self.bucket, self.key.decode("utf-8", "surrogateescape"), self.version

    @property
    def told(self) -> Headers:
        """The header that tells which version was copied, if there are any."""
        versions = h.version_headers(self.found.record, self.bucket.record)
        return [(b"x-amz-copy-source-version-id", version) for _, version in versions]


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
    if bucket.record.has & payment.PAYS:
        payment.charge(svc, ctx, bucket)
    if bucket.record.has & LOGS:
        what = "OBJECT_GET" if ctx.operation == "CopyObject" else "PART_GET"
        ctx.beside.append(Beside(bucket, f"REST.COPY.{what}", key, version))
    raw_key = encode_key(key)
    conditions = h.read_conditions(head, "x-amz-copy-source-")
    how = PART if conditions is not None or "x-amz-copy-source-range" in head.headers else READ
    await sse.admit(svc, ctx)
    how = how._replace(customer_key=sse.customer_key(head, sse.SOURCE))
    try:
        if version:
            how = how._replace(version=version)
        found, small = await objects.find_small(svc.store, bucket, raw_key, how)
    except DeleteMarkerNamed:
        raise InvalidRequest(
            "The source of a copy request may not specifically refer to a delete marker by version"
            " id."
        ) from None
    except (ObjectNotFound, VersionNotFound) as error:
        raise await hide(svc, ctx, bucket, error, key) from None
    if conditions is not None:
        conditions.check_copy(found.record)
    return Source(bucket, raw_key, found, small, version)


def parse_source(text: str) -> tuple[str, str, str]:
    """Bucket, key and version of a copy source. Raises `InvalidArgument`."""
    path, named, query = text.partition("?versionId=")
    path = path.removeprefix("/")
    if "/" not in path and "%2f" in path.lower():
        # Some clients encode the separator too; before decoding there is then no other slash.
        bucket, _, key = decode_component(path, plus=True).removeprefix("/").partition("/")
    else:
        bucket, _, raw = path.partition("/")
        bucket, key = decode_component(bucket), decode_component(raw, plus=True)
    if not bucket or not key:
        raise InvalidArgument(
            "Invalid copy source object key" if bucket else "Invalid copy source bucket name",
            name="x-amz-copy-source",
            value=text,
        )
    if named and not query:  # whoever names a version does not mean the current one
        raise empty_version()
    return bucket, key, decode_component(query)


def _directive(head: RequestHead, name: str) -> str:
    value = head.header(name).upper() or "COPY"
    if value not in ("COPY", "REPLACE"):
        raise InvalidArgument(f"Unknown {name} value", name=name, value=value)
    return value


def _without_redirect(headers: Mapping[str, str]) -> dict[str, str]:
    """What a copy takes over: where a website leads is said anew for each object."""
    return {name: value for name, value in headers.items() if name != h.REDIRECT_LOCATION}


async def copy_object(svc: Service, ctx: Context) -> Response:
    bucket = await open_bucket(svc, ctx)
    return await slowly.answer(svc, ctx, bucket, _copy(svc, ctx, bucket))


async def _copy(svc: Service, ctx: Context, bucket: BucketRow) -> Response:
    head = ctx.head
    h.refuse_unsupported(head)
    await sse.admit(svc, ctx, bucket.record)
    key = encode_key(ctx.key)
    replace = _directive(head, "x-amz-metadata-directive") == "REPLACE"
    retag = _directive(head, "x-amz-tagging-directive") == "REPLACE"
    lock = objectlock.of_new(svc, head, bucket)
    given = tagging.of_new(head, bucket) if retag else {}
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
    itself = itself and not source.version
    changes = replace or algorithm or "x-amz-storage-class" in head.headers
    changes = changes or h.REDIRECT_LOCATION in head.headers or sse.given(head)
    if itself and not changes:
        raise InvalidRequest(
            "This copy request is illegal because it is trying to copy an object to itself"
            " without changing the object's metadata, storage class, website redirect location"
            " or encryption attributes."
        )
    checksum = algorithm or next(iter(record.checksums), "")
    acl = await acls.of_new_object(svc, ctx, bucket)
    tags = given if retag else await tagging.of_source(svc, ctx, source.place, record, bucket)
    wish, remote_encryption = sse.asked(head, bucket.record.behind)
    described = (
        h.description(
            head,
            owner=writer(svc, ctx, bucket),
            checksum=checksum,
            acl=acl,
            tags=tags,
            lock=lock,
            behind=bucket.record.behind,
        )
        if replace
        else Description(
            headers=_without_redirect(record.headers) | h.redirect_location(head),
            meta=record.meta,
            storage_class=h.storage_class(head, bucket.record.behind),
            owner=writer(svc, ctx, bucket),
            checksum_algorithm=checksum,
            acl=acl,
            tags=tags,
            lock=lock,
            wish=wish,
            remote_encryption=remote_encryption,
        )
    )
    conditions = h.write_conditions(head)
    annotated = await notes.are_copied(svc, ctx, source.bucket, source.place[1], record, bucket)
    copied = None
    if itself and "-" not in record.etag and checksum in ("", *record.checksums):
        copied = await copies.redescribe(
            svc.store, source.found, bucket, key, described, conditions=conditions
        )
    in_place = copied is not None
    if copied is None:
        if itself and annotated and not bucket.record.versions:
            raise notes.refuse_self()
        copied = await copies.copy(
            svc.store,
            source.found,
            bucket,
            key,
            described,
            small=source.small,
            conditions=conditions,
        )
    if annotated and not in_place:
        await notes.copy_all(svc, source.bucket, source.key, record, bucket, key, copied)
    values = [element(f"Checksum{name}", value) for name, value in copied.checksums.items()]
    if values:
        values.append(element("ChecksumType", copied.checksum_type))
    body = document(
        "CopyObjectResult",
        element("ETag", f'"{copied.etag}"'),
        element("LastModified", iso_date(copied.mtime // h.SECOND)),
        *values,
    )
    headers = XML + h.version_headers(copied, bucket.record) + source.told
    headers += sse.told(svc, copied.sealed, sse.customer_key(head), context=True)
    headers += await lifecycle.expiration(svc.store, bucket, key, copied)
    return Response(200, headers, body)


async def upload_part_copy(svc: Service, ctx: Context) -> Response:
    head = ctx.head
    bucket = await open_bucket(svc, ctx)
    number = part_number(ctx)
    upload = await uploads.find(
        svc.store, bucket, encode_key(ctx.key), head.params.get("uploadId", "")
    )
    await sse.admit(svc, ctx, bucket.record)
    customer = sse.customer_key(head)
    with sse.of_upload():
        wishes.check_customer(upload.record.sealed, customer)
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
        customer_key=customer,
    )
    body = document(
        "CopyPartResult",
        element("LastModified", iso_date(part.mtime // h.SECOND)),
        element("ETag", f'"{part.etag}"'),
        *(element(f"Checksum{name}", value) for name, value in part.checksums.items()),
    )
    headers = XML + source.told + sse.told(svc, upload.record.sealed, customer)
    return Response(200, headers, body)
