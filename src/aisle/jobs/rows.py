"""The rows of jobs: who changes them, and under which conditions.

A job is a row of `job` for as long as it is remembered, and one of `queue` until it is over, which
is the only table that workers look at again and again. Its progress is a row of its own. While it
is `queued` nobody works on it, and whoever wants to may end it; once it is `running` only the
holder of its lease changes its state, by batches that carry the lease's checks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from aisle.core.errors import AisleError, RowChanged, StoreUnavailable
from aisle.jobs.leases import forgotten
from aisle.namespace.records import Job, Progress, Queued, decode, encode
from aisle.namespace.store import RETRIES
from aisle.store.base import ABSENT, Change, Check, Delete, Index, Put, Row

QUEUED: Final = "queued"
RUNNING: Final = "running"
OVER: Final = frozenset({"finished", "failed", "aborted"})
STEP: Final = 500
FRESH: Final = 60_000_000_000
# Arguments longer than this, such as lists of names, are not kept of a job that is over.
KEPT_ARGUMENT: Final = 2048


class JobNotFound(AisleError):
    def __init__(self, job: str) -> None:
        super().__init__(f'job "{job}" does not exist')
        self.job = job


class JobView(NamedTuple):
    """A job and its progress, as they are now."""

    id: str
    record: Job
    progress: Progress

    @property
    def over(self) -> bool:
        return self.record.state in OVER


class JobRow(NamedTuple):
    """A job, and the row it was read from, which is what a `Check` needs."""

    id: str
    raw: bytes
    record: Job

    @property
    def check(self) -> Check:
        return Check("job", self.id.encode(), self.raw)

    def put(self, record: Job) -> Put:
        return Put("job", self.id.encode(), encode(record))


def lease_name(identity: str) -> str:
    return f"job/{identity}"


async def add(index: Index, identity: str, record: Job, *changes: Change) -> None:
    """Add a job, in one commit with other changes. Raises `RowChanged` if one of theirs fails."""
    key = identity.encode()
    await index.commit(
        Check("job", key, ABSENT),
        Put("job", key, encode(record)),
        Put("queue", key, encode(Queued(record.created, record.kind, only=record.only))),
        *changes,
    )


async def read(index: Index, identity: str) -> JobRow:
    """Raises `JobNotFound`."""
    raw = await index.get("job", _asked(identity))
    if raw is None:
        raise JobNotFound(identity)
    return JobRow(identity, raw, decode(Job, raw))


async def view(index: Index, identity: str) -> JobView:
    """Raises `JobNotFound`."""
    row = await read(index, identity)
    return (await _views(index, [(row.id.encode(), row.raw)]))[0]


async def views(index: Index, *, live: bool) -> list[JobView]:
    """Every job that is remembered, or is not over; the oldest first."""
    found: list[JobView] = []
    after = b""
    while rows := await index.scan("queue" if live else "job", after=after, limit=STEP):
        after = rows[-1][0]
        if live:
            keys = [key for key, _ in rows]
            whole = await index.get_many("job", keys)
            rows = [(key, raw) for key, raw in zip(keys, whole, strict=True) if raw is not None]
        found += await _views(index, rows)
    return sorted(found, key=lambda job: (job.record.created, job.id))


async def _views(index: Index, rows: Sequence[Row]) -> list[JobView]:
    told = await index.get_many("progress", [key for key, _ in rows])
    return [
        JobView(key.decode(), decode(Job, raw), decode(Progress, row) if row else Progress())
        for (key, raw), row in zip(rows, told, strict=True)
    ]


async def queue(index: Index, limit: int) -> list[tuple[str, Queued]]:
    """The jobs that are not over, the oldest first."""
    rows = await index.scan("queue", limit=limit)
    found = [(key.decode(), decode(Queued, raw)) for key, raw in rows]
    return sorted(found, key=lambda entry: (entry[1].created, entry[0]))


async def change(index: Index, identity: str, attempt: Callable[[JobRow], Awaitable[None]]) -> None:
    """Have `attempt` change a job's row, again if somebody else has just done so.

    Raises `JobNotFound`, and what `attempt` raises: a `RowChanged` of another table too.
    """
    for _ in range(RETRIES):
        try:
            await attempt(await read(index, identity))
        except RowChanged as error:
            if error.table != "job":
                raise
            continue
        return
    raise StoreUnavailable(f"job {identity} is being changed by too many writers")


def ended(
    row: JobRow, state: str, now: int, *, error: str = "", result: object = None
) -> list[Change]:
    """The changes by which a job is over; its lease goes with it."""
    old = row.record
    new = msgspec.structs.replace(
        old, state=state, ended=now, error=error, result=result, args=_kept(old.args)
    )
    return [row.check, row.put(new), *gone(row.id)]


def gone(identity: str) -> list[Change]:
    """The changes by which workers look at a job no more."""
    return [Delete("queue", identity.encode()), *forgotten(lease_name(identity))]


async def stop(index: Index, identity: str, reason: str, now: int) -> None:
    """Have a job end, at once if nobody works on it. Raises `JobNotFound`."""

    async def attempt(row: JobRow) -> None:
        if row.record.state in OVER:
            return
        if row.record.state == QUEUED:
            await index.commit(*ended(row, "aborted", now, error=reason))
            return
        told = Queued(row.record.created, row.record.kind, stop=True, only=row.record.only)
        await index.commit(
            row.check,
            row.put(msgspec.structs.replace(row.record, stop=row.record.stop or reason)),
            Put("queue", identity.encode(), encode(told)),
        )

    await change(index, identity, attempt)


async def forget(index: Index, now: int, *, age: int, count: int) -> int:
    """Drop jobs that have been over for `age` ns, and all but the last `count`; returns how many.

    One that has only just ended stays in any case: somebody may be waiting for it.
    """
    over: list[tuple[int, bytes]] = []
    after = b""
    while rows := await index.scan("job", after=after, limit=STEP):
        after = rows[-1][0]
        records = ((key, decode(Job, raw)) for key, raw in rows)
        over += [(record.ended, key) for key, record in records if record.state in OVER]
    over.sort(reverse=True)
    old = [
        key
        for place, (ended, key) in enumerate(over)
        if (place >= count or ended < now - age) and ended < now - FRESH
    ]
    for at in range(0, len(old), STEP):
        batch: list[Change] = []
        for key in old[at : at + STEP]:
            batch += [Delete("job", key), Delete("progress", key), *gone(key.decode())]
        await index.commit(*batch)
    return len(old)


def _kept(args: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in args.items()
        if len(msgspec.msgpack.encode(value)) <= KEPT_ARGUMENT
    }


def _asked(identity: str) -> bytes:
    # An id that somebody asks for may hold anything, or nothing: it is not found.
    return identity.encode("utf-8", "surrogateescape")[:STEP] or b"\0"
