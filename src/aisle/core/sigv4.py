"""Signature Version 4: what the server's check and our own client share.

Pure functions from a request to the text that is signed. The rules are S3's: every byte of the
path but `A-Za-z0-9-._~/` is written `%XX`, once, and nothing is normalised (`//`, `.` and `..` are
parts of a key); query names and values are written the same way with `/` encoded too, and sorted
by name, then value. What arrives is decoded and encoded again, so the result is the same however
the client chose to escape it. A literal `+` in a query is a space (`%20`), as `core.http` reads it:
what is verified is what is acted on. In a path it is a plus.

Spec: "Authenticating Requests (AWS Signature Version 4)", S3 API reference.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time as clock
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes, urlsplit

ALGORITHM: Final = "AWS4-HMAC-SHA256"
SERVICE: Final = "s3"
TERMINATOR: Final = "aws4_request"
UNSIGNED_PAYLOAD: Final = "UNSIGNED-PAYLOAD"
EMPTY_SHA256: Final = hashlib.sha256(b"").hexdigest()

# Text that is canonical already, which is what every SDK sends: unreserved characters, and
# escapes in upper case of anything else. Unrolled, so that it cannot backtrack: each byte can be
# consumed by one branch only.
_PLAIN = rb"[A-Za-z0-9\-._~]*"
_ESCAPE = rb"%(?:[0189A-F][0-9A-F]|2[0-9A-CF]|3[A-F]|40|5[B-E]|60|7[B-DF])"
_TEXT = _PLAIN + rb"(?:" + _ESCAPE + _PLAIN + rb")*"
_CANONICAL_PAIR = re.compile(_TEXT + rb"=" + _TEXT).fullmatch
_CANONICAL_QUERY = re.compile(
    _TEXT + rb"=" + _TEXT + rb"(?:&" + _TEXT + rb"=" + _TEXT + rb")*"
).fullmatch
# In a path `%2F` is not canonical: it is the same key as `/`, which stays as it is.
_CANONICAL_PATH = re.compile(
    rb"(?:/" + _TEXT.replace(rb"2[0-9A-CF]", rb"2[0-9A-C]") + rb")+"
).fullmatch


@lru_cache(maxsize=1024)
def signing_key(secret: str, date: str, region: str, service: str = SERVICE) -> bytes:
    """The key of one day, region and service. Cached: it costs four HMACs and changes daily."""
    key = hmac.digest(b"AWS4" + secret.encode(), date.encode(), "sha256")
    key = hmac.digest(key, region.encode(), "sha256")
    key = hmac.digest(key, service.encode(), "sha256")
    return hmac.digest(key, TERMINATOR.encode(), "sha256")


def canonical_path(path: bytes) -> str:
    """The canonical URI of a path as it is on the wire."""
    if _CANONICAL_PATH(path):
        return path.decode("ascii")
    return quote_from_bytes(unquote_to_bytes(path), safe="/-._~") or "/"


def _canonical_component(raw: bytes) -> str:
    return quote_from_bytes(unquote_to_bytes(raw.replace(b"+", b" ")), safe="-._~")


def canonical_query(query: bytes, *, without: str = "") -> str:
    """The canonical query string of a query as it is on the wire, leaving out one name."""
    if not query:
        return ""
    if _CANONICAL_QUERY(query):  # what every SDK sends: all there is to do is to sort it
        # NUL sorts below all that a name can have, so this is the order of names, then values.
        parts = query.decode("ascii").replace("=", "\0").split("&")
        parts.sort()
        if without:
            left_out = without + "\0"
            parts = [part for part in parts if not part.startswith(left_out)]
        return "&".join(parts).replace("\0", "=")
    pairs: list[tuple[str, str]] = []
    for part in query.split(b"&"):
        if _CANONICAL_PAIR(part):
            name, _, value = part.decode("ascii").partition("=")
        elif part:
            raw_name, _, raw_value = part.partition(b"=")
            name, value = _canonical_component(raw_name), _canonical_component(raw_value)
        else:
            continue
        if name != without:
            pairs.append((name, value))
    pairs.sort()
    return "&".join([f"{name}={value}" for name, value in pairs])


def canonical_value(value: str) -> str:
    """A header's value without outer white space, runs of spaces made one."""
    value = value.strip(" \t")
    while "  " in value:
        value = value.replace("  ", " ")
    return value


