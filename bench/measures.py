"""What is measured: each measure takes a server and a plan and yields samples.

A measure starts and stops its server itself, on an empty directory, so that no measure pays for
what another has left in memory or on disk. A sample is one operation on one server; a failure is a
sample too.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path

from bench import load, slow, stream
from bench.process import Meter
from bench.servers import Aisle, Server

FEW, MANY = "GET 128 B, few keys", "GET 128 B, many keys"
NATIVE_GET, NATIVE_PUT = "GET 4 KiB, native", "PUT 4 KiB, native"
PAGE, PAGE_DELIMITER = "list a page", "list a page, delimiter"
ONE_STREAM, MULTIPART, SLOW = "GET 64 MiB, 1 stream", "multipart 64 MiB", "slow clients"

MIB, GIB = 1 << 20, 1 << 30
_BUCKET = "bench"
_PAGE = 1_000
_SMALL = 4_096
_TINY = 128
_PAGE_CONNECTIONS = 4
# One: with a few connections it is luck how many fall on each worker, and that is all one sees.
_LATENCY_CONNECTIONS = 1
_LATENCY_ROUNDS = 5
_SAMPLE_OF_KEYS = 20_000


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything: `--quick` shrinks it."""

    seconds: float
    keys: int
    small_keys: int
    few_keys: int
    slow_seconds: float
    slow_clients: int = 256
    files: int = 10_000


FULL = Plan(seconds=10, keys=1_000_000, small_keys=10_000, few_keys=10_000, slow_seconds=20)
QUICK = Plan(seconds=2, keys=20_000, small_keys=2_000, few_keys=2_000, slow_seconds=5, files=1_000)


@dataclass(slots=True)
class Sample:
    """One operation on one server. `rate` is in `unit` per second, `cpu` in seconds of the
    server's CPU for each `unit`, both of the `operations` that succeeded; latencies in ms,
    memory in MiB."""

    operation: str
    server: str
    unit: str
    rate: float = 0.0
    cpu: float = 0.0
    p50: float = 0.0
    p99: float = 0.0
    peak_total: float = 0.0
    peak_process: float = 0.0
    client_cpu: float = 0.0
    operations: int = 0
    errors: int = 0
    note: str = ""


Measure = Callable[[Server, Plan], Generator[Sample]]


def small(server: Server, plan: Plan) -> Generator[Sample]:
    """4 KiB GET, PUT and DELETE at 32 connections."""
    with server:
        load.make_bucket(server, _BUCKET)
        keys = [name_of(number) for number in range(plan.small_keys)]
        load.fill(server, _BUCKET, keys, _SMALL)
        yield _wrk(server, plan, "GET 4 KiB", "GET", keys)[0]
        new = load.shuffled(f"new/{name_of(n)}" for n in range(_enough(plan)))
        sample, run = _wrk(server, plan, "PUT 4 KiB", "PUT", new, body=_SMALL, once=True)
        yield sample
        written = load.shuffled(run.sent(new))  # each is deleted once
        yield _wrk(server, plan, "DELETE 4 KiB", "DELETE", written, once=True)[0]


def native(server: Server, plan: Plan) -> Generator[Sample]:
    """4 KiB GET and PUT by the native API beside the same by S3, on the node that has both."""
    if not isinstance(server, Aisle):
        return
    with server:
        load.make_bucket(server, _BUCKET)
        keys = [name_of(number) for number in range(plan.small_keys)]
        load.fill(server, _BUCKET, keys, _SMALL)
        signer = server.signer()

        def targets(method: str, names: list[str]) -> list[str]:
            paths = (f"/v1/objects/{_BUCKET}/{name}" for name in names)
            signed = [signer.signed(method, path, {"provider": "ais"}) for path in paths]
            return load.shuffled(signed)

        yield _wrk(server, plan, "GET 4 KiB", "GET", keys)[0]
        yield replay(server, plan, NATIVE_GET, "op", "GET", targets("GET", keys), 32)[0]
        new = load.shuffled(f"new/{name_of(n)}" for n in range(_enough(plan)))
        yield _wrk(server, plan, "PUT 4 KiB", "PUT", new, body=_SMALL, once=True)[0]
        new = [f"native/{name_of(n)}" for n in range(_enough(plan))]
        played = targets("PUT", new)
        yield replay(server, plan, NATIVE_PUT, "op", "PUT", played, 32, _SMALL, True)[0]


