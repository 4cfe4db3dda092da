"""What the remote says of an object, as a record: of one that is still there alone, and of a copy.

A record of an object that is not in the cluster has one cold extent, whose name is a `Ticket`: all
that is needed to read that version's bytes later, wherever they are by then. Nothing of a remote
server is passed on that a header could not carry, so no client sees more of its mistakes than that
something is missing. Pure functions over values, but for `drop` and `of`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from aisle.backend.base import ENCRYPTION, RemoteObject
from aisle.core import checksums
from aisle.core.names import BucketName
from aisle.namespace.bodies import DIGEST_OF
from aisle.namespace.records import Bucket, Extent, Object, Origin, Record, decode, encode
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.window import evict

SECOND: Final = 1_000_000_000
# The end of the year 9999, which is as far as dates go.
_LAST: Final = 253_402_300_799 * SECOND
HEADERS: Final = (
    "content-type",
    "content-encoding",
    "content-language",
    "content-disposition",
    "cache-control",
    "expires",
)
_MOST_META: Final = 64
_LONGEST: Final = 8192
_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_VALUE: Final = re.compile(r"[ -~\x80-\xff]+")  # of a header, as Latin-1 text
_TAG: Final = re.compile(r"[!#-~]{1,256}")
_ENCRYPTED: Final = re.compile(r"[!-~]{1,2048}")
_CLASS: Final = re.compile(r"[A-Z0-9_]{1,32}")
# Checksums by the names that providers may use, as `core.checksums` has them.
_ALGORITHMS: Final[Mapping[str, str]] = {
    **{name.lower(): name for name in checksums.ALGORITHMS},
    **{kind: name for kind, name in DIGEST_OF.items() if name},
}


class Ticket(Record, frozen=True, array_like=True):
    """What a cold extent is called: which version of which object it is, in which bucket. `keep`
    is false where nothing of it is to be kept; `way` names the way to the remote that its request
    came with, see `How.via`."""

    bucket: bytes
    name: str
    provider: str
    namespace: str
    key: bytes
    etag: str
    version: str
    size: int
    mtime: int
    keep: bool = True
    way: int = 0

    @property
    def full_name(self) -> BucketName:
        return BucketName(self.name, self.provider, self.namespace)

    @property
    def row_key(self) -> bytes:
        return self.bucket + self.key

    @property
    def about(self) -> RemoteObject:
        """As much of what the remote said as tells this version from others."""
        return RemoteObject(
            self.key.decode(), self.size, etag=self.etag, mtime=self.mtime, version=self.version
        )


def digests_of(about: RemoteObject) -> dict[str, bytes]:
    """The digests of the whole body that the remote tells, by their names in `core.checksums`;
    what is not one is left out."""
    found: dict[str, bytes] = {}
    for name, text in about.checksums.items():
        algorithm = _ALGORITHMS.get(name.lower())
        try:
            digest = bytes.fromhex(text)
        except ValueError:
            continue
        if algorithm and len(digest) == checksums.ALGORITHMS[algorithm].size:
            found[algorithm] = digest
    return found


def same(one: RemoteObject, other: RemoteObject) -> bool:
    """Whether two answers are of one version: by size and ETag, or the date where there is none."""
    if one.size != other.size or etag_of(one) != etag_of(other):
        return False
    return bool(one.etag) or one.mtime == other.mtime


def etag_of(about: RemoteObject) -> str:
    """The ETag that clients see; made of size and date where the remote has none that fits."""
    if _TAG.fullmatch(about.etag):
        return about.etag
    return f"{about.size:x}-{moment(about):x}"


def moment(about: RemoteObject) -> int:
    """The remote's Last-Modified, such that a date can be made of it."""
    return min(max(about.mtime, 0), _LAST)


def origin_of(about: RemoteObject, source: str) -> Origin:
    return Origin(
        source=source,
        etag=etag_of(about),
        version=about.version if _TAG.fullmatch(about.version) else "",
        modified=moment(about),
        checksums={name.lower(): digest.hex() for name, digest in digests_of(about).items()},
        encryption={
            name: value
            for name in ENCRYPTION
            if _ENCRYPTED.fullmatch(value := about.encryption.get(name, ""))
        },
    )


def record(
    bucket: Bucket,
    about: RemoteObject,
    source: str,
    extents: Sequence[Extent],
    *,
    layout: bytes = b"",
    digest: tuple[str, str] = ("none", ""),
) -> Object:
    """The record of a remote object whose bytes are in `extents`."""
    told = digests_of(about)
    told.pop("MD5", None)  # S3 shows it as the ETag
    return Object(
        size=about.size,
        mtime=moment(about),
        etag=etag_of(about),
        storage_class=about.storage_class if _CLASS.fullmatch(about.storage_class) else "STANDARD",
        checksums={name: checksums.to_base64(value) for name, value in told.items()},
        checksum_type="FULL_OBJECT" if told else "",
        owner=bucket.owner,
        extents=list(extents),
        layout=layout,
        headers=_headers(about.headers),
        meta=_meta(about.meta),
        digest=digest,
        parts=[],
        part_count=0,
        seq=1,
        origin=origin_of(about, source),
    )


def cold(
    bucket: BucketRow,
    key: bytes,
    about: RemoteObject,
    source: str,
    *,
    kind: str = "none",
    keep: bool = True,
    way: int = 0,
) -> Object:
    """The record of an object that is not in the cluster. `kind` is the bucket's `checksum.type`,
    whose value is told if the remote tells it."""
    row = bucket.record
    ticket = Ticket(
        row.id,
        *bucket.name,
        key,
        about.etag if _TAG.fullmatch(about.etag) else "",
        about.version,
        about.size,
        about.mtime,
        keep,
        way,
    )
    extents = [Extent(encode(ticket), 0, about.size, cold=True)] if about.size else []
    value = digests_of(about).get(DIGEST_OF[kind])
    digest = (kind, value.hex()) if value is not None else ("none", "")
    return record(row, about, source, extents, digest=digest)


def is_cold(found: Object) -> bool:
    return bool(found.extents) and found.extents[0].cold


async def of(store: Store, row_key: bytes, ticket: Ticket) -> Object | None:
    """The copy of the version that a ticket is for, if that is what is kept now."""
    raw = await store.index.get("object", row_key)
    copy = decode(Object, raw) if raw is not None else None
    if copy is None or copy.size != ticket.size or copy.etag != etag_of(ticket.about):
        return None
    return copy


async def drop(store: Store, row_key: bytes, copy: Object) -> bool:
    """Drop a copy, if it is still that one."""
    raw = await store.index.get("object", row_key)
    if raw is None or decode(Object, raw) != copy:
        return False
    return bool((await evict.evict(store, [(row_key, raw)])).objects)


def _headers(told: Mapping[str, str]) -> dict[str, str]:
    kept = {}
    for name in HEADERS:
        value = told.get(name, "")
        if value and len(value) <= _LONGEST and _VALUE.fullmatch(value):
            kept[name] = value
    return kept


def _meta(told: Mapping[str, str]) -> dict[str, str]:
    kept = {
        name.lower(): value
        for name, value in told.items()
        if _NAME.fullmatch(name) and len(value) <= _LONGEST
    }
    return dict(list(kept.items())[:_MOST_META])
