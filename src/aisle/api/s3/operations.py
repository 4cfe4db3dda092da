"""THE table of S3 operations: which request means which operation.

One row for every operation of botocore's S3 model: its name, where it lives (service, bucket or
object), its method, and the sub-resource, a query parameter that changes what a request means. A
sub-resource is never mistaken for the plain verb: what has no handler is answered with
`NotImplemented`, and a method that a sub-resource does not have with `MethodNotAllowed`.
Operations that share a route (CopyObject is a PutObject with `x-amz-copy-source`) share a row;
`route` picks between them. Only the table and its look-up live here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from aisle.core.http import RequestHead

Level = Literal["service", "bucket", "object"]


class Route(NamedTuple):
    """A row; `names` are the operations that this request can mean, the plain one first."""

    level: Level
    method: str
    selector: str
    names: tuple[str, ...]


ROUTES: Final = (
    Route("service", "GET", "", ("ListBuckets", "ListDirectoryBuckets")),
    Route("bucket", "DELETE", "", ("DeleteBucket",)),
    Route("bucket", "GET", "", ("ListObjects",)),
    Route("bucket", "HEAD", "", ("HeadBucket",)),
    Route("bucket", "PUT", "", ("CreateBucket",)),
    Route("bucket", "GET", "abac", ("GetBucketAbac",)),
    Route("bucket", "PUT", "abac", ("PutBucketAbac",)),
    Route("bucket", "GET", "accelerate", ("GetBucketAccelerateConfiguration",)),
    Route("bucket", "PUT", "accelerate", ("PutBucketAccelerateConfiguration",)),
    Route("bucket", "GET", "acl", ("GetBucketAcl",)),
    Route("bucket", "PUT", "acl", ("PutBucketAcl",)),
    Route("bucket", "DELETE", "analytics", ("DeleteBucketAnalyticsConfiguration",)),
    Route(
        "bucket",
        "GET",
        "analytics",
        ("GetBucketAnalyticsConfiguration", "ListBucketAnalyticsConfigurations"),
    ),
    Route("bucket", "PUT", "analytics", ("PutBucketAnalyticsConfiguration",)),
    Route("bucket", "DELETE", "cors", ("DeleteBucketCors",)),
    Route("bucket", "GET", "cors", ("GetBucketCors",)),
    Route("bucket", "PUT", "cors", ("PutBucketCors",)),
    Route("bucket", "POST", "delete", ("DeleteObjects",)),
    Route("bucket", "DELETE", "encryption", ("DeleteBucketEncryption",)),
    Route("bucket", "GET", "encryption", ("GetBucketEncryption",)),
    Route("bucket", "PUT", "encryption", ("PutBucketEncryption",)),
    Route(
        "bucket", "DELETE", "intelligent-tiering", ("DeleteBucketIntelligentTieringConfiguration",)
    ),
    Route(
        "bucket",
        "GET",
        "intelligent-tiering",
        ("GetBucketIntelligentTieringConfiguration", "ListBucketIntelligentTieringConfigurations"),
    ),
    Route("bucket", "PUT", "intelligent-tiering", ("PutBucketIntelligentTieringConfiguration",)),
    Route("bucket", "DELETE", "inventory", ("DeleteBucketInventoryConfiguration",)),
    Route(
        "bucket",
        "GET",
        "inventory",
        ("GetBucketInventoryConfiguration", "ListBucketInventoryConfigurations"),
    ),
    Route("bucket", "PUT", "inventory", ("PutBucketInventoryConfiguration",)),
    Route("bucket", "DELETE", "lifecycle", ("DeleteBucketLifecycle",)),
    Route("bucket", "GET", "lifecycle", ("GetBucketLifecycle", "GetBucketLifecycleConfiguration")),
    Route("bucket", "PUT", "lifecycle", ("PutBucketLifecycle", "PutBucketLifecycleConfiguration")),
    Route("bucket", "GET", "list-type", ("ListObjectsV2",)),
    Route("bucket", "GET", "location", ("GetBucketLocation",)),
    Route("bucket", "GET", "logging", ("GetBucketLogging",)),
    Route("bucket", "PUT", "logging", ("PutBucketLogging",)),
    Route(
        "bucket",
        "PUT",
        "metadataAnnotationTable",
        ("UpdateBucketMetadataAnnotationTableConfiguration",),
    ),
    Route("bucket", "DELETE", "metadataConfiguration", ("DeleteBucketMetadataConfiguration",)),
    Route("bucket", "GET", "metadataConfiguration", ("GetBucketMetadataConfiguration",)),
    Route("bucket", "POST", "metadataConfiguration", ("CreateBucketMetadataConfiguration",)),
    Route(
        "bucket",
        "PUT",
        "metadataInventoryTable",
        ("UpdateBucketMetadataInventoryTableConfiguration",),
    ),
    Route(
        "bucket", "PUT", "metadataJournalTable", ("UpdateBucketMetadataJournalTableConfiguration",)
    ),
    Route("bucket", "DELETE", "metadataTable", ("DeleteBucketMetadataTableConfiguration",)),
    Route("bucket", "GET", "metadataTable", ("GetBucketMetadataTableConfiguration",)),
    Route("bucket", "POST", "metadataTable", ("CreateBucketMetadataTableConfiguration",)),
    Route("bucket", "DELETE", "metrics", ("DeleteBucketMetricsConfiguration",)),
    Route(
        "bucket",
        "GET",
        "metrics",
        ("GetBucketMetricsConfiguration", "ListBucketMetricsConfigurations"),
    ),
    Route("bucket", "PUT", "metrics", ("PutBucketMetricsConfiguration",)),
    Route(
        "bucket",
        "GET",
        "notification",
        ("GetBucketNotification", "GetBucketNotificationConfiguration"),
    ),
    Route(
        "bucket",
        "PUT",
        "notification",
        ("PutBucketNotification", "PutBucketNotificationConfiguration"),
    ),
    Route("bucket", "GET", "object-lock", ("GetObjectLockConfiguration",)),
    Route("bucket", "PUT", "object-lock", ("PutObjectLockConfiguration",)),
    Route("bucket", "DELETE", "ownershipControls", ("DeleteBucketOwnershipControls",)),
    Route("bucket", "GET", "ownershipControls", ("GetBucketOwnershipControls",)),
    Route("bucket", "PUT", "ownershipControls", ("PutBucketOwnershipControls",)),
    Route("bucket", "DELETE", "policy", ("DeleteBucketPolicy",)),
    Route("bucket", "GET", "policy", ("GetBucketPolicy",)),
    Route("bucket", "PUT", "policy", ("PutBucketPolicy",)),
    Route("bucket", "GET", "policyStatus", ("GetBucketPolicyStatus",)),
    Route("bucket", "DELETE", "publicAccessBlock", ("DeletePublicAccessBlock",)),
    Route("bucket", "GET", "publicAccessBlock", ("GetPublicAccessBlock",)),
    Route("bucket", "PUT", "publicAccessBlock", ("PutPublicAccessBlock",)),
    Route("bucket", "DELETE", "replication", ("DeleteBucketReplication",)),
    Route("bucket", "GET", "replication", ("GetBucketReplication",)),
    Route("bucket", "PUT", "replication", ("PutBucketReplication",)),
    Route("bucket", "GET", "requestPayment", ("GetBucketRequestPayment",)),
    Route("bucket", "PUT", "requestPayment", ("PutBucketRequestPayment",)),
    Route("bucket", "GET", "session", ("CreateSession",)),
    Route("bucket", "DELETE", "tagging", ("DeleteBucketTagging",)),
    Route("bucket", "GET", "tagging", ("GetBucketTagging",)),
    Route("bucket", "PUT", "tagging", ("PutBucketTagging",)),
    Route("bucket", "GET", "uploads", ("ListMultipartUploads",)),
    Route("bucket", "GET", "versioning", ("GetBucketVersioning",)),
    Route("bucket", "PUT", "versioning", ("PutBucketVersioning",)),
    Route("bucket", "GET", "versions", ("ListObjectVersions",)),
    Route("bucket", "DELETE", "website", ("DeleteBucketWebsite",)),
    Route("bucket", "GET", "website", ("GetBucketWebsite",)),
    Route("bucket", "PUT", "website", ("PutBucketWebsite",)),
    Route("object", "DELETE", "", ("DeleteObject",)),
    Route("object", "GET", "", ("GetObject",)),
    Route("object", "HEAD", "", ("HeadObject",)),
    Route("object", "PUT", "", ("PutObject", "CopyObject")),
    Route("object", "GET", "acl", ("GetObjectAcl",)),
    Route("object", "PUT", "acl", ("PutObjectAcl",)),
    Route("object", "DELETE", "annotation", ("DeleteObjectAnnotation",)),
    Route("object", "GET", "annotation", ("GetObjectAnnotation", "ListObjectAnnotations")),
    Route("object", "PUT", "annotation", ("PutObjectAnnotation",)),
    Route("object", "GET", "attributes", ("GetObjectAttributes",)),
    Route("object", "PUT", "encryption", ("UpdateObjectEncryption",)),
    Route("object", "GET", "legal-hold", ("GetObjectLegalHold",)),
    Route("object", "PUT", "legal-hold", ("PutObjectLegalHold",)),
    Route("object", "PUT", "renameObject", ("RenameObject",)),
    Route("object", "POST", "restore", ("RestoreObject",)),
    Route("object", "GET", "retention", ("GetObjectRetention",)),
    Route("object", "PUT", "retention", ("PutObjectRetention",)),
    Route("object", "POST", "select", ("SelectObjectContent",)),
    Route("object", "DELETE", "tagging", ("DeleteObjectTagging",)),
    Route("object", "GET", "tagging", ("GetObjectTagging",)),
    Route("object", "PUT", "tagging", ("PutObjectTagging",)),
    Route("object", "GET", "torrent", ("GetObjectTorrent",)),
    Route("object", "DELETE", "uploadId", ("AbortMultipartUpload",)),
    Route("object", "GET", "uploadId", ("ListParts",)),
    Route("object", "POST", "uploadId", ("CompleteMultipartUpload",)),
    Route("object", "PUT", "uploadId", ("UploadPart", "UploadPartCopy")),
    Route("object", "POST", "uploads", ("CreateMultipartUpload",)),
)

_BY_TARGET: Final[Mapping[tuple[str, str, str], Route]] = {
    (row.level, row.method, row.selector): row for row in ROUTES
}
SELECTORS: Final = frozenset(row.selector for row in ROUTES if row.selector)
_COPIES: Final = {"PutObject": "CopyObject", "UploadPart": "UploadPartCopy"}
# Rows of several names that differ by a parameter: (row's plain name) -> (parameter, other name
# when it is absent).
_BY_PARAMETER: Final = {
    "GetBucketAnalyticsConfiguration": ("id", "ListBucketAnalyticsConfigurations"),
    "GetBucketIntelligentTieringConfiguration": (
        "id",
        "ListBucketIntelligentTieringConfigurations",
    ),
    "GetBucketInventoryConfiguration": ("id", "ListBucketInventoryConfigurations"),
    "GetBucketMetricsConfiguration": ("id", "ListBucketMetricsConfigurations"),
    "GetObjectAnnotation": ("annotationName", "ListObjectAnnotations"),
}


# The service that requests for directory buckets are signed for.
EXPRESS: Final = "s3express"


def is_express(head: RequestHead, level: Level) -> bool:
    """Whether a request is ListDirectoryBuckets, which looks like ListBuckets, or CreateSession, as
    clients that know of directory buckets send them."""
    if level == "object" or head.method != "GET":
        return False
    if level == "bucket" and "session" not in head.params:
        return False
    return _signed_for_express(head)


def _signed_for_express(head: RequestHead) -> bool:
    claimed = head.headers.get("authorization") or head.params.get("X-Amz-Credential", "")
    return f"/{EXPRESS}/aws4_request" in claimed[:1024]


def methods(head: RequestHead, level: Level) -> tuple[str, ...]:
    """The methods that the target of a request has, whatever its own is; in the order of names."""
    selector = _selector(head)
    found = {row.method for row in ROUTES if (row.level, row.selector) == (level, selector)}
    if (level, selector) == ("bucket", ""):
        found.add("POST")  # of a form
    return tuple(sorted(found))


def _selector(head: RequestHead) -> str:
    """The sub-resource that a request names, `""` for none."""
    if SELECTORS.isdisjoint(head.params):
        return ""
    return next((name for name, _ in head.pairs if name in SELECTORS), "")


def select(head: RequestHead, level: Level) -> tuple[str, str]:
    """The sub-resource named by a request's query, and the name of its operation.

    The name is `""` where the target has no such method. Deprecated twins (GetBucketLifecycle)
    are told by the newer name.
    """
    selector = _selector(head)
    row = _BY_TARGET.get((level, head.method, selector))
    if row is None:
        return selector, ""
    name = row.names[0]
    if len(row.names) > 1:
        if name in _COPIES:
            if "x-amz-copy-source" in head.headers:
                name = _COPIES[name]
        elif name in _BY_PARAMETER:
            parameter, other = _BY_PARAMETER[name]
            if parameter not in head.params:
                name = other
        else:
            name = row.names[-1] if name != "ListBuckets" or is_express(head, level) else name
    return selector, name
