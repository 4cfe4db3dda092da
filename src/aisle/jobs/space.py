"""When eviction begins by itself: on the node that keeps house, above `space.highwm`.

What counts is how full the store is but for what waits in `garbage`: see `namespace.window.lru`. A
job that found nothing to evict is not followed by another before `lru.capacity_upd_time` is over.
"""

from __future__ import annotations

import logging
import time
from typing import Final

from aisle.core.errors import StoreError
from aisle.jobs import rows
from aisle.jobs.jobs import new_id
from aisle.jobs.rows import JobNotFound
from aisle.jobs.work.lru import KIND
from aisle.namespace.records import Job
from aisle.namespace.store import Store
from aisle.namespace.window import lru

_log: Final = logging.getLogger("aisle.housekeeping")

PAUSE: Final = 2.0
_SECOND: Final = 1_000_000_000
_QUEUE: Final = 10_000


class Evicting:
    """What the housekeeper of one process remembers of it. Call `turn` again and again."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._job = ""
        self._due = 0.0

    async def turn(self) -> None:
        """Begin a job if it is time to. Raises nothing."""
        now = time.monotonic()
        if not self._store.room.high or now < self._due:
            return
        self._due = now + PAUSE
        try:
            await self._turn(now)
        except StoreError as error:
            _log.warning("eviction cannot be begun: %s", error)
        except Exception:
            _log.exception("looking after the space failed")

    async def _turn(self, now: float) -> None:
        store = self._store
        if any(entry.kind == KIND for _, entry in await rows.queue(store.index, _QUEUE)):
            return
        if self._job and await self._was_in_vain():
            self._job = ""
            self._due = now + await store.duration("lru.capacity_upd_time") / _SECOND
            return
        level = await lru.level(store)
        if level.percent < int(await store.setting("space.highwm")):
            return
        if not await lru.windows(store):
            self._due = now + await store.duration("lru.capacity_upd_time") / _SECOND
            return
        self._job = new_id()
        _log.warning("%.1f%% of the space are used: job %s evicts", level.percent, self._job)
        await rows.add(store.index, self._job, Job(KIND, {}, "", store.now()))

    async def _was_in_vain(self) -> bool:
        try:
            job = await rows.view(self._store.index, self._job)
        except JobNotFound:
            return False
        return not job.progress.objects
