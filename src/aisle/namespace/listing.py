"""Listing: from "read me rows after X" to a page. No I/O of its own, tested with literals.

A page holds keys and common prefixes in byte order. A common prefix is never scanned: the reading
goes on after it (`prefix + 0xFF` sorts after every UTF-8 key that begins with `prefix`), and how
rows are read adapts: a flat listing reads its page at once, one of many "directories" has the Index
fold each into its first row, so that neither is a round trip an entry.
"""

from __future__ import annotations

import base64
from bisect import bisect_right
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from aisle.core.errors import InvalidArgument
from aisle.namespace.records import Upload, decode, escape_key, unescape_key
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.uploads import UploadRow
from aisle.store.base import Fold, Row

ID: Final = 8  # bytes of bucket id before the key in a row's key
_AHEAD: Final = 2  # rows read after a common prefix was skipped, where the Index cannot fold
_FIRST: Final = 64  # rows read before it is known how many common prefixes there are

Read = Callable[[bytes, int], Awaitable[list[Row]]]


@dataclass(frozen=True, slots=True)
class Query:
    """What to list. `after` is the last row key given before, exclusive; `skip` a common prefix
    not to be given (again)."""

    prefix: bytes = b""
    delimiter: bytes = b""
    after: bytes = b""
    skip: bytes = b""
    limit: int = 1000


class Page(NamedTuple):
    """Rows and common prefixes, each in byte order; `last` is where the next page begins."""

    rows: list[Row]
    prefixes: list[bytes]
    truncated: bool
    last: bytes
    last_is_prefix: bool


def _itself(key: bytes) -> bytes:
    return key


def _beyond(prefix: bytes) -> bytes:
    return prefix + b"\xff"


async def list_page(
    query: Query,
    read: Read,
    *,
    key_of: Callable[[bytes], bytes] = _itself,
    beyond: Callable[[bytes], bytes] = _beyond,
    folded: Read | None = None,
) -> Page:
    """One page of `query`. `read(after, limit)` gives rows with the query's prefix, `folded` the
    first of each common prefix only.

    `key_of` gives the listed key of a row's key, `beyond` a row key after all those of a prefix.
    """
    limit = query.limit
    if limit <= 0:
        return Page([], [], False, query.after, False)
    after = max(query.after, beyond(query.skip)) if query.skip else query.after
    if not query.delimiter:
        rows = await read(after, limit + 1)
        more = len(rows) > limit
        del rows[limit:]
        return Page(rows, [], more, rows[-1][0] if rows else after, False)

    page, prefixes = list[Row](), list[bytes]()
    start, delimiter = len(query.prefix), query.delimiter
    last, last_is_prefix = after, False
    ahead, reading = min(_FIRST, limit + 1), read
    while True:
        rows = await reading(after, ahead)
        position, skipped = 0, False
        while position < len(rows):
            row = rows[position]
            key = key_of(row[0])
            end = key.find(delimiter, start)
            if len(page) + len(prefixes) == limit:
                return Page(page, prefixes, True, last, last_is_prefix)
            if end < 0:
                page.append(row)
                last, last_is_prefix = row[0], False
                position += 1
                after, skipped = row[0], False
                continue
            common = key[: end + len(delimiter)]
            prefixes.append(common)
            last, last_is_prefix = common, True
            after, skipped = beyond(common), True
            position = bisect_right(rows, (after,), position)
        if len(rows) < ahead:
            return Page(page, prefixes, False, last, last_is_prefix)
        left = limit + 1 - len(page) - len(prefixes)
        if not skipped:
            ahead, reading = min(ahead * 2, left), read
        elif folded is not None:
            ahead, reading = left, folded
        else:
            ahead = _AHEAD


def common_prefix_of(marker: bytes, prefix: bytes, delimiter: bytes) -> bytes:
    """The common prefix that a marker lies in, or `b""`: ListObjects does not give it again."""
    if not delimiter or not marker.startswith(prefix):
        return b""
    end = marker.find(delimiter, len(prefix))
    return marker[: end + len(delimiter)] if end >= 0 else b""


def encode_token(last: bytes, *, is_prefix: bool) -> str:
    """An opaque continuation token for a position. Not a secret, and good for any process."""
    return base64.urlsafe_b64encode((b"p" if is_prefix else b"k") + last).decode().rstrip("=")


def decode_token(token: str, *, name: str = "continuation-token") -> tuple[bytes, bool]:
    """The position in a token. Raises `InvalidArgument`."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raw = b""
    if raw[:1] not in (b"p", b"k"):
        raise InvalidArgument(
            "The continuation token provided is incorrect", name=name, value=token
        )
    return raw[1:], raw[:1] == b"p"


async def list_objects(store: Store, query: Query) -> Page:
    """A page of a bucket's objects. All keys in `query` and in the page carry the bucket's id,
    `ID` bytes long, in front."""

    scan, prefix = store.index.scan, query.prefix
    fold = Fold(query.delimiter, len(prefix))

    async def read(after: bytes, limit: int) -> list[Row]:
        return await scan("object", prefix=prefix, after=after, limit=limit)

    async def folded(after: bytes, limit: int) -> list[Row]:
        return await scan("object", prefix=prefix, after=after, limit=limit, fold=fold)

    # No text is a delimiter of nothing but 0xFF; a request may hold any bytes, though.
    can_fold = bool(query.delimiter.rstrip(b"\xff"))
    return await list_page(query, read, folded=folded if can_fold else None)


class UploadsPage(NamedTuple):
    """Uploads in order of key and then of start, and common prefixes of keys."""

    uploads: list[UploadRow]
    prefixes: list[bytes]
    truncated: bool


async def list_uploads(
    store: Store,
    bucket: BucketRow,
    *,
    prefix: bytes,
    delimiter: bytes,
    key_marker: bytes,
    id_marker: bytes,
    limit: int,
) -> UploadsPage:
    """A page of a bucket's uploads after `key_marker` (and `id_marker` within that key)."""
    base = bucket.record.id

    def key_of(row_key: bytes) -> bytes:
        return unescape_key(row_key[ID:-16])

    def beyond(common: bytes) -> bytes:
        return base + escape_key(common)[:-1] + b"\xff"

    async def read(after: bytes, count: int) -> list[Row]:
        scope = base + escape_key(prefix)[:-1]
        return await store.index.scan("upload", prefix=scope, after=after, limit=count)

    after, skip = b"", b""
    if key_marker:
        after = base + escape_key(key_marker) + (id_marker or b"\xff" * 17)
        skip = common_prefix_of(key_marker, prefix, delimiter)
    query = Query(prefix=prefix, delimiter=delimiter, after=after, skip=skip, limit=limit)
    page = await list_page(query, read, key_of=key_of, beyond=beyond)
    rows = [UploadRow(key, raw, decode(Upload, raw), key_of(key)) for key, raw in page.rows]
    return UploadsPage(rows, page.prefixes, page.truncated)
