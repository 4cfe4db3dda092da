"""All versions of a bucket's objects in the order of ListObjectVersions: by key, newest first.

The current versions (`object`) and the former ones (`version`) are read side by side and merged by
one order: escaped key, then place, where a current version stands before all others.

No version that is there all the time is left out or given twice while others come and go. The
current ones are read first: one that is a former one by the time those are read is found twice, and
it and what is above it by now are passed over. One that has become a current one in between shows
in the row of `hidden` without a key, or, where it is of the key that a page begins in, by the place
that it had.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import Final, NamedTuple

from aisle.namespace.listing import Page, Query, Read, common_prefix_of, list_page
from aisle.namespace.records import Object, decode, escape_key, unescape_key
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.versions.ids import CURRENT, ID, NULL, PLACE, place_of, row_key
from aisle.store.base import Fold, Row

# Behind every place of a key and before the next key: no place begins with it, nor does an
# escaped NUL go on with it.
_LAST: Final = b"\x80"
# In front of all places of a key: what escaped keys end with.
_NO_PLACE: Final = escape_key(b"")
_ATTEMPTS: Final = 8
_FEW: Final = 16  # current versions that are read at least


class Marker(NamedTuple):
    """Where a page begins: after this version of a key, or without one after the whole key."""

    key: bytes = b""
    version: str = ""


_START: Final = Marker()


async def list_versions(
    store: Store,
    bucket: BucketRow,
    *,
    prefix: bytes = b"",
    delimiter: bytes = b"",
    marker: Marker = _START,
    limit: int = 1000,
) -> Page:
    """A page of a bucket's versions. Rows are encoded `Object`s; their keys are those of rows of
    `version`: `key_of` gives the object's key, `is_current` whether it is in `object`. Common
    prefixes are keys. Raises `InvalidArgument` for a marker that is no version id."""
    base = bucket.record.id
    after = await _after(store, base, marker) if marker.key else b""
    skip = common_prefix_of(marker.key, prefix, delimiter) if not marker.version else b""
    query = Query(prefix=prefix, delimiter=delimiter, after=after, skip=skip, limit=limit)
    can_fold = bool(delimiter.rstrip(b"\xff")) and b"\0" not in delimiter
    return await list_page(
        query,
        _reading(store, base, prefix),
        key_of=key_of,
        beyond=_beyond(base),
        folded=_reading(store, base, prefix, delimiter) if can_fold else None,
    )


async def rows_after(store: Store, bucket: BucketRow, after: bytes, limit: int) -> list[Row]:
    """Rows as in a page, of all keys, behind a row's key or what `behind` gives."""
    return await _reading(store, bucket.record.id, b"")(after, limit)


def behind(base: bytes, key: bytes) -> bytes:
    """The position behind all versions of a key; `base` is the bucket's id."""
    return base + escape_key(key) + _LAST


def _reading(store: Store, base: bytes, prefix: bytes, delimiter: bytes = b"") -> Read:
    """How rows are read; with a `delimiter` those that it folds away are left out."""
    scope = base + escape_key(prefix)[:-1]
    scan = store.index.scan
    former_fold = Fold(escape_key(delimiter)[:-1], len(scope)) if delimiter else None
    current_fold = Fold(delimiter, ID + len(prefix)) if delimiter else None

    async def attempt(after: bytes, count: int, ahead: int) -> list[Row] | None:
        """`count` rows, by reading `ahead` current versions; `None` if those were too few."""
        key, place = _within(after[ID:])
        start = base + key if after else b""
        in_key = place and place != _NO_PLACE + CURRENT and key.startswith(prefix)
        risen = start if in_key else b""
        before = await store.index.get("hidden", base)
        for _ in range(_ATTEMPTS):
            above = await store.index.get("object", risen) if risen else None
            current = await scan(
                "object", prefix=base + prefix, after=start, limit=ahead, fold=current_fold
            )
            former = await scan("version", prefix=scope, after=after, limit=count, fold=former_fold)
            promoted = await store.index.get("hidden", base)
            if promoted == before:
                break
            before = promoted
        listed = [(base + escape_key(key[ID:]) + CURRENT, raw) for key, raw in current]
        if above is not None and row_key(base, key, decode(Object, above).seq) > after:
            listed.insert(0, (base + escape_key(key) + CURRENT, above))
        if former:
            listed += _undisturbed(listed, former)
            listed.sort()  # two runs, each in order
        if ahead < count and len(current) == ahead:
            # What is behind the last current version was not read.
            known = base + escape_key(current[-1][0][ID:]) + CURRENT
            if bisect_right(listed, (known, b"\xff")) < count:
                return None
        del listed[count:]
        return listed

    async def read(after: bytes, count: int) -> list[Row]:
        # Where keys have many versions a page has few current ones.
        ahead = max(_FEW, count // 4)
        found = await attempt(after, count, ahead) if ahead < count else None
        if found is None:
            found = await attempt(after, count, count)
        assert found is not None
        return found

    return read


def _undisturbed(current: list[Row], former: list[Row]) -> list[Row]:
    """The former versions but for what was put in front of a current one since that was read."""
    if {raw for _, raw in current}.isdisjoint([raw for _, raw in former]):
        return former
    rows = {place[:-PLACE]: raw for place, raw in current}
    late: dict[bytes, bytes] = {}  # a key's row of `version` that its current one has become
    for place, raw in former:
        if rows.get(place[:-PLACE]) == raw:
            late[place[:-PLACE]] = place
    return [row for row in former if row[0] > late.get(row[0][:-PLACE], b"")]


def key_of(row: bytes) -> bytes:
    """The object's key of a row in a page."""
    return unescape_key(row[ID:-PLACE])


def is_current(row: bytes) -> bool:
    """Whether a row in a page is the current version of its key."""
    return row.endswith(CURRENT)


def _beyond(base: bytes) -> Callable[[bytes], bytes]:
    return lambda common: base + escape_key(common)[:-1] + b"\xff"


def _within(after: bytes) -> tuple[bytes, bytes]:
    """The key after which current versions are read, of a position among all versions, and the
    terminator and the place where the position is within that key: nothing where it is what
    `_beyond` has made of a common prefix."""
    at = after.find(b"\0")
    while at >= 0 and after[at + 1 : at + 2] == b"\xff":
        at = after.find(b"\0", at + 2)
    escaped, place = (after, b"") if at < 0 else (after[:at], after[at:])
    return escaped.replace(b"\0\xff", b"\0"), place


async def _after(store: Store, base: bytes, marker: Marker) -> bytes:
    """The position of a marker, exclusive. Nothing tells where a null version that is gone was:
    its key is given once more, so that none is left out."""
    if not marker.version:
        return behind(base, marker.key)
    if marker.version != NULL:
        return row_key(base, marker.key, place_of(marker.version, name="version-id-marker"))
    pointer = await store.index.get("null", base + marker.key)
    if pointer is not None:
        return row_key(base, marker.key, int.from_bytes(pointer, "big"))
    current = await store.index.get("object", base + marker.key)
    is_null = current is not None and not decode(Object, current).version
    return base + escape_key(marker.key) + (CURRENT if is_null else b"")
