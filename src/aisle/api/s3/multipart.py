"""Handlers of multipart uploads: create, UploadPart, ListParts, complete, abort."""

from __future__ import annotations

from typing import Final

from aisle.api.access import writer
from aisle.api.base import Context, Headers, Response, Service
from aisle.api.conditions import told_of_new
from aisle.api.s3 import acls, lifecycle, objectlock, replication, slowly, sse, tagging
from aisle.api.s3 import headers as h
from aisle.api.s3.common import XML, bare, integer, open_bucket, part_number
from aisle.api.s3.errors import S3Error
from aisle.api.s3.incoming import S3Incoming, read_document
from aisle.api.s3.owners import initiator, owner
from aisle.api.s3.xml import MalformedXML, document, element, leaves, parse
from aisle.core import checksums
from aisle.core.dates import iso_date
from aisle.core.errors import InvalidArgument, InvalidRequest, UploadNotFound
from aisle.core.http import RequestHead
from aisle.core.names import encode_key
from aisle.namespace import uploads
from aisle.namespace.records import Completed
from aisle.namespace.sealing import wishes
from aisle.namespace.store import BucketRow
from aisle.namespace.uploads import MAX_PARTS, Claims, NamedPart
from aisle.namespace.versions.ids import NULL

# 10,000 parts with their checksums.
_DOCUMENT_LIMIT: Final = 4 << 20


async def create_multipart_upload(svc: Service, ctx: Context) -> Response:
    head = ctx.head
    bucket = await open_bucket(svc, ctx)
    h.refuse_unsupported(head)
    await sse.admit(svc, ctx, bucket.record)
    key = encode_key(ctx.key)
    algorithm = head.header("x-amz-checksum-algorithm").upper()
    kind = head.header("x-amz-checksum-type").upper()
    if algorithm:
        row = checksums.ALGORITHMS.get(algorithm)
        if row is None:
            raise InvalidRequest("Checksum algorithm provided is unsupported.")
        if kind and kind not in row.types:
            raise InvalidRequest(
                f"The {kind} checksum type cannot be used with the {algorithm.lower()}"
                " checksum algorithm."
            )
        kind = kind or row.default_type
    elif kind:
        raise InvalidRequest(
            "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm"
            " header."
        )
    acl = await acls.of_new_object(svc, ctx, bucket)
    described = h.description(
        head,
        owner=writer(svc, ctx, bucket),
        checksum=algorithm,
        acl=acl,
        replication=await replication.status_of(svc, ctx, bucket),
        tags=tagging.of_new(head, bucket),
        lock=objectlock.of_new(svc, head, bucket),
        behind=bucket.record.behind,
    )
    upload = await uploads.create(
        svc.store,
        bucket,
        key,
        described,
        checksum_type=kind,
        initiator=ctx.who.arn,
        asked=told_of_new(head),
    )
    headers: Headers = XML + await lifecycle.abort(svc.store, bucket, key, upload.started)
    headers += sse.told(svc, upload.sealed, sse.customer_key(head), context=True)
    headers += sse.told_of_remote(upload.remote_encryption)
    if algorithm:
        headers.append((b"x-amz-checksum-algorithm", algorithm.encode()))
        headers.append((b"x-amz-checksum-type", kind.encode()))
    body = document(
        "InitiateMultipartUploadResult",
        element("Bucket", bucket.record.name),
        element("Key", ctx.key),
        element("UploadId", upload.id.hex()),
    )
    return Response(200, headers, body)


async def upload_part(svc: Service, ctx: Context) -> Response:
    head = ctx.head
    bucket = await open_bucket(svc, ctx)
    number = part_number(ctx)
    upload = await uploads.find(
        svc.store, bucket, encode_key(ctx.key), head.params.get("uploadId", "")
    )
    h.refuse_unsupported(head)
    await sse.admit(svc, ctx, bucket.record)
    customer = sse.reading(head)
    with sse.of_upload():
        wishes.check_customer(upload.record.sealed, customer)
    incoming = S3Incoming(head, ctx.known_payload, ctx.body)
    await objectlock.check_digest(svc, ctx, bucket, upload.record.lock)
    expected = upload.record.checksum_algorithm
    if expected and incoming.checksum and incoming.checksum != expected:
        raise _mismatch(expected, incoming.checksum)
    part = await uploads.put_part(
        svc.store,
        bucket,
        upload,
        number,
        incoming,
        algorithms=incoming.algorithms,
        checksum=incoming.checksum,
        customer_key=customer,
    )
    shown = expected or incoming.checksum or uploads.IMPLIED
    headers: Headers = [(b"etag", b'"%b"' % part.etag.encode())]
    headers += h.checksum_headers({shown: part.checksums[shown]}, "")
    headers += sse.told(svc, upload.record.sealed, customer)
    return Response(200, headers)


