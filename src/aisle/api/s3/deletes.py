"""Handler of DeleteObjects: many keys in one request, each with an outcome of its own."""

from __future__ import annotations

import asyncio
from typing import Final

from aisle.api.access import authorise, count, writer
from aisle.api.base import Beside, Context, Response, Service
from aisle.api.s3 import headers as h
from aisle.api.s3.actions import PASS_OVER, SEE_ETAG, on_version
from aisle.api.s3.common import XML, bare, hide, open_bucket
from aisle.api.s3.errors import S3Error, tell
from aisle.api.s3.forwarding import delete_version
from aisle.api.s3.incoming import read_document
from aisle.api.s3.xml import MalformedXML, document, element, leaves, parse
from aisle.core import checksums
from aisle.core.errors import AisleError, ObjectNotFound
from aisle.core.names import encode_key
from aisle.core.xmltree import Element
from aisle.namespace import objects
from aisle.namespace.accesslogs import LOGS
from aisle.namespace.conditions import WriteConditions
from aisle.namespace.store import BucketRow
from aisle.namespace.versions import removal
from aisle.namespace.versions.ids import shown

MAX_KEYS: Final = 1000
# 1,000 keys of 1,024 bytes, escaped, with conditions.
_DOCUMENT_LIMIT: Final = 8 << 20
_MEMBERS: Final = frozenset(("Key", "VersionId", "ETag", "LastModifiedTime", "Size"))
# As XML has them, and an element that is empty or not there.
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False, "": False}
# Deletes that wait for the same group commit rather than for each other.
_TOGETHER: Final = 64
_LOGGED: Final = "BATCH.DELETE.OBJECT"


async def delete_objects(svc: Service, ctx: Context) -> Response:
    head = ctx.head
    bucket = await open_bucket(svc, ctx)
    if not ctx.anonymous:  # strangers are counted once a key of theirs is allowed
        count(svc, ctx, bucket)
    names = head.headers.keys()
    if names.isdisjoint(("content-md5", "x-amz-trailer", *checksums.BY_HEADER)):
        raise S3Error("InvalidRequest", "Missing required header for this request: Content-MD5")
    body = await read_document(head, ctx.known_payload, ctx.body, _DOCUMENT_LIMIT)
    tree = parse(body, "Delete")
    entries = list(tree.all("Object"))
    if not 1 <= len(entries) <= MAX_KEYS:
        raise MalformedXML(f"{len(entries)} objects, 1 to {MAX_KEYS} are allowed")
    for entry in entries:
        members = leaves(entry)
        if not members.get("Key"):
            raise MalformedXML("an Object without a Key")
        if not _MEMBERS.issuperset(members):  # a condition that is written wrongly is no consent
            raise MalformedXML("an Object with more than S3 knows of")
    quiet = _BOOLEANS.get(tree.value("Quiet").strip().lower())
    if quiet is None:
        raise MalformedXML("Quiet is true or false")
    parts: list[str] = []
    for start in range(0, len(entries), _TOGETHER):
        chunk = entries[start : start + _TOGETHER]
        outcomes = await asyncio.gather(*(_delete_one(svc, ctx, bucket, entry) for entry in chunk))
        if bucket.record.has & LOGS:
            ctx.beside += [
                Beside(bucket, _LOGGED, entry.value("Key"), entry.value("VersionId"), 204)
                for entry, (failed, _) in zip(chunk, outcomes, strict=True)
                if not failed
            ]
        parts += [told for failed, told in outcomes if failed or not quiet]
    return Response(200, XML, document("DeleteResult", *parts))


async def _delete_one(
    svc: Service, ctx: Context, bucket: BucketRow, entry: Element
) -> tuple[bool, str]:
    """Delete one key, if whoever asks may; returns whether that failed, and how the reply tells
    it."""
    key, version = entry.value("Key"), entry.value("VersionId")
    try:
        await authorise(svc, ctx, on_version("DeleteObjects", version), bucket, key)
        if version and h.bypass(ctx.head):
            await authorise(svc, ctx, PASS_OVER, bucket, key)
        if version and bucket.record.behind is not None:
            await delete_version(svc, bucket, key, version)
            return False, f"<Deleted>{_identity(key, version)}</Deleted>"
        conditions = h.delete_condition(
            bare(entry.value("ETag")), entry.value("Size"), entry.value("LastModifiedTime")
        )
        if not conditions.empty and conditions.if_match != "*":
            await authorise(svc, ctx, SEE_ETAG, bucket, key, version=version)
        try:
            return False, await _delete(svc, ctx, bucket, key, version, conditions)
        except ObjectNotFound as error:
            raise await hide(svc, ctx, bucket, error, key) from None
    except AisleError as error:
        told = tell(error)
        if bucket.record.has & LOGS:
            ctx.beside.append(Beside(bucket, _LOGGED, key, version, told.status, told.code))
        return True, (
            "<Error>"
            + _identity(key, version)
            + element("Code", told.code)
            + element("Message", told.message)
            + "</Error>"
        )


async def _delete(
    svc: Service,
    ctx: Context,
    bucket: BucketRow,
    key: str,
    version: str,
    conditions: WriteConditions,
) -> str:
    """Delete a key or one of its versions; how the reply tells it."""
    marker = ""
    if version:
        removed = await removal.remove(
            svc.store,
            bucket,
            encode_key(key),
            version,
            bypass=h.bypass(ctx.head),
            conditions=conditions,
        )
        if removed is not None and removed.marker:
            marker = version
    else:
        owner = writer(svc, ctx, bucket)
        done = await objects.delete(
            svc.store, bucket, encode_key(key), conditions=conditions, owner=owner
        )
        if done.marker is not None:
            marker = shown(done.marker.version)
    told = ""
    if marker:
        told = element("DeleteMarker", "true") + element("DeleteMarkerVersionId", marker)
    return f"<Deleted>{_identity(key, version)}{told}</Deleted>"


def _identity(key: str, version: str) -> str:
    return element("Key", key) + (element("VersionId", version) if version else "")
