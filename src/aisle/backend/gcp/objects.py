"""Objects of Google Cloud Storage as JSON, read and written. Pure functions.

An ETag of theirs changes with metadata, so ours is the MD5. A composite object has none: then it is
the generation, which never changes for the same bytes, with a dash as S3 marks what is no MD5.

Spec: Cloud Storage JSON API, "Objects" and "Buckets".
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Final

import msgspec

from aisle.backend.base import Outgoing, RemoteEntry, RemoteObject
from aisle.backend.sending import EXPIRES, text_of, value_of
from aisle.core.errors import RemoteBroken

_FIELDS: Final = {
    "content-type": "contentType",
    "cache-control": "cacheControl",
    "content-disposition": "contentDisposition",
    "content-encoding": "contentEncoding",
    "content-language": "contentLanguage",
}
# What listings are asked for.
LISTED: Final = (
    "nextPageToken,prefixes,"
    "items(name,size,md5Hash,crc32c,generation,componentCount,updated,storageClass)"
)


class Resource(msgspec.Struct, rename="camel"):
    """An object as the service describes it. Numbers of 64 bits are text."""

    name: str
    size: str = "0"
    generation: str = ""
    md5_hash: str = ""
    crc32c: str = ""
    updated: str = ""
    storage_class: str = "STANDARD"
    component_count: int = 1
    content_type: str = ""
    cache_control: str = ""
    content_disposition: str = ""
    content_encoding: str = ""
    content_language: str = ""
    metadata: dict[str, str] = {}


class Listed(msgspec.Struct, rename="camel"):
    """A page of objects."""

    items: list[Resource] = []
    prefixes: list[str] = []
    next_page_token: str = ""


class Versioning(msgspec.Struct, frozen=True):
    enabled: bool = False


class BucketResource(msgspec.Struct, rename="camel"):
    """A bucket as the service describes it."""

    name: str
    location: str = ""
    storage_class: str = ""
    versioning: Versioning = Versioning()


class BucketList(msgspec.Struct, rename="camel"):
    """A page of buckets."""

    items: list[BucketResource] = []
    next_page_token: str = ""


class _Detail(msgspec.Struct):
    reason: str = ""


class _Error(msgspec.Struct, frozen=True):
    message: str = ""
    errors: list[_Detail] = []


class ErrorReply(msgspec.Struct):
    """What the service says of a failure."""

    error: _Error = _Error()

    @property
    def reason(self) -> str:
        return self.error.errors[0].reason if self.error.errors else ""


def error_of(body: bytes) -> ErrorReply:
    """The error in a reply; an empty one if there is none that can be read. What a download is
    refused with is text."""
    try:
        return msgspec.json.decode(body, type=ErrorReply)
    except msgspec.DecodeError:
        return ErrorReply(_Error(message=body[:200].decode("utf-8", "replace")))


def described(name: str, resource: Resource) -> RemoteObject:
    """An object of the bucket called `name`. Raises `RemoteBroken` for what makes no sense."""
    entry = entry_of(name, resource)
    fields = {header: getattr(resource, _ATTRIBUTES[header]) for header in _FIELDS}
    meta = dict(resource.metadata)
    expires = meta.pop(EXPIRES, "")
    if expires:
        fields["expires"] = expires
    return RemoteObject(
        key=entry.key,
        size=entry.size,
        etag=entry.etag,
        mtime=entry.mtime,
        version=entry.version,
        checksums=entry.checksums,
        headers={header: text_of(value) for header, value in fields.items() if value},
        meta=meta,
        storage_class=entry.storage_class,
    )


def entry_of(name: str, resource: Resource) -> RemoteEntry:
    """The same as listings have it."""
    checksums = {"md5": hex_of(resource.md5_hash), "crc32c": hex_of(resource.crc32c)}
    if not (resource.size.isascii() and resource.size.isdecimal() and len(resource.size) < 20):
        raise RemoteBroken(name, "the service tells no size of an object")
    return RemoteEntry(
        key=resource.name,
        size=int(resource.size),
        etag=checksums["md5"] or f"{resource.generation}-{resource.component_count}",
        mtime=nanoseconds(resource.updated),
        version=resource.generation,
        checksums={kind: digest for kind, digest in checksums.items() if digest},
        storage_class=resource.storage_class,
    )


_ATTRIBUTES: Final = {header: header.replace("-", "_") for header in _FIELDS}


def resource_of(key: str, body: Outgoing) -> bytes:
    """What an upload of `body` begins with."""
    fields: dict[str, object] = {"name": key}
    for header, field in _FIELDS.items():
        if header in body.headers:
            fields[field] = value_of(body.headers[header])
    meta = dict(body.meta)
    if "expires" in body.headers:
        meta[EXPIRES] = body.headers["expires"]
    if meta:
        fields["metadata"] = meta
    if body.md5:
        fields["md5Hash"] = base64.b64encode(bytes.fromhex(body.md5)).decode()
    if body.storage_class != "STANDARD":
        fields["storageClass"] = body.storage_class
    return msgspec.json.encode(fields)


def hex_of(text: str) -> str:
    """A digest in base64 as hex; `""` for what is none."""
    try:
        return base64.b64decode(text, validate=True).hex()
    except (binascii.Error, ValueError):
        return ""


def nanoseconds(text: str) -> int:
    """A time of RFC 3339; 0 for what is none."""
    try:
        told = datetime.fromisoformat(text)
        return int(told.timestamp()) * 10**9 + told.microsecond * 1000
    except (ValueError, OverflowError):
        return 0
