"""The rows of `replicate`: what has to be replicated, in the order of each key's versions.

A row's key is the bucket's id, the escaped object key, the version's place and the destination, so
that the rows of a key lie together, oldest first, and one that is noted twice is one row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final, Literal, NamedTuple

from aisle.namespace.records import Record, decode, encode, escape_key, unescape_key
from aisle.namespace.store import Store
from aisle.store.base import Put, Row

TABLE: Final = "replicate"
Kind = Literal["object", "marker", "tags"]
_ID: Final = 8
_PLACE: Final = 8
_TARGET: Final = 8
_TAIL: Final = _PLACE + _TARGET


class Wanted(Record, frozen=True, array_like=True):
    """What is to be done for a version: bring the object, its marker, or its tags, to the bucket
    `target`. `attempts` have failed, the last for `reason`; the next is due at `due` (ns)."""

    kind: Kind
    version: str
    target: str
    noted: int
    attempts: int = 0
    due: int = 0
    reason: str = ""


class Item(NamedTuple):
    """A row and what it says."""

    row: Row
    wanted: Wanted

    @property
    def bucket(self) -> bytes:
        return self.row[0][:_ID]

    @property
    def key(self) -> bytes:
        return unescape_key(self.row[0][_ID:-_TAIL])

    @property
    def version_scope(self) -> bytes:
        """What the rows of the same version begin with."""
        return self.row[0][:-_TARGET]


def note(bucket: bytes, key: bytes, seq: int, wanted: Wanted) -> Put:
    """The change that remembers something."""
    # A tag change is work of its own beside the version's, and comes after it.
    place = (seq * 2 + (wanted.kind == "tags")).to_bytes(_PLACE, "big")
    target = hashlib.sha256(wanted.target.encode()).digest()[:_TARGET]
    return Put(TABLE, bucket + escape_key(key) + place + target, encode(wanted))


async def page(store: Store, after: bytes, limit: int) -> list[Item]:
    """Items behind a row's key, in order."""
    rows = await store.index.scan(TABLE, after=after, limit=limit)
    return [Item((key, raw), decode(Wanted, raw)) for key, raw in rows]


def by_key(items: Sequence[Item]) -> Iterator[tuple[bytes, list[Item]]]:
    """The items of a page, those of an object together."""
    for scope, group in groupby(items, lambda item: item.row[0][:-_TAIL]):
        yield scope, list(group)
