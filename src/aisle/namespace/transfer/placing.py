"""Bodies on their way into the store, and whether a row is the same as one that is there.

A body is written as the store itself would keep it: small stretches as rows, to be committed with
the row that refers to them, larger ones as blobs, one a part. Nothing is visible yet: the caller
commits, or discards.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from aisle.namespace import bodies
from aisle.namespace.bodies import Stored
from aisle.namespace.records import Extent, Object, Part
from aisle.namespace.sealing.frames import DataKey
from aisle.namespace.store import Store
from aisle.namespace.transfer.items import ObjectItem, PartItem
from aisle.namespace.transfer.verify import StretchBody, stretches
from aisle.store.base import Change

# A batch may hold so many bytes of parts that are rows; further ones become blobs.
_INLINE_SUM: Final = 4 << 20


class Placed(NamedTuple):
    """A body at the target: its extents, and the rows to commit with whatever refers to them."""

    extents: list[Extent]
    changes: list[Change]
    stored: list[Stored]


async def place(
    store: Store, item: ObjectItem | PartItem, *, owner: bytes, key: DataKey | None = None
) -> Placed:
    """Write a body, sealed with `key`, and verify it. Raises `DigestMismatch` and `Unfit`, what
    reading it raises and the engine's errors; then nothing is left behind."""
    placed = Placed([], [], [])
    inline = 0
    try:
        for stretch in stretches(item):
            incoming = StretchBody(item.body, stretch)
            stored = await bodies.ingest(
                store, incoming, owner=owner, algorithms=stretch.digests, key=key
            )
            if stored.inline is not None and inline + stored.size > _INLINE_SUM:
                stored = await _as_blob(store, stored, owner)
            inline += stored.size if stored.inline is not None else 0
            placed.stored.append(stored)
            placed.extents.extend(stored.extents)
            placed.changes.extend(stored.changes())
    except BaseException:
        await discard(store, placed)
        raise
    return placed


async def discard(store: Store, placed: Placed) -> None:
    """Drop a body whose row was certainly not committed."""
    for stored in placed.stored:
        await bodies.discard(store, stored)


async def _as_blob(store: Store, stored: Stored, owner: bytes) -> Stored:
    """A small body, written as a blob after all."""
    assert stored.inline is not None
    writer = await store.blobs.create(owner, size_hint=stored.size)
    try:
        await writer.write(stored.inline)
        blob = await writer.seal()
    except BaseException:
        await writer.abort()
        raise
    salt = stored.extents[0].seal
    return Stored(stored.size, stored.digests, [Extent(blob, 0, stored.size, seal=salt)], None)


def same_object(one: Object, other: Object) -> bool:
    """Whether two records say the same, wherever their bytes are and however encrypted, and
    whatever annotations they have."""
    return _placeless(one) == _placeless(other)


def _placeless(record: Object) -> Object:
    # Parts may stand in a layout: their number, and an ETag that is made of theirs, tell enough.
    return msgspec.structs.replace(record, extents=[], layout=b"", parts=[], sealed=None, notes=b"")


def same_part(one: Part, other: Part) -> bool:
    return msgspec.structs.replace(one, extents=[]) == msgspec.structs.replace(other, extents=[])
