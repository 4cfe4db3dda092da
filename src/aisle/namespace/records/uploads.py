"""Rows of multipart uploads: `upload`, `part`, `done`."""

from __future__ import annotations

from aisle.auth.acl import Grant
from aisle.namespace.records.base import Record
from aisle.namespace.records.buckets import Extent, Lock, Sealed


class Upload(Record, frozen=True, array_like=True):
    """A multipart upload under way."""

    id: bytes
    started: int
    owner: str
    storage_class: str
    headers: dict[str, str]
    meta: dict[str, str]
    checksum_algorithm: str
    checksum_type: str
    acl: list[Grant] | None = None
    initiator: str = ""  # the user that began it, as policies call it
    asked: dict[str, str] = {}  # what policies may ask of its parts, by header
    tags: dict[str, str] = {}
    lock: Lock | None = None
    sealed: Sealed | None = None
    replication: str = ""
    remote_encryption: dict[str, str] = {}  # asked of the remote bucket, as headers of S3


class Part(Record, frozen=True, array_like=True):
    """An uploaded part; `etag` is its MD5 in hex (or opaque, as the bucket says)."""

    number: int
    size: int
    mtime: int
    etag: str
    checksums: dict[str, str]
    extents: list[Extent]


class Completed(Record, frozen=True, array_like=True):
    """What a completed upload became, kept for a while so that a retry hears the same."""

    bucket: bytes
    key: bytes
    time: int
    etag: str
    request: bytes
    checksums: dict[str, str]
    checksum_type: str
    # Its id, empty for the null version; the remote's own, if it went to a remote bucket. `None` of
    # what has no version.
    version: str | None = None
