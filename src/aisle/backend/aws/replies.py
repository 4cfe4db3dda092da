"""What S3's replies say: objects from headers, pages and names from XML. Pure functions.

User metadata that is not ASCII comes as words of RFC 2047, as S3 writes them. Every reply is a
stranger's: what cannot be read is `RemoteRefused`.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import unquote_plus

from aisle.backend.base import ENCRYPTION, RemoteEntry, RemoteObject, RemotePage
from aisle.backend.sending import text_of
from aisle.core.checksums import AIS_TYPES, ALGORITHMS, FULL_OBJECT
from aisle.core.errors import InvalidArgument, RemoteRefused
from aisle.core.http import field_text
from aisle.core.xmltree import Element, Records, XmlError, parse_records, parse_tree
from aisle.outgoing.request import http_seconds

META: Final = "x-amz-meta-"
AIS_TYPE: Final = "ais-cksum-type"
AIS_VALUE: Final = "ais-cksum-val"
_CONTENT: Final = (
    "content-type",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "expires",
)
_MD5: Final = re.compile(r"[0-9a-f]{32}")
_RANGE: Final = re.compile(r"bytes [0-9]+-[0-9]+/([0-9]{1,18})")
_LENGTH: Final = re.compile(r"[0-9]{1,18}")
# Control characters, which keys may have and documents may not.
_UNREADABLE: Final = re.compile(
    rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|&#(?:0*(?:[0-8]|1[124-9]|2[0-9]|3[01])|x0*(?:[0-8bcef]|1[0-9a-f]));"
    rb"|\xef\xbf[\xbe\xbf]|&#(?:6553[45]|x[fF]{3}[eEfF]);",
    re.IGNORECASE,
)
_SECOND: Final = 10**9


def describe(name: str, key: str, headers: Mapping[str, str]) -> RemoteObject:
    """The object that the headers of a reply to GET or HEAD tell of."""
    etag = unquoted(headers.get("etag", ""))
    meta = {
        low.removeprefix(META): field_text(text_of(value))
        for low, value in ((header.lower(), value) for header, value in headers.items())
        if low.startswith(META)
    }
    told = (meta.pop(AIS_TYPE, ""), meta.pop(AIS_VALUE, ""))
    return RemoteObject(
        key,
        size=_size(name, headers),
        etag=etag,
        mtime=mtime_of(headers.get("last-modified", "")),
        version=version_of(headers),
        checksums=checksums_of(headers, etag, told),
        headers={low: text_of(headers[low]) for low in _CONTENT if low in headers},
        meta=meta,
        storage_class=headers.get("x-amz-storage-class", "") or "STANDARD",
        encryption={low: headers[low] for low in ENCRYPTION if low in headers},
    )


def checksums_of(
    headers: Mapping[str, str], etag: str, ais: tuple[str, str] = ("", "")
) -> dict[str, str]:
    """Digests of the whole object in hex, by name: what S3 vouches for, else what AIStore wrote
    into the metadata when it uploaded the object."""
    found = {}
    if is_md5(headers, etag):
        found["md5"] = etag
    whole = headers.get("x-amz-checksum-type", "") in ("", FULL_OBJECT)
    for algorithm in ALGORITHMS.values() if whole else ():
        value = headers.get(algorithm.header, "")
        if value and "-" not in value:
            digest = _decoded(value)
            if len(digest) == algorithm.size:
                found[algorithm.name.lower()] = digest.hex()
    kind, value = ais[0], ais[1].lower()
    if not found and kind != "none" and kind in AIS_TYPES:
        try:
            found[kind] = AIS_TYPES[kind].parse(value).hex()
        except InvalidArgument:
            return found
    return found


def is_md5(headers: Mapping[str, str], etag: str) -> bool:
    """Whether the ETag is the MD5 of the body: not of uploads in parts, nor of objects that are
    encrypted with keys of KMS or of the client."""
    if "x-amz-server-side-encryption-customer-algorithm" in headers:
        return False
    encryption = headers.get("x-amz-server-side-encryption", "")
    return not encryption.startswith("aws:") and _MD5.fullmatch(etag) is not None


def version_of(headers: Mapping[str, str]) -> str:
    version = headers.get("x-amz-version-id", "")
    return "" if version == "null" else version


def unquoted(etag: str) -> str:
    etag = etag.strip().removeprefix("W/")
    return etag[1:-1] if len(etag) > 1 and etag[0] == etag[-1] == '"' else etag


def mtime_of(date: str) -> int:
    """Nanoseconds of an HTTP date, 0 if it is none."""
    seconds = http_seconds(date) if date else None
    return int(seconds * _SECOND) if seconds is not None and seconds > 0 else 0


def _size(name: str, headers: Mapping[str, str]) -> int:
    ranged = _RANGE.fullmatch(headers.get("content-range", "").strip())
    if ranged is not None:
        return int(ranged[1])
    length = headers.get("content-length", "").strip()
    if _LENGTH.fullmatch(length) is None:
        raise RemoteRefused(name, "the reply does not tell the size of the object", status=502)
    return int(length)


def _decoded(value: str) -> bytes:
    try:
        return b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return b""


# --- XML ------------------------------------------------------------------------------------


def read_document(name: str, document: bytes, *roots: str) -> Element:
    """The root of a reply, which is one of `roots`. Raises `RemoteRefused`."""
    try:
        root = parse_tree(_UNREADABLE.sub(b"?", document))
    except XmlError:
        raise RemoteRefused(name, "the reply is XML that cannot be read", status=502) from None
    if root.name not in roots:
        raise RemoteRefused(name, "the reply is not the one that was asked for", status=502)
    return root


def read_page(name: str, document: bytes) -> RemotePage:
    """A page of ListObjectsV2."""
    page = _read_records(name, document, "ListBucketResult", "ListObjectResult")
    plain = _plain(page)
    entries = [_entry(plain, values) for kind, values in page.records if kind == "Contents"]
    prefixes = _prefixes(plain, page)
    truncated = page.values.get("IsTruncated", "").strip() == "true"
    token = page.values.get("NextContinuationToken", "") if truncated else ""
    if truncated and not token:
        raise RemoteRefused(name, "a listing goes on, but not how", status=502)
    return RemotePage(entries, prefixes, token)


def read_versions(name: str, document: bytes) -> RemotePage:
    """The newest versions of a page of ListObjectVersions, and the key that it goes on behind."""
    page = _read_records(name, document, "ListVersionsResult")
    plain = _plain(page)
    entries = [
        _entry(plain, values)
        for kind, values in page.records
        if kind == "Version" and values.get("IsLatest", "").strip() == "true"
    ]
    prefixes = _prefixes(plain, page)
    if page.values.get("IsTruncated", "").strip() != "true":
        return RemotePage(entries, prefixes, "")
    key = plain(page.values.get("NextKeyMarker", ""))
    if not key:
        raise RemoteRefused(name, "a listing goes on, but not how", status=502)
    return RemotePage(entries, prefixes, key)


def _read_records(name: str, document: bytes, *roots: str) -> Records:
    try:
        page = parse_records(document)
    except XmlError:
        raise RemoteRefused(name, "the reply is XML that cannot be read", status=502) from None
    if page.name not in roots:
        raise RemoteRefused(name, "the reply is not the one that was asked for", status=502)
    return page


def _plain(page: Records) -> Callable[[str], str]:
    """Names of a listing as they are, whether or not the server has encoded them as asked."""
    encoded = page.values.get("EncodingType", "").strip() == "url"
    return unquote_plus if encoded else str


def _prefixes(plain: Callable[[str], str], page: Records) -> list[str]:
    return [
        plain(values.get("Prefix", "")) for kind, values in page.records if kind == "CommonPrefixes"
    ]


def _entry(plain: Callable[[str], str], values: Mapping[str, str]) -> RemoteEntry:
    size = values.get("Size", "").strip()
    version = values.get("VersionId", "")
    return RemoteEntry(
        plain(values.get("Key", "")),
        size=int(size) if _LENGTH.fullmatch(size) else 0,
        etag=unquoted(values.get("ETag", "")),
        mtime=_nanoseconds(values.get("LastModified", "")),
        version="" if version == "null" else version,
        storage_class=values.get("StorageClass", "") or "STANDARD",
    )


def _nanoseconds(text: str) -> int:
    try:
        when = datetime.fromisoformat(text.strip())
    except ValueError:
        return 0
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0, int(when.timestamp() * 1000) * 1_000_000)


def read_buckets(name: str, document: bytes) -> tuple[list[str], str]:
    """A page of ListBuckets: the names, and the token that it goes on from."""
    root = read_document(name, document, "ListAllMyBucketsResult", "ListBucketResult")
    found = root.first("Buckets")
    buckets: Iterable[Element] = found.all("Bucket") if found is not None else ()
    return [bucket.value("Name") for bucket in buckets], root.value("ContinuationToken")