def listing(server: Server, plan: Plan) -> Generator[Sample]:
    """GET latency at few keys and at many, and pages of a listing over the many."""
    keys = min(plan.keys, server.list_cap or plan.keys)
    few = min(plan.few_keys, keys)
    with server, server.twin("few") as other:
        load.make_bucket(server, _BUCKET)
        load.make_bucket(other, _BUCKET)
        layout = Layout(keys)
        names = [layout.key(number) for number in range(keys)]
        load.fill(other, _BUCKET, names[:few], _TINY)
        rate = load.fill(server, _BUCKET, names, _TINY)
        yield from _latencies(plan, (other, FEW, names[:few]), (server, MANY, names), rate)
        yield _pages(server, plan, _BUCKET, layout, "")
        if server.list_cap is None:
            yield _pages(server, plan, _BUCKET, layout, "/")
        else:
            # A full page of common prefixes needs a thousand of them.
            dirs = Layout(keys, per_directory=1)
            load.make_bucket(server, "bench-dirs")
            load.fill(server, "bench-dirs", [dirs.key(n) for n in range(keys)], _TINY)
            yield _pages(server, plan, "bench-dirs", dirs, "/")


def mib(server: Server, plan: Plan) -> Generator[Sample]:
    """1 MiB GET and PUT at 4 connections."""
    with server:
        yield from stored(server, "GET 1 MiB", MIB, objects=64)
        yield streamed(server, plan, "GET 1 MiB", "GET", MIB, objects=64)
        yield streamed(server, plan, "PUT 1 MiB", "PUT", MIB)


def mib64(server: Server, plan: Plan) -> Generator[Sample]:
    """64 MiB GET and PUT at 4 connections, a single GET stream, and multipart uploads."""
    with server:
        size = 64 * MIB
        yield from stored(server, "GET 64 MiB", size, objects=4)
        yield streamed(server, plan, "GET 64 MiB", "GET", size, objects=4)
        yield streamed(server, plan, ONE_STREAM, "GET", size, objects=4, connections=1)
        yield streamed(server, plan, "PUT 64 MiB", "PUT", size)
        yield streamed(server, plan, MULTIPART, "multipart", size)


def memory(server: Server, plan: Plan) -> Generator[Sample]:
    """256 slow clients, half reading and half writing 64 MiB objects."""
    clients = min(plan.slow_clients, server.slow_cap or plan.slow_clients)
    with server:
        load.make_bucket(server, _BUCKET)
        signer = server.signer()
        load.must(server, "PUT", signer.target("PUT", _BUCKET, "large"), bytes(slow.SIZE))
        load.must(server, "PUT", signer.target("PUT", _BUCKET, "small"), b"x")
        with Meter(server.pid) as used:
            result = slow.run(
                server, _BUCKET, "large", "small",
                clients=clients, seconds=plan.slow_seconds,
            )  # fmt: skip
        lost = result.started - result.alive
        note = f"{clients} clients; a GET meanwhile took at most {result.worst_probe * 1000:.0f} ms"
        yield Sample(
            SLOW, server.name, "", peak_total=used.peak_total, peak_process=used.peak_process,
            operations=result.alive, errors=lost,
            note=f"{note}; {result.first_error}" if lost else note,
        )  # fmt: skip


MEASURES: dict[str, Measure] = {
    "small": small,
    "native": native,
    "listing": listing,
    "1mib": mib,
    "64mib": mib64,
    "memory": memory,
}


def disk(directory: Path, seconds: float) -> float:
    """Appends of 4 KiB a second, each followed by fsync: what one durable writer without any
    grouping could reach on this disk."""
    block, count = os.urandom(_SMALL), 0
    path = directory / "probe"
    with path.open("wb", buffering=0) as file:
        began = time.perf_counter()
        while time.perf_counter() - began < seconds:
            file.write(block)
            os.fsync(file.fileno())
            count += 1
        elapsed = time.perf_counter() - began
    path.unlink()
    return count / elapsed


