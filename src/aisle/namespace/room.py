"""How full the place of the blobs is, and what follows from that: AIStore's watermarks.

Each process looks for itself, every few seconds, and more often when there is little room left; in
between it goes by what it saw last. `space.out_of_space` percent and above, new bytes are refused
before they are taken in (`OutOfSpace`), while reads and deletions go on and nothing is kept of what
comes from remote buckets. `space.highwm` is where eviction begins (`namespace.window.lru`),
`space.lowwm` where it ends, and from `space.cleanupwm` on garbage waits no longer than it must.

Percent are of what can be used: what is used and what is free. Bytes that were given up are counted
as used until they are deleted, as that is what they are.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from aisle.core.errors import OutOfSpace, StoreError
from aisle.store.base import Space

if TYPE_CHECKING:
    from aisle.namespace.store import Store

_log: Final = logging.getLogger("aisle.room")

LOOK_SECONDS: Final = 5.0
SOON_SECONDS: Final = 1.0
# So many percent below the watermark of eviction it is time to look more often.
_NEAR: Final = 10
_BATCH: Final = 5000
_SECOND: Final = 1_000_000_000


class Room:
    """What one process knows of the room under a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._looking = asyncio.Lock()
        self.space = Space(0, 0, 0)
        self.full = False  # no new bytes are taken in
        self.tight = False  # garbage is not kept for longer than it must
        self.high = False  # eviction has to begin

    @property
    def percent(self) -> float:
        """How much of the room is used; 0 before the first look."""
        return percent_of(self.space)

    def require(self) -> None:
        """Raises `OutOfSpace` if no new bytes are taken in."""
        if self.full:
            raise OutOfSpace(f"the store is out of space: {self.percent:.0f}% are used")

    async def admit(self) -> None:
        """Look once more before bytes are refused: room may just have been made. Raises
        `OutOfSpace`."""
        if not self.full:
            return
        async with self._looking:
            if self.full:
                await self.look()
        self.require()

    async def look(self) -> None:
        """See how full it is now. Raises `StoreError`."""
        store = self._store
        space = await store.blobs.space()
        most, high, clean = [
            int(await store.setting(f"space.{name}"))
            for name in ("out_of_space", "highwm", "cleanupwm")
        ]
        self.space = space
        used = self.percent
        if (used >= most) is not self.full:
            text = "no new data is taken in" if used >= most else "there is room again"
            _log.warning("%.1f%% of the space are used: %s", used, text)
        self.full, self.high, self.tight = used >= most, used >= high, used >= clean

    async def pause(self) -> float:
        """Seconds until it is time to look again."""
        asked = await self._store.duration("lru.capacity_upd_time") / _SECOND
        high = int(await self._store.setting("space.highwm"))
        near = self.percent >= high - _NEAR
        return max(0.1, min(asked, SOON_SECONDS if near else LOOK_SECONDS))

    async def follow(self) -> None:
        """Look again and again, for ever."""
        while True:
            pause = LOOK_SECONDS
            try:
                await self.look()
                pause = await self.pause()
            except StoreError as error:
                _log.warning("how full the store is cannot be seen: %s", error)
            await asyncio.sleep(pause)


def percent_of(space: Space) -> float:
    return space.used * 100 / (space.used + space.free) if space.used + space.free else 0.0


async def given_up(store: Store) -> int:
    """The bytes that wait in `garbage` for their deletion: used still, and soon free."""
    total, after = 0, b""
    while rows := await store.index.scan("garbage", after=after, limit=_BATCH):
        after = rows[-1][0]
        total += sum(int.from_bytes(raw, "big") for _, raw in rows)
    return total
