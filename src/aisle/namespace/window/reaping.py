"""Housekeeping of claims: holders whose processes have died go, with what they left behind.

A writer that has not been heard of for `claims.SETTLE` is taken for dead. An upload in parts that
it had begun at the remote is given up there first: one that was not dead after all cannot complete
it any more. One that the remote has begun and whose id was not noted any more is left there; it has
no parts, since none is sent before the id is noted. While a remote does not answer, its claims
stay, and their objects cold, for a day.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from aisle.core.errors import AisleError, NotSupported, RowChanged, StoreError
from aisle.namespace.records import Bucket, Claim, Holder, decode, encode
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.window import claims
from aisle.namespace.window.claims import SETTLE
from aisle.store.base import Change, Check, Delete, Put

_log: Final = logging.getLogger("aisle.housekeeping")

STEP: Final = 500
DAY: Final = 86_400 * claims.SECOND

# Gives an upload in parts up at the remote of a bucket: bucket, key, the remote's upload id.
GiveUp = Callable[[BucketRow, str, str], Awaitable[None]]


async def tidy(store: Store) -> None:
    """One round, by what this process can reach."""
    remotes = store.remotes

    async def give_up(bucket: BucketRow, key: str, upload: str) -> None:
        if remotes is None:
            raise NotSupported("remote buckets cannot be reached from this process")
        await (await remotes.backend(store, bucket.record)).give_up(key, upload)

    count = await reap(store, give_up)
    if count:
        _log.info("%d writes and fetches of processes that died have been cleaned up", count)


async def reap(store: Store, give_up: GiveUp) -> int:
    """Remove dead holders, and chunks that no holder has; returns how many holders it were."""
    count, after = 0, b""
    held = set[bytes]()
    rows_of: dict[bytes, BucketRow] | None = None
    while rows := await store.index.scan("claim", after=after, limit=STEP):
        after = rows[-1][0]
        for key, raw in rows:
            claim = decode(Claim, raw)
            dead = [one for one in claim.holders if not await _lives(store, one)]
            if dead and rows_of is None:
                rows_of = await _buckets(store)
            gone = [one for one in dead if await _given_up(store, rows_of or {}, key, one, give_up)]
            left = [one for one in claim.holders if one not in gone]
            held.update(one.id for one in left)
            if gone and await _remove(store, key, raw, left):
                count += len(gone)
    await _drop_chunks(store, held)
    return count


async def _lives(store: Store, holder: Holder) -> bool:
    return holder.worker == store.worker or await claims.alive(store, holder, SETTLE)


async def _remove(store: Store, key: bytes, raw: bytes, left: list[Holder]) -> bool:
    ending: Change = Delete("claim", key)
    if left:
        ending = Put("claim", key, encode(Claim(left, crowded=True)))
    try:
        await store.index.commit(Check("claim", key, raw), ending)
    except RowChanged:
        return False  # somebody is at work there: the next round sees what it is by then
    return True


async def _given_up(
    store: Store, rows: dict[bytes, BucketRow], key: bytes, holder: Holder, give_up: GiveUp
) -> bool:
    """Give up what a dead holder had begun at the remote; whether the holder may go."""
    bucket = rows.get(key[:8])
    if not holder.upload or bucket is None:
        return True
    try:
        await give_up(bucket, key[8:].decode(), holder.upload)
    except StoreError:
        raise
    except AisleError as error:
        _log.warning("an upload is left at %s: %s", bucket.record.behind, error)
        return holder.started < store.now() - DAY
    return True


async def _buckets(store: Store) -> dict[bytes, BucketRow]:
    rows = await store.index.scan("bucket", limit=1_000_000)
    found = (BucketRow(key, raw, decode(Bucket, raw)) for key, raw in rows)
    return {row.record.id: row for row in found}


async def _drop_chunks(store: Store, held: set[bytes]) -> None:
    """Give up chunks of holders that are in no claim, unless they came since the claims were read:
    holders' ids begin with the time of their making."""
    now, after = store.now(), b""
    while rows := await store.index.scan("chunk", after=after, limit=1):
        holder = rows[0][0][:16]
        after = holder + b"\xff" * 5
        if holder not in held and int.from_bytes(holder[:8], "big") < now - SETTLE:
            await claims.drop_chunks(store, holder)
