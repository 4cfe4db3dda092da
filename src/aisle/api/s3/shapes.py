"""Which elements the documents of S3's requests have: what is text, and what may be there again.

Data alone, after the model of the API; a test compares them. `xml.parse` holds every document to
its shape, so that no reader passes over elements inside a text, or the second of what is one. What
is in no shape is for a document's reader to refuse or to overlook.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

Shape: TypeAlias = "Mapping[str, Shape | Many] | None"
TEXT: Final = None


@dataclass(frozen=True, slots=True)
class Many:
    """An element that may be there again."""

    of: Shape


def _texts(*names: str) -> Shape:
    return dict.fromkeys(names, TEXT)


_STATUS: Final = _texts("Status")
_TAG: Final = _texts("Key", "Value")
_TAGS: Final = {"Tag": Many(_TAG)}
_PERIOD: Final = _texts("Days", "Years")
_GRANTS: Final = {
    "Grant": Many(
        {"Grantee": _texts("DisplayName", "EmailAddress", "ID", "URI"), "Permission": TEXT}
    )
}


def _filter(*more: str) -> Shape:
    one = dict.fromkeys(("Prefix", *more), TEXT)
    return {**one, "Tag": _TAG, "And": {**one, **_TAGS}}


def _notified(destination: str) -> Many:
    return Many(
        {
            "Id": TEXT,
            destination: TEXT,
            "Event": Many(TEXT),
            "Filter": {"S3Key": {"FilterRule": Many(_texts("Name", "Value"))}},
        }
    )


_CSV: Final = ("QuoteEscapeCharacter", "RecordDelimiter", "FieldDelimiter", "QuoteCharacter")
_INPUT: Final = {
    "CSV": _texts("FileHeaderInfo", "Comments", "AllowQuotedRecordDelimiter", *_CSV),
    "CompressionType": TEXT,
    "JSON": _texts("Type"),
    "Parquet": {},
}
_OUTPUT: Final = {"CSV": _texts("QuoteFields", *_CSV), "JSON": _texts("RecordDelimiter")}

# By the name of the root.
SHAPES: Final[Mapping[str, Shape]] = {
    "AbacStatus": _STATUS,
    "AccelerateConfiguration": _STATUS,
    "AccessControlPolicy": {"AccessControlList": _GRANTS, "Owner": _texts("DisplayName", "ID")},
    "AnalyticsConfiguration": {
        "Id": TEXT,
        "Filter": _filter(),
        "StorageClassAnalysis": {
            "DataExport": {
                "OutputSchemaVersion": TEXT,
                "Destination": {
                    "S3BucketDestination": _texts("Format", "BucketAccountId", "Bucket", "Prefix")
                },
            }
        },
    },
    "BucketLoggingStatus": {
        "LoggingEnabled": {
            "TargetBucket": TEXT,
            "TargetGrants": _GRANTS,
            "TargetPrefix": TEXT,
            "TargetObjectKeyFormat": {
                "SimplePrefix": {},
                "PartitionedPrefix": _texts("PartitionDateSource"),
            },
        }
    },
    "CORSConfiguration": {
        "CORSRule": Many(
            {
                "ID": TEXT,
                "AllowedHeader": Many(TEXT),
                "AllowedMethod": Many(TEXT),
                "AllowedOrigin": Many(TEXT),
                "ExposeHeader": Many(TEXT),
                "MaxAgeSeconds": TEXT,
            }
        )
    },
    "CompleteMultipartUpload": {
        "Part": Many(
            _texts(
                "ETag",
                "ChecksumCRC32",
                "ChecksumCRC32C",
                "ChecksumCRC64NVME",
                "ChecksumSHA1",
                "ChecksumSHA256",
                "ChecksumSHA512",
                "ChecksumMD5",
                "ChecksumXXHASH64",
                "ChecksumXXHASH3",
                "ChecksumXXHASH128",
                "PartNumber",
            )
        )
    },
    "CreateBucketConfiguration": {
        "LocationConstraint": TEXT,
        "Location": _texts("Type", "Name"),
        "Bucket": _texts("DataRedundancy", "Type"),
        "Tags": _TAGS,
    },
    "Delete": {
        "Object": Many(_texts("Key", "VersionId", "ETag", "LastModifiedTime", "Size")),
        "Quiet": TEXT,
    },
    "IntelligentTieringConfiguration": {
        "Id": TEXT,
        "Filter": _filter(),
        "Status": TEXT,
        "Tiering": Many(_texts("Days", "AccessTier")),
    },
    "InventoryConfiguration": {
        "Destination": {
            "S3BucketDestination": {
                "AccountId": TEXT,
                "Bucket": TEXT,
                "Format": TEXT,
                "Prefix": TEXT,
                "Encryption": {"SSE-S3": {}, "SSE-KMS": _texts("KeyId")},
            }
        },
        "IsEnabled": TEXT,
        "Filter": _texts("Prefix"),
        "Id": TEXT,
        "IncludedObjectVersions": TEXT,
        "OptionalFields": {"Field": Many(TEXT)},
        "Schedule": _texts("Frequency"),
    },
    "LegalHold": _STATUS,
    "LifecycleConfiguration": {
        "Rule": Many(
            {
                "Expiration": _texts("Date", "Days", "ExpiredObjectDeleteMarker"),
                "ID": TEXT,
                "Prefix": TEXT,
                "Filter": _filter("ObjectSizeGreaterThan", "ObjectSizeLessThan"),
                "Status": TEXT,
                "Transition": Many(_texts("Date", "Days", "StorageClass")),
                "NoncurrentVersionTransition": Many(
                    _texts("NoncurrentDays", "StorageClass", "NewerNoncurrentVersions")
                ),
                "NoncurrentVersionExpiration": _texts("NoncurrentDays", "NewerNoncurrentVersions"),
                "AbortIncompleteMultipartUpload": _texts("DaysAfterInitiation"),
            }
        )
    },
    "MetricsConfiguration": {"Id": TEXT, "Filter": _filter("AccessPointArn")},
    "NotificationConfiguration": {
        "TopicConfiguration": _notified("Topic"),
        "QueueConfiguration": _notified("Queue"),
        "CloudFunctionConfiguration": _notified("CloudFunction"),
        "EventBridgeConfiguration": {},
    },
    "ObjectEncryption": {"SSE-KMS": _texts("KMSKeyArn", "BucketKeyEnabled")},
    "ObjectLockConfiguration": {
        "ObjectLockEnabled": TEXT,
        "Rule": {
            "DefaultRetention": {
                "Mode": TEXT,
                "Days": TEXT,
                "Years": TEXT,
                "DefaultEventHold": _PERIOD,
            }
        },
    },
    "OwnershipControls": {"Rule": Many(_texts("ObjectOwnership"))},
    "PublicAccessBlockConfiguration": _texts(
        "BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"
    ),
    "ReplicationConfiguration": {
        "Role": TEXT,
        "Rule": Many(
            {
                "ID": TEXT,
                "Priority": TEXT,
                "Prefix": TEXT,
                "Filter": _filter(),
                "Status": TEXT,
                "SourceSelectionCriteria": {
                    "SseKmsEncryptedObjects": _STATUS,
                    "ReplicaModifications": _STATUS,
                },
                "ExistingObjectReplication": _STATUS,
                "Destination": {
                    "Bucket": TEXT,
                    "Account": TEXT,
                    "StorageClass": TEXT,
                    "AccessControlTranslation": _texts("Owner"),
                    "EncryptionConfiguration": _texts("ReplicaKmsKeyID"),
                    "ReplicationTime": {"Status": TEXT, "Time": _texts("Minutes")},
                    "Metrics": {"Status": TEXT, "EventThreshold": _texts("Minutes")},
                },
                "DeleteMarkerReplication": _STATUS,
            }
        ),
    },
    "RequestPaymentConfiguration": _texts("Payer"),
    "RestoreRequest": {
        "Days": TEXT,
        "GlacierJobParameters": _texts("Tier"),
        "Type": TEXT,
        "Tier": TEXT,
        "Description": TEXT,
        "SelectParameters": {
            "InputSerialization": _INPUT,
            "ExpressionType": TEXT,
            "Expression": TEXT,
            "OutputSerialization": _OUTPUT,
        },
        "OutputLocation": {
            "S3": {
                "BucketName": TEXT,
                "Prefix": TEXT,
                "Encryption": _texts("EncryptionType", "KMSKeyId", "KMSContext"),
                "CannedACL": TEXT,
                "AccessControlList": _GRANTS,
                "Tagging": {"TagSet": _TAGS},
                "UserMetadata": {"MetadataEntry": Many(_texts("Name", "Value"))},
                "StorageClass": TEXT,
            }
        },
    },
    "Retention": {
        "Mode": TEXT,
        "RetainUntilDate": TEXT,
        "EventHold": TEXT,
        "EventHoldDuration": _PERIOD,
    },
    "SelectObjectContentRequest": {
        "Expression": TEXT,
        "ExpressionType": TEXT,
        "RequestProgress": _texts("Enabled"),
        "InputSerialization": _INPUT,
        "OutputSerialization": _OUTPUT,
        "ScanRange": _texts("Start", "End"),
    },
    "ServerSideEncryptionConfiguration": {
        "Rule": Many(
            {
                "ApplyServerSideEncryptionByDefault": _texts("SSEAlgorithm", "KMSMasterKeyID"),
                "BucketKeyEnabled": TEXT,
                "BlockedEncryptionTypes": {"EncryptionType": Many(TEXT)},
            }
        )
    },
    "Tagging": {"TagSet": _TAGS},
    "VersioningConfiguration": _texts("MfaDelete", "Status"),
    "WebsiteConfiguration": {
        "ErrorDocument": _texts("Key"),
        "IndexDocument": _texts("Suffix"),
        "RedirectAllRequestsTo": _texts("HostName", "Protocol"),
        "RoutingRules": {
            "RoutingRule": Many(
                {
                    "Condition": _texts("HttpErrorCodeReturnedEquals", "KeyPrefixEquals"),
                    "Redirect": _texts(
                        "HostName",
                        "HttpRedirectCode",
                        "Protocol",
                        "ReplaceKeyPrefixWith",
                        "ReplaceKeyWith",
                    ),
                }
            )
        },
    },
}
