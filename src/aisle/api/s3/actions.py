"""THE table of what each S3 operation needs: an action as policies name it, and AIStore's bit.

One row for every operation of `operations.ROUTES`, built or not, and for uploads by a form. An
operation is allowed if all of its actions are: those of its row, whose names have `Version` in them
where the request names a version, and one for each header that asks for more than the operation
does by itself.

Three operations are settled by their handlers, because what they need is in their bodies:
CreateBucket (its location is a condition), DeleteObjects (each key is asked for by itself), and the
sources of copies, which are in other buckets.

Spec: "Required permissions for Amazon S3 API operations" (user guide), service authorization
reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from aisle.auth.access import Action
from aisle.core import permissions as p
from aisle.core.http import RequestHead

_GRANTS: Final = tuple(
    f"x-amz-grant-{kind}" for kind in ("full-control", "read", "read-acp", "write", "write-acp")
)


class Needs(NamedTuple):
    """What an operation needs. `by_header` are more actions, each for a header; one with an ETag in
    it (If-Match) asks nothing if it is `*`. Those `on_new` are about the object that is written,
    not the one that is there. `handler`: the handler asks by itself."""

    actions: tuple[Action, ...]
    of_version: tuple[Action, ...]
    by_header: tuple[tuple[str, Action], ...] = ()
    on_new: tuple[tuple[str, Action], ...] = ()
    handler: bool = False


def _action(name: str, bit: int) -> Action:
    return Action(f"s3:{name}", bit)


# Who names an ETag learns whether the object has it, as a reader would.
_READ_ETAG: Final = ("if-match", _action("GetObject", p.HEAD_OBJECT))
_ON_NEW_OBJECT: Final = (
    *((name, _action("PutObjectAcl", p.PUT)) for name in ("x-amz-acl", *_GRANTS)),
    ("x-amz-tagging", _action("PutObjectTagging", p.PUT)),
    ("x-amz-object-lock-mode", _action("PutObjectRetention", p.PUT)),
    ("x-amz-object-lock-retain-until-date", _action("PutObjectRetention", p.PUT)),
    ("x-amz-object-lock-legal-hold", _action("PutObjectLegalHold", p.PUT)),
)
_ON_NEW_BUCKET: Final = (
    *((name, _action("PutBucketAcl", p.CREATE_BUCKET)) for name in ("x-amz-acl", *_GRANTS)),
    ("x-amz-object-ownership", _action("PutBucketOwnershipControls", p.CREATE_BUCKET)),
    (
        "x-amz-bucket-object-lock-enabled",
        _action("PutBucketObjectLockConfiguration", p.CREATE_BUCKET),
    ),
)
_BYPASS: Final = (
    "x-amz-bypass-governance-retention",
    _action("BypassGovernanceRetention", p.DELETE_OBJECT),
)
_ON_DELETED: Final = (
    _READ_ETAG,
    ("x-amz-if-match-size", _READ_ETAG[1]),
    ("x-amz-if-match-last-modified-time", _READ_ETAG[1]),
    _BYPASS,
)
_BY_HEADER: Final[Mapping[str, tuple[tuple[str, Action], ...]]] = {
    "PutObject": (_READ_ETAG,),
    "CopyObject": (_READ_ETAG,),
    "CompleteMultipartUpload": (_READ_ETAG,),
    "CreateBucket": _ON_NEW_BUCKET,
    "DeleteObject": _ON_DELETED,
    "DeleteObjects": (_BYPASS,),
    "PutObjectRetention": (_BYPASS,),
}
_MAKERS: Final = frozenset({"PutObject", "PostObject", "CopyObject", "CreateMultipartUpload"})
# Operations that need more than one action in any case.
_BESIDE: Final[Mapping[str, tuple[str, ...]]] = {"GetObjectAttributes": ("GetObject",)}
_BY_HANDLER: Final = frozenset({"CreateBucket", "DeleteObjects"})

# AIStore's bit, then operations and the actions of those that are not called like their action.
_BY_BIT: Final[tuple[tuple[int, tuple[str, ...], Mapping[str, str]], ...]] = (
    (
        p.LIST_BUCKETS,
        (),
        {"ListBuckets": "ListAllMyBuckets", "ListDirectoryBuckets": "ListAllMyDirectoryBuckets"},
    ),
    (p.CREATE_BUCKET, ("CreateBucket",), {}),
    (p.DESTROY_BUCKET, ("DeleteBucket",), {}),
    (
        p.HEAD_BUCKET,
        (
            "CreateSession",
            "GetBucketAbac",
            "GetBucketAcl",
            "GetBucketLocation",
            "GetBucketLogging",
            "GetBucketMetadataTableConfiguration",
            "GetBucketNotification",
            "GetBucketOwnershipControls",
            "GetBucketPolicy",
            "GetBucketPolicyStatus",
            "GetBucketRequestPayment",
            "GetBucketTagging",
            "GetBucketVersioning",
            "GetBucketWebsite",
        ),
        {
            "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
            "GetBucketAnalyticsConfiguration": "GetAnalyticsConfiguration",
            "GetBucketCors": "GetBucketCORS",
            "GetBucketEncryption": "GetEncryptionConfiguration",
            "GetBucketIntelligentTieringConfiguration": "GetIntelligentTieringConfiguration",
            "GetBucketInventoryConfiguration": "GetInventoryConfiguration",
            "GetBucketLifecycle": "GetLifecycleConfiguration",
            "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
            "GetBucketMetadataConfiguration": "GetBucketMetadataTableConfiguration",
            "GetBucketMetricsConfiguration": "GetMetricsConfiguration",
            "GetBucketNotificationConfiguration": "GetBucketNotification",
            "GetBucketReplication": "GetReplicationConfiguration",
            "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
            "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
            "HeadBucket": "ListBucket",
            "ListBucketAnalyticsConfigurations": "GetAnalyticsConfiguration",
            "ListBucketIntelligentTieringConfigurations": "GetIntelligentTieringConfiguration",
            "ListBucketInventoryConfigurations": "GetInventoryConfiguration",
            "ListBucketMetricsConfigurations": "GetMetricsConfiguration",
        },
    ),
    (
        p.SET_BUCKET_ACL,
        (
            "DeleteBucketPolicy",
            "PutBucketAcl",
            "PutBucketOwnershipControls",
            "PutBucketPolicy",
        ),
        {
            "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
            "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
            "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
        },
    ),
    (
        p.PATCH,
        (
            "CreateBucketMetadataTableConfiguration",
            "DeleteBucketMetadataTableConfiguration",
            "DeleteBucketWebsite",
            "PutBucketAbac",
            "PutBucketLogging",
            "PutBucketNotification",
            "PutBucketRequestPayment",
            "PutBucketTagging",
            "PutBucketVersioning",
            "PutBucketWebsite",
            "UpdateBucketMetadataAnnotationTableConfiguration",
            "UpdateBucketMetadataInventoryTableConfiguration",
            "UpdateBucketMetadataJournalTableConfiguration",
        ),
        {
            "CreateBucketMetadataConfiguration": "CreateBucketMetadataTableConfiguration",
            "DeleteBucketAnalyticsConfiguration": "PutAnalyticsConfiguration",
            "DeleteBucketCors": "PutBucketCORS",
            "DeleteBucketEncryption": "PutEncryptionConfiguration",
            "DeleteBucketIntelligentTieringConfiguration": "PutIntelligentTieringConfiguration",
            "DeleteBucketInventoryConfiguration": "PutInventoryConfiguration",
            "DeleteBucketLifecycle": "PutLifecycleConfiguration",
            "DeleteBucketMetadataConfiguration": "DeleteBucketMetadataTableConfiguration",
            "DeleteBucketMetricsConfiguration": "PutMetricsConfiguration",
            "DeleteBucketReplication": "PutReplicationConfiguration",
            "DeleteBucketTagging": "PutBucketTagging",
            "PutBucketAccelerateConfiguration": "PutAccelerateConfiguration",
            "PutBucketAnalyticsConfiguration": "PutAnalyticsConfiguration",
            "PutBucketCors": "PutBucketCORS",
            "PutBucketEncryption": "PutEncryptionConfiguration",
            "PutBucketIntelligentTieringConfiguration": "PutIntelligentTieringConfiguration",
            "PutBucketInventoryConfiguration": "PutInventoryConfiguration",
            "PutBucketLifecycle": "PutLifecycleConfiguration",
            "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
            "PutBucketMetricsConfiguration": "PutMetricsConfiguration",
            "PutBucketNotificationConfiguration": "PutBucketNotification",
            "PutBucketReplication": "PutReplicationConfiguration",
            "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
        },
    ),
    (
        p.LIST_OBJECTS,
        (),
        {
            "ListMultipartUploads": "ListBucketMultipartUploads",
            "ListObjectVersions": "ListBucketVersions",
            "ListObjects": "ListBucket",
            "ListObjectsV2": "ListBucket",
        },
    ),
    (p.GET, ("GetObject", "GetObjectAnnotation", "GetObjectTorrent"),
     {"SelectObjectContent": "GetObject"}),
    (
        p.HEAD_OBJECT,
        (
            "GetObjectAcl",
            "GetObjectAttributes",
            "GetObjectLegalHold",
            "GetObjectRetention",
            "GetObjectTagging",
            "ListObjectAnnotations",
        ),
        {"HeadObject": "GetObject", "ListParts": "ListMultipartUploadParts"},
    ),
    (
        p.PUT,
        ("AbortMultipartUpload", "PutObject"),
        {
            "CompleteMultipartUpload": "PutObject",
            "CopyObject": "PutObject",
            "CreateMultipartUpload": "PutObject",
            "PostObject": "PutObject",
            "UploadPart": "PutObject",
            "UploadPartCopy": "PutObject",
        },
    ),
    (p.DELETE_OBJECT, ("DeleteObject", "DeleteObjectAnnotation"),
     {"DeleteObjects": "DeleteObject"}),
    (p.MOVE_OBJECT, ("RenameObject",), {}),
    (
        p.UPDATE_OBJECT,
        (
            "DeleteObjectTagging",
            "PutObjectAcl",
            "PutObjectAnnotation",
            "PutObjectLegalHold",
            "PutObjectRetention",
            "PutObjectTagging",
            "RestoreObject",
            "UpdateObjectEncryption",
        ),
        {},
    ),
)  # fmt: skip
# Actions of which there is another one for a version that is named.
_OF_VERSIONS: Final[Mapping[str, str]] = {
    "DeleteObject": "DeleteObjectVersion",
    "DeleteObjectTagging": "DeleteObjectVersionTagging",
    "GetObject": "GetObjectVersion",
    "GetObjectAcl": "GetObjectVersionAcl",
    "GetObjectAttributes": "GetObjectVersionAttributes",
    "GetObjectTagging": "GetObjectVersionTagging",
    "GetObjectTorrent": "GetObjectVersionTorrent",
    "PutObjectAcl": "PutObjectVersionAcl",
    "PutObjectTagging": "PutObjectVersionTagging",
}


def _table() -> dict[str, Needs]:
    table = {}
    for bit, plain, renamed in _BY_BIT:
        for operation, name in {**{name: name for name in plain}, **renamed}.items():
            names = (*_BESIDE.get(operation, ()), name)
            table[operation] = Needs(
                tuple(_action(each, bit) for each in names),
                tuple(_action(_OF_VERSIONS.get(each, each), bit) for each in names),
                _BY_HEADER.get(operation, ()),
                _ON_NEW_OBJECT if operation in _MAKERS else (),
                operation in _BY_HANDLER,
            )
    return table


NEEDS: Final[Mapping[str, Needs]] = _table()

LIST_BUCKET: Final = _action("ListBucket", p.LIST_OBJECTS)
SEE_ETAG: Final = _READ_ETAG[1]
PASS_OVER: Final = _BYPASS[1]


def needed(operation: str, head: RequestHead) -> tuple[Action, ...]:
    """The actions that a request needs in the bucket and of what is there."""
    needs = NEEDS[operation]
    actions = needs.of_version if "versionId" in head.params else needs.actions
    return actions + _asked(needs.by_header, head) if needs.by_header else actions


def needed_of_new(operation: str, head: RequestHead) -> tuple[Action, ...]:
    """The actions that a request needs on the object that it writes."""
    rows = NEEDS[operation].on_new
    return _asked(rows, head) if rows else ()


def _asked(rows: tuple[tuple[str, Action], ...], head: RequestHead) -> tuple[Action, ...]:
    headers = head.headers
    found = [action for header, action in rows if _asks(header, headers.get(header, "*"))]
    return tuple(dict.fromkeys(found))


def _asks(header: str, value: str) -> bool:
    return value.lower() == "true" if header == _BYPASS[0] else value != "*"


def on_version(operation: str, version: str) -> Action:
    """The action of an operation on an object that the body or a header names."""
    needs = NEEDS[operation]
    return (needs.of_version if version else needs.actions)[0]
