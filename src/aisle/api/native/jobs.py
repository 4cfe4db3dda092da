"""Handlers of jobs: what runs and what has run, starting and stopping.

A query is AIStore's in either of its two spellings, `{ID, Kind, DaemonID, Bck, Buckets}` or
`{id, kind, node, bck, buckets, show_active}`; whatever it leaves empty is not asked for. A job is
done by one node at a time, and so every job has one snapshot: under the target of that node, as the
map shows it. A job that waits for a worker is told as one that has just begun.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec

from aisle.api.base import Context, Headers, Response, Service
from aisle.api.native import smap
from aisle.api.native.grants import administers, is_own, shows
from aisle.api.native.message import JSON, Message, fields, named_bucket, read_body
from aisle.api.native.route import Route
from aisle.core.clusters import namespace_json
from aisle.core.errors import InvalidArgument, InvalidRequest, NotSupported
from aisle.core.names import BucketName
from aisle.jobs import kinds
from aisle.jobs.jobs import JobNotFound, JobView
from aisle.jobs.kinds import KINDS, Kind
from aisle.jobs.task import TO, bucket_in
from aisle.namespace import buckets

ZERO_TIME: Final = "0001-01-01T00:00:00Z"
_TEXT: Final[Headers] = [(b"content-type", b"text/plain; charset=utf-8")]
_MICROSECOND: Final = 1000
# Where a job's arguments say how many objects it works on at a time.
_WORKERS: Final = "num_workers"
_WORKER_BITS: Final = 10
_BUCKETS: Final = 100


class Query(NamedTuple):
    """Which jobs are asked for; what is empty is not asked for."""

    id: str = ""
    kind: Kind | None = None
    node: str = ""
    buckets: tuple[BucketName, ...] = ()
    live: bool = False

    def meets(self, job: JobView) -> bool:
        return (
            (not self.id or job.id == self.id)
            and (self.kind is None or job.record.kind == self.kind.name)
            and (not self.live or not job.over)
            and (not self.buckets or not set(self.buckets).isdisjoint(_named(job)))
        )


async def get_status(svc: Service, ctx: Context, message: Message) -> Response:
    """One job by its id, or the latest of a kind."""
    query = parse_query(await _read(ctx))
    if query.id:
        found = await _seen(svc, ctx, [await svc.jobs.get(query.id)])
    elif query.kind is not None:
        jobs = await _seen(svc, ctx, await svc.jobs.all())
        found = [job for job in jobs if query.meets(job)]
    else:
        raise InvalidArgument("which job: name its ID, or at least its Kind", name="ID")
    if not found:
        raise JobNotFound(query.id or (query.kind.name if query.kind else ""))
    return Response(200, JSON, msgspec.json.encode(_status(found[-1])))


async def list_status(svc: Service, ctx: Context, message: Message) -> Response:
    """Every job that is remembered, the latest first."""
    found = await _found(svc, ctx, parse_query(await _read(ctx)))
    return Response(200, JSON, msgspec.json.encode([_status(job) for _, job in reversed(found)]))


async def list_running(svc: Service, ctx: Context, message: Message) -> Response:
    """The jobs that are not over, as `kind[id]`."""
    query = parse_query(await _read(ctx))._replace(live=True)
    told = [f"{job.record.kind}[{job.id}]" for _, job in await _found(svc, ctx, query)]
    return Response(200, JSON, msgspec.json.encode(told))


async def get_snaps(svc: Service, ctx: Context, message: Message) -> Response:
    """The snapshots of the jobs that a query meets, by target; none is no error."""
    told: dict[str, list[dict[str, Any]]] = {}
    for target, job in reversed(await _found(svc, ctx, parse_query(await _read(ctx)))):
        told.setdefault(target, []).append(_snap(job))
    return Response(200, JSON, msgspec.json.encode(told))


async def start_job(svc: Service, ctx: Context, message: Message) -> Response:
    """Start a job that needs no more than its kind's name, and buckets if it likes."""
    query = parse_query(fields(message.value))
    kind = query.kind
    if kind is None:
        raise InvalidArgument("what is to be started: name its Kind", name="Kind")
    if not kind.starts:
        raise NotSupported(
            f'"{kind.name}" cannot be started by its name: it has a request of its own, or is not'
            f" offered (can be started: {_startable()})"
        )
    for name in query.buckets:
        await buckets.get(svc.store, name)
    if query.node:
        await smap.find(svc, ctx, query.node)
    args: dict[str, Any] = {}
    if query.buckets:
        args["buckets"] = [list(name) for name in query.buckets]
    if len(query.buckets) == 1:
        args["bck"] = list(query.buckets[0])
    identity = await svc.jobs.submit(kind.name, args, user=ctx.who.name)
    return Response(200, _TEXT, identity.encode())


async def stop_job(svc: Service, ctx: Context, message: Message) -> Response:
    """Stop one job by its id, or all of a kind; what is over stays as it is. Jobs of others are
    the administrators' to stop."""
    query = parse_query(fields(message.value))
    if query.id:
        found = [await svc.jobs.get(query.id)]
    elif query.kind is not None or query.buckets:
        found = [job for job in await svc.jobs.all(live=True) if query.meets(job)]
    else:
        raise InvalidArgument("which job: name its ID, or at least its Kind", name="ID")
    if not await administers(svc, ctx):
        found = [job for job in found if is_own(ctx, job)]
        if query.id and not found:
            raise JobNotFound(query.id)
    for job in found:
        await svc.jobs.stop(job.id)
    return Response(200)


