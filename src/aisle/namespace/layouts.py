"""Where the extents of a record are: in it, or in a row of `layout` if they are many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aisle.namespace import bodies
from aisle.namespace.records import (
    PARTS_IN_ROW,
    Annotation,
    Extent,
    Layout,
    Object,
    PartInfo,
    decode,
    encode,
    timed_id,
)
from aisle.namespace.store import Store
from aisle.store.base import Change, Check, Delete, Put

_ANNOTATIONS: Final = 10_000  # more than an object may have


def layout_of(
    extents: list[Extent], parts: list[PartInfo]
) -> tuple[list[Extent], list[PartInfo], bytes, list[Change]]:
    """Where the extents and parts of a record go: into it if few, else to a row of their own.

    Returns what to put into the record (extents, parts, layout id) and the extra changes.
    """
    if len(parts) <= PARTS_IN_ROW and len(extents) <= PARTS_IN_ROW:
        return extents, parts, b"", []
    layout = timed_id()
    return [], [], layout, [Put("layout", layout, encode(Layout(extents, parts)))]


async def extents_of(store: Store, record: Object) -> Sequence[Extent] | None:
    """The extents of an object; `None` if it was replaced since `record` was read."""
    if not record.layout:
        return record.extents
    row = await store.index.get("layout", record.layout)
    return decode(Layout, row).extents if row is not None else None


async def release(store: Store, old: Object, now: int) -> list[Change]:
    """The changes that give up the bytes and rows behind a record."""
    changes = await _annotations(store, old.notes) if old.notes else []
    if not old.layout:
        return changes + bodies.release(old.extents, now)
    row = await store.index.get("layout", old.layout)
    extents = decode(Layout, row).extents if row is not None else []
    return [*changes, *bodies.release(extents, now), Delete("layout", old.layout)]


async def _annotations(store: Store, notes: bytes) -> list[Change]:
    """The changes that remove an object's annotations, if none is added meanwhile."""
    head = await store.index.get("annotated", notes)
    if head is None:
        return []
    changes: list[Change] = [Check("annotated", notes, head), Delete("annotated", notes)]
    for key, raw in await store.index.scan("annotation", prefix=notes, limit=_ANNOTATIONS):
        changes += [Delete("annotation", key), Delete("note", decode(Annotation, raw).note)]
    return changes
