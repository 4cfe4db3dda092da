"""How jobs are shown: one table for each kind, in the columns of AIStore. Pure functions.

A job is what the node tells of it, AIStore's snapshot, with the target that it was told under.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from aisle.cli.failure import printable
from aisle.cli.tables import Columns, properties, size_text
from aisle.cli.uri import of_row
from aisle.core.jobkinds import displayed

_ZERO: Final = "0001-"
_NOTHING: Final = "-"
_ONE: Final = ("NODE", "ID", "KIND", "BUCKET", "OBJECTS", "BYTES", "START", "END", "STATE")
_TWO: Final = (*_ONE[:3], "SRC BUCKET", "DST BUCKET", *_ONE[4:])
_FROM_OBJECTS: Final = 5  # columns from OBJECTS on


class Shown(NamedTuple):
    """A job as one target tells of it."""

    target: str
    snap: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.snap["id"])

    @property
    def kind(self) -> str:
        return str(self.snap["kind"])

    @property
    def name(self) -> str:
        """As messages name it: `copy-bucket[ID]`."""
        return f"{displayed(self.kind)}[{self.id}]"

    @property
    def over(self) -> bool:
        return not str(self.snap["end-time"]).startswith(_ZERO)

    @property
    def state(self) -> str:
        if self.snap["aborted"]:
            return "Aborted"
        if self.over:
            return "Finished"
        return "Idle" if self.snap["is_idle"] else "Running"

    @property
    def objects(self) -> int:
        return int(self.snap["stats"]["loc-objs"])

    @property
    def bytes(self) -> int:
        return int(self.snap["stats"]["loc-bytes"])

    @property
    def error(self) -> str:
        """Why it was aborted, or what went wrong while it went on; `""` if all is well."""
        return str(self.snap["abort-err"] or self.snap["err"])

    @property
    def buckets(self) -> list[str]:
        """The buckets that it is on: the source and the destination of a copy."""
        names = ("src-bck", "dst-bck") if self.snap["dst-bck"]["name"] else ("bck",)
        return [_bucket(self.snap[name]) for name in names]


def read(told: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Shown]:
    """The jobs in a reply, the latest first."""
    found = [Shown(target, snap) for target, snaps in told.items() for snap in snaps]
    return sorted(found, key=lambda job: (job.snap["start-time"], job.id), reverse=True)


def tables(
    jobs: Sequence[Shown], now: datetime, *, headers: bool, units: str, verbose: bool
) -> Iterator[str]:
    """Lines of all tables: each kind has its own, with a total if it has more than one job."""
    for place, kind in enumerate(dict.fromkeys(job.kind for job in jobs)):
        some = [job for job in jobs if job.kind == kind]
        if headers:
            if place:
                yield ""
            yield some[0].name if len(some) == 1 else displayed(kind)
        yield from _table(some, now, headers=headers, units=units)
        if headers:
            yield from _remarks(some, verbose=verbose)


def _table(some: Sequence[Shown], now: datetime, *, headers: bool, units: str) -> Iterator[str]:
    wide = any(len(job.buckets) > 1 for job in some)
    table = Columns(_TWO if wide else _ONE)
    rows: list[Sequence[str]] = [_row(job, now, wide=wide, units=units) for job in some]
    if headers:
        rows.insert(0, table.heading)
        if len(some) > 1:
            rows.append(_total(some, len(table.heading), units))
    yield from table.lines(rows)


def _row(job: Shown, now: datetime, *, wide: bool, units: str) -> list[str]:
    buckets = job.buckets + [_NOTHING] * (1 if wide else 0)
    return [
        job.target,
        job.id,
        job.kind,
        *buckets[: 2 if wide else 1],
        str(job.objects) if job.objects else _NOTHING,
        size_text(job.bytes, units) if job.bytes else _NOTHING,
        time_text(job.snap["start-time"], now),
        time_text(job.snap["end-time"], now),
        job.state,
    ]


def _total(some: Sequence[Shown], columns: int, units: str) -> list[str]:
    objects, size = sum(job.objects for job in some), sum(job.bytes for job in some)
    before = [""] * (columns - _FROM_OBJECTS - 1)
    return [*before, "Total:", str(objects), size_text(size, units), "", "", ""]


def _remarks(some: Sequence[Shown], *, verbose: bool) -> Iterator[str]:
    """What went wrong; with `verbose` all that is known of each job."""
    for job in some:
        if verbose:
            yield f"\n{job.name}"
            yield from properties(sorted(_details(job)))
        elif job.error:
            yield f"{job.name}: {printable(job.error)}"


def _details(job: Shown) -> Iterator[tuple[str, str]]:
    for name, value in job.snap["stats"].items():
        yield name, str(value)
    for name in ("start-time", "end-time", "abort-err", "err", "ctlmsg"):
        value = str(job.snap[name])
        yield name, _NOTHING if value.startswith(_ZERO) or not value else value


def time_text(moment: str, now: datetime) -> str:
    """A time of the node's in local time, with its date if that is not today's."""
    if moment.startswith(_ZERO):
        return _NOTHING
    local = datetime.fromisoformat(moment).astimezone(now.tzinfo)
    return local.strftime("%H:%M:%S" if local.date() == now.date() else "%Y-%m-%d %H:%M:%S")


def _bucket(row: Mapping[str, Any]) -> str:
    if not row["name"]:
        return _NOTHING
    return str(of_row(row))
