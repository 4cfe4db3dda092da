"""The S3 pipeline: parse the target, route, identify, find the bucket, authorise, call the handler.

`handle` raises what happened; `tell` turns it into S3's reply. That there is no such bucket is told
to everybody; nothing else about buckets, keys or conditions is answered before the caller is known
and allowed, and that there is no such key only to who may list the bucket.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aisle.api.access import count_user, identify
from aisle.api.base import HOST_ID, Context, Handler, Response, Service, virtual_bucket
from aisle.api.s3 import (
    acls,
    buckets,
    copies,
    deletes,
    errors,
    forwarding,
    lists,
    multipart,
    objects,
    ownership,
    policies,
    presigned,
    publicaccess,
)
from aisle.api.s3 import headers as h
from aisle.api.s3.actions import NEEDS
from aisle.api.s3.common import hide, open_bucket, permit
from aisle.api.s3.errors import S3Error, Told
from aisle.api.s3.operations import Level, select
from aisle.auth.principal import ANONYMOUS
from aisle.core.dates import http_date
from aisle.core.errors import (
    AisleError,
    InvalidAccessKey,
    NotModified,
    ObjectNotFound,
    VersionNotFound,
)
from aisle.core.http import RequestHead, decode_component

NAME: Final = "s3"
MOUNT: Final = b"/s3"
# A bucket that was there a moment ago is enough for them: see `buckets.get`.
_READS: Final = frozenset({"GetObject", "HeadObject"})

HANDLERS: Final[Mapping[str, Handler]] = {
    "ListBuckets": buckets.list_buckets,
    "CreateBucket": buckets.create_bucket,
    "HeadBucket": buckets.head_bucket,
    "DeleteBucket": buckets.delete_bucket,
    "GetBucketLocation": buckets.get_bucket_location,
    "GetBucketAcl": acls.get_bucket_acl,
    "PutBucketAcl": acls.put_bucket_acl,
    "GetBucketPolicy": policies.get_bucket_policy,
    "PutBucketPolicy": policies.put_bucket_policy,
    "DeleteBucketPolicy": policies.delete_bucket_policy,
    "GetBucketPolicyStatus": policies.get_bucket_policy_status,
    "GetBucketOwnershipControls": ownership.get_bucket_ownership_controls,
    "PutBucketOwnershipControls": ownership.put_bucket_ownership_controls,
    "DeleteBucketOwnershipControls": ownership.delete_bucket_ownership_controls,
    "GetPublicAccessBlock": publicaccess.get_public_access_block,
    "PutPublicAccessBlock": publicaccess.put_public_access_block,
    "DeletePublicAccessBlock": publicaccess.delete_public_access_block,
    "ListObjects": lists.list_objects,
    "ListObjectsV2": lists.list_objects_v2,
    "ListMultipartUploads": lists.list_multipart_uploads,
    "DeleteObjects": deletes.delete_objects,
    "PutObject": objects.put_object,
    "CopyObject": copies.copy_object,
    "GetObject": objects.get_object,
    "HeadObject": objects.head_object,
    "DeleteObject": objects.delete_object,
    "GetObjectAttributes": objects.get_object_attributes,
    "GetObjectAcl": acls.get_object_acl,
    "PutObjectAcl": acls.put_object_acl,
    "CreateMultipartUpload": multipart.create_multipart_upload,
    "UploadPart": multipart.upload_part,
    "UploadPartCopy": copies.upload_part_copy,
    "ListParts": multipart.list_parts,
    "CompleteMultipartUpload": multipart.complete_multipart_upload,
    "AbortMultipartUpload": multipart.abort_multipart_upload,
}


async def handle(svc: Service, ctx: Context) -> Response:
    """Answer one request. Raises `AisleError`s."""
    head = ctx.head
    if not (svc.root_api or is_mounted(head)):
        raise S3Error("InvalidURI", "The S3 API answers under /s3 only on this cluster.")
    raw_bucket, raw_key = split_target(head, svc.domains)
    ctx.bucket = decode_component(raw_bucket)
    ctx.key = decode_component(raw_key)
    level: Level = "object" if raw_key else "bucket" if raw_bucket else "service"
    ctx.resource = f"/{ctx.bucket}/{ctx.key}" if raw_key else f"/{ctx.bucket}"
    try:
        await identify(svc, ctx, target=(raw_bucket, raw_key))
    except InvalidAccessKey:
        if not await presigned.takes(svc, ctx, level):
            raise
        ctx.principal = ANONYMOUS
        count_user(svc, ctx)
        return await presigned.perform(svc, ctx, raw_key)
    count_user(svc, ctx)
    head = ctx.head
    selector, name = select(head, level)
    if not name:
        raise S3Error("MethodNotAllowed", Method=head.method, ResourceType=selector or level)
    ctx.operation = name
    row = None
    if level != "service" and name != "CreateBucket":
        row = await open_bucket(svc, ctx, recent=name in _READS)
    window = row is not None and row.record.behind is not None
    if window and not svc.auth_enabled and await presigned.takes(svc, ctx, level):
        return await presigned.perform(svc, ctx, raw_key)
    if not NEEDS[name].handler:
        await permit(svc, ctx)
    if row is not None and window:
        answer = await forwarding.answer(svc, ctx, row)
        if answer is not None:
            return answer
    handler = HANDLERS.get(name)
    if handler is None:
        raise S3Error("NotImplemented", Operation=name)
    try:
        return await handler(svc, ctx)
    except (ObjectNotFound, VersionNotFound) as error:
        if row is None or (error.bucket, error.key) != (row.record.name, ctx.key):
            raise
        raise await hide(svc, ctx, row, error, ctx.key) from None


def is_mounted(head: RequestHead) -> bool:
    return head.path == MOUNT or head.path.startswith(b"/s3/")


def split_target(head: RequestHead, domains: tuple[str, ...]) -> tuple[str, str]:
    """The bucket and key of a request, still percent-encoded; `""` for what is not named.

    Virtual-hosted: the bucket is what the host has in front of one of `domains`. Path-style: it is
    the first segment after the mount (`/s3`, or nothing). Neither is ever normalised.
    """
    path = head.path
    virtual = virtual_bucket(head, domains)
    mounted = is_mounted(head)
    if virtual is not None:
        bucket, under_mount = virtual
        key = path[len(MOUNT) :] if mounted and under_mount else path
        return bucket, key[1:].decode("latin-1")
    if mounted:
        path = path[len(MOUNT) :]
    first, _, rest = path[1:].partition(b"/")
    return first.decode("latin-1"), rest.decode("latin-1")


def tell(ctx: Context, error: AisleError) -> Response:
    """The reply that tells an error. HEAD gets no body, a 304 neither."""
    if isinstance(error, NotModified):
        return Response(
            304,
            [
                (b"etag", b'"%b"' % error.etag.encode()),
                (b"last-modified", http_date(error.mtime // h.SECOND)),
            ],
        )
    told: Told = errors.tell(error)
    headers = [(b"content-type", b"application/xml")]
    if told.code == "InvalidRange":
        headers.append((b"content-range", f"bytes */{told.details['ActualObjectSize']}".encode()))
    if told.status == 503:
        headers.append((b"retry-after", b"%d" % errors.retry_after(error)))
    if told.code == "MethodNotAllowed":
        headers.append((b"allow", b"GET, HEAD, PUT, POST, DELETE"))
    if ctx.head.method == "HEAD":
        return Response(told.status, headers, error=told.code)
    body = errors.render(
        told, resource=ctx.resource, request_id=ctx.request_id, host_id=HOST_ID.decode()
    )
    return Response(told.status, headers, body, error=told.code)
