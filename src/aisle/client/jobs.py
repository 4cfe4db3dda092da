"""`Job`: what the cluster does in the background: look at it, wait for it, stop it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aisle.client.errors import ClientError, NotFound

if TYPE_CHECKING:
    from aisle.client.client import Client

# Kinds that never end by themselves: they are done when they have had nothing to do twice.
_IDLE_KINDS: Final = frozenset(("archive", "copy-listrange", "put-copies", "list"))
_NEVER: Final = "0001-01-01"
_POLL_SECONDS: Final = (0.02, 1.0)


class JobStatus(NamedTuple):
    """Where a job stands; `error` is empty unless it failed or was stopped for a reason."""

    id: str
    kind: str
    objects: int
    bytes: int
    started: str
    ended: str  # empty while it runs
    aborted: bool
    idle: bool
    error: str

    @property
    def finished(self) -> bool:
        return bool(self.ended)


class Job:
    """A job of `client`; making one of these asks nothing of the node."""

    def __init__(self, client: Client, id: str) -> None:
        self._client = client
        self.id = id

    def __repr__(self) -> str:
        return f"<Job {self.id}>"

    def status(self) -> JobStatus:
        """Where the job stands. Raises `NotFound`."""
        for one in _snaps(self._client, {"ID": self.id}):
            if one.id == self.id:
                return one
        raise NotFound(404, f"job {self.id} does not exist")

    def wait(self, *, timeout: float | None = None) -> JobStatus:
        """Wait until the job has ended (or has nothing left to do, for kinds that go on).

        Raises `ClientError` after `timeout` seconds. A job that failed is returned, not raised.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        wait, longest = _POLL_SECONDS
        idle = 0
        while True:
            now = self.status()
            idle = idle + 1 if now.idle and now.kind in _IDLE_KINDS else 0
            if now.finished or idle == 2:
                return now
            if deadline is not None and time.monotonic() >= deadline:
                raise ClientError(f"job {self.id} has not ended in {timeout:g} seconds")
            time.sleep(wait)
            wait = min(wait * 2, longest)

    def stop(self) -> None:
        """Have the job end where it is; one that has ended stays as it is."""
        message = {"ID": self.id, "Kind": "", "DaemonID": "", "Bck": None, "Buckets": None}
        self._client.act("PUT", "/v1/cluster", {}, "stop", message)


def list_jobs(client: Client, kind: str, *, active: bool) -> list[JobStatus]:
    """The jobs that the cluster remembers, the latest first."""
    query: dict[str, Any] = {"ID": "", "Kind": kind}
    if active:
        query["OnlyRunning"] = True
    found = [one for one in _snaps(client, query) if not (active and one.finished)]
    return sorted(found, key=lambda one: one.started, reverse=True)


def _snaps(client: Client, query: Mapping[str, Any]) -> list[JobStatus]:
    """What the targets say of the jobs of a query, each job once."""
    message = {"ID": "", "Kind": "", "DaemonID": "", "Bck": None, "Buckets": None, **query}
    told = client.ask("GET", "/v1/cluster", {"what": "qryxstats"}, message)
    found: dict[str, JobStatus] = {}
    for snaps in (told or {}).values():
        for snap in snaps or []:
            found.setdefault(snap["id"], _status(snap))
    return list(found.values())


def _status(snap: Mapping[str, Any]) -> JobStatus:
    stats = snap.get("stats") or {}
    ended = snap.get("end-time", "")
    return JobStatus(
        snap["id"],
        snap.get("kind", ""),
        int(stats.get("loc-objs", 0)),
        int(stats.get("loc-bytes", 0)),
        snap.get("start-time", ""),
        "" if ended.startswith(_NEVER) else ended,
        bool(snap.get("aborted")),
        bool(snap.get("is_idle")),
        snap.get("abort-err") or snap.get("err") or "",
    )
