"""What handlers of several nouns share: opening a bucket, asking what is allowed in it, reading
parameters."""

from __future__ import annotations

import re
from typing import Final

from aisle.api.access import authorise, may, refused, writer
from aisle.api.base import Context, Handler, Headers, Response, Service
from aisle.api.s3.actions import LIST_BUCKET, NEEDS, needed, needed_of_new
from aisle.api.s3.errors import S3Error
from aisle.auth.access import Action, ObjectAccess
from aisle.auth.acl import FULL_CONTROL, Grant
from aisle.core import permissions
from aisle.core.errors import (
    AccessDenied,
    AisleError,
    BucketNotFound,
    InvalidArgument,
    InvalidName,
    RemoteBucketNotFound,
)
from aisle.core.names import BucketName, check_native_bucket_name, is_s3_bucket_name
from aisle.namespace import buckets, documents
from aisle.namespace.records import Bucket
from aisle.namespace.store import BucketRow
from aisle.namespace.uploads import MAX_PARTS
from aisle.namespace.window import adding

XML: Final[Headers] = [(b"content-type", b"application/xml")]
_ADMIN: Final = Action("ais:Administer", permissions.ADMIN)
MAX_INTEGER: Final = (1 << 31) - 1
_ACCOUNT: Final = re.compile(r"[0-9]{12}|[0-9a-f]{64}")


async def open_bucket(svc: Service, ctx: Context, *, recent: bool = False) -> BucketRow:
    """The bucket a request is for, checked against the owner that the client expects: looked up
    once, before anything is authorised. For `recent`, see `buckets.get`."""
    if ctx.row is not None:
        return ctx.row
    try:
        row = await named_bucket(svc, ctx, ctx.bucket, recent=recent)
    except BucketNotFound:
        try:
            check_native_bucket_name(ctx.bucket)
        except InvalidName:
            raise S3Error("InvalidBucketName", BucketName=ctx.bucket) from None
        raise
    ctx.row = row
    await check_owner(svc, ctx, row.record)
    return row


async def named_bucket(svc: Service, ctx: Context, name: str, *, recent: bool = False) -> BucketRow:
    """The bucket that clients call `name`. One that is not in the cluster is looked for where S3's
    credentials of the cluster reach, and added: where they are configured, for administrators.
    Raises `BucketNotFound`, `AmbiguousName`, `RemoteError`s."""
    try:
        return await buckets.find(svc.store, name, recent=recent)
    except BucketNotFound:
        remotes = svc.store.remotes
        if remotes is None or ctx.operation == "DeleteBucket" or not is_s3_bucket_name(name):
            raise
        if "aws" not in await remotes.configured(svc.store) or not await may(svc, ctx, _ADMIN):
            raise
        try:
            return await adding.found(svc.store, BucketName(name, "aws"), owner=ctx.who.canonical)
        except RemoteBucketNotFound:
            pass
        raise


async def check_owner(
    svc: Service, ctx: Context, bucket: Bucket, header: str = "x-amz-expected-bucket-owner"
) -> None:
    """Raise `AccessDenied` if the client expects another owner of the bucket: it may name an
    account by its number or by its canonical id. What can be neither is told as that, to whoever
    may do what is asked for."""
    expected = ctx.head.headers.get(header)
    if expected is None or expected == bucket.owner:
        return
    if _ACCOUNT.fullmatch(expected) is None:
        needs = NEEDS.get(ctx.operation)
        if needs is not None and not needs.handler:
            await permit(svc, ctx)
        raise S3Error("InvalidBucketOwnerAWSAccountID")
    account = await svc.principals.account_of(bucket.owner)
    if account is None or account.id != expected:
        ctx.denied = f"the bucket is not {expected[:64]}'s"
        raise AccessDenied("the bucket has another owner")


async def kept(svc: Service, ctx: Context, kind: bytes, missing: str) -> bytes:
    """A document of the bucket that a request is for; that there is none is told as `missing`."""
    row = await open_bucket(svc, ctx)
    raw = (await documents.of(svc.store, row)).raw.get(kind)
    if raw is None:
        raise S3Error(missing, BucketName=ctx.bucket)
    return raw


def remover(kind: bytes) -> Handler:
    """The handler that takes a document away from a bucket, whether or not it has one."""

    async def remove(svc: Service, ctx: Context) -> Response:
        row = await open_bucket(svc, ctx)
        await documents.change(svc.store, row, {kind: None})
        return Response(204)

    return remove


async def permit(svc: Service, ctx: Context) -> None:
    """Raise `AccessDenied` unless whoever asks may do everything that the request needs."""
    row, operation = ctx.row, ctx.operation
    for action in needed(operation, ctx.head):
        await authorise(svc, ctx, action, row, ctx.key)
    of_new = needed_of_new(operation, ctx.head)
    if of_new and row is not None:
        owner = writer(svc, ctx, row)
        # What strangers write is the bucket's owner's, which this ACL asks for and nothing else.
        settled = ctx.who.anonymous and ctx.head.header("x-amz-acl") == "bucket-owner-full-control"
        target = ObjectAccess(owner, [Grant("id", owner, FULL_CONTROL)], settled)
        for action in of_new:
            await authorise(svc, ctx, action, row, ctx.key, target=target)


async def hide(
    svc: Service, ctx: Context, row: BucketRow, error: AisleError, key: str
) -> AisleError:
    """What to tell of a key that is not there: that, to who may list the bucket, and to others
    what they hear of one that they may not see."""
    if await may(svc, ctx, LIST_BUCKET, row):
        return error
    return refused(ctx, LIST_BUCKET, row, key)


def integer(text: str, name: str, default: int) -> int:
    """A number that S3 reads as a signed 32-bit one and that cannot be negative."""
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 11 and int(text) <= MAX_INTEGER):
        raise InvalidArgument(
            f"Provided {name} not an integer or within integer range", name=name, value=text
        )
    return int(text)


def part_number(ctx: Context) -> int:
    """The `partNumber` of a request. Raises `InvalidArgument`."""
    text = ctx.head.params.get("partNumber", "")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if not 1 <= number <= MAX_PARTS:
        raise InvalidArgument(
            f"Part number must be an integer between 1 and {MAX_PARTS}, inclusive",
            name="partNumber",
            value=text,
        )
    return number


def version_of(ctx: Context) -> str:
    """The version that a request names, `""` for the current one. Raises `InvalidArgument`."""
    version = ctx.head.params.get("versionId")
    if version == "":
        raise empty_version()
    return version or ""


def empty_version() -> InvalidArgument:
    """What is told of a version id without a character."""
    return InvalidArgument("Version id cannot be the empty string", name="versionId")


def bare(etag: str) -> str:
    """An ETag as clients send it, without quotes."""
    return etag.strip().removeprefix("W/").strip('"')
