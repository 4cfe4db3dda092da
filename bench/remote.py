"""What a window costs: warm reads beside native ones, cold reads beside the remote's own.

Three nodes' worth of work on two: `origin` has the remote bucket, the node that is measured has a
window on it and a bucket of its own. Reads of the window that are warm and reads of the own bucket
alternate; so do cold reads through the window and direct ones of the same objects at the origin,
each of which is read cold once: over loopback, and over a link of a gigabit a second, which is
more like what lies between a cluster and a cloud. One connection at a time: what is asked is how
much later, and how much slower, one reader gets its bytes.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Generator
from dataclasses import replace
from typing import NamedTuple

from tests.servers.faults import Fault, FaultProxy

from bench import load
from bench.measures import GIB, Plan, Sample, name_of, percentile, replay, settle
from bench.process import Meter
from bench.servers import HOST, Aisle, Server
from bench.signing import Signer
from bench.wire import Connection

NATIVE, WARM = "GET 4 KiB, own bucket", "GET 4 KiB, window, warm"
DIRECT, COLD = "GET 64 MiB at the origin", "GET 64 MiB, window, cold"
LINK_DIRECT, LINK_COLD = f"{DIRECT}, 1 Gbit/s", f"{COLD}, 1 Gbit/s"
SMALL_DIRECT, SMALL_COLD = "GET 4 KiB at the origin", "GET 4 KiB, window, cold"
_OWN, _REMOTE = "bench", "bench-remote"
_LARGE = 64 << 20
_ROUNDS = 8
_CONNECTIONS = 32
_OBJECTS = 12
_SMALL_OBJECTS = 300
_LINK_OBJECTS = 5
_GIGABIT = 125_000_000


class Window(Aisle):
    """A node with authentication off, whose aws buckets are another's."""

    def __init__(self, origin: Server, port: int, name: str = "window") -> None:
        super().__init__(origin.directory.with_name(f"{origin.directory.name}-{name}"))
        self._origin = origin
        self._remote = port

    def environment(self) -> dict[str, str]:
        keys = self._origin.credentials
        return {  # and nothing of users: whoever asks may read
            "S3_ENDPOINT": f"http://{HOST}:{self._remote}",
            "AWS_ACCESS_KEY_ID": keys.access_key,
            "AWS_SECRET_ACCESS_KEY": keys.secret_key,
            "AWS_REGION": keys.region,
        }


class Read(NamedTuple):
    """Seconds to the first byte of a body, and to its last."""

    first: float
    last: float


def remote(server: Server, plan: Plan) -> Generator[Sample]:
    """`server` is the origin."""
    if not isinstance(server, Aisle):
        return
    with server:
        load.make_bucket(server, _REMOTE)
        with Window(server, server.port) as window:
            _open(window)
            load.make_bucket(window, _OWN)
            yield from _warm(server, window, plan)
            ports = server.port, window.port
            names = (SMALL_DIRECT, SMALL_COLD)
            yield from _cold(server, window, ports, _SMALL_OBJECTS, 4_096, names)
            yield from _cold(server, window, ports, _OBJECTS, _LARGE, (DIRECT, COLD))
        with FaultProxy(server.port) as link, Window(server, link.port, "linked") as window:
            _open(window)
            link.add(Fault(method="GET", times=sys.maxsize, rate=_GIGABIT))
            names, ports = (LINK_DIRECT, LINK_COLD), (link.port, window.port)
            yield from _cold(server, window, ports, _LINK_OBJECTS, _LARGE, names)


def _open(window: Server) -> None:
    """Make the window, which is there already in all rounds but the first."""
    path = f"/v1/buckets/{_REMOTE}?provider=aws"
    status, text = load.call(window, "POST", path, json.dumps({"action": "create-bck"}).encode())
    if status not in (200, 409):
        raise load.LoadFailed(f"POST {path}: {status} {text[:200]!r}")


