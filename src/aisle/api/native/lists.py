"""The handler of `list`: a page of a bucket's objects, as JSON or as msgpack.

The SDK asks for msgpack and insists on exactly that type; everyone else gets JSON. The two differ
in the names of their fields, which are AIStore's (`cmn/objlist.go`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

import msgspec

from aisle.api.base import Context, Response, Service
from aisle.api.native.headers import SECOND, short_date
from aisle.api.native.message import JSON, Message, fields, open_bucket
from aisle.core.errors import InvalidArgument, NotSupported
from aisle.namespace import listing
from aisle.namespace.listing import ID, Page, Query
from aisle.namespace.records import Listed, Object, decode

MAX_PAGE: Final = 10_000
MSGPACK: Final = "application/msgpack"
PROPS: Final = frozenset(
    {"name", "size", "checksum", "atime", "version", "custom", "copies", "cached", "status"}
    | {"location", "ec", "chunked"}  # known, and always empty here
)
# Props that stand behind the leading fields of a record.
_DEEP: Final = frozenset({"checksum", "version", "custom"})

# Bits of the request's flags (api/apc/lsmsg.go).
_NAME_ONLY, _NAME_SIZE, _NO_RECURSION, _NO_DIRS = 1 << 4, 1 << 5, 1 << 11, 1 << 13
_REFUSED: Final = {
    1: "missing",
    2: "deleted",
    3: "arch-dir",
    9: "not-cached",
    12: "diff",
    15: "nbi",
}
# Bits of an entry's flags.
_CACHED, _IS_DIR = 1 << 6, 1 << 8


class Entry(msgspec.Struct, omit_defaults=True):
    """An object or virtual directory in a page, named as msgpack names its fields."""

    n: str
    cs: str = ""
    a: str = ""
    v: str = ""
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
    flags = _number(ask.flags, "flags")
    for bit, name in _REFUSED.items():
        if flags & 1 << bit:
            raise NotSupported(f"the list flag {name} is not supported")
    limit = min(_number(ask.pagesize, "pagesize") or MAX_PAGE, MAX_PAGE)
    base = bucket.record.id
    after, skip = (base + _bytes(ask.start_after) if ask.start_after else b""), b""
    if ask.continuation_token:
        last, is_prefix = listing.decode_token(ask.continuation_token, name="continuation_token")
        after, skip = (b"", base + last) if is_prefix else (base + last, b"")
    query = Query(
        prefix=base + _bytes(ask.prefix),
        delimiter=b"/" if flags & _NO_RECURSION else b"",
        after=after,
        skip=skip,
        limit=limit,
    )
    page = await listing.list_objects(svc.store, bucket, query)
    token = ""
    if page.truncated:
        token = listing.encode_token(page.last[ID:], is_prefix=page.last_is_prefix)
    uuid = ask.uuid or os.urandom(6).hex()
    props, dirs = _props(ask.props, flags), not flags & _NO_DIRS
    if ctx.head.header("accept") == MSGPACK:
        reply: dict[str, Any] = {
            "UUID": uuid,
            "ContinuationToken": token,
            "Flags": 0,
            "Entries": _entries(page, props, Entry, dirs=dirs),
        }
        return Response(200, [(b"content-type", MSGPACK.encode())], msgspec.msgpack.encode(reply))
    reply = {
        "uuid": uuid,
        "continuation_token": token,
        "entries": _entries(page, props, JsonEntry, dirs=dirs),
        "flags": 0,
    }
    return Response(200, JSON, msgspec.json.encode(reply))


def _read(value: object) -> Ask:
    try:
        return msgspec.convert(fields(value), Ask)
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


def _props(asked: str, flags: int) -> frozenset[str]:
    if flags & _NAME_ONLY:
        return frozenset({"name"})
    if flags & _NAME_SIZE:
        return frozenset({"name", "size"})
    props = frozenset(word.strip() for word in asked.split(",") if word.strip())
    if not props:
        return frozenset({"name", "size", "cached"})
    unknown = props - PROPS
    if unknown:
        raise InvalidArgument(
            f"unknown object properties: {', '.join(sorted(unknown))}", name="props", value=asked
        )
    return props


def _entries(
    page: Page,
    props: frozenset[str],
    make: Callable[..., Entry] | Callable[..., JsonEntry],
    *,
    dirs: bool,
) -> list[Entry | JsonEntry]:
    """The entries of a page, objects and directories in one order."""
    size, atime, deep = "size" in props, "atime" in props, bool(props & _DEEP)
    checksum, version, custom = ("checksum" in props, "version" in props, "custom" in props)
    copies = 1 if "copies" in props else 0
    flags = _CACHED if "cached" in props else 0
    found: list[Entry | JsonEntry] = []
    for key, raw in page.rows:
        record = decode(Object, raw) if deep else decode(Listed, raw)
        entry = make(
            n=key[ID:].decode(),
            s=record.size if size else 0,
            a=short_date(record.mtime // (60 * SECOND)) if atime else "",
            c=copies,
            f=flags,
        )
        if isinstance(record, Object):
            if checksum:
                entry.cs = record.digest[1]
            if version:
                entry.v = str(record.seq)
            if custom:
                entry.m = custom_text(record)
        found.append(entry)
    if dirs and page.prefixes:
        found += [
            make(n=prefix[ID:].decode("utf-8", "replace"), f=_IS_DIR) for prefix in page.prefixes
        ]
        found.sort(key=lambda entry: entry.n.encode())
    return found


def custom_text(record: Object) -> str:
    """Custom metadata as AIStore prints it: `map[ETag:... name:value]`."""
    pairs = {"ETag": record.etag, **record.meta}
    return f"map[{' '.join(f'{name}:{value}' for name, value in pairs.items())}]"
