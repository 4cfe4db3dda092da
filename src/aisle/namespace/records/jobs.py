"""Rows of long work: `job`, `queue`, `progress`, `scheduled`."""

from __future__ import annotations

from typing import Any

from aisle.namespace.records.base import Record


class Job(Record, frozen=True, array_like=True):
    """Long work: what was asked for, and how far its life has come.

    `args` are what the worker of its `kind` needs; times are in nanoseconds, 0 for what has not
    been yet; `state` is `queued`, `running`, `finished`, `failed` or `aborted`; `stop` is why it
    is to end early; `node` ran it last; `result` is what it leaves, if it leaves anything. `runs`
    is how often in a row it was begun at the cursor `begun_at`, without getting any further. `only`
    is the node that has what it needs; any will do if it is empty.
    """

    kind: str
    args: dict[str, Any]
    user: str
    created: int
    started: int = 0
    ended: int = 0
    state: str = "queued"
    error: str = ""
    stop: str = ""
    node: str = ""
    result: Any = None
    runs: int = 0
    begun_at: str = ""
    only: str = ""


class Queued(Record, frozen=True, array_like=True):
    """What every worker looks at again and again: a job that is not over. `stop`: it has to end;
    `only`: the node that may do it, if not any."""

    created: int
    kind: str
    stop: bool = False
    only: str = ""


class Progress(Record, frozen=True, array_like=True):
    """How far a job has come. `cursor` is where a worker that takes it over goes on."""

    objects: int = 0
    bytes: int = 0
    in_objects: int = 0
    in_bytes: int = 0
    out_objects: int = 0
    out_bytes: int = 0
    errors: int = 0
    cursor: str = ""
    message: str = ""


class Scheduled(Record, frozen=True, array_like=True):
    """When an inventory of a bucket, named by its parts, is due (ns), the job that wrote the last
    one, and after how long (ns) it was due again."""

    bucket: list[str]
    due: int
    job: str = ""
    period: int = 0
