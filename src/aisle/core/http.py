"""The head of a request as a value, parsed once at the edge.

Nothing inside the house reads a header list or a query string again. Names of headers are lower
case, values are decoded as Latin-1 (HTTP/1.1 field values are bytes); repeated fields are joined
with a comma, as RFC 9110 section 5.3 allows, and named in `repeated`. Query names and values are
percent-decoded as UTF-8 with undecodable bytes kept as surrogates, so that nothing is lost.
Only parsing of the generic head lives here: no dialect, no authentication.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

_CACHED_LENGTH: Final = 128
_ENCODED_WORD: Final = re.compile(r"=\?[A-Za-z0-9_-]{1,20}\?[BbQq]\?[^? ]{0,4096}\?=")


def decode_component(raw: str, *, plus: bool = False) -> str:
    """Percent-decode `raw` (Latin-1 text) to text; undecodable bytes become surrogates."""
    if plus:
        raw = raw.replace("+", " ")
    if "%" not in raw and raw.isascii():
        return raw
    data = unquote_to_bytes(raw.encode("latin-1"))
    return data.decode("utf-8", "surrogateescape")


def parse_query(raw: bytes) -> tuple[tuple[str, str], ...]:
    """Split a query string into decoded pairs, in order; a name without `=` has the value `""`.

    A plus sign means a space, as every S3 client that writes one intends.
    """
    if not raw:
        return ()
    pairs = []
    for part in raw.decode("latin-1").split("&"):
        if part:
            name, _, value = part.partition("=")
            if "%" in part or "+" in part or not part.isascii():
                name, value = _decode_text(name), _decode_text(value)
            pairs.append((name, value))
    return tuple(pairs)


def _decode_text(raw: str) -> str:
    if len(raw) <= _CACHED_LENGTH:
        return _decode_short(raw)
    return decode_component(raw, plus=True)


@lru_cache(maxsize=1024)
def _decode_short(raw: str) -> str:
    # Credentials, content types, delimiters: the same few from every client.
    return decode_component(raw, plus=True)


class RequestHead:
    """Method, target and fields of one request. `path` and `query` are as on the wire.

    `pairs` is the decoded query, in order, with repetitions; `params` is the same by name, where
    of a repeated name the first value counts.

    A value: nobody changes it. Not a frozen dataclass, because one is made for every request.
    """

    __slots__ = (
        "client",
        "headers",
        "method",
        "pairs",
        "params",
        "path",
        "query",
        "repeated",
        "scheme",
    )

    def __init__(
        self,
        method: str,
        path: bytes,
        query: bytes,
        headers: dict[str, str],
        repeated: frozenset[str] = frozenset(),
        scheme: str = "http",
        client: str = "",
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.repeated = repeated
        self.scheme = scheme
        self.client = client
        self.pairs = parse_query(query)
        # From the back, so that the first of a repeated name is what stays.
        self.params = dict(reversed(self.pairs))

    def header(self, name: str, default: str = "") -> str:
        return self.headers.get(name, default)


def fold_headers(raw: Iterable[tuple[bytes, bytes]]) -> tuple[dict[str, str], frozenset[str]]:
    """Decode a list of lower-case field names and values; tell which names were repeated."""
    headers: dict[str, str] = {}
    repeated: set[str] | None = None
    for raw_name, raw_value in raw:
        name = raw_name.decode("latin-1")
        value = raw_value.decode("latin-1")
        if name in headers:
            headers[name] += "," + value
            if repeated is None:
                repeated = set()
            repeated.add(name)
        else:
            headers[name] = value
    return headers, frozenset(repeated) if repeated else frozenset()


def field_text(value: str) -> str:
    """A metadata value: RFC 2047 words are decoded, other bytes are Latin-1.

    That is what S3 does (user guide, "User-defined object metadata", has the example).
    """
    if "=?" in value and _ENCODED_WORD.search(value):
        try:
            return str(make_header(decode_header(value)))
        except (HeaderParseError, LookupError, ValueError):
            return value
    return value


def field_value(text: str) -> bytes:
    """Text as a header may carry it: as it is if printable ASCII, else one RFC 2047 word, so that
    no metadata can break out of its header."""
    if text.isascii() and text.isprintable():
        return text.encode("ascii")
    word = base64.b64encode(text.encode("utf-8", "replace")).decode()
    return f"=?UTF-8?B?{word}?=".encode()
