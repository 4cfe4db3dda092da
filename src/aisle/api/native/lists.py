"""The handler of `list`: a page of a bucket's objects, as JSON or as msgpack.

The SDK asks for msgpack and insists on exactly that type; everyone else gets JSON. The two differ
in the names of their fields, which are AIStore's (`cmn/objlist.go`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import IntFlag
from typing import Any, Final

import msgspec

from aisle.api.access import authorise, may
from aisle.api.base import Context, Response, Service
from aisle.api.native import archdirs
from aisle.api.native.archdirs import Opened, Place
from aisle.api.native.attributes import node_id
from aisle.api.native.grants import authorise_whole
from aisle.api.native.headers import SECOND, short_date
from aisle.api.native.message import JSON, Message, filled, open_bucket
from aisle.api.native.needs import GET_OBJECT, HEAD_OBJECT
from aisle.api.native.route import Route
from aisle.core.errors import InvalidArgument, NotSupported
from aisle.namespace import listing
from aisle.namespace.listing import ID, Page, Query
from aisle.namespace.records import Listed, Object, decode
from aisle.namespace.store import BucketRow
from aisle.store.base import Row

MAX_PAGE: Final = 10_000
MSGPACK: Final = "application/msgpack"
PROPS: Final = frozenset(
    {"name", "size", "checksum", "atime", "version", "custom", "copies", "cached", "status"}
    | {"location", "chunked"}
    | {"ec"}  # known, and always empty here
)
# Former names of props, which the SDK still documents.
_ALIASES: Final = {"target_url": "location", "node": "location"}
# Props that stand behind the leading fields of a record.
_DEEP: Final = frozenset({"checksum", "version", "custom", "chunked"})
# What `custom` tells of metadata, to who may read the objects as well.
_METADATA: Final = "metadata"
_LEADING: Final = frozenset({"size", "atime"})
_NO_PAGE: Final = Page([], [], False, b"", False)


class Flag(IntFlag):
    """Bits of the request's flags (`api/apc/lsmsg.go`).

    Those that tell a remote bucket from what the cluster has of it change nothing for a bucket
    whose objects are all here: every one is cached, none is missing, deleted or different.
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


class EntryFlag(IntFlag):
    """Bits of an entry's flags; the lowest five are its status, 0 for all is well."""

    CACHED = 1 << 6
    IN_ARCHIVE = 1 << 7
    IS_DIR = 1 << 8
    IS_ARCHIVE = 1 << 9
    CHUNKED = 1 << 13


class Entry(msgspec.Struct, omit_defaults=True):
    """An object or virtual directory in a page, named as msgpack names its fields."""

    n: str
    cs: str = ""
    a: str = ""
    v: str = ""
    t: str = ""
    m: str = ""
    s: int = 0
    c: int = 0
    f: int = 0


class JsonEntry(
    msgspec.Struct,
    omit_defaults=True,
    rename={
        "n": "name",
        "cs": "checksum",
        "a": "atime",
        "v": "version",
        "t": "location",
        "m": "custom-md",
        "s": "size",
        "c": "copies",
        "f": "flags",
    },
):
    """The same for JSON."""

    n: str
    cs: str = ""
    a: str = ""
    v: str = ""
    t: str = ""
    m: str = ""
    s: int = 0
    c: int = 0
    f: int = 0


class Ask(msgspec.Struct, frozen=True):
    """The value of a list message (AIStore's LsoMsg), as far as it is acted on."""

    prefix: str = ""
    pagesize: int | str = 0
    uuid: str = ""
    props: str = ""
    continuation_token: str = ""
    start_after: str = ""
    flags: int | str = 0


async def list_objects(svc: Service, ctx: Context, message: Message) -> Response:
    bucket = await open_bucket(svc, ctx)
    ask = _read(message.value)
    flags = _flags(ask)
    if flags & Flag.ARCH_DIR:  # what is in an archive is an object's content
        await authorise_whole(svc, ctx, GET_OBJECT, bucket, ask.prefix)
    place = archdirs.decode_place(ask.continuation_token) if flags & Flag.ARCH_DIR else None
    if flags & Flag.ARCH_DIR:
        for key in archdirs.reached(ask.prefix, place):
            await authorise(svc, ctx, GET_OBJECT, bucket, key)
    found = _NO_PAGE if flags & Flag.NOT_CACHED else await _page(svc, bucket, ask, flags, place)
    opened = None
    if flags & Flag.ARCH_DIR and not flags & Flag.NOT_CACHED:
        opened = await archdirs.look(
            svc.store, bucket, found, _limit(ask), prefix=ask.prefix, place=place
        )
        found = opened.page
    token = ""
    if opened is not None and opened.place is not None:
        token = archdirs.encode_place(opened.place)
    elif found.truncated:
        token = listing.encode_token(found.last[ID:], is_prefix=found.last_is_prefix)
    uuid = ask.uuid or os.urandom(6).hex()
    props, dirs = _props(ask.props, flags), not flags & Flag.NO_DIRS
    if "custom" in props and await may(svc, ctx, HEAD_OBJECT, bucket, ask.prefix, whole=True):
        props |= {_METADATA}
    location = f"t[t{await node_id(svc)}]" if "location" in props else ""
    if ctx.head.header("accept") == MSGPACK:
        reply: dict[str, Any] = {
            "UUID": uuid,
            "ContinuationToken": token,
            "Flags": 0,
            "Entries": _woven(found, opened, props, Entry, dirs=dirs, location=location),
        }
        return Response(200, [(b"content-type", MSGPACK.encode())], msgspec.msgpack.encode(reply))
    reply = {
        "uuid": uuid,
        "continuation_token": token,
        "entries": _woven(found, opened, props, JsonEntry, dirs=dirs, location=location),
        "flags": 0,
    }
    return Response(200, JSON, msgspec.json.encode(reply))


