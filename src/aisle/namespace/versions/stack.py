"""A new version on top of a key's versions: the changes that a write or a delete marker needs.

Whoever commits them checks the bucket's row and the row in `object` that `old` was read from (or
that there was none) in the same batch: they hold for that state only. Where there was none, the
changes check `hidden`: another version cannot have come and gone in between.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from aisle.namespace import layouts, locks
from aisle.namespace.records import Bucket, Object, decode, encode
from aisle.namespace.store import Store
from aisle.namespace.versions.ids import hidden_seq, hiding, mint, row_key
from aisle.store.base import ABSENT, Change, Check, Delete, Put


class Pushed(NamedTuple):
    """The new version, and what has to be committed with it, but for its own row if it is the
    current one."""

    record: Object
    changes: list[Change]


async def covering(store: Store, bucket: bytes, key: bytes) -> Object | None:
    """The delete marker in front of a key without a current object, if there is one."""
    raw = await store.index.get("hidden", bucket + key)
    if raw is None:
        return None
    row = await store.index.get("version", row_key(bucket, key, hidden_seq(raw)))
    return decode(Object, row) if row is not None else None


async def push(
    store: Store,
    bucket: Bucket,
    key: bytes,
    old: Object | None,
    new: Object,
    now: int,
    *,
    guess: bool = False,
) -> Pushed:
    """`new` as the current version of a bucket that is or was versioned, in front of `old`. With
    `guess` it is taken for granted that a key without a current object has no versions at all: a
    wrong guess fails in `hidden`."""
    base = bucket.id + key
    changes: list[Change] = []
    seq, hidden = await _next_place(store, base, old, changes, guess=guess)
    if hidden:
        changes.append(Delete("hidden", base))
    enabled = bucket.keeps_versions
    record = msgspec.structs.replace(new, seq=seq, version=mint(seq) if enabled else "")
    await _settle(store, bucket.id, key, old, changes, now=now, enabled=enabled)
    if not enabled and (old is None or old.version):
        changes += await without_null(store, bucket.id, key, now)
    return Pushed(record, changes)


async def mark(
    store: Store,
    bucket: Bucket,
    key: bytes,
    old: Object | None,
    now: int,
    *,
    owner: str,
    replication: str = "",
) -> Pushed:
    """A delete marker in front of `old`, whose row in `object` goes."""
    base = bucket.id + key
    changes: list[Change] = []
    seq, _ = await _next_place(store, base, old, changes)
    enabled = bucket.keeps_versions
    record = marker(seq, version=mint(seq) if enabled else "", now=now, owner=owner)
    if replication:
        record = msgspec.structs.replace(record, replication=replication)
    place = row_key(bucket.id, key, seq)
    if old is not None:
        changes.append(Delete("object", base))
    await _settle(store, bucket.id, key, old, changes, now=now, enabled=enabled)
    if not enabled:
        if old is None or old.version:
            changes += await without_null(store, bucket.id, key, now)
        changes.append(Put("null", base, seq.to_bytes(8, "big")))
    changes += [Put("version", place, encode(record)), Put("hidden", base, hiding(seq))]
    return Pushed(record, changes)


def marker(seq: int, *, version: str, now: int, owner: str) -> Object:
    """The record of a delete marker."""
    return Object(
        size=0,
        mtime=now,
        etag="",
        storage_class="STANDARD",
        checksums={},
        checksum_type="",
        owner=owner,
        extents=[],
        layout=b"",
        headers={},
        meta={},
        digest=("none", ""),
        parts=[],
        part_count=0,
        seq=seq,
        version=version,
        marker=True,
    )


async def _next_place(
    store: Store, base: bytes, old: Object | None, changes: list[Change], *, guess: bool = False
) -> tuple[int, bool]:
    """The place after the newest version, and whether a row of `hidden` told it."""
    if old is not None:
        return old.seq + 1, False
    raw = None if guess else await store.index.get("hidden", base)
    changes.append(Check("hidden", base, ABSENT if raw is None else raw))
    return (1, False) if raw is None else (hidden_seq(raw) + 1, True)


async def _settle(
    store: Store,
    bucket: bytes,
    key: bytes,
    old: Object | None,
    changes: list[Change],
    *,
    now: int,
    enabled: bool,
) -> None:
    """Keep the version that was current, or give it up where the null version replaces itself."""
    if old is None:
        return
    if enabled or old.version:
        changes.append(Put("version", row_key(bucket, key, old.seq), encode(old)))
        if not old.version:
            changes.append(Put("null", bucket + key, old.seq.to_bytes(8, "big")))
        return
    locks.check_removal(old, now)
    changes += await layouts.release(store, old, now)


async def without_null(store: Store, bucket: bytes, key: bytes, now: int) -> list[Change]:
    """The changes that take the null version out from among the former ones, if it is there."""
    base = bucket + key
    pointer = await store.index.get("null", base)
    if pointer is None:
        return [Check("null", base, ABSENT)]  # one may come below, which shows nowhere else
    place = row_key(bucket, key, int.from_bytes(pointer, "big"))
    raw = await store.index.get("version", place)
    changes: list[Change] = [Check("null", base, pointer), Delete("null", base)]
    if raw is None:
        return changes  # removed meanwhile, so that the check fails
    old = decode(Object, raw)
    locks.check_removal(old, now)
    changes += [Check("version", place, raw), Delete("version", place)]
    return changes + await layouts.release(store, old, now)
