"""The actions of S3 and the condition keys each of them has.

A name that is not here is no action: a bucket's policy that has it is malformed, rather than one
that silently does nothing. All names are kept in lower case, since policies may spell them so;
`NAMES` has them as S3 writes them.

Spec: "Actions, resources, and condition keys for Amazon S3", service authorization reference.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Flag, auto
from functools import lru_cache
from typing import Final

from aisle.auth.policy.match import compiled, tokens

PREFIX: Final = "s3:"


class Kind(Flag):
    """What an action is done to."""

    OBJECT = auto()
    BUCKET = auto()
    ACCOUNT = auto()


# --- condition keys, in lower case; one that ends in a slash is a family of keys -------------

_TAG = ("s3:existingobjecttag/",)
_NEW_TAGS = ("s3:requestobjecttag/", "s3:requestobjecttagkeys")
_VERSION = ("s3:versionid",)
_GRANTS = (
    "s3:x-amz-acl", "s3:x-amz-grant-full-control", "s3:x-amz-grant-read",
    "s3:x-amz-grant-read-acp", "s3:x-amz-grant-write", "s3:x-amz-grant-write-acp",
)  # fmt: skip
_SSE = (
    "s3:x-amz-server-side-encryption", "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "s3:x-amz-server-side-encryption-customer-algorithm",
)  # fmt: skip
_RETENTION = (
    "s3:object-lock-mode", "s3:object-lock-retain-until-date",
    "s3:object-lock-remaining-retention-days",
)  # fmt: skip
_HOLD = ("s3:object-lock-legal-hold",)
_LISTING = ("s3:prefix", "s3:delimiter", "s3:max-keys")
_WRITE = (
    *_NEW_TAGS, *_GRANTS, *_SSE, *_RETENTION, *_HOLD, "s3:x-amz-copy-source",
    "s3:x-amz-metadata-directive", "s3:x-amz-storage-class", "s3:x-amz-website-redirect-location",
)  # fmt: skip
_CONDITIONAL = ("s3:if-match", "s3:if-none-match", "s3:objectcreationoperation")

# Every action of S3 has these.
COMMON: Final = frozenset({
    "s3:authtype", "s3:signatureage", "s3:signatureversion", "s3:tlsversion",
    "s3:x-amz-content-sha256", "s3:resourceaccount", "s3:accesspointnetworkorigin",
    "s3:accesspointtag/", "s3:bucketnamespace", "s3:buckettag/", "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn", "s3:accessgrantsinstancearn",
})  # fmt: skip

# Those of all of AWS.
GLOBAL: Final = frozenset({
    "aws:assumedroot", "aws:calledvia", "aws:calledviafirst", "aws:calledvialast",
    "aws:chatbotsourcearn", "aws:currenttime", "aws:ec2instancesourceprivateipv4",
    "aws:ec2instancesourcevpc", "aws:epochtime", "aws:federatedprovider", "aws:ismcpserviceaction",
    "aws:multifactorauthage", "aws:multifactorauthpresent", "aws:principalaccount",
    "aws:principalarn", "aws:principalisawsservice", "aws:principalorgid",
    "aws:principalorgpaths", "aws:principalservicename", "aws:principalservicenameslist",
    "aws:principaltag/", "aws:principaltype", "aws:referer", "aws:requestedregion",
    "aws:requesttag/", "aws:resourceaccount", "aws:resourceorgid", "aws:resourceorgpaths",
    "aws:resourcetag/", "aws:securetransport", "aws:sourceaccount", "aws:sourcearn",
    "aws:sourceidentity", "aws:sourceip", "aws:sourceorgid", "aws:sourceorgpaths",
    "aws:sourceowner", "aws:sourcevpc", "aws:sourcevpcarn", "aws:sourcevpce", "aws:tagkeys",
    "aws:tokenissuetime", "aws:useragent", "aws:userid", "aws:username", "aws:viaawsservice",
    "aws:vpceaccount", "aws:vpceorgid", "aws:vpceorgpaths", "aws:vpcsourceip",
})  # fmt: skip

_OBJECT: Final[dict[str, tuple[str, ...]]] = {
    "AbortMultipartUpload": (),
    "BypassGovernanceRetention": _WRITE,
    "DeleteObject": ("s3:if-match",),
    "DeleteObjectAnnotation": (),
    "DeleteObjectTagging": _TAG,
    "DeleteObjectVersion": _VERSION,
    "DeleteObjectVersionTagging": _TAG + _VERSION,
    "GetObject": _TAG,
    "GetObjectAcl": _TAG,
    "GetObjectAnnotation": _TAG,
    "GetObjectAttributes": _TAG,
    "GetObjectLegalHold": (),
    "GetObjectRetention": (),
    "GetObjectTagging": _TAG,
    "GetObjectTorrent": (),
    "GetObjectVersion": _TAG + _VERSION,
    "GetObjectVersionAcl": _TAG + _VERSION,
    "GetObjectVersionAttributes": _TAG + _VERSION,
    "GetObjectVersionForReplication": (),
    "GetObjectVersionTagging": _TAG + _VERSION,
    "GetObjectVersionTorrent": _VERSION,
    "InitiateReplication": (),
    "ListMultipartUploadParts": (),
    "ListObjectAnnotations": _TAG,
    "ObjectOwnerOverrideToBucketOwner": (),
    "PutObject": _WRITE + _CONDITIONAL,
    "PutObjectAcl": (*_TAG, *_GRANTS, "s3:x-amz-storage-class"),
    "PutObjectAnnotation": (),
    "PutObjectLegalHold": _HOLD,
    "PutObjectRetention": _RETENTION,
    "PutObjectTagging": _TAG + _NEW_TAGS,
    "PutObjectVersionAcl": (*_TAG, *_VERSION, *_GRANTS, "s3:x-amz-storage-class"),
    "PutObjectVersionTagging": _TAG + _NEW_TAGS + _VERSION,
    "RenameObject": (),
    "ReplicateDelete": (),
    "ReplicateObject": _SSE,
    "ReplicateTags": (),
    "RestoreObject": (),
    "UpdateObjectEncryption": _SSE,
}

_BUCKET: Final[dict[str, tuple[str, ...]]] = {
    "CreateSession": (),
    "UpdateBucketMetadataAnnotationTableConfiguration": (),
    "CreateBucket": (*_GRANTS, "s3:locationconstraint", "s3:x-amz-object-ownership"),
    "ListBucket": _LISTING,
    "ListBucketVersions": _LISTING,
    "PutBucketAcl": _GRANTS,
    "PutBucketOwnershipControls": ("s3:x-amz-object-ownership",),
    "PutInventoryConfiguration": ("s3:inventoryaccessibleoptionalfields",),
    "PutBucketObjectLockConfiguration": ("s3:object-lock-remaining-retention-days",),
    **dict.fromkeys(
        [
            "CreateBucketMetadataTableConfiguration", "DeleteBucket",
            "DeleteBucketMetadataTableConfiguration", "DeleteBucketPolicy", "DeleteBucketWebsite",
            "GetAccelerateConfiguration", "GetAnalyticsConfiguration", "GetBucketAbac",
            "GetBucketAcl", "GetBucketCORS", "GetBucketLocation", "GetBucketLogging",
            "GetBucketMetadataTableConfiguration", "GetBucketNotification",
            "GetBucketObjectLockConfiguration", "GetBucketOwnershipControls", "GetBucketPolicy",
            "GetBucketPolicyStatus", "GetBucketPublicAccessBlock", "GetBucketRequestPayment",
            "GetBucketTagging", "GetBucketVersioning", "GetBucketWebsite",
            "GetEncryptionConfiguration", "GetIntelligentTieringConfiguration",
            "GetInventoryConfiguration", "GetLifecycleConfiguration", "GetMetricsConfiguration",
            "GetReplicationConfiguration", "ListBucketMultipartUploads", "ListTagsForResource",
            "PutAccelerateConfiguration", "PutAnalyticsConfiguration", "PutBucketAbac",
            "PutBucketCORS", "PutBucketLogging", "PutBucketNotification", "PutBucketPolicy",
            "PutBucketPublicAccessBlock", "PutBucketRequestPayment", "PutBucketTagging",
            "PutBucketVersioning", "PutBucketWebsite", "PutEncryptionConfiguration",
            "PutIntelligentTieringConfiguration", "PutLifecycleConfiguration",
            "PutMetricsConfiguration", "PutReplicationConfiguration", "TagResource",
            "UntagResource",
            "UpdateBucketMetadataInventoryTableConfiguration",
            "UpdateBucketMetadataJournalTableConfiguration",
        ],
        (),
    ),
}  # fmt: skip

# Nothing of these is done to one bucket; they are here so that `s3:*` of a user's policy has them.
_ACCOUNT: Final = (
    "AssociateAccessGrantsIdentityCenter", "CreateAccessGrant", "CreateAccessGrantsInstance",
    "CreateAccessGrantsLocation", "CreateAccessPoint", "CreateAccessPointForObjectLambda",
    "CreateJob", "CreateMultiRegionAccessPoint", "CreateStorageLensGroup", "DeleteAccessGrant",
    "DeleteAccessGrantsInstance", "DeleteAccessGrantsInstanceResourcePolicy",
    "DeleteAccessGrantsLocation", "DeleteAccessPoint", "DeleteAccessPointForObjectLambda",
    "DeleteAccessPointPolicy", "DeleteAccessPointPolicyForObjectLambda", "DeleteJobTagging",
    "DeleteMultiRegionAccessPoint", "DeleteStorageLensConfiguration",
    "DeleteStorageLensConfigurationTagging", "DeleteStorageLensGroup", "DescribeJob",
    "DescribeMultiRegionAccessPointOperation", "DissociateAccessGrantsIdentityCenter",
    "GetAccessGrant", "GetAccessGrantsInstance", "GetAccessGrantsInstanceForPrefix",
    "GetAccessGrantsInstanceResourcePolicy", "GetAccessGrantsLocation", "GetAccessPoint",
    "GetAccessPointConfigurationForObjectLambda", "GetAccessPointForObjectLambda",
    "GetAccessPointPolicy", "GetAccessPointPolicyForObjectLambda", "GetAccessPointPolicyStatus",
    "GetAccessPointPolicyStatusForObjectLambda", "GetAccountPublicAccessBlock", "GetDataAccess",
    "GetJobTagging", "GetMultiRegionAccessPoint", "GetMultiRegionAccessPointPolicy",
    "GetMultiRegionAccessPointPolicyStatus", "GetMultiRegionAccessPointRoutes",
    "GetStorageLensConfiguration", "GetStorageLensConfigurationTagging", "GetStorageLensDashboard",
    "GetStorageLensGroup", "ListAccessGrants", "ListAccessGrantsInstances",
    "ListAccessGrantsLocations", "ListAccessPoints", "ListAccessPointsForObjectLambda",
    "ListAllMyBuckets", "ListAllMyDirectoryBuckets", "ListCallerAccessGrants", "ListJobs",
    "ListMultiRegionAccessPoints",
    "ListStorageLensConfigurations", "ListStorageLensGroups",
    "PauseReplication", "PutAccessGrantsInstanceResourcePolicy",
    "PutAccessPointConfigurationForObjectLambda", "PutAccessPointPolicy",
    "PutAccessPointPolicyForObjectLambda", "PutAccessPointPublicAccessBlock",
    "PutAccountPublicAccessBlock", "PutJobTagging", "PutMultiRegionAccessPointPolicy",
    "PutStorageLensConfiguration", "PutStorageLensConfigurationTagging",
    "SubmitMultiRegionAccessPointRoutes",
    "UpdateAccessGrantsLocation", "UpdateJobPriority", "UpdateJobStatus", "UpdateStorageLensGroup",
)  # fmt: skip

NAMES: Final = frozenset(PREFIX + name for name in (*_OBJECT, *_BUCKET, *_ACCOUNT))
KINDS: Final = {
    **{PREFIX + name.lower(): Kind.OBJECT for name in _OBJECT},
    **{PREFIX + name.lower(): Kind.BUCKET for name in _BUCKET},
    **{PREFIX + name.lower(): Kind.ACCOUNT for name in _ACCOUNT},
}
_KEYS: Final = {
    PREFIX + name.lower(): frozenset(keys) for name, keys in (_OBJECT | _BUCKET).items()
}
_ALL_KEYS: Final = COMMON.union(GLOBAL, *_KEYS.values())
# What depends on the single object, so that nobody knows it of many.
OF_AN_OBJECT: Final = (*_TAG, *_VERSION)


def family(key: str) -> str:
    """The name under which a condition key (in lower case) is in the tables."""
    head, slash, _ = key.partition("/")
    return head + slash


def is_key(key: str) -> bool:
    """Whether this is a condition key of S3 or of all of AWS."""
    return family(key) in _ALL_KEYS


def has_key(action: str, key: str) -> bool:
    """Whether requests for `action` may have the condition key."""
    name = family(key)
    return name in GLOBAL or name in COMMON or name in _KEYS.get(action, ())


@lru_cache(maxsize=1024)
def matching(pattern: str) -> Collection[str]:
    """The actions of S3, in lower case, that a pattern in lower case means."""
    if pattern in KINDS:
        return (pattern,)
    test = compiled(tokens(pattern, variables=False))
    return tuple(name for name in KINDS if test(name))
