"""When inventories of our own buckets are written: on the node that keeps house, as their
configurations say.

What is due is a row for each configuration (`scheduled`); the row, the job and the duty are one
commit, so no inventory is begun twice or left out by a change of nodes. A configuration whose last
job is not over waits for it. A clock that was set back puts an inventory off by no more than its
period.
"""

from __future__ import annotations

import logging
import time
from typing import Final

import msgspec

from aisle.core.errors import BucketNotFound, RowChanged, StoreError
from aisle.core.names import BucketName
from aisle.jobs import rows
from aisle.jobs.jobs import new_id
from aisle.jobs.leases import Duty
from aisle.jobs.work.listing import BEFORE, ID, KIND, WHEN
from aisle.jobs.work.selection import bucket_args
from aisle.namespace import buckets, documents
from aisle.namespace.inventories import configuration as configurations
from aisle.namespace.inventories.configuration import TABLE
from aisle.namespace.records import Job, Scheduled, decode, encode
from aisle.namespace.store import BucketRow, Store
from aisle.store.base import ABSENT, Check, Delete, Put, Row

_log: Final = logging.getLogger("aisle.housekeeping")

PAUSE: Final = 2.0
# So often configurations without a row get one: of buckets that were renamed or imported.
WHOLE: Final = 600.0
_PAGE: Final = 1000
_ID: Final = 8  # bytes of a bucket's id


class Inventorying:
    """What the housekeeper of one process remembers of it. Call `turn` again and again."""

    def __init__(self, store: Store, duty: Duty) -> None:
        self._store = store
        self._duty = duty
        self._due = 0.0
        self._whole = 0.0

    async def turn(self) -> None:
        """Begin the jobs that are due. Raises nothing."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + PAUSE
        try:
            await self._turn()
        except RowChanged:
            _log.info("another node looks after inventories")
        except StoreError as error:
            _log.warning("inventories cannot be looked after: %s", error)
        except Exception:
            # A row that cannot be read must not end all housekeeping.
            _log.exception("looking after inventories failed")

    async def _turn(self) -> None:
        steady = time.monotonic()
        if steady >= self._whole:
            self._whole = steady + WHOLE
            await self._complete()
        after = b""
        while page := await self._store.index.scan(TABLE, prefix=b"", after=after, limit=_PAGE):
            for row in page:
                await self._look(row)
            after = page[-1][0]

    async def _complete(self) -> None:
        """Add rows of configurations that have none."""
        index, lacking, after = self._store.index, dict[bytes, list[str]](), b""
        while page := await index.scan("document", prefix=b"", after=after, limit=_PAGE):
            for key, _ in page:
                if not key[_ID:].startswith(configurations.KIND):
                    continue
                named = key[_ID + len(configurations.KIND) :]
                if await index.get(TABLE, key[:_ID] + named) is None:
                    lacking.setdefault(key[:_ID], []).append(named.decode())
            after = page[-1][0]
        if not lacking:
            return
        found = await buckets.list_all(self._store, wanted=lambda bucket: bucket.id in lacking)
        for bucket in found:
            for identity in lacking[bucket.record.id]:
                place = configurations.row_key(bucket, identity)
                planned = configurations.scheduled(bucket, identity, self._store.now())
                await index.commit(*self._duty.checks, Check(TABLE, place, ABSENT), planned)

    async def _look(self, row: Row) -> None:
        key, raw = row
        store, now = self._store, self._store.now()
        plan = decode(Scheduled, raw)
        if plan.due > now and plan.due - now < plan.period:
            return
        found = await self._configuration(plan, key)
        if found is None:
            await store.index.commit(*self._duty.checks, Check(TABLE, key, raw), Delete(TABLE, key))
            return
        bucket, about = found
        period = await configurations.period(store, about)
        after = msgspec.structs.replace(plan, due=now + period, period=period)
        if not about.enabled or plan.due > now:
            await self._commit(key, raw, after)
            return
        if plan.job and await store.index.get("queue", plan.job.encode()) is not None:
            return
        job = new_id()
        before = await self._unfinished(plan)
        args = {**bucket_args(bucket), ID: about.id, WHEN: now, BEFORE: before}
        after = msgspec.structs.replace(after, job=job)
        await rows.add(
            store.index,
            job,
            Job(KIND, args, "", now),
            *self._duty.checks,
            Check(TABLE, key, raw),
            Put(TABLE, key, encode(after)),
        )
        _log.info('job %s writes inventory "%s" of bucket "%s"', job, about.id, bucket.record.name)

    async def _configuration(
        self, plan: Scheduled, key: bytes
    ) -> tuple[BucketRow, configurations.Configuration] | None:
        """The bucket and the configuration that a row is for; `None` if either is gone."""
        try:
            bucket = await buckets.get(self._store, BucketName(*plan.bucket))
        except BucketNotFound:
            return None
        if bucket.record.id != key[:_ID]:
            return None
        kind = configurations.KIND + key[_ID:]
        raw = (await documents.of(self._store, bucket)).raw.get(kind)
        return (bucket, configurations.unpack(raw)) if raw is not None else None

    async def _unfinished(self, plan: Scheduled) -> str:
        """The job before, if it left files that belong to no inventory."""
        if not plan.job:
            return ""
        raw = await self._store.index.get("job", plan.job.encode())
        # Of one that was forgotten nobody knows whether it was finished: its files stay.
        return plan.job if raw is not None and decode(Job, raw).state != "finished" else ""

    async def _commit(self, key: bytes, raw: bytes, plan: Scheduled) -> None:
        await self._store.index.commit(
            *self._duty.checks, Check(TABLE, key, raw), Put(TABLE, key, encode(plan))
        )
