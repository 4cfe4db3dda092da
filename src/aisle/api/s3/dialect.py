"""The S3 pipeline: parse the target, route, identify, find the bucket, authorise, call the handler.

`handle` raises what happened; `tell` turns it into S3's reply. That there is no such bucket is told
to everybody; nothing else about buckets, keys or conditions is answered before the caller is known
and allowed, and that there is no such key only to who may list the bucket.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aisle.api.access import count_user, identify, note_cause
from aisle.api.base import HOST_ID, Context, Handler, Headers, Response, Service, virtual_bucket
from aisle.api.s3 import (
    accesslogs,
    acls,
    bodykeys,
    buckets,
    configurations,
    control,
    copies,
    cors,
    deletes,
    encryption,
    errors,
    forms,
    forwarding,
    inventoryconfigurations,
    lifecycle,
    lists,
    multipart,
    notes,
    notifications,
    objectlock,
    objects,
    ownership,
    payment,
    policies,
    presigned,
    publicaccess,
    regions,
    renames,
    replication,
    restores,
    selecting,
    switches,
    tagging,
    versioning,
    websites,
)
from aisle.api.s3 import headers as h
from aisle.api.s3.accessrecords import resource_type
from aisle.api.s3.actions import NEEDS
from aisle.api.s3.common import hide, open_bucket, permit
from aisle.api.s3.compatibility import REFUSED
from aisle.api.s3.errors import S3Error, Told
from aisle.api.s3.operations import EXPRESS, Level, is_express, methods, select
from aisle.auth.principal import ANONYMOUS
from aisle.core.dates import http_date
from aisle.core.errors import (
    AisleError,
    DeleteMarkerFound,
    DeleteMarkerNamed,
    InvalidAccessKey,
    NotModified,
    ObjectNotFound,
    VersionNotFound,
)
from aisle.core.http import RequestHead, decode_component
from aisle.core.sigv4 import SERVICE
from aisle.namespace.versions.ids import shown

NAME: Final = "s3"
MOUNT: Final = b"/s3"
# A bucket that was there a moment ago is enough for them: see `buckets.get`.
_READS: Final = frozenset({"GetObject", "HeadObject"})
# Their replies tell the bucket's region, errors too.
_TELL_REGION: Final = frozenset({"HeadBucket", "ListObjects", "ListObjectsV2"})

HANDLERS: Final[Mapping[str, Handler]] = {
    "ListBuckets": buckets.list_buckets,
    "CreateBucket": buckets.create_bucket,
    "HeadBucket": buckets.head_bucket,
    "DeleteBucket": buckets.delete_bucket,
    "GetBucketLocation": buckets.get_bucket_location,
    "GetBucketLifecycleConfiguration": lifecycle.get_bucket_lifecycle_configuration,
    "PutBucketLifecycleConfiguration": lifecycle.put_bucket_lifecycle_configuration,
    "DeleteBucketLifecycle": lifecycle.delete_bucket_lifecycle,
    "GetBucketVersioning": versioning.get_bucket_versioning,
    "PutBucketVersioning": versioning.put_bucket_versioning,
    "ListObjectVersions": versioning.list_object_versions,
    "GetBucketEncryption": encryption.get_bucket_encryption,
    "PutBucketEncryption": encryption.put_bucket_encryption,
    "DeleteBucketEncryption": encryption.delete_bucket_encryption,
    "UpdateObjectEncryption": encryption.update_object_encryption,
    "GetBucketAcl": acls.get_bucket_acl,
    "PutBucketAcl": acls.put_bucket_acl,
    "GetBucketPolicy": policies.get_bucket_policy,
    "PutBucketPolicy": policies.put_bucket_policy,
    "DeleteBucketPolicy": policies.delete_bucket_policy,
    "GetBucketPolicyStatus": policies.get_bucket_policy_status,
    "GetBucketOwnershipControls": ownership.get_bucket_ownership_controls,
    "PutBucketOwnershipControls": ownership.put_bucket_ownership_controls,
    "DeleteBucketOwnershipControls": ownership.delete_bucket_ownership_controls,
    "GetBucketTagging": tagging.get_bucket_tagging,
    "PutBucketTagging": tagging.put_bucket_tagging,
    "DeleteBucketTagging": tagging.delete_bucket_tagging,
    "GetObjectLockConfiguration": objectlock.get_object_lock_configuration,
    "PutObjectLockConfiguration": objectlock.put_object_lock_configuration,
    "GetBucketCors": cors.get_bucket_cors,
    "PutBucketCors": cors.put_bucket_cors,
    "DeleteBucketCors": cors.delete_bucket_cors,
    "GetBucketWebsite": websites.get_bucket_website,
    "PutBucketWebsite": websites.put_bucket_website,
    "DeleteBucketWebsite": websites.delete_bucket_website,
    "GetPublicAccessBlock": publicaccess.get_public_access_block,
    "PutPublicAccessBlock": publicaccess.put_public_access_block,
    "DeletePublicAccessBlock": publicaccess.delete_public_access_block,
    "GetBucketReplication": replication.get_bucket_replication,
    "PutBucketReplication": replication.put_bucket_replication,
    "DeleteBucketReplication": replication.delete_bucket_replication,
    "GetBucketNotificationConfiguration": notifications.get_bucket_notification_configuration,
    "PutBucketNotificationConfiguration": notifications.put_bucket_notification_configuration,
    "GetBucketAccelerateConfiguration": switches.get_bucket_accelerate_configuration,
    "PutBucketAccelerateConfiguration": switches.put_bucket_accelerate_configuration,
    "GetBucketLogging": accesslogs.get_bucket_logging,
    "PutBucketLogging": accesslogs.put_bucket_logging,
    "GetBucketAbac": switches.get_bucket_abac,
    "PutBucketAbac": switches.put_bucket_abac,
    "GetBucketRequestPayment": payment.get_bucket_request_payment,
    "PutBucketRequestPayment": payment.put_bucket_request_payment,
    "GetBucketMetricsConfiguration": configurations.get_metrics,
    "PutBucketMetricsConfiguration": configurations.put_metrics,
    "DeleteBucketMetricsConfiguration": configurations.delete_metrics,
    "ListBucketMetricsConfigurations": configurations.list_metrics,
    "GetBucketAnalyticsConfiguration": configurations.get_analytics,
    "PutBucketAnalyticsConfiguration": configurations.put_analytics,
    "DeleteBucketAnalyticsConfiguration": configurations.delete_analytics,
    "ListBucketAnalyticsConfigurations": configurations.list_analytics,
    "GetBucketIntelligentTieringConfiguration": configurations.get_tiering,
    "PutBucketIntelligentTieringConfiguration": configurations.put_tiering,
    "DeleteBucketIntelligentTieringConfiguration": configurations.delete_tiering,
    "ListBucketIntelligentTieringConfigurations": configurations.list_tiering,
    "GetBucketInventoryConfiguration": inventoryconfigurations.get_bucket_inventory_configuration,
    "PutBucketInventoryConfiguration": inventoryconfigurations.put_bucket_inventory_configuration,
    "DeleteBucketInventoryConfiguration": (
        inventoryconfigurations.delete_bucket_inventory_configuration
    ),
    "ListBucketInventoryConfigurations": (
        inventoryconfigurations.list_bucket_inventory_configurations
    ),
    "ListObjects": lists.list_objects,
    "ListObjectsV2": lists.list_objects_v2,
    "ListMultipartUploads": lists.list_multipart_uploads,
    "DeleteObjects": deletes.delete_objects,
    "PutObject": objects.put_object,
    "PostObject": forms.post_object,
    "CopyObject": copies.copy_object,
    "GetObject": objects.get_object,
    "HeadObject": objects.head_object,
    "DeleteObject": objects.delete_object,
    "RenameObject": renames.rename_object,
    "RestoreObject": restores.restore_object,
    "GetObjectAnnotation": notes.get_object_annotation,
    "PutObjectAnnotation": notes.put_object_annotation,
    "DeleteObjectAnnotation": notes.delete_object_annotation,
    "ListObjectAnnotations": notes.list_object_annotations,
    "GetObjectAttributes": objects.get_object_attributes,
    "GetObjectAcl": acls.get_object_acl,
    "PutObjectAcl": acls.put_object_acl,
    "GetObjectTagging": tagging.get_object_tagging,
    "PutObjectTagging": tagging.put_object_tagging,
    "DeleteObjectTagging": tagging.delete_object_tagging,
    "GetObjectRetention": objectlock.get_object_retention,
    "PutObjectRetention": objectlock.put_object_retention,
    "GetObjectLegalHold": objectlock.get_object_legal_hold,
    "PutObjectLegalHold": objectlock.put_object_legal_hold,
    "CreateMultipartUpload": multipart.create_multipart_upload,
    "SelectObjectContent": selecting.select_object_content,
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
    if control.takes(head):
        return await control.handle(svc, ctx)
    raw_bucket, raw_key = split_target(head, svc.domains)
    ctx.bucket = decode_component(raw_bucket)
    ctx.key = decode_component(raw_key)
    level: Level = "object" if raw_key else "bucket" if raw_bucket else "service"
    ctx.resource = f"/{ctx.bucket}/{ctx.key}" if raw_key else f"/{ctx.bucket}"
    if head.method == "OPTIONS":
        ctx.operation, ctx.principal = "PreflightObject", ANONYMOUS
        count_user(svc, ctx)
        return await cors.preflight(svc, ctx)
    if "origin" in head.headers:
        await cors.note(svc, ctx)
    form = forms.takes(head, level)
    try:
        if form:
            await forms.identify(svc, ctx)
            note_cause(ctx)
        else:
            service = EXPRESS if is_express(head, level) else SERVICE
            await identify(svc, ctx, target=(raw_bucket, raw_key), service=service)
    except InvalidAccessKey:
        ctx.principal = ANONYMOUS
        if not await presigned.takes(svc, ctx, level):
            raise
        count_user(svc, ctx)
        return await presigned.perform(svc, ctx, raw_key)
    count_user(svc, ctx)
    head = ctx.head
    name = "PostObject" if form else select(head, level)[1]
    if not name:
        what = "SERVICE" if level == "service" else resource_type(ctx)
        raise S3Error("MethodNotAllowed", Method=head.method, ResourceType=what)
    ctx.operation = name
    row = None
    if level != "service" and name != "CreateBucket":
        row = await open_bucket(svc, ctx, recent=name in _READS)
        if row.record.has and "origin" not in head.headers:
            cors.note_plain(ctx, row)
        if name in _TELL_REGION:
            ctx.extra += regions.told(svc, row)
    window = row is not None and row.record.behind is not None
    if window and not svc.auth_enabled and await presigned.takes(svc, ctx, level):
        return await presigned.perform(svc, ctx, raw_key)
    ctx.learn = bodykeys.learner(svc, ctx)
    await regions.check(svc, ctx, row)
    if not NEEDS[name].handler:
        await permit(svc, ctx)
    if row is not None and row.record.has & payment.PAYS:
        payment.charge(svc, ctx, row)
    if row is not None and window:
        answer = await forwarding.answer(svc, ctx, row)
        if answer is not None:
            return answer
    handler = HANDLERS.get(name)
    if handler is None:
        raise S3Error("NotImplemented", REFUSED.get(name, ""), Operation=name)
    try:
        return await handler(svc, ctx)
    except (ObjectNotFound, VersionNotFound) as error:
        if row is None or (error.bucket, error.key) != (row.record.name, ctx.key):
            raise
        raise await hide(svc, ctx, row, error, ctx.key) from None


def _marked(error: AisleError) -> Headers:
    """The headers that tell of a delete marker."""
    if not isinstance(error, DeleteMarkerFound | DeleteMarkerNamed):
        return []
    headers = [*objects.MARKER, (b"x-amz-version-id", shown(error.version).encode())]
    if isinstance(error, DeleteMarkerNamed):
        headers.append((b"last-modified", http_date(error.mtime // h.SECOND)))
    return headers


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


def _allowed(ctx: Context) -> str:
    """The methods that there are of what was asked for, but for the one that was refused."""
    level: Level = "object" if ctx.key else "bucket" if ctx.bucket else "service"
    return ", ".join(name for name in methods(ctx.head, level) if name != ctx.head.method)


def tell(ctx: Context, error: AisleError) -> Response:
    """The reply that tells an error. HEAD gets no body, a 304 neither."""
    if isinstance(error, NotModified):
        return Response(304, h.not_modified(error))
    told: Told = errors.tell(error)
    headers = [(b"content-type", b"application/xml")]
    if "ActualObjectSize" in told.details:
        headers.append((b"content-range", f"bytes */{told.details['ActualObjectSize']}".encode()))
    if told.status == 503:
        headers.append((b"retry-after", b"%d" % errors.retry_after(error)))
    if isinstance(error, DeleteMarkerNamed):
        headers.append((b"allow", b"DELETE"))
        of = {"Method": ctx.head.method, "ResourceType": "DeleteMarker"}
        told = told._replace(details=of)
    elif told.code == "MethodNotAllowed":
        headers.append((b"allow", _allowed(ctx).encode()))
    headers += _marked(error)
    if ctx.head.method == "HEAD":
        return Response(told.status, headers, error=told.code)
    render = control.wrapped if control.takes(ctx.head) else errors.render
    body = render(told, resource=ctx.resource, request_id=ctx.request_id, host_id=HOST_ID.decode())
    return Response(told.status, headers, body, error=told.code)
