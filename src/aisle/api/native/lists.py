"""The handler of `list`: a page of a bucket's objects, as JSON or as msgpack.

The SDK asks for msgpack and insists on exactly that type; everyone else gets JSON. The two differ
in the names of their fields, which are AIStore's (`cmn/objlist.go`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from enum import IntFlag
from typing import Any, Final, NamedTuple

import msgspec

from aisle.api.access import authorise, may
from aisle.api.base import Context, Response, Service
from aisle.api.native import archdirs, inventories, peers
from aisle.api.native.archdirs import Opened, Place
from aisle.api.native.attributes import node_id
from aisle.api.native.entries import (
    DEEP,
    METADATA,
    MODIFIED,
    PROPS,
    Entry,
    EntryFlag,
    JsonEntry,
    Wanted,
    parse_props,
    woven,
)
from aisle.api.native.grants import authorise_whole
from aisle.api.native.message import JSON, Message, filled, open_bucket
from aisle.api.native.needs import GET_OBJECT, HEAD_OBJECT
from aisle.api.native.route import Route
from aisle.core.errors import InvalidArgument
from aisle.namespace import listing
from aisle.namespace.listing import ID, Page, Query
from aisle.namespace.records import Inventoried, decode
from aisle.namespace.store import BucketRow
from aisle.namespace.window import listing as windows
from aisle.namespace.window.inventory import pages
from aisle.namespace.window.inventory.entries import to_remote
from aisle.store.base import Row

MAX_PAGE: Final = 10_000
MSGPACK: Final = "application/msgpack"


class Flag(IntFlag):
    """Bits of the request's flags (`api/apc/lsmsg.go`).

    Those that tell a remote bucket from what the cluster has of it change nothing for a bucket
    whose objects are all here: every one is cached, none is missing, deleted or different. Of a
    window, archives are listed as far as they are in the cluster.
    """

    CACHED = 1 << 0
    MISSING = 1 << 1
    DELETED = 1 << 2
    ARCH_DIR = 1 << 3
    NAME_ONLY = 1 << 4
    NAME_SIZE = 1 << 5
    BCK_PRESENT = 1 << 6
    DONT_HEAD_REMOTE = 1 << 7
    DONT_ADD_REMOTE = 1 << 8
    NOT_CACHED = 1 << 9
    ONLY_REMOTE_PROPS = 1 << 10
    NO_RECURSION = 1 << 11
    DIFF = 1 << 12
    NO_DIRS = 1 << 13
    IS_S3 = 1 << 14
    NBI = 1 << 15


_KNOWN: Final = Flag((1 << 16) - 1)
# Those by which copies are compared with what the remote has.
_COMPARES: Final = Flag.MISSING | Flag.DELETED | Flag.DIFF
_STATES: Final = {
    windows.State.CHANGED: int(EntryFlag.VERSION_CHANGED),
    windows.State.GONE: int(EntryFlag.REMOVED),
}
_NOT_OF_INVENTORIES: Final = Flag.CACHED | Flag.NOT_CACHED | Flag.DIFF | Flag.ARCH_DIR
# Props that tell something of the copies in a window.
_OF_COPIES: Final = PROPS - {"name", "size", "ec"}
# Names that a page of a window has at most, as AIStore allows them.
_PAGES: Final = {"aws": 1000, "gcp": 1000, "azure": 5000}


class Ask(msgspec.Struct, frozen=True):
    """The value of a list message (AIStore's LsoMsg), as far as it is acted on."""

    prefix: str = ""
    pagesize: int | str = 0
    uuid: str = ""
    props: str = ""
    continuation_token: str = ""
    start_after: str = ""
    flags: int | str = 0


class _Found(NamedTuple):
    """A page, the token of the next one, and of a window the flags of what the cluster has."""

    page: Page
    token: str = ""
    marks: Mapping[bytes, int] | None = None


_NOTHING: Final = _Found(Page([], [], False, b"", False))


async def list_objects(svc: Service, ctx: Context, message: Message) -> Response:
    bucket = await open_bucket(svc, ctx)
    ask = _read(message.value)
    flags = _flags(ask)
    props = _props(ask.props, flags)
    if flags & Flag.ARCH_DIR:
        if await inventories.asked(svc, ctx, flagged=bool(flags & Flag.NBI)) is not None:
            _check_inventory(flags)
        found, opened = await _opened(svc, ctx, bucket, ask, flags)
    else:
        found, opened = await _page(svc, ctx, bucket, ask, flags, props), None
    uuid = ask.uuid or os.urandom(6).hex()
    if "custom" in props and await may(svc, ctx, HEAD_OBJECT, bucket, ask.prefix, whole=True):
        props |= {METADATA}
    if "custom" in props and peers.is_peer(ctx):
        props |= {MODIFIED}
    packed = ctx.head.header("accept") == MSGPACK
    wanted = Wanted(
        props,
        Entry if packed else JsonEntry,
        dirs=not flags & Flag.NO_DIRS,
        location=f"t[t{await node_id(svc)}]" if "location" in props else "",
        marks=found.marks,
        times=await _times(svc, found) if "atime" in props else None,
    )
    entries = woven(found.page, opened, wanted)
    if packed:
        reply: dict[str, Any] = {
            "UUID": uuid,
            "ContinuationToken": found.token,
            "Flags": 0,
            "Entries": entries,
        }
        return Response(200, [(b"content-type", MSGPACK.encode())], msgspec.msgpack.encode(reply))
    reply = {"uuid": uuid, "continuation_token": found.token, "entries": entries, "flags": 0}
    return Response(200, JSON, msgspec.json.encode(reply))


async def _opened(
    svc: Service, ctx: Context, bucket: BucketRow, ask: Ask, flags: Flag
) -> tuple[_Found, Opened | None]:
    """A page with what is in the archives of it; of a window those that are in the cluster."""
    # What is in an archive is an object's content.
    await authorise_whole(svc, ctx, GET_OBJECT, bucket, ask.prefix)
    place = archdirs.decode_place(ask.continuation_token)
    for key in archdirs.reached(ask.prefix, place):
        await authorise(svc, ctx, GET_OBJECT, bucket, key)
    if flags & Flag.NOT_CACHED:
        return _NOTHING, None
    svc.store.window_of(bucket.record)
    page = await listing.list_objects(svc.store, _query(bucket, ask, flags, place))
    opened = await archdirs.look(
        svc.store, bucket, page, _limit(bucket, ask), prefix=ask.prefix, place=place
    )
    if opened.place is not None:
        return _Found(opened.page, archdirs.encode_place(opened.place)), opened
    return _Found(opened.page, _token(opened.page)), opened


async def _page(
    svc: Service, ctx: Context, bucket: BucketRow, ask: Ask, flags: Flag, props: frozenset[str]
) -> _Found:
    """A page of objects, from wherever they are listed."""
    query = _query(bucket, ask, flags)
    where = await inventories.asked(svc, ctx, flagged=bool(flags & Flag.NBI))
    if where is not None:
        _check_inventory(flags)
        query = replace(query, limit=min(_number(ask.pagesize, "pagesize") or MAX_PAGE, MAX_PAGE))
        begins = not ask.continuation_token
        row = await svc.inventories.listed(bucket, where, begins=begins, user=ctx.who.name)
        listed = await pages.page(svc.store, row, query)
        if props & DEEP:
            listed = _whole(bucket, listed)
    elif bucket.record.behind is None:
        if flags & Flag.NOT_CACHED:
            return _NOTHING
        page = await listing.list_objects(svc.store, query)
        return _Found(page, _token(page))
    else:
        listed = await windows.page(
            svc.store,
            bucket,
            query,
            token=ask.continuation_token,
            want=_want(flags, props),
            remote=not flags & Flag.CACHED or bool(flags & Flag.DIFF),
            name="continuation_token",
        )
    compares = flags & _COMPARES or "status" in props
    cached = int(EntryFlag.CACHED) if "cached" in props or compares else 0
    marks = {
        key: cached | (_STATES.get(state, 0) if compares else 0)
        for key, state in listed.states.items()
    }
    return _Found(listed.page, listed.token, marks)


def _check_inventory(flags: Flag) -> None:
    """Raise `InvalidArgument` for what an inventory cannot tell."""
    unfit = flags & _NOT_OF_INVENTORIES
    if unfit:
        words = ", ".join(str(flag.name).lower().replace("_", "-") for flag in unfit)
        raise InvalidArgument(f"a listing by inventory cannot be: {words}", name="flags")


def _whole(bucket: BucketRow, listed: windows.Listing) -> windows.Listing:
    """The page of an inventory with rows as objects have them."""
    behind, base = bucket.record.behind, bucket.record.id
    source = behind.provider if behind is not None else ""

    def whole(row: Row) -> Row:
        key, raw = row
        if key in listed.states:
            return row
        entry = to_remote(key[ID:], decode(Inventoried, raw))
        return base + key[ID:], windows.row_of(bucket, entry, source)

    rows = [whole(row) for row in listed.page.rows]
    return listed._replace(page=listed.page._replace(rows=rows))


def _want(flags: Flag, props: frozenset[str]) -> windows.Want:
    """What a listing of a window is to tell."""
    if flags & Flag.ONLY_REMOTE_PROPS:
        return windows.PLAIN
    only = True if flags & Flag.CACHED else False if flags & Flag.NOT_CACHED else None
    gone = bool(flags & _COMPARES) and only is not False
    looks = gone or only is not None or bool(props & _OF_COPIES)
    return windows.Want(copies=looks, gone=gone, only=only)


def _query(bucket: BucketRow, ask: Ask, flags: Flag, place: Place | None = None) -> Query:
    base, token = bucket.record.id, ask.continuation_token
    after, skip = (base + _bytes(ask.start_after) if ask.start_after else b""), b""
    if place is not None:
        after = base + _bytes(place.key)
    elif token and (bucket.record.behind is None or not windows.is_token(token)):
        last, is_prefix = listing.decode_token(token, name="continuation_token")
        after, skip = (b"", base + last) if is_prefix else (base + last, b"")
    return Query(
        prefix=base + _bytes(ask.prefix),
        delimiter=b"/" if flags & Flag.NO_RECURSION else b"",
        after=after,
        skip=skip,
        limit=_limit(bucket, ask),
    )


def _token(page: Page) -> str:
    if not page.truncated:
        return ""
    return listing.encode_token(page.last[ID:], is_prefix=page.last_is_prefix)


async def _times(svc: Service, found: _Found) -> dict[bytes, int]:
    """When what the cluster has of a window was last used."""
    keys = list(found.marks or ())
    return dict(zip(keys, await svc.store.atimes.of(keys), strict=True)) if keys else {}


def _limit(bucket: BucketRow, ask: Ask) -> int:
    behind = bucket.record.behind
    most = MAX_PAGE if behind is None else _PAGES.get(behind.provider, MAX_PAGE)
    return min(_number(ask.pagesize, "pagesize") or most, most)


def _flags(ask: Ask) -> Flag:
    """Raises `InvalidArgument`."""
    bits = _number(ask.flags, "flags")
    unknown = bits & ~int(_KNOWN)
    if unknown:
        raise InvalidArgument(f"unknown list flags: {unknown:#x}", name="flags", value=str(bits))
    return Flag(bits)


def _read(value: object) -> Ask:
    try:
        return msgspec.convert(filled(value), Ask)
    except msgspec.ValidationError as error:
        raise InvalidArgument(f"the value of the list message: {error}", name="value") from None


def _number(value: int | str, name: str) -> int:
    """AIStore writes 64-bit numbers as text, and reads both."""
    text = str(value or 0)
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise InvalidArgument(f"{name} is not a number", name=name, value=text)
    return int(text)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _props(asked: str, flags: Flag) -> frozenset[str]:
    if flags & Flag.NAME_ONLY:
        return frozenset({"name"})
    if flags & Flag.NAME_SIZE:
        return frozenset({"name", "size"})
    return parse_props(asked)


ROUTES: Final = (Route("GET", "buckets/B", "action", ("list", ""), "list", list_objects),)
