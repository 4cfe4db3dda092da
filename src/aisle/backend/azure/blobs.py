"""Blobs of Azure as replies tell them: headers and XML, as values. Pure functions.

Spec: Azure Storage REST API, "Get Blob", "Get Blob Properties", "List Blobs", "List Containers".
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple
from urllib.parse import unquote

from aisle.backend.azure import metadata
from aisle.backend.base import Outgoing, RemoteEntry, RemoteObject
from aisle.backend.sending import EXPIRES, text_of
from aisle.core.errors import InvalidArgument, RemoteBroken
from aisle.core.xmltree import Element, XmlError, parse_tree
from aisle.outgoing.request import http_seconds

_META: Final = "x-ms-meta-"
_CONTENT: Final = (
    "content-type",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
)
_TIERS: Final = {"": "STANDARD", "Hot": "STANDARD"}


class Listed(NamedTuple):
    """A page, in the order of UTF-8 bytes."""

    entries: list[RemoteEntry]
    prefixes: list[str]
    marker: str


def described(name: str, key: str, headers: Mapping[str, str]) -> RemoteObject:
    """A blob of the container called `name` by the headers of a reply, whose names are found in
    any case; also by those of a reply with a range. Raises `RemoteBroken`."""
    _, _, total = headers.get("content-range", "").rpartition("/")
    md5 = headers.get("x-ms-blob-content-md5", "") if total else headers.get("content-md5", "")
    digest = hex_of(md5 or headers.get("x-ms-blob-content-md5", ""))
    told = {
        field.lower()[len(_META) :]: value
        for field, value in headers.items()
        if field.lower().startswith(_META)
    }
    meta = metadata.decode(told)
    content = {field: text_of(headers[field]) for field in _CONTENT if headers.get(field)}
    expires = meta.pop(EXPIRES, "")
    if expires:
        content["expires"] = expires
    return RemoteObject(
        key=key,
        size=_size(name, total or headers.get("content-length", "")),
        etag=plain_etag(headers.get("etag", "")),
        mtime=nanoseconds(headers.get("last-modified", "")),
        version=headers.get("x-ms-version-id", ""),
        checksums={"md5": digest} if digest else {},
        headers=content,
        meta=meta,
        storage_class=storage_class(headers.get("x-ms-access-tier", "")),
    )


def headers_of(body: Outgoing, md5: str) -> dict[str, str]:
    """What a blob is written with. Raises `InvalidArgument` for what Azure cannot keep."""
    for field in _CONTENT:
        if not body.headers.get(field, "").isascii():
            raise InvalidArgument("Azure keeps content headers of ASCII alone", name=field)
    headers = {
        f"x-ms-blob-{field}": body.headers[field] for field in _CONTENT if body.headers.get(field)
    }
    meta = dict(body.meta)
    if body.headers.get("expires"):
        meta[EXPIRES] = body.headers["expires"]
    headers |= {_META + name: value for name, value in metadata.encode(meta).items()}
    if body.storage_class != "STANDARD":
        headers["x-ms-access-tier"] = body.storage_class.title()
    if md5:
        headers["x-ms-blob-content-md5"] = base64_of(md5)
    if body.if_match:
        headers["if-match"] = f'"{body.if_match}"'
    elif body.if_none_match:
        headers["if-none-match"] = "*"
    return headers


def listed(name: str, document: bytes) -> Listed:
    """A page of a listing. Raises `RemoteBroken`."""
    root = read(name, document)
    found = root.first("Blobs") or Element("")
    entries = [entry for blob in found.all("Blob") if (entry := _entry(name, blob)) is not None]
    prefixes = [_name(prefix) for prefix in found.all("BlobPrefix")]
    entries.sort(key=lambda entry: entry.key.encode())
    return Listed(entries, sorted(prefixes, key=str.encode), root.value("NextMarker"))


def containers(name: str, document: bytes) -> tuple[list[str], str]:
    """Names of containers, and the marker of the next page. Raises `RemoteBroken`."""
    root = read(name, document)
    found: Iterator[Element] = (root.first("Containers") or Element("")).all("Container")
    return [container.value("Name") for container in found], root.value("NextMarker")


def read(name: str, document: bytes) -> Element:
    """The root of a document. Raises `RemoteBroken`."""
    # Names that XML cannot hold are percent-encoded and marked by an attribute, which is moved to
    # where it is read; within text there is no `<`.
    marked = document.replace(b'<Name Encoded="true">', b'<Name type="encoded">')
    try:
        return parse_tree(marked.removeprefix(b"\xef\xbb\xbf"))
    except XmlError:
        raise RemoteBroken(name, "the service's reply cannot be read") from None


def error_code(headers: Mapping[str, str], body: bytes) -> str:
    """What the service calls an error."""
    code = headers.get("x-ms-error-code", "")
    if not code and body:
        try:
            code = parse_tree(body.removeprefix(b"\xef\xbb\xbf")).value("Code")
        except XmlError:
            code = ""
    return code if code.isalnum() and len(code) < 100 else ""


def plain_etag(text: str) -> str:
    return text.removeprefix("W/").strip('"')


def storage_class(tier: str) -> str:
    """An access tier as S3 would name it."""
    return _TIERS.get(tier, tier.upper())


def hex_of(text: str) -> str:
    """A digest in base64 as hex; `""` for what is none."""
    try:
        return base64.b64decode(text, validate=True).hex()
    except (binascii.Error, ValueError):
        return ""


def base64_of(digest: str) -> str:
    return base64.b64encode(bytes.fromhex(digest)).decode()


def _entry(name: str, blob: Element) -> RemoteEntry | None:
    """A blob of a listing; none for a directory of an account with a hierarchy."""
    about = blob.first("Properties") or Element("")
    if about.value("ResourceType").lower() == "directory":
        return None
    digest = hex_of(about.value("Content-MD5"))
    return RemoteEntry(
        key=_name(blob),
        size=_size(name, about.value("Content-Length")),
        etag=plain_etag(about.value("Etag")),
        mtime=nanoseconds(about.value("Last-Modified")),
        checksums={"md5": digest} if digest else {},
        storage_class=storage_class(about.value("AccessTier")),
    )


def _name(element: Element) -> str:
    found = element.first("Name") or Element("")
    return unquote(found.text) if found.kind == "encoded" else found.text


def _size(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise RemoteBroken(name, "the service tells no size of a blob")
    return int(text)


def nanoseconds(text: str) -> int:
    return int(http_seconds(text) or 0) * 10**9
