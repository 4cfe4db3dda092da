"""Handlers of access control lists: Get/PutBucketAcl, Get/PutObjectAcl; and the ACLs that come with
a new bucket or object.

Where ownership controls say BucketOwnerEnforced, ACLs do not count: everything is shown as its
bucket's owner's, and only what says the same may be set. BlockPublicAcls refuses public ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aisle.api.access import writer
from aisle.api.base import Context, Response, Service
from aisle.api.s3 import grants
from aisle.api.s3.common import XML, open_bucket, version_of
from aisle.api.s3.errors import S3Error
from aisle.api.s3.incoming import read_document
from aisle.auth.access import ENFORCED, BucketAccess
from aisle.auth.acl import Grant, effective, is_public, kept, unless_public
from aisle.core.errors import AccessDenied, InvalidArgument, WriteConflict
from aisle.core.names import encode_key
from aisle.namespace import documents, edits, objects, ownership
from aisle.namespace.records import Object
from aisle.namespace.store import BucketRow
from aisle.namespace.windows import LOOK

_DOCUMENT_LIMIT: Final = 128 << 10  # more than 100 grants have
_OWNERSHIP: Final = "x-amz-object-ownership"


async def get_bucket_acl(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    access = (await documents.of(svc.store, row)).access
    acl = access.acl if access.ownership != ENFORCED else None
    owner = row.record.owner
    return Response(200, XML, await grants.shown(svc, _counting(access, acl, owner), owner=owner))


async def put_bucket_acl(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    owner = row.record.owner
    asked = await _asked(svc, ctx, owner=owner, bucket_owner=owner)
    access = (await documents.of(svc.store, row)).access
    acl = kept(asked, owner)
    _check_enforced(ctx, access, asked)
    _refuse_public(access, asked)
    raw = documents.encode_acl(acl) if acl is not None else None
    await documents.change(svc.store, row, {documents.ACL: raw})
    return Response(200)


async def get_object_acl(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    how = LOOK._replace(version=version_of(ctx))
    record = await objects.head(svc.store, row, encode_key(ctx.key), how)
    access = (await documents.of(svc.store, row)).access
    if access.ownership == ENFORCED:
        owner, acl = row.record.owner, None
    else:
        owner, acl = record.owner, record.acl
    return Response(200, XML, await grants.shown(svc, _counting(access, acl, owner), owner=owner))


def _counting(access: BucketAccess, acl: Sequence[Grant] | None, owner: str) -> Sequence[Grant]:
    """The grants that count, which are those that are shown: no public ones where S3's switch has
    them ignored."""
    return effective(unless_public(acl) if access.block.ignore_acls and acl else acl, owner)


async def put_object_acl(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    version = version_of(ctx)
    key = encode_key(ctx.key)
    record = await objects.head(svc.store, row, key, LOOK._replace(version=version))
    access = (await documents.of(svc.store, row)).access
    bucket_owner = row.record.owner
    owner = bucket_owner if access.ownership == ENFORCED else record.owner
    asked = await _asked(svc, ctx, owner=owner, bucket_owner=bucket_owner)
    _check_object(ctx, access, asked)
    if access.ownership == ENFORCED:
        return Response(200)
    acl = kept(asked, owner)

    def replaced(old: Object) -> list[Grant] | None:
        if old.owner != owner:
            raise WriteConflict("the object has been replaced by another account's")
        return acl

    await edits.set_acl(svc.store, row, key, replaced, version=version)
    return Response(200)


async def _asked(svc: Service, ctx: Context, *, owner: str, bucket_owner: str) -> list[Grant]:
    """The ACL that a Put...Acl is about, from its headers or its body."""
    head = ctx.head
    body = b""
    if head.header("content-length", "0") != "0" or "transfer-encoding" in head.headers:
        body = await read_document(head, ctx.known_payload, ctx.body, _DOCUMENT_LIMIT)
    if grants.is_asked(head):
        if body:
            raise S3Error("UnexpectedContent")
        return await grants.of_headers(svc, head, owner=owner, bucket_owner=bucket_owner)
    if not body:
        raise S3Error("MissingSecurityHeader", MissingHeaderName=grants.HEADER)
    return await grants.of_document(svc, body, owner=owner)


def _check_object(ctx: Context, access: BucketAccess, asked: Sequence[Grant]) -> None:
    """Raise unless objects in the bucket may have this ACL."""
    _check_enforced(ctx, access, asked)
    _refuse_public(access, asked)


def _check_enforced(ctx: Context, access: BucketAccess, asked: Sequence[Grant]) -> None:
    """Where ACLs do not count, only one may be said: the full control of the bucket's owner, by its
    canned name or grant by grant. `private` is another name, for objects and the bucket alike."""
    if access.ownership == ENFORCED:
        name = grants.canned_name(ctx.head)
        same = ownership.hands_over(asked, owner=access.owner, bucket_owner=access.owner)
        if not same or name not in ("", "bucket-owner-full-control"):
            raise S3Error("AccessControlListNotSupported")


def _refuse_public(access: BucketAccess, asked: Sequence[Grant]) -> None:
    if access.block.block_acls and is_public(asked):
        raise AccessDenied("public ACLs are blocked")


# --- ACLs that come with something new ------------------------------------------------------


async def of_new_object(svc: Service, ctx: Context, bucket: BucketRow) -> list[Grant] | None:
    """The ACL that an object is to be made with, `None` for the default."""
    head = ctx.head
    if not grants.is_asked(head):
        return None
    access = (await documents.of(svc.store, bucket)).access
    enforced = access.ownership == ENFORCED
    owner = access.owner if enforced else writer(svc, ctx, bucket)
    asked = await grants.of_headers(svc, head, owner=owner, bucket_owner=access.owner)
    _check_object(ctx, access, asked)
    return asked


async def of_new_bucket(svc: Service, ctx: Context) -> dict[bytes, bytes]:
    """The documents that a bucket is to be made with: its ACL and its ownership controls."""
    head, owner = ctx.head, ctx.who.canonical
    mode = head.header(_OWNERSHIP)
    if mode and mode not in ownership.MODES:
        raise InvalidArgument(f"Invalid {_OWNERSHIP} header", name=_OWNERSHIP, value=mode)
    made = {documents.OWNERSHIP: mode.encode()} if mode else {}
    if grants.is_asked(head):
        acl = kept(await grants.of_headers(svc, head, owner=owner, bucket_owner=owner), owner)
        if acl is not None:
            if mode == ENFORCED:
                raise S3Error("InvalidBucketAclWithObjectOwnership")
            made[documents.ACL] = documents.encode_acl(acl)
    return made
