"""Headers that a presigning client moved into the query, put back where they belong.

boto3 (version 2) and the JavaScript SDK (version 4) turn `x-amz-*` headers of a presigned request
into parameters. They are signed there like any parameter, and S3 acts on them as headers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from aisle.core.errors import InvalidRequest
from aisle.core.http import RequestHead

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]").search


def wire(text: str) -> str:
    """Decoded text as header values are held: a character a byte."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("latin-1")


def with_headers(head: RequestHead, moved: Iterable[tuple[str, str]]) -> RequestHead:
    """`head` with the headers `moved`, of lower-case names and decoded values.

    Raises `InvalidRequest` for one that has two values or could not be a header.
    """
    headers = dict(head.headers)
    found: set[str] = set()
    for name, text in moved:
        value = wire(text).strip(" \t")
        if _CONTROL(value):
            raise InvalidRequest(f"the value of {name} has characters that no header can have")
        if name in found or headers.get(name, value) != value:
            raise InvalidRequest(f"the request has two different values of {name}")
        found.add(name)
        headers[name] = value
    if not found:
        return head
    return RequestHead(
        head.method, head.path, head.query, headers, head.repeated, head.scheme, head.client
    )