def _warm(origin: Server, window: Server, plan: Plan) -> Generator[Sample]:
    keys = [name_of(number) for number in range(plan.small_keys)]
    load.fill(window, _OWN, keys, 4_096)
    load.fill(origin, _REMOTE, keys, 4_096)
    signer = window.signer()
    for key in keys:
        load.must(window, "GET", signer.target("GET", _REMOTE, key))
    best: dict[str, Sample] = {}
    short = replace(plan, seconds=max(1.0, plan.seconds / _ROUNDS))
    for _ in range(_ROUNDS):
        for operation, bucket in ((NATIVE, _OWN), (WARM, _REMOTE)):
            targets = load.shuffled(signer.target("GET", bucket, key) for key in keys)
            sample, _ = replay(window, short, operation, "op", "GET", targets, _CONNECTIONS)
            if operation not in best or sample.cpu < best[operation].cpu:
                best[operation] = sample
    yield from best.values()


def _cold(
    origin: Server,
    window: Server,
    ports: tuple[int, int],
    objects: int,
    size: int,
    names: tuple[str, str],
) -> Generator[Sample]:
    """Direct reads and cold ones in turn, at their `ports`; of objects that nobody has read."""
    connection = Connection(HOST, origin.port)
    file = os.memfd_create("body")
    os.write(file, os.urandom(min(size, 1 << 20)) * max(1, size >> 20))
    keys = [f"cold-{size}-{ports[0]}-{number}" for number in range(objects)]
    for key in keys:
        target = origin.signer().target("PUT", _REMOTE, key)
        connection.exchange("PUT", target, file=file, size=size)
    connection.close()
    os.close(file)
    settle()
    reads: tuple[list[Read], list[Read]] = ([], [])
    with Meter(window.pid) as used:
        for key in keys:
            for side, server, port in zip(reads, (origin, window), ports, strict=True):
                signer = Signer(f"{HOST}:{port}", server.credentials)
                side.append(timed(port, signer.target("GET", _REMOTE, key), size))
    for operation, server, side in zip(names, (origin, window), reads, strict=True):
        yield _sample(operation, server, side, size, used if server is window else None)


def timed(port: int, target: str, size: int) -> Read:
    """One GET on a connection that is open already, its body dropped as it comes."""
    scratch = bytearray(1 << 20)
    with socket.create_connection((HOST, port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request = f"GET {target} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n"
        began = time.perf_counter()
        connection.sendall(request.encode())
        data, head = b"", -1
        while head < 0 or len(data) == head:
            piece = connection.recv(65_536)
            if not piece:
                raise load.LoadFailed(f"port {port} answered {data[:80]!r}")
            data += piece
            head = data.find(b"\r\n\r\n") + 4 if b"\r\n\r\n" in data else -1
        first = time.perf_counter() - began
        if not data.startswith(b"HTTP/1.1 200"):
            raise load.LoadFailed(f"port {port} answered {data[:80]!r}")
        received = len(data) - head
        while received < size:
            count = connection.recv_into(scratch)
            if not count:
                raise load.LoadFailed(f"port {port} sent {received} of {size} bytes")
            received += count
        return Read(first, time.perf_counter() - began)


def _sample(
    operation: str, server: Server, reads: list[Read], size: int, used: Meter | None
) -> Sample:
    whole = sorted(read.last for read in reads)
    firsts = sorted(read.first for read in reads)
    large = size >= 1 << 20
    units = len(reads) * size / GIB if large else len(reads)
    return Sample(
        operation, server.name, "GiB" if large else "op",
        rate=units / sum(whole), cpu=used.cpu / units if used else 0.0,
        p50=1000 * percentile(whole, 0.5), p99=1000 * percentile(whole, 0.99),
        peak_process=used.peak_process if used else 0.0,
        operations=len(reads),
        note=f"first byte after {1000 * percentile(firsts, 0.5):.2f} ms (p50)",
    )  # fmt: skip
