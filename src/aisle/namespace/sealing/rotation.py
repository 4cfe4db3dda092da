"""Rotation: the key of an object, wrapped anew with the newest version of a key of the ring.

Each row is changed with a check of what it was. One that a writer has changed meanwhile is looked
at again; the new one of a client has the newest key already. Before keys go, `needed` tells whether
anything is encrypted with them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

import msgspec

from aisle.core.errors import KeyNotFound, KeyUnusable, RowChanged
from aisle.namespace import documents
from aisle.namespace.records import Object, Sealed, Upload, decode, encode
from aisle.namespace.sealing.ring import Ring, name_of
from aisle.namespace.sealing.wishes import CUSTOMER, wanted
from aisle.namespace.store import RETRIES, Store
from aisle.store.base import Change, Check, Put, Row

_PAGE: Final = 500


class Rotated(NamedTuple):
    """How many rows have another key now, and how many could not, as theirs is not in the ring."""

    rotated: int
    unusable: int


def is_old(ring: Ring, sealed: Sealed | None) -> bool:
    """Whether there is a newer version of the key that an object's is wrapped with. Raises
    `KeyUnusable` where there is none of that name."""
    if sealed is None or sealed.mode == CUSTOMER:
        return False
    try:
        return ring.newest(name_of(sealed.key)) != sealed.key
    except KeyNotFound:
        raise KeyUnusable(sealed.key) from None


def wrapped_anew(ring: Ring, sealed: Sealed) -> Sealed:
    """The same key under the newest version. Raises `KeyUnusable`."""
    secret = ring.unwrap(sealed)
    name = name_of(sealed.key)
    identity, wrapped = ring.wrap(name, secret, mode=sealed.mode, context=sealed.context)
    return msgspec.structs.replace(sealed, key=identity, wrapped=wrapped)


async def rotate(store: Store, table: str, rows: Sequence[Row]) -> Rotated:
    """Rotate the keys of some rows of `object` or `version`."""
    assert store.ring is not None
    changes: list[tuple[bytes, list[Change]]] = []
    unusable = 0
    for key, raw in rows:
        try:
            if (change := _change(store.ring, table, key, raw)) is not None:
                changes.append((key, change))
        except KeyUnusable:
            unusable += 1
    if not changes:
        return Rotated(0, unusable)
    try:
        await store.index.commit(*(one for _, change in changes for one in change))
        return Rotated(len(changes), unusable)
    except RowChanged:
        pass
    rotated = 0
    for key, _ in changes:
        rotated += await _alone(store, table, key)
    return Rotated(rotated, unusable)


async def _alone(store: Store, table: str, key: bytes) -> bool:
    """Rotate one row, whatever it is by now."""
    assert store.ring is not None
    for _ in range(RETRIES):
        raw = await store.index.get(table, key)
        if raw is None:
            return False
        try:
            change = _change(store.ring, table, key, raw)
        except KeyUnusable:
            return False
        if change is None:
            return False
        try:
            await store.index.commit(*change)
        except RowChanged:
            continue
        return True
    return False


async def needed(store: Store, old: Ring, new: Ring) -> str:
    """The first key found that the new ring lacks, and what it is needed for; empty if the new one
    may follow the old one. Looks at every row if a key goes."""
    keys = old.missing_in(new)
    if not keys:
        return ""
    # In the order in which rows move on: one that does so meanwhile is seen behind.
    for table in ("upload", "object", "version"):
        after = b""
        while rows := await store.index.scan(table, after=after, limit=_PAGE):
            after = rows[-1][0]
            for _, raw in rows:
                upload = table == "upload"
                sealed = decode(Upload, raw).sealed if upload else decode(Object, raw).sealed
                if sealed is not None and sealed.mode != CUSTOMER and sealed.key in keys:
                    what = "an upload" if upload else "an object"
                    return f"{sealed.key}, which {what} is encrypted with"
    return await _asked(store, {name_of(key) for key in keys} - new.names)


async def _asked(store: Store, names: Collection[str]) -> str:
    """The first of these names that a bucket has its objects encrypted with."""
    after = b""
    while names and (rows := await store.index.scan("document", after=after, limit=_PAGE)):
        after = rows[-1][0]
        for key, raw in rows:
            name = wanted(raw) if key.endswith(documents.ENCRYPTION) else ""
            if name in names:
                return f"the key {name}, which a bucket has new objects encrypted with"
    return ""


def _change(ring: Ring, table: str, key: bytes, raw: bytes) -> list[Change] | None:
    record = decode(Object, raw)
    sealed = record.sealed
    if sealed is None or not is_old(ring, sealed):
        return None
    new = msgspec.structs.replace(record, sealed=wrapped_anew(ring, sealed))
    return [Check(table, key, raw), Put(table, key, encode(new))]
