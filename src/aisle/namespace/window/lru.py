"""Eviction of the objects of windows that were not used for the longest time.

It goes by the table `atime`, over all windows with `lru.enabled` together, and leaves alone what
was used within their `lru.dont_evict_time`. The oldest `lru.batch_size` are picked in one walk over
the times, which keeps no more than those in memory, and dropped in small commits that check that
nobody has used them since; then the next ones, until enough bytes are given up.

How many that is goes by what is used less what waits in `garbage`: bytes that were given up are
free before long, and nothing is evicted a second time for them.
"""

from __future__ import annotations

import heapq
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final, NamedTuple

from aisle.namespace import room
from aisle.namespace.records import Bucket, Listed, decode
from aisle.namespace.store import Store
from aisle.namespace.window import atimes
from aisle.namespace.window.evict import Dropped, evict
from aisle.store.base import Change, Check, Delete

STEP: Final = 200
PAGE: Final = 2000
MOST: Final = 100_000  # of `lru.batch_size`, which is held in memory


class Aged(NamedTuple):
    """An object and when it was last used."""

    when: int
    key: bytes


class Level(NamedTuple):
    """How full the store is but for what was given up, and how many bytes are above `lowwm`."""

    percent: float
    excess: int


async def level(store: Store) -> Level:
    """As of now. Raises `StoreError`."""
    space = await store.blobs.space()
    usable = space.used + space.free
    used = max(0, space.used - await room.given_up(store))
    low, high = [int(await store.setting(f"space.{name}")) for name in ("lowwm", "highwm")]
    kept = usable * min(low, high) // 100
    return Level(used * 100 / usable if usable else 0.0, max(0, used - kept))


async def windows(store: Store, ids: Iterable[bytes] = ()) -> dict[bytes, int]:
    """The windows whose objects may be evicted, or those of them that `ids` names, by id, each with
    the time (ns) before which its objects must have been used last."""
    named = frozenset(ids)
    found: dict[bytes, int] = {}
    for _, raw in await store.index.scan("bucket", limit=1_000_000):
        bucket = decode(Bucket, raw)
        if bucket.behind is None or (named and bucket.id not in named):
            continue
        if await store.setting("lru.enabled", bucket):
            found[bucket.id] = store.now() - await store.duration("lru.dont_evict_time", bucket)
    return found


async def evict_oldest(
    store: Store, ids: Iterable[bytes] = (), *, need: int
) -> AsyncIterator[Dropped]:
    """Drop the objects used longest ago, until `need` bytes are given up or none is left that may
    go; tells of every commit."""
    most = min(max(1, int(await store.setting("lru.batch_size"))), MOST)
    named = frozenset(ids)
    while need > 0:
        oldest = await pick(store, await windows(store, named), most)
        moved = 0
        for at in range(0, len(oldest), STEP):
            dropped, stale = await _drop(store, oldest[at : at + STEP], need)
            moved += dropped.objects + stale
            need -= dropped.bytes
            if dropped.objects:
                store.count("lru.evict", *dropped)
                yield dropped
            if need <= 0:
                return
        if not moved:
            return


async def pick(store: Store, cutoffs: dict[bytes, int], most: int) -> list[Aged]:
    """The objects of these windows that were used longest ago, `most` at most, in that order."""
    heap: list[tuple[int, bytes]] = []  # the youngest of them first, by the time's negative
    for bucket, cutoff in cutoffs.items():
        after = b""
        while rows := await store.index.scan(atimes.TABLE, prefix=bucket, after=after, limit=PAGE):
            after = rows[-1][0]
            for key, raw in rows:
                when = atimes.read(raw)
                if max(when, store.atimes.noted(key)) > cutoff:
                    continue
                if len(heap) < most:
                    heapq.heappush(heap, (-when, key))
                elif -when > heap[0][0]:
                    heapq.heapreplace(heap, (-when, key))
    return sorted(Aged(-negative, key) for negative, key in heap)


async def _drop(store: Store, some: Sequence[Aged], need: int) -> tuple[Dropped, int]:
    """Drop as many of these copies as are needed; and the times of those that are gone already,
    whose number is told, too."""
    raws = await store.index.get_many("object", [aged.key for aged in some])
    rows, times, size = [], {}, 0
    stale: list[Change] = []
    for aged, raw in zip(some, raws, strict=True):
        when = atimes.packed(aged.when)
        if raw is None:
            stale += [Check(atimes.TABLE, aged.key, when), Delete(atimes.TABLE, aged.key)]
        elif size < need:
            rows.append((aged.key, raw))
            times[aged.key] = when
            size += decode(Listed, raw).size
    if stale:
        await atimes.commit(store.index, [stale])
    return await evict(store, rows, times=times), len(stale) // 2
