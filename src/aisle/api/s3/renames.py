"""Handler of RenameObject.

Amazon has it in directory buckets; here it works in all buckets of our own. Where no versions are
kept a rename is one commit, and what had the new name is replaced in it; where they are kept, it is
a copy, and then a delete marker in front of the source. The source is read and removed and the
destination written, so that is what whoever asks must be allowed.

A client token makes a rename that is asked for again, because its reply was lost, succeed without
being done again; it is remembered for a day.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from aisle.api.access import authorise
from aisle.api.base import Context, Response, Service
from aisle.api.s3 import headers as h
from aisle.api.s3.actions import NEEDS
from aisle.api.s3.common import hide, open_bucket
from aisle.core.errors import (
    InvalidArgument,
    InvalidRequest,
    NotModified,
    ObjectNotFound,
    PreconditionFailed,
)
from aisle.core.http import decode_component
from aisle.core.names import encode_key
from aisle.namespace import edits
from aisle.namespace.conditions import ReadConditions
from aisle.namespace.edits import Token
from aisle.namespace.records import Object

SOURCE: Final = "x-amz-rename-source"
_TOKEN: Final = "x-amz-client-token"  # noqa: S105 - the name of a header
_TOKENS: Final = re.compile(r"[!-~]{1,64}")
_OF_SOURCE: Final = (*NEEDS["GetObject"].actions, *NEEDS["DeleteObject"].actions)


async def rename_object(svc: Service, ctx: Context) -> Response:
    head = ctx.head
    row = await open_bucket(svc, ctx)
    source = _source(ctx)
    for action in _OF_SOURCE:
        await authorise(svc, ctx, action, row, source)
    for action in NEEDS["PutObject"].actions:
        await authorise(svc, ctx, action, row, ctx.key)
    of_source = h.read_conditions(head, f"{SOURCE}-")
    of_target = h.read_conditions(head)

    def check(found: Object, replaced: Object | None) -> None:
        if of_source is not None:
            _check(of_source, found, f"{SOURCE}-")
        if of_target is not None:
            _check_target(of_target, replaced)

    try:
        record = await edits.rename(
            svc.store,
            row,
            encode_key(source),
            encode_key(ctx.key),
            check=check,
            token=_token(ctx, source),
        )
    except ObjectNotFound as error:
        raise await hide(svc, ctx, row, error, source) from None
    return Response(200, h.version_headers(record, row.record))


def _source(ctx: Context) -> str:
    """The key to rename: `/bucket/key`, `bucket/key`, or a key alone."""
    text = ctx.head.header(SOURCE)
    path = decode_component(text)
    mine = f"{ctx.bucket}/"
    bare = path.removeprefix("/")
    if bare.startswith(mine):
        key = bare[len(mine) :]
    elif path.startswith("/"):
        raise InvalidRequest("The source of a rename must be in the bucket of its destination")
    else:
        key = path
    if not key:
        raise InvalidArgument("Invalid rename source object key", name=SOURCE, value=text[:1024])
    return key


def _check(conditions: ReadConditions, found: Object, prefix: str) -> None:
    try:
        conditions.check(found)
    except NotModified:
        name = "If-None-Match" if conditions.if_none_match else "If-Modified-Since"
        raise PreconditionFailed(f"{prefix}{name}") from None


def _check_target(conditions: ReadConditions, replaced: Object | None) -> None:
    """Hold what is replaced to conditions. Those that are about an object fail without one."""
    if replaced is not None:
        _check(conditions, replaced, "")
    elif conditions.if_match:
        raise PreconditionFailed("If-Match")
    elif conditions.if_modified_since is not None and not conditions.if_none_match:
        raise PreconditionFailed("If-Modified-Since")


def _token(ctx: Context, source: str) -> Token | None:
    """What tells this rename from others, if the client wants to be able to repeat it."""
    text = ctx.head.headers.get(_TOKEN)
    if text is None:
        return None
    if _TOKENS.fullmatch(text) is None:
        raise InvalidArgument(
            "A client token has up to 64 ASCII characters from 33 to 126",
            name=_TOKEN,
            value="",
        )
    conditions = sorted(
        (name, value)
        for name, value in ctx.head.headers.items()
        if name.startswith(f"{SOURCE}-if-") or name.startswith("if-")
    )
    asked = repr((source, ctx.key, conditions)).encode()
    named = hashlib.sha256(repr((ctx.who.canonical, text)).encode()).digest()
    return Token(named, hashlib.sha256(asked).digest())