async def list_parts(svc: Service, ctx: Context) -> Response:
    params = ctx.head.params
    bucket = await open_bucket(svc, ctx)
    upload = await uploads.find(svc.store, bucket, encode_key(ctx.key), params.get("uploadId", ""))
    limit = min(integer(params.get("max-parts", ""), "max-parts", 1000), 1000)
    marker = integer(params.get("part-number-marker", ""), "part-number-marker", 0)
    found = await uploads.list_parts(svc.store, upload, after=marker, limit=limit + 1)
    page = found[:limit]
    record = upload.record
    whose = await owner(svc, ctx, record.owner)
    parts = [
        element("Bucket", bucket.record.name),
        element("Key", ctx.key),
        element("UploadId", record.id.hex()),
        await initiator(svc, ctx, record.initiator, whose),
        whose,
        element("StorageClass", record.storage_class),
        element("PartNumberMarker", marker),
        element("NextPartNumberMarker", page[-1].number if page else marker),
        element("MaxParts", limit),
        element("IsTruncated", "true" if limit and len(found) > limit else "false"),
    ]
    if record.checksum_algorithm:
        parts.append(element("ChecksumAlgorithm", record.checksum_algorithm))
        parts.append(element("ChecksumType", record.checksum_type))
    for part in page:
        values = [element(f"Checksum{name}", value) for name, value in part.checksums.items()]
        parts += [
            "<Part>",
            element("PartNumber", part.number),
            element("LastModified", iso_date(part.mtime // h.SECOND)),
            element("ETag", f'"{part.etag}"'),
            element("Size", part.size),
            *values,
            "</Part>",
        ]
    headers = XML + await lifecycle.abort(svc.store, bucket, upload.key, record.started)
    return Response(200, headers, document("ListPartsResult", *parts))


async def complete_multipart_upload(svc: Service, ctx: Context) -> Response:
    bucket = await open_bucket(svc, ctx)
    return await slowly.answer(svc, ctx, bucket, _complete(svc, ctx, bucket))


async def _complete(svc: Service, ctx: Context, bucket: BucketRow) -> Response:
    head = ctx.head
    upload_id = head.params.get("uploadId", "")
    key = encode_key(ctx.key)
    named = read_parts(await read_completion(ctx))
    try:
        upload = await uploads.find(svc.store, bucket, key, upload_id)
    except UploadNotFound:
        done = await uploads.completed(svc.store, bucket, key, upload_id, named)
        if done is None:
            raise
        return _completed_before(ctx, bucket, done)
    kind = head.header("x-amz-checksum-type").upper()
    agreed = upload.record.checksum_type or checksums.FULL_OBJECT
    if kind and kind != agreed:
        raise InvalidRequest(
            f"The upload was created with the {agreed} checksum type. The complete request must"
            f" use the same, not {kind}."
        )
    customer = sse.ending(head, upload.record)
    if customer:
        await sse.admit(svc, ctx)
        with sse.of_upload():
            wishes.check_customer(upload.record.sealed, customer)
    claimed = _claimed_checksums(head)
    expected = upload.record.checksum_algorithm or uploads.IMPLIED
    for algorithm in claimed:
        # What is not computed cannot be compared, and a claim is never passed over.
        if algorithm != expected:
            raise _mismatch(expected, algorithm)
    claims = Claims(claimed, kind, _claimed_size(head))
    try:
        record = await uploads.complete(
            svc.store,
            bucket,
            upload,
            named,
            claims,
            conditions=h.write_conditions(head),
            via=ctx.via,
        )
    except UploadNotFound:
        # The same request, sent twice at once: the other one was faster.
        done = await uploads.completed(svc.store, bucket, key, upload_id, named)
        if done is None:
            raise
        return _completed_before(ctx, bucket, done)
    reply = _completed(ctx, record.etag, record.checksums, record.checksum_type)
    reply.headers = reply.headers + h.version_headers(record, bucket.record)
    reply.headers += sse.told(svc, record.sealed, customer)
    reply.headers += await lifecycle.expiration(svc.store, bucket, key, record)
    return reply


def _mismatch(expected: str, actual: str) -> InvalidRequest:
    return InvalidRequest(
        f"Checksum Type mismatch occurred, expected checksum Type: {expected.lower()},"
        f" actual checksum Type: {actual.lower()}"
    )


async def read_completion(ctx: Context) -> bytes:
    """The request's XML. The object's own checksum travels in the same headers as a body's
    would, so those are not held against the document."""
    head = ctx.head
    names = {*checksums.BY_HEADER, "x-amz-sdk-checksum-algorithm"}
    kept = {name: value for name, value in head.headers.items() if name not in names}
    bare_head = RequestHead(head.method, head.path, head.query, kept)
    return await read_document(bare_head, ctx.known_payload, ctx.body, _DOCUMENT_LIMIT)


def read_parts(body: bytes) -> list[NamedPart]:
    """The parts that a completion names. Raises `MalformedXML`."""
    tree = parse(body, "CompleteMultipartUpload")
    parts = []
    for child in tree.children:
        if child.name != "Part":
            raise MalformedXML(f"{child.name} is not known here")
        told = leaves(child)
        number, etag = (told.get(name, "").strip() for name in ("PartNumber", "ETag"))
        if not (number.isascii() and number.isdigit() and len(number) < 6) or not etag:
            raise MalformedXML("a Part without PartNumber or ETag")
        if int(number) < 1:
            raise InvalidArgument("PartNumber must be >= 1", name="PartNumber", value=number)
        values = {
            name: told[f"Checksum{name}"].strip()
            for name in checksums.ALGORITHMS
            if f"Checksum{name}" in told
        }
        parts.append(NamedPart(int(number), bare(etag), values))
    if not parts:
        raise MalformedXML("no parts are named")
    if len(parts) > MAX_PARTS:
        raise S3Error("InvalidRequest", f"no more than {MAX_PARTS} parts may be named")
    return parts


def _claimed_checksums(head: RequestHead) -> dict[str, str]:
    """What the client says the object's checksum is: plain, or composite with a count."""
    claimed = {}
    for header, row in checksums.BY_HEADER.items():
        text = head.headers.get(header)
        if text is not None:
            value = text.strip()
            try:
                row.parse_composite(value) if "-" in value else row.parse(value)
            except InvalidArgument:
                raise InvalidRequest(f"Value for {header} header is invalid.") from None
            claimed[row.name] = value
    return claimed


def _claimed_size(head: RequestHead) -> int | None:
    text = head.headers.get("x-amz-mp-object-size")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise InvalidRequest(f"Value for x-amz-mp-object-size header is invalid: '{text[:32]}'")
    return int(text)


def _completed_before(ctx: Context, bucket: BucketRow, done: Completed) -> Response:
    """What a repeated request hears."""
    reply = _completed(ctx, done.etag, done.checksums, done.checksum_type)
    version = done.version
    if version == "" and bucket.record.behind is None:
        version = NULL
    if version:
        reply.headers = [*reply.headers, (b"x-amz-version-id", version.encode())]
    return reply


def _completed(ctx: Context, etag: str, values: dict[str, str], kind: str) -> Response:
    host = ctx.head.header("host")
    location = f"{ctx.head.scheme}://{host}{ctx.head.path.decode('latin-1')}"
    parts = [
        element("Location", location),
        element("Bucket", ctx.bucket),
        element("Key", ctx.key),
        element("ETag", f'"{etag}"'),
        *(element(f"Checksum{name}", value) for name, value in values.items()),
    ]
    if values:
        parts.append(element("ChecksumType", kind))
    return Response(200, XML, document("CompleteMultipartUploadResult", *parts))


async def abort_multipart_upload(svc: Service, ctx: Context) -> Response:
    bucket = await open_bucket(svc, ctx)
    upload = await uploads.find(
        svc.store, bucket, encode_key(ctx.key), ctx.head.params.get("uploadId", "")
    )
    h.check_initiated(ctx.head, upload.record.started)
    await uploads.abort(svc.store, upload)
    return Response(204)
