"""Handlers of annotations: Put/Get/Delete/ListObjectAnnotations, and their copies.

An annotation is a text of up to 1 MiB that an object or version has beside its bytes, by name.

Spec: API reference of the four; CopyObject, `x-amz-object-annotation-directive`.
"""

from __future__ import annotations

from typing import Final

from aisle.api.access import authorise
from aisle.api.base import Context, Headers, Response, Service
from aisle.api.s3 import headers as h
from aisle.api.s3.actions import NEEDS
from aisle.api.s3.common import integer, open_bucket, version_of
from aisle.api.s3.errors import S3Error
from aisle.api.s3.incoming import S3Incoming, read_document
from aisle.api.s3.xml import document, element
from aisle.core.dates import http_date, iso_date
from aisle.core.errors import InvalidArgument, InvalidRequest
from aisle.core.names import encode_key
from aisle.namespace import notes
from aisle.namespace.listing import decode_token, encode_token
from aisle.namespace.notes import MAX_NAME, MAX_SIZE, MOST
from aisle.namespace.records import Annotation, Object
from aisle.namespace.store import BucketRow

DIRECTIVE: Final = "x-amz-object-annotation-directive"
_MATCH: Final = "x-amz-object-if-match"
_RESERVED: Final = ("aws", "s3")


def _name(ctx: Context) -> bytes:
    """The annotation that a request names. Raises what is wrong with the name."""
    text = ctx.head.params.get("annotationName", "")
    name = text.encode("utf-8", "surrogateescape")
    if len(name) > MAX_NAME:
        raise S3Error("AnnotationNameTooLong")
    try:
        name.decode()
    except UnicodeDecodeError:
        raise S3Error("InvalidAnnotationName") from None
    if not text or not text.isprintable() or text.lower().startswith(_RESERVED):
        raise S3Error("InvalidAnnotationName")
    return name


def _of_object(row: BucketRow, record: Object) -> Headers:
    """The header by which replies tell whose annotation it is."""
    versions = h.version_headers(record, row.record)
    return [(b"x-amz-object-version-id", version) for _, version in versions]


async def put_object_annotation(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    head, name = ctx.head, _name(ctx)
    algorithm = S3Incoming(head, ctx.known_payload, ctx.body).checksum
    data = await read_document(head, ctx.known_payload, ctx.body, MAX_SIZE)
    if not data:
        raise S3Error("MissingRequestBodyError")
    try:
        data.decode()
    except UnicodeDecodeError:
        raise S3Error("UnsupportedMediaType") from None
    record, made = await notes.put(
        svc.store,
        row,
        encode_key(ctx.key),
        name,
        data,
        version=version_of(ctx),
        if_match=head.header(_MATCH),
        algorithm=algorithm,
    )
    body = document(
        "PutObjectAnnotationResult",
        element("Key", ctx.key),
        element("AnnotationName", name.decode()),
    )
    headers = [
        (b"content-type", b"application/xml"),
        *_told(row, record, made),
        *h.checksum_headers(made.checksums, "FULL_OBJECT"),
    ]
    return Response(200, headers, body)


def _told(row: BucketRow, record: Object, found: Annotation) -> Headers:
    headers = [(b"etag", b'"%b"' % found.etag.encode()), *_of_object(row, record)]
    if record.sealed is not None:
        headers.append((b"x-amz-server-side-encryption", record.sealed.mode.encode()))
    return headers


async def get_object_annotation(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    record, found, data = await notes.get(
        svc.store, row, encode_key(ctx.key), _name(ctx), version=version_of(ctx)
    )
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"last-modified", http_date(found.mtime // h.SECOND)),
        *_told(row, record, found),
    ]
    if ctx.head.header("x-amz-checksum-mode").upper() == "ENABLED":
        headers += h.checksum_headers(found.checksums, "FULL_OBJECT")
    return Response(200, headers, data)


async def delete_object_annotation(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    record = await notes.delete(
        svc.store,
        row,
        encode_key(ctx.key),
        _name(ctx),
        version=version_of(ctx),
        if_match=ctx.head.header(_MATCH),
        bypass=h.bypass(ctx.head),
    )
    return Response(204, _of_object(row, record))


async def list_object_annotations(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    params = ctx.head.params
    limit = integer(params.get("max-annotation-results", ""), "max-annotation-results", MOST)
    if not 1 <= limit <= MOST:
        raise InvalidArgument(
            f"max-annotation-results must be between 1 and {MOST}",
            name="max-annotation-results",
            value=str(limit),
        )
    prefix = params.get("annotation-prefix", "")
    raw_prefix = prefix.encode("utf-8", "surrogateescape")
    if len(raw_prefix) > MAX_NAME:
        raise S3Error("InvalidPrefix")
    token = params.get("continuation-token", "")
    page = await notes.listed(
        svc.store,
        row,
        encode_key(ctx.key),
        prefix=raw_prefix,
        after=decode_token(token)[0] if token else b"",
        limit=limit,
        version=version_of(ctx),
    )
    parts = [
        element("Bucket", row.record.name),
        element("Key", ctx.key),
        f"<Annotations>{''.join(_entry(*pair) for pair in page.found)}</Annotations>",
    ]
    if prefix:
        parts.append(element("AnnotationPrefix", prefix))
    parts += [element("MaxAnnotationResults", limit), element("AnnotationCount", len(page.found))]
    if token:
        parts.append(element("ContinuationToken", token))
    if page.truncated:
        last = encode_token(page.found[-1][0], is_prefix=False)
        parts.append(element("NextContinuationToken", last))
    headers = [(b"content-type", b"application/xml"), *_of_object(row, page.record)]
    return Response(200, headers, document("ListObjectAnnotationsResult", *parts))


def _entry(name: bytes, found: Annotation) -> str:
    return (
        "<AnnotationEntry>"
        + element("AnnotationName", name.decode())
        + element("LastModified", iso_date(found.mtime // h.SECOND))
        + element("ETag", f'"{found.etag}"')
        + "".join(element("ChecksumAlgorithm", name) for name in found.checksums)
        + element("Size", found.size)
        + "</AnnotationEntry>"
    )


# --- copies ---------------------------------------------------------------------------------


async def are_copied(
    svc: Service, ctx: Context, source: BucketRow, key: str, record: Object, target: BucketRow
) -> bool:
    """Whether a copy is to have the annotations of its source, if it has any and whoever asks may
    read and write them. Raises `AccessDenied`."""
    head = ctx.head
    directive = (head.headers.get(DIRECTIVE) or head.params.get(DIRECTIVE, "")).upper() or "COPY"
    if directive not in ("COPY", "EXCLUDE"):
        raise InvalidArgument(f"Unknown {DIRECTIVE} value", name=DIRECTIVE, value=directive[:64])
    if directive == "EXCLUDE" or not record.notes:
        return False
    await authorise(svc, ctx, NEEDS["GetObjectAnnotation"].actions[0], source, key)
    await authorise(svc, ctx, NEEDS["PutObjectAnnotation"].actions[0], target, ctx.key)
    return True


async def copy_all(
    svc: Service,
    source: BucketRow,
    key: bytes,
    record: Object,
    target: BucketRow,
    to: bytes,
    copied: Object,
) -> None:
    """Give a copy the annotations of its source, one by one."""
    await notes.copy_all(svc.store, (source, key, record), (target, to, copied))


def refuse_self() -> InvalidRequest:
    """What to tell of a copy onto itself that would have to write its annotations anew."""
    return InvalidRequest(
        f"An object with annotations is copied onto itself like this with {DIRECTIVE}: EXCLUDE only"
    )