@dataclass(frozen=True, slots=True)
class Layout:
    """Keys like `d0000/k000123`, in order, and where full pages of them begin."""

    keys: int
    per_directory: int = 0

    @property
    def width(self) -> int:
        """At least 2,000 directories where there are keys for it, of at most 100 keys."""
        return self.per_directory or max(1, min(100, self.keys // (2 * _PAGE)))

    def key(self, number: int) -> str:
        return name_of(number, self.width)

    def starts(self, count: int, *, directories: bool) -> list[str]:
        """`count` random `start-after` values, each followed by a full page; one `""` if the
        bucket is a single page."""
        units = -(-self.keys // self.width) if directories else self.keys
        if units <= _PAGE:
            return [""] * count
        pick = random.Random(2)
        numbers = (pick.randrange(units - _PAGE) for _ in range(count))
        if directories:
            return [f"d{number:05d}/~" for number in numbers]
        return [self.key(number) for number in numbers]


def name_of(number: int, width: int = 100) -> str:
    return f"d{number // width:05d}/k{number:07d}"


def _enough(plan: Plan) -> int:
    """More PUTs than any of the servers can do in the time."""
    return int(plan.seconds * 20_000)


def settle() -> None:
    """Let what was prepared reach the disk, so that its writing is not measured."""
    os.sync()
    time.sleep(0.2)


def _wrk(
    server: Server, plan: Plan, operation: str, method: str, keys: list[str], *,
    body: int = 0, once: bool = False, connections: int = 32,
) -> tuple[Sample, load.Run]:  # fmt: skip
    signer = server.signer()
    targets = [signer.target(method, _BUCKET, key) for key in keys]
    if not once:
        targets = load.shuffled(targets)
    return replay(server, plan, operation, "op", method, targets, connections, body, once)


def replay(
    server: Server, plan: Plan, operation: str, unit: str, method: str, targets: list[str],
    connections: int, body: int = 0, once: bool = False,
) -> tuple[Sample, load.Run]:  # fmt: skip
    settle()
    with Meter(server.pid) as used:
        run = load.play(
            server, method, targets,
            connections=connections, seconds=plan.seconds, body=body, once=once,
        )  # fmt: skip
    sample = Sample(
        operation, server.name, unit,
        rate=run.rate, cpu=used.cpu / max(1, run.succeeded), p50=run.p50, p99=run.p99,
        peak_total=used.peak_total, peak_process=used.peak_process,
        client_cpu=used.client_cpu / max(1, run.succeeded),
        operations=run.succeeded, errors=run.status_errors + run.socket_errors,
    )  # fmt: skip
    return sample, run


_Side = tuple[Server, str, list[str]]


def _latencies(plan: Plan, few: _Side, many: _Side, rate: float) -> Generator[Sample]:
    """Both in turn, several times, so that what a neighbour does meets both: of each the round with
    the best p99, and the best p50."""
    short = replace(plan, seconds=max(1.0, plan.seconds / _LATENCY_ROUNDS))
    rounds: tuple[list[Sample], list[Sample]] = ([], [])
    for _ in range(_LATENCY_ROUNDS):
        for side, (server, operation, keys) in zip(rounds, (few, many), strict=True):
            some = load.shuffled(keys)[:_SAMPLE_OF_KEYS]
            connections = _LATENCY_CONNECTIONS
            side += _wrk(server, short, operation, "GET", some, connections=connections)[:1]
    for side, (_, _, keys) in zip(rounds, (few, many), strict=True):
        best = min(side, key=lambda sample: sample.p99)
        best.p50 = min(sample.p50 for sample in side)
        best.errors = sum(sample.errors for sample in side)
        best.note = f"{len(keys):,} keys"
        if side is rounds[1]:
            best.note += f"; loaded at {rate:,.0f} keys/s"
        yield best


def _pages(server: Server, plan: Plan, bucket: str, layout: Layout, delimiter: str) -> Sample:
    signer, operation = server.signer(), PAGE_DELIMITER if delimiter else PAGE
    targets = []
    for start in layout.starts(2_000, directories=bool(delimiter)):
        query = {"list-type": "2", "max-keys": str(_PAGE)}
        query |= {"start-after": start} if start else {}
        query |= {"delimiter": delimiter} if delimiter else {}
        targets.append(signer.target("GET", bucket, "", query))
    page = load.must(server, "GET", targets[0])
    entries = page.count(b"<CommonPrefixes>" if delimiter else b"<Contents>")
    sample, _ = replay(server, plan, operation, "page", "GET", targets, _PAGE_CONNECTIONS)
    sample.note = f"{entries:,} entries a page, {layout.keys:,} keys"
    return sample


def stored(server: Server, operation: str, size: int, *, objects: int) -> Generator[Sample]:
    """Store what GETs will read; a sample only if that fails."""
    load.make_bucket(server, _BUCKET)
    job = stream.job(
        server, "store", _BUCKET,
        size=size, connections=1, seconds=0, objects=objects, at_least=objects,
    )  # fmt: skip
    outcome = stream.run(job)
    if outcome.errors:
        note = f"storing: {outcome.first_error}"
        yield Sample(operation, server.name, "GiB", errors=outcome.errors, note=note)


def streamed(
    server: Server, plan: Plan, operation: str, kind: stream.Kind, size: int, *,
    objects: int = 1, connections: int = 4,
) -> Sample:  # fmt: skip
    settle()
    job = stream.job(
        server, kind, _BUCKET,
        size=size, connections=connections, seconds=plan.seconds, objects=objects, at_least=2,
    )  # fmt: skip
    with Meter(server.pid) as used:
        outcome = stream.run(job)
    ordered = sorted(outcome.latencies)
    moved = len(ordered) * size / GIB
    return Sample(
        operation, server.name, "GiB",
        rate=moved / outcome.elapsed if outcome.elapsed else 0.0,
        cpu=used.cpu / moved if moved else 0.0,
        p50=1000 * percentile(ordered, 0.50), p99=1000 * percentile(ordered, 0.99),
        peak_total=used.peak_total, peak_process=used.peak_process,
        client_cpu=used.client_cpu / moved if moved else 0.0,
        operations=len(ordered), errors=outcome.errors, note=outcome.first_error,
    )  # fmt: skip


def percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
