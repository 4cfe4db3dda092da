"""What another cluster says of its objects, as values: headers of replies and pages of listings.

AIStore's headers and its msgpack of a listing, see `aisle.api.native.headers` and `lists` for
Aisle's side of them. Pure functions. An ETag is the cluster's own if it tells one, else the value
of the object's checksum: both say which version it is. Custom metadata is the user's, unless
`source` says that the object was itself taken from elsewhere: then what AIStore notes of that
stands among it, and is told apart.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from aisle.backend.base import RemoteEntry, RemoteObject
from aisle.core.checksums import AIS_TYPES
from aisle.core.errors import InvalidName
from aisle.core.names import check_native_bucket_name
from aisle.outgoing.request import http_seconds

SECOND: Final = 1_000_000_000
# Content headers that one Aisle cluster tells another; of others only the first comes.
CONTENT: Final = (
    "content-type", "cache-control", "content-disposition", "content-encoding",
    "content-language", "expires",
)  # fmt: skip
IS_DIR: Final = 1 << 8
STATUS: Final = (1 << 5) - 1
_SOURCES: Final = frozenset({"aws", "gcp", "azure", "oci", "ht", "ais", "web"})
# What AIStore keeps of a remote object among the custom metadata.
_NOTED: Final = frozenset(
    {"source", "ETag", "version", "md5", "crc32c", "LastModified", "Last-Modified", "Content-Type",
     "orig_url"}
)  # fmt: skip
_WORD: Final = re.compile(r"=\?UTF-8\?B\?([A-Za-z0-9+/=]*)\?=")
_LISTED: Final = re.compile(r"(?:\[|\s|^)(ETag|LastModified|Last-Modified):([^\s\]]+)")
_HEX: Final = re.compile(r"[0-9a-f]+")
# Types of checksums by the length of their hex, where that tells: listings say no more.
_BY_LENGTH: Final = {8: "crc32c", 32: "md5", 64: "sha256", 128: "sha512"}
_TAG_LIMIT: Final = 512


class Entry(msgspec.Struct):
    """An entry of a listing, as msgpack names its fields."""

    n: str
    cs: str = ""
    v: str = ""
    m: str = ""
    s: int = 0
    f: int = 0


class _Space(msgspec.Struct):
    uuid: str = ""
    name: str = ""


class _Row(msgspec.Struct):
    """A row of a list of buckets."""

    name: str
    provider: str
    namespace: _Space | None = None


class Page(msgspec.Struct):
    """A reply to `list`."""

    UUID: str = ""
    ContinuationToken: str = ""
    Entries: list[Entry] | None = None


PAGE: Final = msgspec.msgpack.Decoder(Page)


def described(key: str, headers: Mapping[str, str], size: int) -> RemoteObject:
    """The object that the headers of a reply tell of."""
    noted, meta = _custom(headers)
    # A range may come with its own checksum, and nothing tells it from that of the whole.
    checksums = {} if "content-range" in headers else _checksums(headers)
    checksums |= {name: noted[name] for name in ("md5", "crc32c") if _is_digest(name, noted)}
    kept = {name: headers[name] for name in CONTENT if headers.get(name)}
    return RemoteObject(
        key,
        size,
        etag=etag_of(headers),
        mtime=_modified(headers, noted),
        version=headers.get("ais-version", "")[:_TAG_LIMIT],
        checksums=checksums,
        headers=kept,
        meta=meta,
    )


def etag_of(headers: Mapping[str, str]) -> str:
    """What tells this version from others."""
    told = headers.get("etag", "").removeprefix("W/").strip('"')[:_TAG_LIMIT]
    return told or headers.get("ais-checksum-value", "")[:_TAG_LIMIT]


def _checksums(headers: Mapping[str, str]) -> dict[str, str]:
    kind = headers.get("ais-checksum-type", "")
    value = headers.get("ais-checksum-value", "").lower()
    known = AIS_TYPES.get(kind)
    if known is None or not known.size or len(value) != 2 * known.size or not _HEX.fullmatch(value):
        return {}
    return {kind: value}


def _is_digest(name: str, noted: Mapping[str, str]) -> bool:
    value = noted.get(name, "")
    return len(value) == 2 * AIS_TYPES[name].size and _HEX.fullmatch(value) is not None


def _custom(headers: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """What AIStore notes of where an object came from, and the user's metadata."""
    pairs: dict[str, str] = {}
    for line in _all(headers, "ais-custom-md"):
        word = _WORD.fullmatch(line)
        name, equals, value = (_word(word) if word else line).partition("=")
        if equals and name:
            pairs[name.strip()] = value
    if pairs.get("source") not in _SOURCES:
        return {}, pairs
    noted = {name: value for name, value in pairs.items() if name in _NOTED}
    return noted, {name: value for name, value in pairs.items() if name not in _NOTED}


