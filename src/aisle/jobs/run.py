"""One run of one job by one process: the work, and beside it the lease that it is done under.

The work is a task of its own, which is cancelled when somebody has stopped the job, when this node
stops, or when the lease is lost; what then becomes of the job is decided here, once the work has
ended. A run that ends with its process leaves the job `running` and its lease to run out.
"""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import suppress
from enum import Enum
from typing import Final

import msgspec

from aisle.core.errors import AisleError, RowChanged, StoreError, StoreUnavailable
from aisle.jobs import rows
from aisle.jobs.kinds import Work
from aisle.jobs.leases import Lease
from aisle.jobs.rows import JobRow
from aisle.jobs.task import Task
from aisle.namespace.records import Job
from aisle.namespace.store import Store
from aisle.store.base import Change

_log: Final = logging.getLogger("aisle.jobs")

# So many runs in a row that get no further than the one before end a job: its work may be what
# kills the workers.
RUNS: Final = 5
# How often, and in seconds how late, work is begun again where the store did not answer.
TRIES: Final = 5
PAUSE: Final = 0.5
INTERNAL: Final = "internal error, the log of the node has the details"


class Why(Enum):
    """Why a run is ended before its work is done."""

    STOPPED = "stopped"
    LEAVING = "leaving"
    LOST = "lost"


class Run:
    """See the module. `lease` is held when a run begins."""

    def __init__(
        self,
        store: Store,
        identity: str,
        work: Work | None,
        lease: Lease,
        node: str,
        beat: float,
    ) -> None:
        self._store = store
        self._id = identity
        self._doing = work
        self._lease = lease
        self._node = node
        self._beat = beat
        self._why: Why | None = None
        self._work: asyncio.Task[object] | None = None

    def end(self, why: Why) -> None:
        """Have the run end early. The first reason counts, but a lost lease more than any."""
        if self._why is None or (why is Why.LOST and self._why is not why):
            self._why = why
            if self._work is not None:
                self._work.cancel()

    async def go(self) -> None:
        """Do the work and end the job, or let it go. Raises nothing."""
        try:
            await self._go()
        except RowChanged:
            _log.info("job %s was taken over by another worker", self._id)
        except rows.JobNotFound:
            _log.info("job %s is not there any more", self._id)
        except StoreError as error:
            _log.warning("job %s is left to another worker: %s", self._id, error)
        except Exception:
            _log.exception("the care for job %s failed", self._id)
        with suppress(StoreError):
            await self._lease.give_up()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._beat)
            try:
                await self._lease.turn()
            except StoreError as error:
                _log.warning("the lease of job %s cannot be renewed: %s", self._id, error)

    async def _go(self) -> None:
        view = await rows.view(self._store.index, self._id)
        if view.over:
            await self._store.index.commit(*self._lease.checks, *rows.gone(self._id))
            return
        task = Task(
            self._store,
            self._id,
            view.record,
            view.progress,
            lambda: self._lease.checks,
            lost=lambda: self.end(Why.LOST),
        )
        runs = view.record.runs if view.record.begun_at == view.progress.cursor else 0
        if view.record.stop:
            self._why = Why.STOPPED
        elif runs >= RUNS:
            error = f"given up: {RUNS} runs in a row ended with the worker that did them"
            await self._over("failed", error=error)
            return
        else:
            task.record = await self._begin(view.record, runs + 1, view.progress.cursor)
            await self._do(task)
        await self._settle(task)

    async def _begin(self, old: Job, runs: int, cursor: str) -> Job:
        """Say that the job is running, here."""
        new = msgspec.structs.replace(
            old,
            state=rows.RUNNING,
            started=old.started or self._store.now(),
            node=self._node,
            runs=runs,
            begun_at=cursor,
        )

        async def attempt(row: JobRow) -> None:
            now = msgspec.structs.replace(new, state=rows.RUNNING, stop=row.record.stop)
            if row.record.state in rows.OVER:
                raise RowChanged("queue", self._id.encode())
            await self._commit(row.check, row.put(now))

        await rows.change(self._store.index, self._id, attempt)
        begins = "goes on" if old.started else "begins"
        _log.info("job %s (%s) %s in process %d", self._id, old.kind, begins, os.getpid())
        return new

    async def _do(self, task: Task) -> None:
        """Run the work until it ends, or has to."""
        if self._why is not None:
            return
        self._work = work = asyncio.create_task(self._attempts(task))
        renewing = asyncio.create_task(self._renew())
        try:
            while not work.done():
                await asyncio.wait([work], timeout=self._beat / 2)
                if not self._lease.held:
                    self.end(Why.LOST)
        finally:
            renewing.cancel()
            await asyncio.wait([renewing])

    async def _attempts(self, task: Task) -> object:
        """The work's result; it is begun again where it is if the store does not answer."""
        assert self._doing is not None  # only a job that has to end is taken without
        tries = 0
        while True:
            begun_at = task.progress.cursor
            try:
                result = await self._doing(task)
                msgspec.msgpack.encode(result)  # a result that cannot be kept is a bug of the work
                return result
            except StoreUnavailable as error:
                tries = tries + 1 if task.progress.cursor == begun_at else 1
                if tries > TRIES:
                    raise
                _log.warning("job %s is tried again: %s", self._id, error)
            await asyncio.sleep(PAUSE * 2 ** (tries - 1))

    async def _settle(self, task: Task) -> None:
        """What becomes of the job, now that its work has ended."""
        error = _error_of(self._work)
        if self._why is Why.LOST:
            raise RowChanged("lease", self._id.encode())
        if self._work is not None and error is None:
            await self._over("finished", task, result=self._work.result())
        elif self._why is Why.LEAVING:
            await self._let_go(task)
        elif self._why is Why.STOPPED:
            await self._over("aborted", task)
        elif isinstance(error, AisleError):
            await self._over("failed", task, error=str(error))
        else:
            _log.error("job %s failed", self._id, exc_info=error)
            await self._over("failed", task, error=INTERNAL)

    async def _over(
        self, state: str, task: Task | None = None, *, error: str = "", result: object = None
    ) -> None:
        saved = [task.saved] if task is not None else []

        async def attempt(row: JobRow) -> None:
            reason = error or (row.record.stop if state == "aborted" else "")
            now = self._store.now()
            await self._commit(*saved, *rows.ended(row, state, now, error=reason, result=result))

        await rows.change(self._store.index, self._id, attempt)
        self._lease.drop()
        _log.info("job %s is over: %s%s", self._id, state, f" ({error})" if error else "")

    async def _let_go(self, task: Task) -> None:
        """Leave the job to others: this run ended in order, and does not count."""

        async def attempt(row: JobRow) -> None:
            runs = max(0, row.record.runs - 1)
            new = msgspec.structs.replace(row.record, state=rows.QUEUED, runs=runs)
            if row.record.stop:
                now = self._store.now()
                ended = rows.ended(row, "aborted", now, error=row.record.stop)
                await self._commit(task.saved, *ended)
            else:
                await self._commit(task.saved, row.check, row.put(new))

        await rows.change(self._store.index, self._id, attempt)

    async def _commit(self, *changes: Change) -> None:
        await self._store.index.commit(*self._lease.checks, *changes)


def _error_of(work: asyncio.Task[object] | None) -> BaseException | None:
    """What ended the work; `None` if it came to its end, or never began."""
    if work is None:
        return None
    return asyncio.CancelledError() if work.cancelled() else work.exception()
