"""How each operation of S3's model stands here: served, kept without effect, or refused.

What has a handler (`dialect.HANDLERS`) is served. `KEPT` are those of them whose configuration is
validated, stored and given back, and changes nothing else here; `REFUSED` are the operations that
are answered with an error, and why. Every operation of the model is in exactly one of `HANDLERS`
and `REFUSED` (`tests/api/test_compatibility.py`); docs/s3-compatibility.md is written from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_METADATA_TABLES: Final = (
    "S3 Metadata keeps its tables in Amazon's table buckets, which this store does not have; an"
    " inventory lists the objects of a bucket and their metadata."
)
_DIRECTORIES: Final = (
    "Directory buckets are Amazon's S3 Express; buckets here need no session, and appends and"
    " renames work in all of them."
)
_METADATA_OPERATIONS: Final = (
    "CreateBucketMetadataConfiguration",
    "CreateBucketMetadataTableConfiguration",
    "DeleteBucketMetadataConfiguration",
    "DeleteBucketMetadataTableConfiguration",
    "GetBucketMetadataConfiguration",
    "GetBucketMetadataTableConfiguration",
    "UpdateBucketMetadataAnnotationTableConfiguration",
    "UpdateBucketMetadataInventoryTableConfiguration",
    "UpdateBucketMetadataJournalTableConfiguration",
)

_KEPT_BY_ID: Final[Mapping[str, str]] = {
    "Analytics": "No storage class analysis is written: an inventory lists what a bucket has.",
    "IntelligentTiering": (
        "All classes are stored alike here, and objects are not moved among them."
    ),
    "Metrics": "Metrics are Prometheus's, at /metrics, and not those of CloudWatch.",
}

KEPT: Final[Mapping[str, str]] = {
    **{
        f"{verb}Bucket{kind}Configuration{'s' * (verb == 'List')}": why
        for kind, why in _KEPT_BY_ID.items()
        for verb in ("Put", "Get", "Delete", "List")
    },
    **dict.fromkeys(
        ("PutBucketAccelerateConfiguration", "GetBucketAccelerateConfiguration"),
        "There are no edge locations in front of a store of one's own.",
    ),
}

# What is otherwise here than at Amazon, of operations that work.
NOTES: Final[Mapping[str, str]] = {
    "PutBucketVersioning": (
        "MFA delete is refused; that it is disabled is told once somebody has said so."
    ),
    "CreateBucket": "The namespace of names is `global`; those of accounts are refused.",
    **dict.fromkeys(
        (
            "PutObject",
            "CopyObject",
            "CreateMultipartUpload",
            "PutObjectRetention",
            "PutObjectLockConfiguration",
        ),
        "Event holds of Object Lock are refused.",
    ),
    "PutBucketNotificationConfiguration": (
        "Destinations are targets of the cluster (webhooks, NATS, Kafka, AMQP), whatever kind of"
        " configuration names them; EventBridge is the target called `eventbridge`."
    ),
    "PutBucketLifecycleConfiguration": (
        "Transitions are checked, kept and told; objects stay in the class that they have."
    ),
    "GetBucketEncryption": (
        "A bucket without a configuration says what happens: SSE-S3 if the node was given a key"
        " ring, else none."
    ),
    "PutBucketEncryption": (
        "Keys are those of the node's key ring, or one of its own; nodes that share an index"
        " without a ring take only `BlockedEncryptionTypes`. S3 Bucket Keys are kept and returned."
    ),
    "UpdateObjectEncryption": "To SSE-KMS, as at Amazon; keys are those of the key ring.",
    "PutBucketCors": (
        "Credentials of browsers are let in only from origins that a rule names in full, never by a"
        " pattern."
    ),
    "PutBucketWebsite": "Served below the node's `--website-domain`s.",
    "PutBucketAbac": (
        "Where it is enabled, policies may ask for the bucket's tags (`aws:ResourceTag`); tags are"
        " set by TagResource of S3 Control, and still by PutBucketTagging."
    ),
    "PutBucketRequestPayment": (
        "Nobody is billed; requests by others than the bucket's owner need"
        " `x-amz-request-payer: requester`."
    ),
}

REFUSED: Final[Mapping[str, str]] = {
    **dict.fromkeys(_METADATA_OPERATIONS, _METADATA_TABLES),
    "CreateSession": _DIRECTORIES,
    "ListDirectoryBuckets": _DIRECTORIES,
    "GetObjectTorrent": (
        "Amazon ended its support of BitTorrent in 2022. Objects are read over HTTP, in ranges if"
        " need be."
    ),
    "WriteGetObjectResponse": (
        "Object Lambda answers through functions that run at Amazon; presigned URLs and the native"
        " API's transformations are ways to the same here."
    ),
}
