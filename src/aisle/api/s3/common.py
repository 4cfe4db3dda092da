"""What handlers of several nouns share: opening a bucket, reading parameters, small XML parts."""

from __future__ import annotations

from typing import Final

from aisle.api.base import Context, Headers, Service
from aisle.api.s3 import headers as h
from aisle.api.s3.errors import S3Error
from aisle.api.s3.xml import element
from aisle.core.errors import BucketNotFound, InvalidArgument, InvalidName
from aisle.core.names import check_native_bucket_name
from aisle.namespace import buckets
from aisle.namespace.store import BucketRow
from aisle.namespace.uploads import MAX_PARTS

XML: Final[Headers] = [(b"content-type", b"application/xml")]
MAX_INTEGER: Final = (1 << 31) - 1


async def open_bucket(svc: Service, ctx: Context, *, recent: bool = False) -> BucketRow:
    """The bucket a request is for, checked against the owner that the client expects. For
    `recent`, see `buckets.get`."""
    try:
        row = await buckets.find(svc.store, ctx.bucket, recent=recent)
    except BucketNotFound:
        try:
            check_native_bucket_name(ctx.bucket)
        except InvalidName:
            raise S3Error("InvalidBucketName", BucketName=ctx.bucket) from None
        raise
    if "x-amz-expected-bucket-owner" in ctx.head.headers:
        h.check_owner(ctx.head, row.record)
    return row


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


def owner(svc: Service, tag: str = "Owner") -> str:
    """An Owner or Initiator element."""
    account = svc.owner
    return f"<{tag}>{element('ID', account.id)}{element('DisplayName', account.name)}</{tag}>"


def bare(etag: str) -> str:
    """An ETag as clients send it, without quotes."""
    return etag.strip().removeprefix("W/").strip('"')
