"""When housekeeping runs: at intervals, on the one node that has the duty; and how every process
tells that node what it is still reading.

A round is cut short as soon as the duty is lost. What another node does at the same time anyway is
harmless: blobs are never used again once they are garbage or orphans, and rows go by `Check`s.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from typing import Final

from aisle.core.errors import RowChanged, StoreError
from aisle.jobs import rows
from aisle.jobs.expiring import Expiring
from aisle.jobs.inventorying import Inventorying
from aisle.jobs.leases import Duty
from aisle.jobs.space import Evicting
from aisle.namespace import housekeeping
from aisle.namespace.housekeeping import SECOND
from aisle.namespace.store import Store
from aisle.namespace.window import claims, reaping
from aisle.store.base import Put

_log: Final = logging.getLogger("aisle.housekeeping")

# Garbage is looked at as often as its grace asks for, but no less often than this; a round through
# uploads and parts is made every ten minutes.
TIDY_SECONDS: Final = 30.0
WHOLE_SECONDS: Final = 600.0
_LOOK_SECONDS: Final = 0.5


async def run(store: Store, duty: Duty) -> None:
    """Keep house for ever."""
    began, whole_due = time.monotonic(), 0.0
    evicting, expiring = Evicting(store), Expiring(store, duty)
    inventorying = Inventorying(store, duty)
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        now = time.monotonic()
        if duty.held:
            await evicting.turn()
            await expiring.turn()
            await inventorying.turn()
        if not duty.held or now - began < await _pause(store):
            continue
        began, whole = now, now >= whole_due
        if whole:
            whole_due = now + WHOLE_SECONDS
        task = asyncio.create_task(_round(store, duty, whole=whole))
        try:
            while not task.done() and duty.held:
                await asyncio.wait([task], timeout=_LOOK_SECONDS)
                await evicting.turn()
                await expiring.turn()
                await inventorying.turn()
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def announce_reads(store: Store, name: bytes) -> None:
    """Keep the housekeeper, wherever it runs, from what this process is still reading or writing
    at a remote bucket, for ever."""
    last = time.monotonic()
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        try:
            await claims.beat(store)
            if time.monotonic() - last >= await housekeeping.announce_after(store) / SECOND:
                last = time.monotonic()
                await housekeeping.announce(store, name)
        except StoreError as error:
            _log.warning("long reads of this process cannot be announced: %s", error)


async def _pause(store: Store) -> float:
    """Seconds between two rounds."""
    try:
        grace = await housekeeping.grace(store) / SECOND
    except StoreError:
        return TIDY_SECONDS
    return min(TIDY_SECONDS, max(_LOOK_SECONDS, grace))


async def _round(store: Store, duty: Duty, *, whole: bool) -> None:
    try:
        await keep_house(store, duty, whole=whole)
    except RowChanged:
        _log.info("another node has taken over housekeeping")
    except StoreError as error:
        _log.warning("housekeeping was cut short: %s", error)
    except Exception:
        # A bug in one round must not end all that would follow.
        _log.exception("housekeeping failed")


async def forget_jobs(store: Store) -> None:
    """Drop what is remembered of jobs beyond the limits of the settings `jobs.keep_*`."""
    age, count = await store.duration("jobs.keep_time"), await store.setting("jobs.keep_count")
    dropped = await rows.forget(store.index, store.now(), age=age, count=int(count))
    if dropped:
        _log.info("%d jobs that are over have been forgotten", dropped)


async def keep_house(store: Store, duty: Duty, *, whole: bool) -> None:
    """One round: garbage, and what dead processes had at work in windows; with `whole` also
    uploads, parts, old jobs, and the sweep when it is due."""
    await reaping.tidy(store)
    if not whole:
        await housekeeping.collect_garbage(store, grace=await housekeeping.grace(store))
        return
    await housekeeping.tidy(store)
    await forget_jobs(store)
    row = await store.index.get("config", b"swept")
    last = int.from_bytes(row, "big") if row is not None else 0
    if store.now() - last > await store.duration("space.sweep_interval"):
        swept = Put("config", b"swept", store.now().to_bytes(8, "big"))
        await store.index.commit(*duty.checks, swept)
        await housekeeping.sweep(store)
