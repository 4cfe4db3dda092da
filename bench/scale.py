"""1, 2 and 4 gateways over the same PostgreSQL and Ceph: what a gateway costs beside its engines.

Every gateway is one `aisnode` with one worker; a load generator of its own plays signed requests to
each, all at once, with the same number of connections in total. On a machine whose cores the
gateways, PostgreSQL, the OSDs and the clients share, the rate cannot grow with the gateways: what
tells is CPU an operation, of the gateways and of each engine apart. The engines are the ones that
the tests start: real, on loopback, PostgreSQL with fsync, Ceph with three BlueStore OSDs of one
machine.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.servers.ceph import Ceph
from tests.servers.postgres import Postgres

from bench import load
from bench.measures import Plan
from bench.process import cpu_seconds, tree
from bench.servers import Aisle, Server
from bench.signing import Credentials

COUNTS: Final = (1, 2, 4)
_BUCKET: Final = "scale"
_CONNECTIONS: Final = 32
_KIB, _MIB = 1 << 10, 1 << 20
_SMALL_KEYS: Final = 2_000
_LARGE_KEYS: Final = 32


@dataclass(frozen=True, slots=True)
class Row:
    """One operation over so many gateways. CPU in seconds an operation; latencies
    in ms."""

    operation: str
    gateways: int
    rate: float
    gateway_cpu: float
    index_cpu: float
    blobs_cpu: float
    p50: float
    p99: float
    errors: int


class Gateway(Aisle):
    """One of several nodes over the same engines."""

    def __init__(self, directory: Path, credentials: Credentials, index: str, blobs: str) -> None:
        super().__init__(directory)
        self.credentials = credentials
        self._engines = {"AISLE_INDEX": index, "AISLE_BLOBS": blobs}

    def command(self) -> list[str]:
        return [*super().command()[:-2], "--workers", "1", "--no-access-log"]

    def environment(self) -> dict[str, str]:
        return super().environment() | self._engines


def run(plan: Plan, scratch: Path, counts: Sequence[int] = COUNTS) -> Iterator[Row]:
    """Measure; the engines are started before and stopped after. Blocks for minutes."""
    with contextlib.ExitStack() as stack:
        postgres = Postgres(fsync=True).start()
        stack.callback(postgres.stop)
        ceph = Ceph().start()
        stack.callback(ceph.stop)
        for count in counts:
            pool = ceph.create_pool()
            engines = (postgres.create_database(), f"rados://{pool}?conf={ceph.conf}")
            credentials = Credentials("AKBENCH" + secrets.token_hex(6), secrets.token_hex(20))
            with contextlib.ExitStack() as running:
                gateways: list[Server] = []
                for number in range(count):
                    gateway = Gateway(scratch / f"{count}-{number}", credentials, *engines)
                    gateways.append(running.enter_context(gateway))
                yield from _Measure(gateways, postgres, ceph, plan).all()


class _Measure:
    """The operations over one number of gateways."""

    def __init__(
        self, gateways: Sequence[Server], postgres: Postgres, ceph: Ceph, plan: Plan
    ) -> None:
        self._gateways = gateways
        self._postgres = postgres
        self._ceph = ceph
        self._plan = plan

    def all(self) -> Iterator[Row]:
        load.make_bucket(self._gateways[0], _BUCKET)
        small = [f"small/{number:06d}" for number in range(_SMALL_KEYS)]
        large = [f"large/{number:06d}" for number in range(_LARGE_KEYS)]
        load.fill(self._gateways[0], _BUCKET, small, 4 * _KIB)
        load.fill(self._gateways[0], _BUCKET, large, _MIB)
        new = [f"new/{number:07d}" for number in range(int(self._plan.seconds * 8_000))]
        new_large = [f"new-large/{number:07d}" for number in range(int(self._plan.seconds * 400))]
        yield self._one("GET 4 KiB", "GET", small)
        yield self._one("PUT 4 KiB", "PUT", new, body=4 * _KIB)
        yield self._one("GET 1 MiB", "GET", large)
        yield self._one("PUT 1 MiB", "PUT", new_large, body=_MIB)

    def _one(self, operation: str, method: str, keys: list[str], *, body: int = 0) -> Row:
        count = len(self._gateways)
        pids = [pid for gateway in self._gateways for pid in tree(gateway.pid)]
        time.sleep(1)  # what the load before has left to do is not this one's
        before = (cpu_seconds(pids), self._postgres.cpu_seconds(), self._ceph.cpu_seconds())
        with ThreadPoolExecutor(count) as clients:
            runs = list(clients.map(self._play, range(count), [(method, keys, body)] * count))
        after = (cpu_seconds(pids), self._postgres.cpu_seconds(), self._ceph.cpu_seconds())
        done = max(1, sum(each.succeeded for each in runs))
        gateway, index, blobs = ((a - b) / done for a, b in zip(after, before, strict=True))
        return Row(
            operation, count, sum(each.rate for each in runs), gateway, index, blobs,
            p50=max(each.p50 for each in runs), p99=max(each.p99 for each in runs),
            errors=sum(each.status_errors + each.socket_errors for each in runs),
        )  # fmt: skip

    def _play(self, number: int, job: tuple[str, list[str], int]) -> load.Run:
        method, keys, body = job
        gateway, count = self._gateways[number], len(self._gateways)
        signer = gateway.signer()
        # A GET may meet any key at any gateway; a PUT has its own.
        mine = keys[number::count] if method == "PUT" else keys
        return load.play(
            gateway, method, [signer.target(method, _BUCKET, key) for key in mine],
            connections=_CONNECTIONS // count, seconds=self._plan.seconds, body=body,
            once=method == "PUT",
        )  # fmt: skip


def markdown(rows: Sequence[Row]) -> str:
    """The table that docs/scale-out.md shows."""
    lines = [
        "| operation | gateways | rate /s | gateway CPU us | PostgreSQL CPU us | Ceph CPU us"
        " | p50 ms | p99 ms |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {row.operation} | {row.gateways} | {row.rate:,.0f} | {row.gateway_cpu * 1e6:,.0f}"
        f" | {row.index_cpu * 1e6:,.0f} | {row.blobs_cpu * 1e6:,.0f} | {row.p50:.1f}"
        f" | {row.p99:.1f} |" + (f" {row.errors} errors" if row.errors else "")
        for row in sorted(rows, key=lambda row: (row.operation[4:], row.operation, row.gateways))
    ]
    return "\n".join(lines) + "\n"


def one_line(row: Row) -> str:
    """A row as it arrives."""
    return (
        f"{row.operation:10} {row.gateways} gateways {row.rate:9,.0f}/s  CPU us:"
        f" gateway {row.gateway_cpu * 1e6:,.0f}, PostgreSQL {row.index_cpu * 1e6:,.0f},"
        f" Ceph {row.blobs_cpu * 1e6:,.0f}; p99 {row.p99:.1f} ms; {row.errors} errors"
    )
