"""Handlers of buckets: ListBuckets, CreateBucket, HeadBucket, DeleteBucket, GetBucketLocation."""

from __future__ import annotations

import re
from typing import Final

from aisle.api.access import authorise, lists, refused
from aisle.api.base import Context, Response, Service
from aisle.api.s3 import acls, bodykeys, objectlock, regions, tagsets
from aisle.api.s3 import headers as h
from aisle.api.s3.actions import needed
from aisle.api.s3.common import XML, integer, open_bucket, permit
from aisle.api.s3.errors import S3Error
from aisle.api.s3.incoming import read_document
from aisle.api.s3.owners import owner
from aisle.api.s3.xml import DECLARATION, XMLNS, MalformedXML, document, element, escape, parse
from aisle.auth.access import Action
from aisle.core import permissions, settings
from aisle.core.dates import iso_date
from aisle.core.errors import InvalidArgument
from aisle.core.http import RequestHead
from aisle.core.names import BucketName, check_s3_bucket_name
from aisle.namespace import buckets, documents, uploads
from aisle.namespace.listing import decode_token, encode_token
from aisle.namespace.records import Bucket

_REGION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}")
_DOCUMENT_LIMIT: Final = 64 << 10
MAX_BUCKETS: Final = 10_000
_TAG: Final = Action("s3:TagResource", permissions.CREATE_BUCKET)


async def list_buckets(svc: Service, ctx: Context) -> Response:
    params = ctx.head.params
    limit = integer(params.get("max-buckets", ""), "max-buckets", MAX_BUCKETS)
    if not 1 <= limit <= MAX_BUCKETS:
        raise InvalidArgument(
            f"max-buckets must be between 1 and {MAX_BUCKETS}",
            name="max-buckets",
            value=str(limit),
        )
    prefix = params.get("prefix", "")
    token = params.get("continuation-token", "")
    after = decode_token(token)[0] if token else b""
    region = params.get("bucket-region", "")
    rows = await buckets.list_all(
        svc.store,
        prefix=prefix,
        after=after,
        limit=limit + 1,
        namespace="",
        wanted=lambda bucket: lists(ctx, bucket) and region in ("", regions.of_bucket(svc, bucket)),
    )
    page = rows[:limit]
    items = []
    before = after.split(b"\0")[:2]  # of the page before, the last name and its provider
    for row in page:
        record, shared = row.record, before
        before = row.key.split(b"\0")[:2]
        items.append(
            "<Bucket>"
            + element("Name", record.name)
            + element("CreationDate", iso_date(record.created // h.SECOND))
            + element("BucketRegion", regions.of_bucket(svc, record))
            + element("String", _provider(record, shared))
            + "</Bucket>"
        )
    parts = [await owner(svc, ctx, ctx.who.canonical), f"<Buckets>{''.join(items)}</Buckets>"]
    if prefix:
        parts.append(element("Prefix", prefix))
    if len(rows) > limit:
        parts.append(element("ContinuationToken", encode_token(page[-1].key, is_prefix=False)))
    return Response(200, XML, document("ListAllMyBucketsResult", *parts))


def _provider(bucket: Bucket, before: list[bytes]) -> str:
    """What AIStore's listings tell of a bucket, with a warning if the one before has its name."""
    text = f"Provider: {bucket.provider}"
    if len(before) < 2 or before[0] != bucket.name.encode():
        return text
    pair = (before[1].decode("utf-8", "replace"), bucket.provider)
    names = " and ".join(f"{{{bucket.name}, Provider: {provider}}}" for provider in pair)
    return f"{text} (WARNING: {names} share the same name)"


def _check_namespace(head: RequestHead) -> None:
    """Raise for a name that is to be of an account's own namespace: here all are of one."""
    name, shared, own = "x-amz-bucket-namespace", "global", "account-regional"
    given = head.headers.get(name, shared)
    if given == own:
        raise S3Error("NotImplemented", "Names of buckets are of one namespace here.", Header=name)
    if given != shared:
        raise InvalidArgument(
            f"The bucket namespace is {shared} or {own}", name=name, value=given[:64]
        )


async def create_bucket(svc: Service, ctx: Context) -> Response:
    head = ctx.head
    if ctx.who.anonymous:
        raise refused(ctx, needed(ctx.operation, head)[0], None)
    check_s3_bucket_name(ctx.bucket)
    h.refuse_unsupported(head)
    _check_namespace(head)
    made = objectlock.of_new_bucket(head)
    location, tags = "", dict[str, str]()
    if head.header("content-length", "0") != "0" or "transfer-encoding" in head.headers:
        body = await read_document(head, ctx.known_payload, ctx.body, _DOCUMENT_LIMIT)
        location, tags = _location(body)
        if location:
            ctx.facts["s3:locationconstraint"] = (location,)
        ctx.facts.update(bodykeys.of_bucket_tags(tags))
    await permit(svc, ctx)
    if tags:
        await authorise(svc, ctx, _TAG)
        made[documents.TAGGING] = documents.encode_tags(tags)
    made |= await acls.of_new_bucket(svc, ctx)
    location = await regions.settle(svc, location)
    values = (await svc.store.config()).values
    props = settings.bucket_defaults(values)
    if documents.LOCK in made:
        props["versioning.enabled"] = True
    await buckets.create(
        svc.store,
        BucketName(ctx.bucket),
        owner=ctx.who.canonical,
        location=location,
        props=props,
        documents=made,
        has=documents.bits(made),
        across=True,
    )
    return Response(200, [(b"location", f"/{ctx.bucket}".encode())])


def _location(body: bytes) -> tuple[str, dict[str, str]]:
    """The LocationConstraint of a CreateBucketConfiguration, `""` for none, and its tags."""
    if not body:
        return "", {}
    tree = parse(body, "CreateBucketConfiguration")
    for child in tree.children:
        if child.name in ("Location", "Bucket") and (child.children or child.text.strip()):
            raise S3Error("NotImplemented", Element=child.name)
        if child.name not in ("LocationConstraint", "Location", "Bucket", "Tags"):
            raise MalformedXML(f"{child.name} is not known here")
    location = tree.value("LocationConstraint").strip()
    if location and _REGION.fullmatch(location) is None:
        raise S3Error("InvalidLocationConstraint", LocationConstraint=location)
    given = tree.first("Tags")
    tags = {} if given is None else tagsets.of_element(given, tagsets.BUCKET)
    return location, tags


async def head_bucket(svc: Service, ctx: Context) -> Response:
    await open_bucket(svc, ctx)  # its region is told by every reply: see `dialect`
    return Response(
        200,
        [
            (b"x-amz-access-point-alias", b"false"),
            (b"content-type", b"application/xml"),
        ],
    )


async def delete_bucket(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    await buckets.delete(svc.store, row.name)
    await uploads.discard_all(svc.store, row.record.id)
    return Response(204)


async def get_bucket_location(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    location = regions.location(svc, row.record)
    root = f'<LocationConstraint xmlns="{XMLNS}"'
    body = f"{root}>{escape(location)}</LocationConstraint>" if location else f"{root}/>"
    return Response(200, XML, f"{DECLARATION}{body}".encode())