async def _page(
    svc: Service, bucket: BucketRow, ask: Ask, flags: Flag, place: Place | None
) -> Page:
    base = bucket.record.id
    after, skip = (base + _bytes(ask.start_after) if ask.start_after else b""), b""
    if place is not None:
        after = base + _bytes(place.key)
    elif ask.continuation_token:
        last, is_prefix = listing.decode_token(ask.continuation_token, name="continuation_token")
        after, skip = (b"", base + last) if is_prefix else (base + last, b"")
    query = Query(
        prefix=base + _bytes(ask.prefix),
        delimiter=b"/" if flags & Flag.NO_RECURSION else b"",
        after=after,
        skip=skip,
        limit=_limit(ask),
    )
    return await listing.list_objects(svc.store, query)


def _limit(ask: Ask) -> int:
    return min(_number(ask.pagesize, "pagesize") or MAX_PAGE, MAX_PAGE)


def _flags(ask: Ask) -> Flag:
    """Raises `InvalidArgument`, and `NotSupported` for what a bucket without a remote one lacks."""
    bits = _number(ask.flags, "flags")
    unknown = bits & ~int(_KNOWN)
    if unknown:
        raise InvalidArgument(f"unknown list flags: {unknown:#x}", name="flags", value=str(bits))
    flags = Flag(bits)
    if flags & Flag.NBI:
        raise NotSupported("a bucket inventory is of a remote bucket: this one has none")
    return flags


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
    words = (word.strip() for word in asked.split(","))
    props = frozenset(_ALIASES.get(word, word) for word in words if word)
    if not props:
        return frozenset({"name", "size", "cached"})
    unknown = props - PROPS
    if unknown:
        raise InvalidArgument(
            f"unknown object properties: {', '.join(sorted(unknown))}", name="props", value=asked
        )
    return props


def _woven(
    page: Page,
    opened: Opened | None,
    props: frozenset[str],
    make: Callable[..., Entry] | Callable[..., JsonEntry],
    *,
    dirs: bool,
    location: str,
) -> list[Entry | JsonEntry]:
    """The entries of a page, with what is in archives if they are opened."""
    entries = _entries(page, props, make, dirs=dirs, location=location)
    if opened is None:
        return entries
    size, flags = "size" in props, int(EntryFlag.IN_ARCHIVE)
    if "cached" in props:
        flags |= EntryFlag.CACHED

    def mark(entry: Entry | JsonEntry) -> None:
        entry.f |= EntryFlag.IS_ARCHIVE

    return archdirs.weave(
        entries,
        opened,
        name_of=lambda entry: entry.n,
        mark=mark,
        make=lambda name, of: make(n=name, s=of if size else 0, f=flags),
    )


def _entries(
    page: Page,
    props: frozenset[str],
    make: Callable[..., Entry] | Callable[..., JsonEntry],
    *,
    dirs: bool,
    location: str = "",
) -> list[Entry | JsonEntry]:
    """The entries of a page, objects and directories in one order."""
    copies = 1 if "copies" in props else 0
    flags = int(EntryFlag.CACHED) if "cached" in props else 0
    found: list[Entry | JsonEntry]
    if props & _DEEP:
        found = [_deep(row, props, make, location, copies, flags) for row in page.rows]
    elif props & _LEADING:
        size, atime = "size" in props, "atime" in props
        found = []
        for key, raw in page.rows:
            record = decode(Listed, raw)
            entry = make(n=key[ID:].decode(), t=location, c=copies, f=flags)
            if size:
                entry.s = record.size
            if atime:
                entry.a = short_date(record.mtime // (60 * SECOND))
            found.append(entry)
    else:  # the record itself is not needed
        found = [make(n=key[ID:].decode(), t=location, c=copies, f=flags) for key, _ in page.rows]
    if dirs and page.prefixes:
        is_dir = int(EntryFlag.IS_DIR)
        found += [
            make(n=prefix[ID:].decode("utf-8", "replace"), f=is_dir) for prefix in page.prefixes
        ]
        found.sort(key=lambda entry: entry.n.encode())
    return found


def _deep(
    row: Row,
    props: frozenset[str],
    make: Callable[..., Entry] | Callable[..., JsonEntry],
    location: str,
    copies: int,
    flags: int,
) -> Entry | JsonEntry:
    """An entry with props that take the whole record."""
    key, raw = row
    record = decode(Object, raw)
    if "chunked" in props and record.part_count:
        flags |= EntryFlag.CHUNKED
    return make(
        n=key[ID:].decode(),
        s=record.size if "size" in props else 0,
        a=short_date(record.mtime // (60 * SECOND)) if "atime" in props else "",
        cs=record.digest[1] if "checksum" in props else "",
        v=str(record.seq) if "version" in props else "",
        m=custom_text(record, metadata=_METADATA in props) if "custom" in props else "",
        t=location,
        c=copies,
        f=int(flags),
    )


def custom_text(record: Object, *, metadata: bool) -> str:
    """Custom metadata as AIStore prints it: `map[ETag:... name:value]`."""
    pairs = {"ETag": record.etag, **(record.meta if metadata else {})}
    return f"map[{' '.join(f'{name}:{value}' for name, value in pairs.items())}]"


ROUTES: Final = (Route("GET", "buckets/B", "action", ("list", ""), "list", list_objects),)
