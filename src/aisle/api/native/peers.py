"""What one Aisle cluster tells another beyond AIStore's API, so that nothing of an object is lost
between a window and the bucket behind it: all content headers, user metadata together with the
body, when an object was last changed. A peer is who names the clusters that its request has come
through. Conditions of a PUT are held for everybody.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import replace
from typing import Final

import msgspec

from aisle.api.base import Context, Headers
from aisle.core.clusters import META_HEADER, VIA_HEADER
from aisle.core.dates import http_date
from aisle.core.errors import InvalidArgument, NotSupported
from aisle.namespace.conditions import UNCONDITIONAL, WriteConditions
from aisle.namespace.edits import check_custom
from aisle.namespace.objects import Description
from aisle.namespace.records import Object

CONTENT: Final = (
    "content-type", "cache-control", "content-disposition", "content-encoding",
    "content-language", "expires",
)  # fmt: skip
_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_SECOND: Final = 1_000_000_000


def is_peer(ctx: Context) -> bool:
    return VIA_HEADER in ctx.head.headers


def described(ctx: Context, description: Description) -> Description:
    """The description of what a request brings, if a peer sends it: all that is said, and nothing
    of the object that was there before."""
    if not is_peer(ctx):
        return description
    given = ctx.head.headers
    headers = {name: given[name] for name in CONTENT if given.get(name)}
    meta = _metadata(given.get(META_HEADER, ""))
    return replace(description, headers=headers, meta=meta, inherits=False)


def _metadata(text: str) -> dict[str, str]:
    """Raises `InvalidArgument`."""
    if not text:
        return {}
    try:
        found = msgspec.json.decode(base64.b64decode(text, validate=True), type=dict[str, str])
    except (binascii.Error, ValueError, RecursionError):  # of which msgspec's errors are
        found = {"": ""}
    if not all(_NAME.fullmatch(name) for name in found):
        raise InvalidArgument("the metadata is not JSON in base64", name=META_HEADER)
    check_custom(found)
    return found


def conditions(ctx: Context) -> WriteConditions:
    """What a PUT asks of the object that is there. Raises `NotSupported`."""
    headers = ctx.head.headers
    match, none_match = headers.get("if-match", ""), headers.get("if-none-match", "")
    if not (match or none_match):
        return UNCONDITIONAL
    if none_match not in ("", "*"):
        raise NotSupported("a PUT can ask for no object at all by If-None-Match, which is *")
    return WriteConditions(if_match=match, if_none_match=none_match)


def content_headers(ctx: Context, record: Object) -> Headers:
    """What only a peer is told of an object: others would take the body to be encoded."""
    if not is_peer(ctx):
        return []
    told = (name for name in CONTENT[1:] if name in record.headers)
    return [(name.encode(), record.headers[name].encode("latin-1")) for name in told]


def stored_headers(ctx: Context, record: Object) -> Headers:
    """What only a peer is told of an object that it has stored."""
    return [(b"last-modified", http_date(record.mtime // _SECOND))] if is_peer(ctx) else []
