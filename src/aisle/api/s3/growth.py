"""PutObject at an offset: what `x-amz-write-offset-bytes` asks for.

Amazon has it in directory buckets; here it works in every bucket that keeps no versions.

Spec: API reference of PutObject; user guide, "Appending data to objects in directory buckets".
"""

from __future__ import annotations

from typing import Final

from aisle.api.base import Context, Response, Service
from aisle.api.s3 import headers as h
from aisle.api.s3 import sse
from aisle.api.s3.errors import S3Error
from aisle.api.s3.incoming import S3Incoming
from aisle.core.errors import CustomerKeyNeeded, CustomerKeyUnused, InvalidArgument
from aisle.namespace import offsets
from aisle.namespace.objects import Description
from aisle.namespace.store import BucketRow

HEADER: Final = h.WRITE_OFFSET
_SIZE: Final = b"x-amz-object-size"


def is_asked(ctx: Context) -> bool:
    return HEADER in ctx.head.headers


async def append(
    svc: Service,
    ctx: Context,
    bucket: BucketRow,
    key: bytes,
    incoming: S3Incoming,
    described: Description,
) -> Response:
    """Write the body of a PutObject behind what the object has."""
    head = ctx.head
    text = head.header(HEADER)
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise InvalidArgument("The write offset is not a number", name=HEADER, value=text[:64])
    try:
        record = await offsets.extend(
            svc.store,
            bucket,
            key,
            int(text),
            incoming,
            described,
            conditions=h.write_conditions(head),
            algorithms=incoming.algorithms,
            customer=sse.customer_key(head),
        )
    except (CustomerKeyNeeded, CustomerKeyUnused):
        raise S3Error("EncryptionTypeMismatch") from None
    headers = [
        (b"etag", b'"%b"' % record.etag.encode()),
        (_SIZE, b"%d" % record.size),
        *sse.told(svc, record.sealed, sse.customer_key(head), context=True),
        *h.version_headers(record, bucket.record),
    ]
    headers += h.checksum_headers(record.checksums, record.checksum_type)
    return Response(200, headers)