# --- queries ------------------------------------------------------------------------------------


async def _read(ctx: Context) -> Mapping[str, Any]:
    data = await read_body(ctx)
    if not data.strip():
        return {}
    try:
        return fields(msgspec.json.decode(data))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise InvalidRequest("the body is not a JSON query {ID, Kind, ...}") from None


def parse_query(told: Mapping[str, Any]) -> Query:
    """Read a query; as in Go, the case of its fields does not matter. Raises `InvalidArgument`."""
    given = {name.lower(): value for name, value in told.items() if value is not None}
    name = _text(given, "kind")
    kind = kinds.find(name) if name else None
    if name and kind is None:
        raise InvalidArgument(f'invalid job kind "{name}"', name="Kind", value=name)
    listed = given.get("buckets") or []
    if not isinstance(listed, list) or len(listed) > _BUCKETS:
        raise InvalidArgument(f"Buckets is a list of {_BUCKETS} buckets at most", name="Buckets")
    one = given.get("bck")
    # Go tells a bucket that is not asked for by one without a name.
    if isinstance(one, Mapping) and one.get("name"):
        listed = [one, *listed]
    return Query(
        _text(given, "id") or _text(given, "uuid"),
        kind,
        _text(given, "daemonid") or _text(given, "node"),
        tuple(named_bucket(value, "Bck") for value in listed),
        bool(given.get("show_active") or given.get("onlyrunning")),
    )


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name, "")
    if not isinstance(value, str):
        raise InvalidArgument(f"{name} is a text", name=name)
    return value


async def _seen(svc: Service, ctx: Context, jobs: list[JobView]) -> list[JobView]:
    """Those of `jobs` that the caller may know of: its own, or all."""
    if await shows(svc, ctx):
        return jobs
    return [job for job in jobs if is_own(ctx, job)]


async def _found(svc: Service, ctx: Context, query: Query) -> list[tuple[str, JobView]]:
    """The jobs that a query meets, the oldest first, each with the target that does it."""
    if query.id:
        try:
            jobs = [await svc.jobs.get(query.id)]
        except JobNotFound:
            return []
    else:
        jobs = await svc.jobs.all(live=query.live)
    jobs = await _seen(svc, ctx, jobs)
    targets = {peer.node: f"t{peer.id}" for peer in await smap.peers(svc, ctx)}
    done = ((job.record.node or svc.node, job) for job in jobs if query.meets(job))
    told = [(targets.get(node, f"t{node}"), job) for node, job in done]
    return [(target, job) for target, job in told if query.node in ("", target)]


def _startable() -> str:
    return ", ".join(row.name for row in KINDS.values() if row.starts)


# --- replies ------------------------------------------------------------------------------------


def _named(job: JobView) -> Iterable[BucketName]:
    """The buckets that a job is on."""
    args = job.record.args
    named = [bucket_in(args), bucket_in(args, TO)]
    named += [BucketName(*parts) for parts in args.get("buckets", ())]
    return [name for name in named if name is not None]


def _aborted(job: JobView) -> bool:
    # AIStore knows of no other way to fail: it aborts a job that cannot go on, with the reason.
    return job.record.state in ("aborted", "failed")


def _status(job: JobView) -> dict[str, Any]:
    return {
        "kind": job.record.kind,
        "uuid": job.id,
        "err": job.record.error,
        "end_time": job.record.ended,
        "aborted": _aborted(job),
        "is_idle": job.over,
    }


def _snap(job: JobView) -> dict[str, Any]:
    record, progress = job.record, job.progress
    bucket, to = bucket_in(record.args), bucket_in(record.args, TO)
    workers = record.args.get(_WORKERS)
    return {
        "id": job.id,
        "kind": record.kind,
        "start-time": _time(record.started or record.created),
        "end-time": _time(record.ended),
        "bck": _bucket(bucket),
        "src-bck": _bucket(bucket if to else None),
        "dst-bck": _bucket(to),
        "stats": {
            "loc-objs": str(progress.objects),
            "loc-bytes": str(progress.bytes),
            "out-objs": str(progress.out_objects),
            "out-bytes": str(progress.out_bytes),
            "in-objs": str(progress.in_objects),
            "in-bytes": str(progress.in_bytes),
        },
        "aborted": _aborted(job),
        "is_idle": job.over,
        "abort-err": record.error,
        "err": f"{progress.errors} errors" if progress.errors else "",
        "ctlmsg": progress.message,
        "glob.id": str((max(workers, 0) if isinstance(workers, int) else 0) << _WORKER_BITS),
        "ext": None,
    }


def _bucket(name: BucketName | None) -> dict[str, Any]:
    shown = name or BucketName("", "")
    space = namespace_json(shown.namespace)
    return {"name": shown.name, "provider": shown.provider, "namespace": space}


def _time(nanoseconds: int) -> str:
    """RFC 3339, in microseconds; Go's zero for what has not been."""
    if not nanoseconds:
        return ZERO_TIME
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // _MICROSECOND)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


ROUTES: Final = (
    Route("GET", "cluster", "what", ("status",), "get-job", get_status),
    Route("GET", "cluster", "what", ("status_all",), "list-jobs", list_status),
    Route("GET", "cluster", "what", ("running_all",), "list-running-jobs", list_running),
    Route("GET", "cluster", "what", ("qryxstats",), "query-jobs", get_snaps),
    Route("PUT", "cluster", "action", ("start",), "start-job", start_job),
    Route("PUT", "cluster", "action", ("stop",), "stop-job", stop_job),
)