def _word(match: re.Match[str]) -> str:
    try:
        return base64.b64decode(match[1], validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return match[0]


def _all(headers: Mapping[str, str], name: str) -> Iterable[str]:
    """Every value of a header that may be repeated."""
    every = getattr(headers, "getall", None)
    if every is not None:
        return every(name, ())  # type: ignore[no-any-return]
    return [headers[name]] if name in headers else []


def _modified(headers: Mapping[str, str], noted: Mapping[str, str]) -> int:
    """When the object was last changed, in nanoseconds; 0 if nobody tells."""
    for text in (headers.get("last-modified", ""), noted.get("Last-Modified", "")):
        seconds = http_seconds(text) if text else None
        if seconds is not None and seconds > 0:
            return int(seconds) * SECOND
    return _stamp(noted.get("LastModified", "")) or _accessed(headers)


def _accessed(headers: Mapping[str, str]) -> int:
    """AIStore before 5.0 tells no more than when an object was last used."""
    text = headers.get("ais-atime", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0


def _stamp(text: str) -> int:
    """RFC 3339, which Go prints with up to nine digits of a second."""
    text = re.sub(r"(\.\d{6})\d+", r"\1", text)
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return 0
    if moment is None:
        return 0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0, round(moment.timestamp() * 1e6) * 1000)


# --- listings -------------------------------------------------------------------------------


def listed(entry: Entry) -> RemoteEntry:
    """An entry as the port has it."""
    noted = dict(reversed(_LISTED.findall(entry.m[:4096])))
    kind = _BY_LENGTH.get(len(entry.cs)) if _HEX.fullmatch(entry.cs) else None
    mtime = _stamp(noted.get("LastModified", "")) or _stamp(noted.get("Last-Modified", ""))
    return RemoteEntry(
        entry.n,
        max(0, entry.s),
        etag=noted.get("ETag", "").strip('"')[:_TAG_LIMIT] or entry.cs[:_TAG_LIMIT],
        mtime=mtime,
        version=entry.v[:_TAG_LIMIT],
        checksums={kind: entry.cs} if kind else {},
    )


def object_entries(page: Page) -> Iterator[Entry]:
    """The entries of a page that are objects, or directories: not copies that got lost."""
    return (entry for entry in page.Entries or () if entry.n and not entry.f & STATUS)


def read_map(raw: bytes) -> dict[str, Any]:
    """A cluster's map. Raises `ValueError`."""
    try:
        found = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, RecursionError):
        raise ValueError("it is no JSON") from None
    if not isinstance(found, dict) or not all(
        isinstance(found.get(name), dict) for name in ("pmap", "tmap")
    ):
        raise ValueError("it is no map of a cluster")
    return found


def bucket_names(raw: bytes, space: str) -> list[str]:
    """The buckets in a reply that are the cluster's own, in one of its namespaces; those that
    could not be called so here are left out. Raises `ValueError`."""
    try:
        rows = msgspec.json.decode(raw, type=list[_Row] | None) or []
    except (msgspec.MsgspecError, RecursionError):
        raise ValueError("it is no list of buckets") from None
    found = []
    for row in rows:
        place = row.namespace or _Space()
        if (row.provider, place.uuid, place.name) == ("ais", "", space):
            with contextlib.suppress(InvalidName):
                check_native_bucket_name(row.name)
                found.append(row.name)
    return sorted(found)