def canonical_headers(headers: Mapping[str, str], signed: Iterable[str]) -> str:
    """The lines of the signed headers; one that is absent counts as empty."""
    return "".join([f"{name}:{canonical_value(headers.get(name, ''))}\n" for name in signed])


def canonical_request(
    method: str, path: str, query: str, headers: str, signed: str, payload: str
) -> str:
    """Put the canonical parts together; `signed` is the list of names joined by `;`."""
    return f"{method}\n{path}\n{query}\n{headers}\n{signed}\n{payload}"


def string_to_sign(timestamp: str, scope: str, request: str) -> str:
    # Header values are held as Latin-1 text, so this gives back the bytes of the wire.
    digest = hashlib.sha256(request.encode("latin-1")).hexdigest()
    return f"{ALGORITHM}\n{timestamp}\n{scope}\n{digest}"


@lru_cache(maxsize=1024)
def _keyed(key: bytes) -> tuple[hashlib._Hash, hashlib._Hash]:
    """The inner and the outer hash of HMAC-SHA-256 (RFC 2104) after they have taken in `key`."""
    block = key.ljust(64, b"\0")
    return (
        hashlib.sha256(bytes([byte ^ 0x36 for byte in block])),
        hashlib.sha256(bytes([byte ^ 0x5C for byte in block])),
    )


def signature(key: bytes, text: str) -> str:
    """HMAC-SHA-256 in hex, with a key of `signing_key`.

    Continued from hashes that have seen the key: 1 us, against 3 us for `hmac.digest`, which also
    gives the interpreter lock away, and beside a busy commit thread that costs another 50.
    """
    inner, outer = _keyed(key)
    inner, outer = inner.copy(), outer.copy()
    inner.update(text.encode("latin-1"))
    outer.update(inner.digest())
    return outer.hexdigest()


def sign(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    payload_hash: str,
    access_key: str,
    secret_key: str,
    session_token: str = "",
    region: str = "us-east-1",
    time: float,
    host: str = "",
) -> dict[str, str]:
    """The headers to send with a request: those given, `host`, the `x-amz-*` ones, Authorization.

    `url` is absolute and percent-encoded, as it will be sent; `payload_hash` the SHA-256 of the
    body in hex or `UNSIGNED-PAYLOAD`; `time` in seconds; `host` the value of Host, that of `url`
    unless given. Every header given is signed, so give only those that no hop will change.
    """
    target = urlsplit(url)
    timestamp = clock.strftime("%Y%m%dT%H%M%SZ", clock.gmtime(time))
    result = {name.lower(): value for name, value in headers.items()}
    result["host"] = host or target.netloc.rpartition("@")[2]
    result["x-amz-content-sha256"] = payload_hash
    result["x-amz-date"] = timestamp
    if session_token:
        result["x-amz-security-token"] = session_token
    names = sorted(result)
    signed = ";".join(names)
    request = canonical_request(
        method,
        canonical_path(target.path.encode("ascii")),
        canonical_query(target.query.encode("ascii")),
        canonical_headers(result, names),
        signed,
        payload_hash,
    )
    scope = f"{timestamp[:8]}/{region}/{SERVICE}/{TERMINATOR}"
    key = signing_key(secret_key, timestamp[:8], region)
    proof = signature(key, string_to_sign(timestamp, scope, request))
    result["authorization"] = (
        f"{ALGORITHM} Credential={access_key}/{scope}, SignedHeaders={signed}, Signature={proof}"
    )
    return result
