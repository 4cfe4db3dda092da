"""Handlers of tags: Get/Put/DeleteObjectTagging, Get/Put/DeleteBucketTagging; and the tags that
come with a new object or are told of one that is read.

What tags may be is `tagsets`; who may do what by them is `api.conditions`.
"""

from __future__ import annotations

import msgspec

from aisle.api.access import authorise, may, writer
from aisle.api.base import Context, Headers, Response, Service
from aisle.api.s3 import headers as h
from aisle.api.s3 import tagsets
from aisle.api.s3.actions import on_version
from aisle.api.s3.common import XML, open_bucket, remover, version_of
from aisle.api.s3.errors import S3Error
from aisle.api.s3.incoming import read_document
from aisle.auth.access import ObjectAccess
from aisle.auth.acl import FULL_CONTROL, Grant
from aisle.core.http import RequestHead
from aisle.core.names import encode_key
from aisle.namespace import documents, edits, events, objects
from aisle.namespace.records import Object
from aisle.namespace.store import BucketRow
from aisle.namespace.windows import LOOK

# --- objects --------------------------------------------------------------------------------


async def get_object_tagging(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    how = LOOK._replace(version=version_of(ctx))
    record = await objects.head(svc.store, row, encode_key(ctx.key), how)
    headers = XML + h.version_headers(record, row.record)
    return Response(200, headers, tagsets.render(record.tags))


async def put_object_tagging(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    version = version_of(ctx)
    body = await read_document(ctx.head, ctx.known_payload, ctx.body, tagsets.DOCUMENT_LIMIT)
    tags = tagsets.of_document(body, tagsets.OBJECT)
    record = await _set(svc, ctx, row, version, tags, events.TAGGED)
    return Response(200, h.version_headers(record, row.record))


async def delete_object_tagging(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    record = await _set(svc, ctx, row, version_of(ctx), {}, events.UNTAGGED)
    return Response(204, h.version_headers(record, row.record))


async def _set(
    svc: Service,
    ctx: Context,
    row: BucketRow,
    version: str,
    tags: dict[str, str],
    event: str,
) -> Object:
    """Give an object, or one of its versions, these tags in place of those that it has."""

    def tagged(old: Object) -> Object:
        return msgspec.structs.replace(old, tags=tags)

    key = encode_key(ctx.key)
    return await edits.change(svc.store, row, key, tagged, version=version, event=event)


def of_new(head: RequestHead, bucket: BucketRow) -> dict[str, str]:
    """The tags that a request gives the object it writes."""
    if tagsets.HEADER not in head.headers:
        return {}
    if bucket.record.behind is not None:
        raise S3Error(
            "NotImplemented",
            "Objects of remote buckets are tagged with PutObjectTagging.",
            Header=tagsets.HEADER,
        )
    return tagsets.of_header(head)


async def of_source(
    svc: Service,
    ctx: Context,
    source: tuple[BucketRow, str, str],
    record: Object,
    target: BucketRow,
) -> dict[str, str]:
    """The tags that a copy takes over from its source (a bucket, key and version), which whoever
    copies must be allowed to read there and to set here. Raises `AccessDenied`."""
    if not record.tags:
        return {}
    if target.record.behind is not None:
        raise S3Error(
            "NotImplemented",
            "Tags are not copied to remote buckets: say x-amz-tagging-directive: REPLACE.",
        )
    row, key, version = source
    await authorise(svc, ctx, on_version("GetObjectTagging", version), row, key)
    owner = writer(svc, ctx, target)
    new = ObjectAccess(owner, [Grant("id", owner, FULL_CONTROL)])
    await authorise(svc, ctx, on_version("PutObjectTagging", ""), target, ctx.key, target=new)
    return dict(record.tags)


async def told(svc: Service, ctx: Context, row: BucketRow, record: Object) -> Headers:
    """How many tags an object has, to who may read them."""
    if not record.tags:
        return []
    action = on_version("GetObjectTagging", ctx.head.params.get("versionId", ""))
    if not await may(svc, ctx, action, row, ctx.key):
        return []
    return [(b"x-amz-tagging-count", b"%d" % len(record.tags))]


# --- buckets --------------------------------------------------------------------------------


async def get_bucket_tagging(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    tags = await documents.tags_of(svc.store, row)
    if not tags:
        raise S3Error("NoSuchTagSet", BucketName=ctx.bucket)
    return Response(200, XML, tagsets.render(tags))


async def put_bucket_tagging(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    body = await read_document(ctx.head, ctx.known_payload, ctx.body, tagsets.DOCUMENT_LIMIT)
    tags = tagsets.of_document(body, tagsets.BUCKET)
    await documents.change(
        svc.store, row, {documents.TAGGING: documents.encode_tags(tags) if tags else None}
    )
    return Response(204)


delete_bucket_tagging = remover(documents.TAGGING)
