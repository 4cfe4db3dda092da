"""The columns of an inventory: Amazon's names, in its order, and what each is of an object.

CSV has `LastModifiedDate` where ORC and Parquet have `last_modified_date`; values are what a
columnar file keeps, and `text` makes of them what CSV has.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from urllib.parse import quote_plus

from aisle.auth.acl import FULL_CONTROL, Grant
from aisle.namespace.records import Object

_SECOND: Final = 1_000_000_000
_STATUS: Final = {
    "": "NOT-SSE", "AES256": "SSE-S3", "aws:kms": "SSE-KMS", "aws:kms:dsse": "DSSE-KMS",
    "customer": "SSE-C",
}  # fmt: skip
_ACL_VERSION: Final = "2022-11-10"


class Entry(NamedTuple):
    """An object or version; `expires` (ns) is when lifecycle rules remove it, 0 for never, and
    `owner` whose it is."""

    bucket: str
    key: str
    record: Object
    latest: bool
    owner: str
    expires: int = 0


class Column(NamedTuple):
    """A column: its name in CSV and in columnar files, its type (`string`, `boolean`, `bigint` or
    `timestamp`), and its value of an entry; delete markers have no value unless it says so."""

    name: str
    plain: str
    type: str
    value: Callable[[Entry], Any]
    of_markers: bool = False


def _acl(entry: Entry) -> str:
    """The grants as Amazon writes them: JSON, in base64."""
    grants = entry.record.acl
    if grants is None:
        grants = [Grant("id", entry.owner, FULL_CONTROL)]
    told = {"version": _ACL_VERSION, "status": "AVAILABLE", "grants": [_grant(g) for g in grants]}
    return base64.b64encode(json.dumps(told, separators=(",", ":")).encode()).decode()


def _grant(grant: Grant) -> dict[str, str]:
    if grant.kind == "id":
        return {
            "canonicalId": grant.who, "type": "CanonicalUser", "permission": grant.permission,
        }  # fmt: skip
    return {"uri": grant.who, "type": "Group", "permission": grant.permission}


def _until(entry: Entry) -> int | None:
    lock = entry.record.lock
    return lock.until if lock is not None and lock.mode else None


def _hold(entry: Entry) -> str | None:
    lock = entry.record.lock
    if lock is None or not (lock.hold or lock.released):
        return None
    return "On" if lock.hold else "Off"


def _bucket_key(entry: Entry) -> str | None:
    sealed = entry.record.sealed
    if sealed is None or sealed.mode != "aws:kms":
        return None
    return "ENABLED" if sealed.bucket_key else "DISABLED"


def _nothing(entry: Entry) -> None:
    """Of what this store has not."""


ALWAYS: Final = (
    Column("Bucket", "bucket", "string", lambda e: e.bucket, True),
    Column("Key", "key", "string", lambda e: e.key, True),
)
OF_VERSIONS: Final = (
    Column("VersionId", "version_id", "string", lambda e: e.record.version or None, True),
    Column("IsLatest", "is_latest", "boolean", lambda e: e.latest, True),
    Column("IsDeleteMarker", "is_delete_marker", "boolean", lambda e: e.record.marker, True),
)
OPTIONAL: Final = (
    Column("Size", "size", "bigint", lambda e: e.record.size),
    Column("LastModifiedDate", "last_modified_date", "timestamp", lambda e: e.record.mtime, True),
    Column("ETag", "e_tag", "string", lambda e: e.record.etag),
    Column("StorageClass", "storage_class", "string", lambda e: e.record.storage_class),
    Column("IsMultipartUploaded", "is_multipart_uploaded", "boolean",
           lambda e: e.record.part_count > 0),
    Column("ReplicationStatus", "replication_status", "string",
           lambda e: e.record.replication or None, True),
    Column("EncryptionStatus", "encryption_status", "string",
           lambda e: _STATUS[e.record.sealed.mode if e.record.sealed is not None else ""]),
    Column("ObjectLockRetainUntilDate", "object_lock_retain_until_date", "timestamp", _until),
    Column("ObjectLockMode", "object_lock_mode", "string",
           lambda e: (e.record.lock.mode or None) if e.record.lock is not None else None),
    Column("ObjectLockLegalHoldStatus", "object_lock_legal_hold_status", "string", _hold),
    Column("ObjectLockEventHoldStatus", "object_lock_event_hold_status", "string", _nothing),
    Column("ObjectLockEventHoldDuration", "object_lock_event_hold_duration", "string", _nothing),
    Column("IntelligentTieringAccessTier", "intelligent_tiering_access_tier", "string", _nothing),
    Column("BucketKeyStatus", "bucket_key_status", "string", _bucket_key),
    Column("ChecksumAlgorithm", "checksum_algorithm", "string",
           lambda e: ",".join(e.record.checksums) or None),
    Column("ObjectAccessControlList", "object_access_control_list", "string", _acl),
    Column("ObjectOwner", "object_owner", "string", lambda e: e.owner, True),
    Column("LifecycleExpirationDate", "lifecycle_expiration_date", "timestamp",
           lambda e: e.expires or None),
    Column("IntelligentTieringReferenceDate", "intelligent_tiering_reference_date", "timestamp",
           _nothing),
)  # fmt: skip
FIELDS: Final[Mapping[str, Column]] = {column.name: column for column in OPTIONAL}


def chosen(fields: Sequence[str], *, versions: bool) -> tuple[Column, ...]:
    """The columns of an inventory that has these optional fields."""
    wanted = tuple(column for column in OPTIONAL if column.name in fields)
    return (*ALWAYS, *(OF_VERSIONS if versions else ()), *wanted)


def values(entry: Entry, columns: Sequence[Column]) -> list[Any]:
    if entry.record.marker:
        return [column.value(entry) if column.of_markers else None for column in columns]
    return [column.value(entry) for column in columns]


def text(column: Column, value: Any) -> str:
    """A value as CSV has it."""
    if value is None:
        return ""
    if column.type == "boolean":
        return "true" if value else "false"
    if column.type == "timestamp":
        moment = datetime.fromtimestamp(value // _SECOND, UTC)
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{value % _SECOND // 1_000_000:03}Z"
    if column.name == "Key":
        return quote_plus(value, safe="/*-._~!'()", errors="surrogateescape")
    return str(value)


def schema(columns: Sequence[Column], format: str) -> str:
    """The `fileSchema` of a manifest."""
    if format == "CSV":
        return ", ".join(column.name for column in columns)
    if format == "ORC":
        inner = ",".join(f"{column.plain}:{column.type}" for column in columns)
        return f"struct<{inner}>"
    lines = "".join(
        f"  {_presence(column)} {_PARQUET[column.type] % column.plain};" for column in columns
    )
    return f"message s3.inventory {{{lines} }}"


def _presence(column: Column) -> str:
    return "required" if column in ALWAYS else "optional"


_PARQUET: Final = {
    "string": "binary %s (UTF8)",
    "boolean": "boolean %s",
    "bigint": "int64 %s",
    "timestamp": "int64 %s (TIMESTAMP_MILLIS)",
}
