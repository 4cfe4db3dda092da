"""When lifecycle rules are applied: on the node that keeps house, every `lifecycle.interval`.

When the last job was begun is a row, so that a change of nodes, or a restart, neither brings the
next one forward nor leaves it out; the row, the job and the duty are one commit. A clock that was
set back puts the next job off by no more than the interval. No job is begun while one is not over,
nor where no bucket has rules.
"""

from __future__ import annotations

import logging
import time
from typing import Final

from aisle.core.errors import RowChanged, StoreError
from aisle.jobs import rows
from aisle.jobs.jobs import new_id
from aisle.jobs.leases import Duty
from aisle.jobs.work.lifecycle import KIND, has_rules
from aisle.namespace import buckets
from aisle.namespace.lifecycle.told import day
from aisle.namespace.records import Job
from aisle.namespace.store import Store
from aisle.store.base import ABSENT, Check, Put

_log: Final = logging.getLogger("aisle.housekeeping")

INTERVAL: Final = "lifecycle.interval"
BEGUN: Final = b"lifecycle"  # of `config`: when the last job was begun (8, ns, big endian)
# Seconds between looks at whether it is time, and where no bucket has rules.
PAUSE: Final = 2.0
IDLE: Final = 30.0
_QUEUE: Final = 10_000


class Expiring:
    """What the housekeeper of one process remembers of it. Call `turn` again and again."""

    def __init__(self, store: Store, duty: Duty) -> None:
        self._store = store
        self._duty = duty
        self._due = 0.0

    async def turn(self) -> None:
        """Begin a job if it is time to. Raises nothing."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + PAUSE
        try:
            await self._turn(now)
        except RowChanged:
            _log.info("another node looks after lifecycle rules")
        except StoreError as error:
            _log.warning("lifecycle rules cannot be looked after: %s", error)
        except Exception:
            _log.exception("looking after lifecycle rules failed")

    async def _turn(self, steady: float) -> None:
        store = self._store
        raw, now = await store.index.get("config", BEGUN), store.now()
        begun = Put("config", BEGUN, now.to_bytes(8, "big"))
        check = Check("config", BEGUN, ABSENT if raw is None else raw)
        last = int.from_bytes(raw, "big") if raw is not None else 0
        if last > now:
            await store.index.commit(*self._duty.checks, check, begun)
            return
        pause = await interval(store)
        if not pause or now - last < pause:
            return
        if not await buckets.list_all(store, limit=1, wanted=has_rules):
            self._due = steady + IDLE
            return
        if any(entry.kind == KIND for _, entry in await rows.queue(store.index, _QUEUE)):
            return
        job = new_id()
        await rows.add(store.index, job, Job(KIND, {}, "", now), *self._duty.checks, check, begun)
        _log.info("job %s applies the lifecycle rules of buckets", job)


async def interval(store: Store) -> int:
    """How often the rules are applied, in ns: no less often than days begin, and 0 for never."""
    return min(await store.duration(INTERVAL), await day(store))
