"""Jobs: submitting, finding, stopping and running long work.

Every worker process of every node runs `Jobs.run`. It takes jobs that nobody works on, by a lease
of their own (`leases`), and does them side by side (`run`). A process that stops lets its jobs go;
one that dies loses its leases. Either way others go on where the progress was last saved.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import string
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from aisle.core.errors import NotSupported, StoreError
from aisle.jobs import rows
from aisle.jobs.kinds import KINDS, Kind, Work
from aisle.jobs.leases import SECONDS, Lease
from aisle.jobs.rows import OVER, JobNotFound, JobView
from aisle.jobs.run import Run, Why
from aisle.namespace.records import Job, Queued
from aisle.namespace.store import Store
from aisle.store.base import Change

__all__ = ["OVER", "JobNotFound", "JobView", "Jobs", "new_id"]

_log: Final = logging.getLogger("aisle.jobs")

AT_ONCE: Final = 16  # jobs that one process runs side by side
MOST: Final = 10_000  # jobs in the queue that one look goes through
STOP_SECONDS: Final = 5.0
STOPPED: Final = "stopped by a user"
_LETTERS: Final = string.ascii_letters
_ALPHABET: Final = string.ascii_letters + string.digits


def new_id() -> str:
    """Nine letters and digits, as AIStore's ids; the first is a letter."""
    return secrets.choice(_LETTERS) + "".join(secrets.choice(_ALPHABET) for _ in range(8))


class Jobs:
    """The jobs of a store, seen from one process, which is called `holder`."""

    def __init__(
        self,
        store: Store,
        holder: str,
        *,
        node: str = "",
        kinds: Mapping[str, Kind] = KINDS,
        lease_seconds: float = SECONDS,
    ) -> None:
        self._store = store
        self._holder = holder
        self._node = node
        self._kinds = kinds
        self._lease_seconds = lease_seconds
        self._wake = asyncio.Event()
        self._running: dict[str, tuple[Run, asyncio.Task[None]]] = {}
        self._watched: dict[str, Lease] = {}  # leases of others, until they run out

    # --- for handlers -----------------------------------------------------------------------

    async def submit(
        self,
        kind: str,
        args: Mapping[str, Any],
        *,
        user: str = "",
        only: str = "",
        along: Callable[[str], Sequence[Change]] = lambda identity: (),
    ) -> str:
        """Have work done, here or elsewhere; returns the job's id. Raises `NotSupported`.

        `args` are what the work needs, encodable; see `task` for the names of those that are shown.
        `only` is the node that has to do it. What `along` makes of the id is in the same commit,
        which raises `RowChanged` if a check of it fails.
        """
        if self._work(kind) is None:
            raise NotSupported(f'jobs of kind "{kind}" cannot be started')
        identity = new_id()
        record = Job(kind, dict(args), user, self._store.now(), only=only)
        await rows.add(self._store.index, identity, record, *along(identity))
        self._wake.set()
        return identity

    async def get(self, identity: str) -> JobView:
        """Raises `JobNotFound`."""
        return await rows.view(self._store.index, identity)

    async def all(self, *, live: bool = False) -> list[JobView]:
        """Every job that is remembered, with `live` only if it is not over; the oldest first."""
        return await rows.views(self._store.index, live=live)

    async def stop(self, identity: str, reason: str = STOPPED) -> None:
        """Have a job end early; one that is over stays as it is. Raises `JobNotFound`."""
        await rows.stop(self._store.index, identity, reason, self._store.now())
        self._wake.set()

    # --- the workers' side ------------------------------------------------------------------

    async def run(self) -> None:
        """Take and run jobs for ever; when cancelled, let others take over at once."""
        try:
            while True:
                self._wake.clear()
                try:
                    await self._look()
                except StoreError as error:
                    _log.warning("jobs cannot be looked after: %s", error)
                except Exception:
                    _log.exception("the care for jobs failed")
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._pause):
                        await self._wake.wait()
        finally:
            await self._leave()

    @property
    def _beat(self) -> float:
        return self._lease_seconds / 5

    @property
    def _pause(self) -> float:
        """Seconds between two looks; fewer while there is work here, which may be stopped."""
        return self._beat / 4 if self._running else self._beat

    async def _look(self) -> None:
        entries = await rows.queue(self._store.index, MOST)
        alive = {identity for identity, _ in entries}
        for identity in self._watched.keys() - alive:
            del self._watched[identity]
        for identity, entry in entries:
            if identity not in self._running:
                if len(self._running) < AT_ONCE and self._is_for_us(entry):
                    await self._take(identity, entry.kind)
            elif entry.stop:
                self._running[identity][0].end(Why.STOPPED)

    def _is_for_us(self, entry: Queued) -> bool:
        """Whether this process can do a job: another release may know more kinds, and a job may be
        for one node only. One that has to end may be ended by any, as its own may be gone."""
        if entry.stop:
            return True
        return entry.only in ("", self._node) and self._work(entry.kind) is not None

    def _work(self, kind: str) -> Work | None:
        row = self._kinds.get(kind)
        return row.work if row is not None else None

    async def _take(self, identity: str, kind: str) -> None:
        """Begin a job if nobody works on it."""
        lease = self._watched.get(identity)
        if lease is None:
            lease = Lease(
                self._store.index,
                rows.lease_name(identity),
                self._holder,
                seconds=self._lease_seconds,
            )
            self._watched[identity] = lease
        if not await lease.turn():
            return
        del self._watched[identity]
        work = self._work(kind)
        run = Run(self._store, identity, work, lease, self._node, self._beat)
        task = asyncio.create_task(run.go())
        self._running[identity] = run, task
        task.add_done_callback(lambda _: self._ended(identity))

    def _ended(self, identity: str) -> None:
        del self._running[identity]
        self._wake.set()  # there is room for another

    async def _leave(self) -> None:
        runs = list(self._running.values())
        for run, _ in runs:
            run.end(Why.LEAVING)
        if runs:
            await asyncio.wait([task for _, task in runs], timeout=STOP_SECONDS)
