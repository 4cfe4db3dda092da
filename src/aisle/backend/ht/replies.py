"""What the replies of an HTTP server say of a file. Pure functions.

An ETag is shown if it is a strong one: a weak one promises the same meaning, not the same bytes.

Spec: RFC 9110, sections 8.8 (validators), 14 (ranges), 15.4 (redirects).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

from aisle.backend.base import RemoteObject
from aisle.backend.sending import text_of
from aisle.core.origins import SAFE, SCHEMES
from aisle.outgoing.request import http_seconds

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_CONTENT: Final = (
    "content-type",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "expires",
)


def described(key: str, status: int, headers: Mapping[str, str]) -> RemoteObject | None:
    """The file as a reply tells of it; `None` if that does not tell its size."""
    size = size_of(status, headers)
    if size is None:
        return None
    return RemoteObject(
        key=key,
        size=size,
        etag=strong_etag(headers.get("etag", "")),
        mtime=int(http_seconds(headers.get("last-modified", "")) or 0) * 10**9,
        headers={name: text_of(headers[name]) for name in _CONTENT if headers.get(name)},
    )


def size_of(status: int, headers: Mapping[str, str]) -> int | None:
    """The size of the whole file."""
    text = headers.get("content-length", "")
    if status in (206, 416):
        _, _, text = headers.get("content-range", "").rpartition("/")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None


def starts_at(headers: Mapping[str, str]) -> int:
    """Where the bytes of a partial reply begin, -1 if it does not say."""
    unit, _, rest = headers.get("content-range", "").partition(" ")
    first = rest.partition("-")[0]
    fits = unit == "bytes" and first.isascii() and first.isdecimal() and len(first) < 20
    return int(first) if fits else -1


def strong_etag(text: str) -> str:
    quoted = len(text) > 2 and text.startswith('"') and text.endswith('"')
    return text[1:-1] if quoted else ""


def target(url: str, location: str) -> str:
    """Where a redirect leads, `""` if it is to be followed by nobody: to another scheme than from
    HTTP to HTTPS, with credentials in it, or nowhere."""
    if not location or not location.isprintable():
        return ""
    try:
        there = urljoin(url, quote(location, safe=SAFE + "?#[]"))
        parts = urlsplit(there)
        _ = parts.port
    except ValueError:
        return ""
    secure = parts.scheme == "https" or urlsplit(url).scheme == "http"
    if parts.scheme not in SCHEMES or not secure or not parts.hostname or "@" in parts.netloc:
        return ""
    return there.partition("#")[0]
