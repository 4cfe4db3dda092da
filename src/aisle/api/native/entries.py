"""Entries of listings: how an object, a directory or a member of an archive is told.

The row loops are the hot path of a page: they decode no more of a record than the wanted props take
and, for a bucket whose objects are all here, ask nothing more of a row. The names of fields are
AIStore's (`cmn/objlist.go`), one set for msgpack and one for JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntFlag
from itertools import repeat
from typing import Final

import msgspec

from aisle.api.native import archdirs
from aisle.api.native.archdirs import Opened
from aisle.api.native.headers import SECOND, full_date, short_date, version_of
from aisle.core.errors import InvalidArgument
from aisle.namespace import records
from aisle.namespace.listing import ID, Page
from aisle.namespace.records import Listed, Object, decode
from aisle.store.base import Row

PROPS: Final = frozenset(
    {"name", "size", "checksum", "atime", "version", "custom", "copies", "cached", "status"}
    | {"location", "chunked"}
    | {"ec"}  # known, and always empty here
)
# Former names of props, which the SDK still documents.
_ALIASES: Final = {"target_url": "location", "node": "location"}
# Props that stand behind the leading fields of a record.
DEEP: Final = frozenset({"checksum", "version", "custom", "chunked"})
# What `custom` tells of metadata, to who may read the objects as well.
METADATA: Final = "metadata"
# Of `custom` too: when an object was last changed, to another cluster.
MODIFIED: Final = "modified"
_LEADING: Final = frozenset({"size", "atime"})
# Props of a window's objects that take more than the size of a row.
_LONG: Final = DEEP | {"atime"}


class EntryFlag(IntFlag):
    """Bits of an entry's flags; the lowest five are its status, 0 for all is well."""

    CACHED = 1 << 6
    IN_ARCHIVE = 1 << 7
    IS_DIR = 1 << 8
    IS_ARCHIVE = 1 << 9
    VERSION_CHANGED = 1 << 10
    REMOVED = 1 << 11
    CHUNKED = 1 << 13


class Entry(msgspec.Struct, omit_defaults=True, gc=False):
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
    gc=False,
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


Make = Callable[..., Entry] | Callable[..., JsonEntry]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is told of entries: `props`, whether directories are, and the node that has them.

    Of a window `marks` are the flags of what the cluster has, by row key (what has none is only
    remote), and `times` when those were last used; `None` is a bucket whose objects are all here.
    """

    props: frozenset[str]
    make: Make
    dirs: bool
    location: str = ""
    marks: Mapping[bytes, int] | None = None
    times: Mapping[bytes, int] | None = None


def parse_props(asked: str) -> frozenset[str]:
    """The props that a message names. Raises `InvalidArgument`."""
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


def woven(page: Page, opened: Opened | None, wanted: Wanted) -> list[Entry | JsonEntry]:
    """The entries of a page, with what is in archives if they are opened."""
    entries = _entries(page, wanted)
    if opened is None:
        return entries
    size, flags = "size" in wanted.props, int(EntryFlag.IN_ARCHIVE)
    if "cached" in wanted.props:
        flags |= EntryFlag.CACHED

    def mark(entry: Entry | JsonEntry) -> None:
        entry.f |= EntryFlag.IS_ARCHIVE

    return archdirs.weave(
        entries,
        opened,
        name_of=lambda entry: entry.n,
        mark=mark,
        make=lambda name, of: wanted.make(n=name, s=of if size else 0, f=flags),
    )


def _entries(page: Page, wanted: Wanted) -> list[Entry | JsonEntry]:
    """The entries of a page, objects and directories in one order."""
    props, make, location = wanted.props, wanted.make, wanted.location
    copies = 1 if "copies" in props else 0
    flags = int(EntryFlag.CACHED) if "cached" in props else 0
    found: list[Entry | JsonEntry]
    if wanted.marks is not None and not props & _LONG:
        found = _brief(page.rows, wanted, wanted.marks)
    elif wanted.marks is not None:
        found = [_remote(row, wanted, wanted.marks) for row in page.rows]
    elif props & DEEP:
        found = [_deep(row, wanted, copies, flags) for row in page.rows]
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
    if wanted.dirs and page.prefixes:
        is_dir = int(EntryFlag.IS_DIR)
        found += [
            make(n=prefix[ID:].decode("utf-8", "replace"), f=is_dir) for prefix in page.prefixes
        ]
        found.sort(key=lambda entry: entry.n.encode())
    return found


def _brief(
    rows: Sequence[Row], wanted: Wanted, marks: Mapping[bytes, int]
) -> list[Entry | JsonEntry]:
    """The entries of a window's rows of which no more is told than size and marks: all there may be
    of a page of ten thousand, so this does as little as it can for each."""
    make, is_sized = wanted.make, "size" in wanted.props
    sizes = records.sizes([raw for _, raw in rows]) if is_sized else repeat(0, len(rows))
    found: list[Entry | JsonEntry] = [
        make(n=key[ID:].decode(), s=size) for (key, _), size in zip(rows, sizes, strict=True)
    ]
    if not marks:
        return found
    copies = 1 if "copies" in wanted.props else 0
    for (key, _), entry in zip(rows, found, strict=True):
        mark = marks.get(key)
        if mark is not None:
            entry.f, entry.c, entry.t = mark, copies, wanted.location
    return found


def _deep(row: Row, wanted: Wanted, copies: int, flags: int) -> Entry | JsonEntry:
    """An entry with props that take the whole record."""
    key, raw = row
    record, props = decode(Object, raw), wanted.props
    if "chunked" in props and record.part_count:
        flags |= EntryFlag.CHUNKED
    return wanted.make(
        n=key[ID:].decode(),
        s=record.size if "size" in props else 0,
        a=short_date(record.mtime // (60 * SECOND)) if "atime" in props else "",
        cs=record.digest[1] if "checksum" in props else "",
        v=version_of(record) if "version" in props else "",
        m=custom_text(record, metadata=METADATA in props, modified=MODIFIED in props)
        if "custom" in props
        else "",
        t=wanted.location,
        c=copies,
        f=int(flags),
    )


def _remote(row: Row, wanted: Wanted, marks: Mapping[bytes, int]) -> Entry | JsonEntry:
    """An entry of a window, of which there may be a copy or not."""
    (key, raw), props = row, wanted.props
    mark = marks.get(key)
    copies = 1 if mark is not None and "copies" in props else 0
    if props & DEEP:
        entry = _deep(row, wanted, copies, mark or 0)
    else:
        size = decode(Listed, raw).size if "size" in props else 0
        entry = wanted.make(n=key[ID:].decode(), s=size, t=wanted.location, c=copies, f=mark or 0)
    if mark is None:
        entry.t = ""
    if "atime" in props:
        when = (wanted.times or {}).get(key, 0)
        entry.a = short_date(when // (60 * SECOND)) if when else ""
    return entry


def custom_text(record: Object, *, metadata: bool, modified: bool = False) -> str:
    """Custom metadata as AIStore prints it: `map[ETag:... name:value]`."""
    stamp = {"LastModified": full_date(record.mtime)} if modified else {}
    origin = record.origin
    told = {} if origin is None else {"source": origin.source, "version": origin.version}
    known = {name: text for name, text in told.items() if text}
    pairs = {"ETag": record.etag, **known, **stamp, **(record.meta if metadata else {})}
    return f"map[{' '.join(f'{name}:{value}' for name, value in pairs.items())}]"
