"""Rows of buckets and objects: `bucket`, `object`, `layout`.

Here is also what rows of uploads and windows share with them: extents, parts, what a listing shows.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from aisle.auth.acl import Grant
from aisle.core.names import BucketName, parse_bucket_name
from aisle.namespace.records.base import Record

# Up to this many parts travel in the object's own row; more get a `layout` row, so that a
# listing never reads the parts of a large upload.
PARTS_IN_ROW: Final = 4
# The property of a bucket of our own that makes it a window: the remote bucket's full name.
BACKEND_BCK: Final = "backend_bck"
_NOTHING: Final = msgspec.Raw()


class Extent(Record, frozen=True, array_like=True):
    """`length` bytes at `offset` of a blob, or of a row of `body` if `inline`. One that is `cold`
    is never in a row: its bytes are in a remote bucket, and `blob` is what the window calls them.
    With a `seal` they are encrypted there, and `offset` and `length` count the bytes as they were
    before: see `sealing.frames`, whose salt it is.
    """

    blob: bytes
    offset: int
    length: int
    inline: bool = False
    cold: bool = False
    seal: bytes = b""


class Bucket(Record, frozen=True, array_like=True):
    """A bucket. `props` holds only what was set on it, by flat setting name.

    `mark` is set by a running DeleteBucket and cleared by any writer: see `buckets.delete`.
    `versions` is S3's versioning status, empty if it never had any; `has` are bits of the documents
    that who reads or writes objects must look at (`documents.BITS`).
    """

    id: bytes
    name: str
    provider: str
    namespace: str
    created: int
    owner: str
    location: str
    props: dict[str, Any]
    mark: bytes = b""
    versions: Literal["", "Enabled", "Suspended"] = ""
    has: int = 0

    @property
    def keeps_versions(self) -> bool:
        """Whether what is replaced or deleted is kept as a former version."""
        return self.versions == "Enabled"

    @property
    def behind(self) -> BucketName | None:
        """The remote bucket that this one is a window on; `None` for a bucket of our own."""
        if self.provider != "ais" or self.namespace.startswith("@"):
            return BucketName(self.name, self.provider, self.namespace)
        named = self.props.get(BACKEND_BCK)
        return parse_bucket_name(named) if named else None


class PartInfo(Record, frozen=True, array_like=True):
    """One part of a completed upload: its number, size, and base64 checksums by algorithm."""

    number: int
    size: int
    checksums: dict[str, str]


class Listed(Record, frozen=True, array_like=True):
    """The leading fields of `Object`: what a listing shows, decoded without the rest."""

    size: int
    mtime: int
    etag: str
    storage_class: str
    checksums: dict[str, str]
    checksum_type: str


class Owned(Listed, frozen=True, array_like=True):
    """The same with whose the object is, which most listings need not know."""

    owner: str


class Origin(Record, frozen=True, array_like=True):
    """What the remote bucket said of the version that a row of a window is a copy of.

    `source` is the provider; `etag` is the remote's and also the row's; `modified` (ns) its
    Last-Modified and the row's `mtime`; `checksums` are the remote's, of the whole body, in hex;
    `encryption` is how the remote encrypts it, as headers of S3. While the object is being written
    there is no more than what is asked of that.
    """

    source: str
    etag: str = ""
    version: str = ""
    modified: int = 0
    checksums: dict[str, str] = {}
    encryption: dict[str, str] = {}


class Lock(Record, frozen=True, array_like=True):
    """What keeps a version from being removed: retention of `mode` `until` (ns; no mode, no
    retention), and a legal hold; `released` if one was said to be off. See `locks`."""

    mode: str = ""
    until: int = 0
    hold: bool = False
    released: bool = False


class Sealed(Record, frozen=True, array_like=True):
    """How an object is encrypted: see `sealing`. `mode` is `AES256`, `aws:kms`, `aws:kms:dsse` or
    `customer`; `key` is the key of the ring, as NAME/VERSION, with which the object's own is
    `wrapped` (none for a customer's); `context` and `bucket_key` are what the client said of
    KMS."""

    mode: str
    key: str
    wrapped: bytes
    context: str = ""
    bucket_key: bool = False

    @property
    def opaque(self) -> bool:
        """Whether the ETag is no digest: S3 has none where who reads must have a key."""
        return self.mode != "AES256"


class Object(Record, frozen=True, array_like=True):
    """A version of an object; the current one, in table `object`.

    `etag` is without quotes; `checksums` are S3's, in base64; `digest` is the bucket's
    `checksum.type` and its value in hex; `mtime` is in nanoseconds since the epoch; `acl` holds
    grants (`aisle.auth.acl`), `None` where the owner alone has everything. `seq` grows with every
    write of the key; `version` is S3's version id, empty for the null version; a `marker` is a
    delete marker. `replication` is S3's replication status; `notes` names the object's
    annotations; `restored` is until when (ns) an object of an archive class says that it is
    restored.
    """

    size: int
    mtime: int
    etag: str
    storage_class: str
    checksums: dict[str, str]
    checksum_type: str
    owner: str
    extents: list[Extent]
    layout: bytes
    headers: dict[str, str]
    meta: dict[str, str]
    digest: tuple[str, str]
    parts: list[PartInfo]
    part_count: int
    seq: int
    acl: list[Grant] | None = None
    origin: Origin | None = None  # of a window's copy; its ETag may be no MD5
    version: str = ""
    marker: bool = False
    tags: dict[str, str] = {}
    lock: Lock | None = None
    sealed: Sealed | None = None
    replication: str = ""
    notes: bytes = b""
    restored: int = 0


class Versioned(Owned, frozen=True, array_like=True):
    """The fields of `Object` that a listing of versions shows; the others are passed over."""

    extents: msgspec.Raw
    layout: msgspec.Raw
    headers: msgspec.Raw
    meta: msgspec.Raw
    digest: msgspec.Raw
    parts: msgspec.Raw
    part_count: int
    seq: int
    acl: msgspec.Raw = _NOTHING
    origin: msgspec.Raw = _NOTHING
    version: str = ""
    marker: bool = False


class Layout(Record, frozen=True, array_like=True):
    """The extents and parts of an object that has many."""

    extents: list[Extent]
    parts: list[PartInfo]
