"""Handlers of lifecycle rules: Get/PutBucketLifecycleConfiguration (GetBucketLifecycle and
PutBucketLifecycle, which are older, are the same requests), DeleteBucketLifecycle; and the headers
that tell when an object or an upload is due.

Spec: API reference of the five, of PutObject (`x-amz-expiration`) and of CreateMultipartUpload
(`x-amz-abort-date`, `x-amz-abort-rule-id`).
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from aisle.api.base import Context, Headers, Response, Service
from aisle.api.s3 import liferules
from aisle.api.s3.common import XML, kept, open_bucket, remover
from aisle.api.s3.incoming import read_document
from aisle.api.s3.xml import document
from aisle.core.dates import http_date
from aisle.core.http import field_value
from aisle.namespace import documents
from aisle.namespace.lifecycle import told
from aisle.namespace.lifecycle.plan import SECOND
from aisle.namespace.lifecycle.rules import decode, encode
from aisle.namespace.records import Object
from aisle.namespace.records import decode as decode_record
from aisle.namespace.store import BucketRow, Store

# A thousand rules, each with some tags.
_DOCUMENT_LIMIT: Final = 2 << 20
_MINIMUM: Final = "x-amz-transition-default-minimum-object-size"
_BIT: Final = documents.BITS[documents.LIFECYCLE]
# No header tells of a time after the last year that dates have here.
_LAST: Final = 253_402_300_800


async def get_bucket_lifecycle_configuration(svc: Service, ctx: Context) -> Response:
    raw = await kept(svc, ctx, documents.LIFECYCLE, "NoSuchLifecycleConfiguration")
    found = decode(raw)
    body = document(liferules.ROOT, liferules.write(found))
    return Response(200, [*XML, _minimum(found.minimum)], body)


async def put_bucket_lifecycle_configuration(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    body = await read_document(ctx.head, ctx.known_payload, ctx.body, _DOCUMENT_LIMIT)
    found = liferules.read(body, ctx.head.header(_MINIMUM))
    await documents.change(svc.store, row, {documents.LIFECYCLE: encode(found)})
    return Response(200, [_minimum(found.minimum)])


def _minimum(word: str) -> tuple[bytes, bytes]:
    return _MINIMUM.encode(), word.encode()


delete_bucket_lifecycle = remover(documents.LIFECYCLE)


# --- what others tell -----------------------------------------------------------------------


async def expiration(store: Store, bucket: BucketRow, key: bytes, record: Object) -> Headers:
    """`x-amz-expiration` of the current version of an object, if it is ever due."""
    if not bucket.record.has & _BIT:
        return []
    due = await told.expiration(store, bucket, key, record)
    if due is None or due.at // SECOND >= _LAST:
        return []
    date = http_date(due.at // SECOND)
    rule = quote(due.rule, safe="").encode()
    return [(b"x-amz-expiration", b'expiry-date="%b", rule-id="%b"' % (date, rule))]


async def expiration_of(
    store: Store, bucket: BucketRow, key: bytes, record: Object, version: str
) -> Headers:
    """The same of a version that may be a former one, which tells nothing."""
    if not bucket.record.has & _BIT:
        return []
    if version:
        raw = await store.index.get("object", bucket.record.id + key)
        if raw is None or decode_record(Object, raw).version != record.version:
            return []
    return await expiration(store, bucket, key, record)


async def abort(store: Store, bucket: BucketRow, key: bytes, started: int) -> Headers:
    """`x-amz-abort-date` and `x-amz-abort-rule-id` of an upload, if it is ever due."""
    if not bucket.record.has & _BIT:
        return []
    due = await told.abort(store, bucket, key, started)
    if due is None or due.at // SECOND >= _LAST:
        return []
    return [
        (b"x-amz-abort-date", http_date(due.at // SECOND)),
        (b"x-amz-abort-rule-id", field_value(due.rule)),
    ]
