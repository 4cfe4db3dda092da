"""Headers of objects: from requests into values, and from records into replies.

Everything that PutObject, CopyObject, CreateMultipartUpload, GetObject and HeadObject share in
their headers. Pure functions; names are those of the S3 API reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

from aisle.api.base import Headers
from aisle.api.s3 import lockvalues, sse
from aisle.api.s3.errors import S3Error
from aisle.api.s3.websiterules import check_location
from aisle.auth.acl import Grant
from aisle.core import checksums
from aisle.core.dates import http_date
from aisle.core.errors import InvalidArgument, InvalidRequest, NotModified, PreconditionFailed
from aisle.core.http import RequestHead, field_text, field_value
from aisle.core.names import BucketName
from aisle.namespace import conditions
from aisle.namespace.conditions import UNCONDITIONAL, ReadConditions, WriteConditions
from aisle.namespace.objects import Description
from aisle.namespace.records import Bucket, Lock, Object
from aisle.namespace.versions.ids import NULL

SECOND: Final = 1_000_000_000
META_PREFIX: Final = "x-amz-meta-"
META_LIMIT: Final = 2048
DEFAULT_TYPE: Final = "binary/octet-stream"
SYSTEM_HEADERS: Final[tuple[str, ...]] = (
    "content-type",
    "content-encoding",
    "content-language",
    "content-disposition",
    "cache-control",
    "expires",
)
STORAGE_CLASSES: Final = frozenset(
    {
        "STANDARD",
        "REDUCED_REDUNDANCY",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER",
        "DEEP_ARCHIVE",
        "OUTPOSTS",
        "GLACIER_IR",
        "SNOW",
        "EXPRESS_ONEZONE",
        "FSX_OPENZFS",
        "FSX_ONTAP",
    }
)
WRITE_OFFSET: Final = "x-amz-write-offset-bytes"
# What headers that begin so ask for is not done here, or only by other operations. To pass over
# them would be to lie.
REFUSED: Final = {
    WRITE_OFFSET: "Only PutObject appends.",
    lockvalues.EVENT_HOLD: lockvalues.NO_EVENT_HOLDS,
}
_REFUSED: Final = tuple(REFUSED)
# Where visitors of a website are sent for this object; kept among its other headers.
REDIRECT_LOCATION: Final = "x-amz-website-redirect-location"
RESPONSE_OVERRIDES: Final = {
    "response-content-type": b"content-type",
    "response-content-language": b"content-language",
    "response-expires": b"expires",
    "response-cache-control": b"cache-control",
    "response-content-disposition": b"content-disposition",
    "response-content-encoding": b"content-encoding",
}
# What providers that do not speak S3 have beside S3's, as they are told to clients.
_CLASSES_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "azure": ("COOL", "COLD", "ARCHIVE"),
    "gcp": ("NEARLINE", "COLDLINE", "ARCHIVE"),
}
_KEEPING: Final = ("cache-control", "expires")
_UNMODIFIED: Final = "if-unmodified-since"


def refuse_unsupported(head: RequestHead, *, offset: bool = False) -> None:
    """Raise `NotImplemented` for what cannot be honoured; with `offset` an append can. A write
    makes a version and cannot name one."""
    version = head.params.get("versionId")
    if version is not None:
        raise InvalidArgument(
            "This operation does not accept a version-id.", name="versionId", value=version
        )
    for name in head.headers:
        if name.startswith(_REFUSED) and not (offset and name == WRITE_OFFSET):
            why = next(text for start, text in REFUSED.items() if name.startswith(start))
            raise S3Error("NotImplemented", why, Header=name)


def description(
    head: RequestHead,
    *,
    owner: str,
    checksum: str,
    acl: list[Grant] | None,
    replication: str = "",
    tags: Mapping[str, str] | None = None,
    lock: Lock | None = None,
    behind: BucketName | None = None,
) -> Description:
    """What a request says of the object it writes, into a window on the bucket `behind` if that is
    given."""
    # An empty header says nothing, and an empty Content-Type in a reply would be no media type.
    headers = {name: head.headers[name] for name in SYSTEM_HEADERS if head.headers.get(name)}
    encoding = headers.get("content-encoding")
    if encoding is not None:
        # aws-chunked is how the body travels, not what the object is.
        kept = [part.strip() for part in encoding.split(",") if part.strip() != "aws-chunked"]
        headers.pop("content-encoding")
        if any(kept):
            headers["content-encoding"] = ",".join(kept)
    headers |= redirect_location(head)
    wish, remote_encryption = sse.asked(head, behind)
    return Description(
        headers=headers,
        meta=user_metadata(head),
        storage_class=storage_class(head, behind),
        owner=owner,
        checksum_algorithm=checksum,
        acl=acl,
        replication=replication,
        tags=tags or {},
        lock=lock,
        wish=wish,
        remote_encryption=remote_encryption,
    )


def redirect_location(head: RequestHead) -> dict[str, str]:
    """The header by which a request makes its object a redirect of a website, checked."""
    text = head.headers.get(REDIRECT_LOCATION)
    return {} if text is None else {REDIRECT_LOCATION: check_location(text)}


def storage_class(head: RequestHead, behind: BucketName | None = None) -> str:
    """The storage class that a request names: one of S3's, or of the provider of the bucket
    `behind`."""
    value = head.header("x-amz-storage-class") or "STANDARD"
    theirs = _CLASSES_OF.get(behind.provider, ()) if behind is not None else ()
    if value not in STORAGE_CLASSES and value not in theirs:
        raise S3Error("InvalidStorageClass", StorageClassRequested=value)
    return value


def user_metadata(head: RequestHead) -> dict[str, str]:
    """User metadata by lower-case name, without the prefix; up to 2 KiB in UTF-8."""
    meta: dict[str, str] = {}
    size = 0
    for name, value in head.headers.items():
        if name.startswith(META_PREFIX):
            text = field_text(value)
            meta[name[len(META_PREFIX) :]] = text
            size += len(name) - len(META_PREFIX) + len(text.encode("utf-8", "surrogateescape"))
    if size > META_LIMIT:
        raise S3Error("MetadataTooLarge", Size=size, MaxSizeAllowed=META_LIMIT)
    return meta


def read_conditions(head: RequestHead, prefix: str = "") -> ReadConditions | None:
    """The conditions of a read, or with `prefix` those on the source of a copy."""
    headers = head.headers
    match = headers.get(f"{prefix}if-match", "")
    none_match = headers.get(f"{prefix}if-none-match", "")
    modified = headers.get(f"{prefix}if-modified-since")
    unmodified = headers.get(f"{prefix}if-unmodified-since")
    if not (match or none_match or modified or unmodified):
        return None
    return ReadConditions(match, none_match, http_seconds(modified), http_seconds(unmodified))


def range_holds(head: RequestHead, record: Object) -> bool:
    """Whether the range of a read counts: `If-Range` asks for the whole of a changed object."""
    text = head.headers.get("if-range")
    return text is None or conditions.range_holds(text, http_seconds(text), record)


def http_seconds(date: str | None) -> int | None:
    """An HTTP date in seconds; one that cannot be read counts as absent (RFC 9110, 13.1.3)."""
    if not date:
        return None
    try:
        return int(parsedate_to_datetime(date[:64]).timestamp())
    except (ValueError, OverflowError):
        return None


def _refuse_conditions(head: RequestHead, *names: str) -> None:
    """A condition that an operation does not have must not be passed over: what it was to prevent
    would be done. If-Modified-Since means nothing on them (RFC 9110, 13.1.3)."""
    for name in names:
        if name in head.headers:
            raise S3Error("NotImplemented", Header=name.title())


def write_conditions(head: RequestHead) -> WriteConditions:
    headers = head.headers
    _refuse_conditions(head, _UNMODIFIED)
    match, none_match = headers.get("if-match", ""), headers.get("if-none-match", "")
    if not (match or none_match):
        return UNCONDITIONAL
    if none_match and none_match != "*":
        # Amazon's words: a write can ask for "no object at all", not for "not this one".
        raise S3Error(
            "NotImplemented",
            Header="If-None-Match",
            additionalMessage=(
                "We don't accept the provided value of If-None-Match header for this API"
            ),
        )
    return WriteConditions(if_match=match, if_none_match=none_match)


def delete_conditions(head: RequestHead) -> WriteConditions:
    headers = head.headers
    _refuse_conditions(head, "if-none-match", _UNMODIFIED)
    size = headers.get("x-amz-if-match-size")
    mtime = headers.get("x-amz-if-match-last-modified-time")
    match = headers.get("if-match", "")
    if not (match or size or mtime):
        return UNCONDITIONAL
    return delete_condition(match, size or "", mtime or "")


def bypass(head: RequestHead) -> bool:
    """Whether a request asks to pass over governance retention."""
    return head.header("x-amz-bypass-governance-retention").lower() == "true"


def delete_condition(etag: str, size: str, mtime: str) -> WriteConditions:
    """The conditions of a delete, from header or element text; empty text is absent."""
    if size and not (size.isascii() and size.isdigit()):
        raise InvalidRequest("the expected size is not a number")
    return WriteConditions(
        if_match=etag,
        if_size=int(size) if size else None,
        if_mtime=_moment(mtime) if mtime else None,
    )


def check_initiated(head: RequestHead, started: int) -> None:
    """Raise `PreconditionFailed` if a request is about an upload of another time than `started`
    (ns)."""
    text = head.header("x-amz-if-match-initiated-time")
    if text and _moment(text, "initiation") != started // SECOND:
        raise PreconditionFailed("x-amz-if-match-initiated-time")


def _moment(text: str, what: str = "modification") -> int:
    """A time in either form that clients send: an HTTP date or ISO 8601."""
    seconds = http_seconds(text)
    if seconds is not None:
        return seconds
    try:
        return int(datetime.fromisoformat(text).timestamp())
    except ValueError:
        raise InvalidRequest(f"the expected time of {what} cannot be read") from None


# --- replies --------------------------------------------------------------------------------


def object_headers(record: Object) -> Headers:
    """The headers that GetObject and HeadObject have in common, but for the length."""
    headers = [
        (b"etag", b'"%b"' % record.etag.encode()),
        (b"last-modified", http_date(record.mtime // SECOND)),
        (b"accept-ranges", b"bytes"),
    ]
    stored = record.headers
    if not stored:
        headers.append((b"content-type", DEFAULT_TYPE.encode()))
    else:
        if "content-type" not in stored:
            headers.append((b"content-type", DEFAULT_TYPE.encode()))
        headers += [(name.encode(), value.encode("latin-1")) for name, value in stored.items()]
    if record.meta:
        headers += [
            (f"{META_PREFIX}{name.lower()}".encode("latin-1"), field_value(value))
            for name, value in record.meta.items()
        ]
    if record.storage_class != "STANDARD":
        headers.append((b"x-amz-storage-class", record.storage_class.encode()))
    if record.replication:
        headers.append((b"x-amz-replication-status", record.replication.encode()))
    return headers


def not_modified(error: NotModified) -> Headers:
    """The headers of a 304: what validates a copy that somebody has, and what a 200 would say of
    how long it may be kept (RFC 9110, 15.4.5)."""
    kept = [(name, error.headers[name]) for name in _KEEPING if name in error.headers]
    return [
        (b"etag", b'"%b"' % error.etag.encode()),
        (b"last-modified", http_date(error.mtime // SECOND)),
        *((name.encode(), value.encode("latin-1")) for name, value in kept),
    ]


def version_headers(record: Object, bucket: Bucket) -> Headers:
    """The version id of an object, where its bucket is or was versioned; of a window's object the
    one that the remote bucket has given it, and how that encrypts it."""
    origin = record.origin
    if origin is not None:
        told = {"x-amz-version-id": origin.version} if origin.version else {}
        told |= origin.encryption
        return [(name.encode(), value.encode()) for name, value in told.items()]
    version = record.version or (NULL if bucket.versions else "")
    return [(b"x-amz-version-id", version.encode())] if version else []


def checksum_headers(values: Mapping[str, str], kind: str) -> Headers:
    """The checksums of an object or part, and their type if `kind` is not empty."""
    headers = [
        (checksums.ALGORITHMS[name].header.encode(), value.encode())
        for name, value in values.items()
    ]
    if headers and kind:
        headers.append((b"x-amz-checksum-type", kind.encode()))
    return headers


def override(headers: Headers, head: RequestHead, *, anonymous: bool) -> None:
    """Apply `response-*` parameters, which only a signed request may use."""
    params = head.params
    if RESPONSE_OVERRIDES.keys().isdisjoint(params):
        return
    for name, header in RESPONSE_OVERRIDES.items():
        value = params.get(name)
        if value is None:
            continue
        if anonymous:
            raise InvalidRequest(
                "Request specific response headers cannot be used for anonymous GET requests."
            )
        if any(ord(character) < 0x20 or ord(character) == 0x7F for character in value):
            raise InvalidRequest(f"{name} has a control character")
        headers[:] = [pair for pair in headers if pair[0] != header]
        headers.append((header, value.encode("utf-8", "surrogateescape")))
