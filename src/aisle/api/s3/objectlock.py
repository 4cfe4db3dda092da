"""Handlers of Object Lock: Get/PutObjectLockConfiguration, Get/PutObjectRetention,
Get/PutObjectLegalHold; and the lock that comes with a new object or is told of one that is read.

A bucket that is enabled for locks is so for good, and keeps all versions for good. What a lock may
become is `namespace.locks`; who passes over governance needs `s3:BypassGovernanceRetention`, which
the table of actions asks for by the header.
"""

from __future__ import annotations

from typing import Final

import msgspec

from aisle.api.access import may
from aisle.api.base import Context, Headers, Response, Service
from aisle.api.s3 import headers as h
from aisle.api.s3 import lockvalues
from aisle.api.s3.actions import NEEDS
from aisle.api.s3.common import XML, open_bucket, version_of
from aisle.api.s3.errors import S3Error
from aisle.api.s3.incoming import read_document
from aisle.core import checksums
from aisle.core.errors import InvalidArgument, InvalidRequest
from aisle.core.http import RequestHead
from aisle.core.names import encode_key
from aisle.namespace import documents, edits, events, locks, objects
from aisle.namespace.locks import Rule
from aisle.namespace.records import Bucket, Lock, Object
from aisle.namespace.store import BucketRow
from aisle.namespace.windows import LOOK

ENABLED_HEADER: Final = "x-amz-bucket-object-lock-enabled"
_BIT: Final = documents.BITS[documents.LOCK]
_MISSING: Final = "Bucket is missing Object Lock Configuration"
_DIGESTS: Final = ("content-md5", "x-amz-trailer", *checksums.BY_HEADER)
_READ_RETENTION: Final = NEEDS["GetObjectRetention"].actions[0]
_READ_HOLD: Final = NEEDS["GetObjectLegalHold"].actions[0]


# --- buckets --------------------------------------------------------------------------------


async def get_object_lock_configuration(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    rule = await _rule(svc, row)
    if rule is None:
        raise S3Error("ObjectLockConfigurationNotFoundError", BucketName=ctx.bucket)
    return Response(200, XML, lockvalues.write_rule(rule))


async def put_object_lock_configuration(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    body = await read_document(ctx.head, ctx.known_payload, ctx.body, lockvalues.DOCUMENT_LIMIT)
    raw = locks.encode_rule(lockvalues.read_rule(body))
    await documents.change(svc.store, row, {documents.LOCK: raw}, allow=_check_versioned)
    return Response(200)


def _check_versioned(bucket: Bucket) -> None:
    if not bucket.keeps_versions:
        raise S3Error(
            "InvalidBucketState",
            "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
        )


async def _rule(svc: Service, row: BucketRow) -> Rule | None:
    """The default retention of a bucket, `None` if it is not enabled for locks."""
    raw = (await documents.of(svc.store, row)).raw.get(documents.LOCK)
    return None if raw is None else locks.decode_rule(raw)


def of_new_bucket(head: RequestHead) -> dict[bytes, bytes]:
    """The document of a bucket that is made with Object Lock. Raises `InvalidArgument`."""
    text = head.header(ENABLED_HEADER)
    if text.lower() not in ("", "true", "false"):
        raise InvalidArgument(
            f"{ENABLED_HEADER} is either true or false", name=ENABLED_HEADER, value=text[:64]
        )
    return {documents.LOCK: locks.encode_rule(Rule())} if text.lower() == "true" else {}


# --- objects --------------------------------------------------------------------------------


async def get_object_retention(svc: Service, ctx: Context) -> Response:
    lock = await _lock(svc, ctx)
    if not lock.mode:
        raise S3Error("NoSuchObjectLockConfiguration", Key=ctx.key)
    return Response(200, XML, lockvalues.write_retention(lock))


async def get_object_legal_hold(svc: Service, ctx: Context) -> Response:
    lock = await _lock(svc, ctx)
    if not (lock.hold or lock.released):
        raise S3Error("NoSuchObjectLockConfiguration", Key=ctx.key)
    return Response(200, XML, lockvalues.write_hold(lock))


async def _lock(svc: Service, ctx: Context) -> Lock:
    row = await open_bucket(svc, ctx)
    version = version_of(ctx)
    _check_enabled(row.record)
    how = LOOK._replace(version=version)
    record = await objects.head(svc.store, row, encode_key(ctx.key), how)
    return record.lock or Lock()


async def put_object_retention(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    version = version_of(ctx)
    body = await read_document(ctx.head, ctx.known_payload, ctx.body, lockvalues.DOCUMENT_LIMIT)
    asked = lockvalues.read_retention(body)
    _check_enabled(row.record)
    if asked.mode:
        lockvalues.check_until(asked.until, svc.store.now())
    bypass = h.bypass(ctx.head)

    def retained(old: Object) -> Object:
        now = svc.store.now()
        lock = locks.retained(old.lock, asked.mode, asked.until, now, bypass=bypass)
        return msgspec.structs.replace(old, lock=lock)

    key = encode_key(ctx.key)
    await edits.change(svc.store, row, key, retained, version=version, event=events.RETAINED)
    return Response(200)


async def put_object_legal_hold(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    version = version_of(ctx)
    body = await read_document(ctx.head, ctx.known_payload, ctx.body, lockvalues.DOCUMENT_LIMIT)
    on = lockvalues.read_hold(body)
    _check_enabled(row.record)

    def held(old: Object) -> Object:
        return msgspec.structs.replace(old, lock=locks.held(old.lock, on=on))

    await edits.change(svc.store, row, encode_key(ctx.key), held, version=version)
    return Response(200)


def _check_enabled(bucket: Bucket) -> None:
    if not bucket.has & _BIT:
        raise InvalidRequest(_MISSING)


# --- objects that are written and read ------------------------------------------------------


def of_new(svc: Service, head: RequestHead, bucket: BucketRow) -> Lock | None:
    """The lock that a request gives the object it writes; that of its bucket's default comes
    with the write. Raises `InvalidRequest`, `InvalidArgument`."""
    if not lockvalues.is_asked(head):
        return None
    if bucket.record.behind is not None:
        raise S3Error(
            "NotImplemented",
            "Objects of remote buckets are locked with PutObjectRetention and PutObjectLegalHold.",
        )
    lock = lockvalues.of_headers(head, svc.store.now())
    _check_enabled(bucket.record)
    return lock


async def check_digest(svc: Service, ctx: Context, bucket: BucketRow, lock: Lock | None) -> None:
    """Raise `InvalidRequest` for a body without a digest that is to be locked."""
    if not bucket.record.has & _BIT or not ctx.head.headers.keys().isdisjoint(_DIGESTS):
        return
    if ctx.operation == "PostObject":
        return  # a form is sent by a browser, which has no digest of its file
    if lock is None:
        rule = await _rule(svc, bucket)
        if rule is None or not rule.mode:
            return
    what = "Upload Part" if ctx.operation == "UploadPart" else "Put Object"
    raise InvalidRequest(
        f"Content-MD5 OR x-amz-checksum- HTTP header is required for {what} requests with Object"
        " Lock parameters"
    )


async def told(svc: Service, ctx: Context, row: BucketRow, record: Object) -> Headers:
    """The lock of an object, to who may read it."""
    lock = record.lock
    if lock is None:
        return []
    found: Headers = []
    if lock.mode and await may(svc, ctx, _READ_RETENTION, row, ctx.key):
        found += lockvalues.retention_headers(lock)
    if (lock.hold or lock.released) and await may(svc, ctx, _READ_HOLD, row, ctx.key):
        found += lockvalues.hold_headers(lock)
    return found
