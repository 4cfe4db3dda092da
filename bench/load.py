"""Drives `wrk` over request targets that were signed beforehand, and fills buckets with it.

The client must not be what is measured: wrk is C, its script only concatenates strings, and every
signature is made before it starts. wrk corrects its percentiles for coordinated omission (a reply
later than the expected interval counts for the requests it held up), for all servers alike.
"""

from __future__ import annotations

import http.client
import json
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from bench.servers import HOST, Server

THREADS = 2
_SCRIPT = Path(__file__).with_name("wrk.lua")
_FILL_CHUNK = 50_000
_FILL_CONNECTIONS = 64
_LONG = 3_600


class LoadFailed(Exception):
    """The load could not be applied, or the server refused what it must accept."""


@dataclass(frozen=True, slots=True)
class Run:
    """What wrk saw. Latencies in milliseconds; `requests` counts every reply, refusals too;
    `issued` is how far each thread came."""

    requests: int
    elapsed: float
    issued: tuple[int, ...]
    bytes: int
    p50: float
    p99: float
    status_errors: int
    socket_errors: int

    @property
    def succeeded(self) -> int:
        return self.requests - self.status_errors

    @property
    def rate(self) -> float:
        return self.succeeded / self.elapsed if self.elapsed else 0.0

    def sent(self, targets: Sequence[str]) -> list[str]:
        """The targets that were surely sent and answered: each thread's first, less those that
        may have been in flight at the end."""
        answered: list[str] = []
        for thread, count in enumerate(self.issued):
            mine = targets[thread::THREADS]
            answered += mine[: max(0, min(count, len(mine)) - _FILL_CONNECTIONS // THREADS)]
        return answered


def shuffled(items: Iterable[str], seed: int = 1) -> list[str]:
    """In random order, the same in every run."""
    order = list(items)
    random.Random(seed).shuffle(order)
    return order


def play(
    server: Server,
    method: str,
    targets: Sequence[str],
    *,
    connections: int,
    seconds: float,
    body: int = 0,
    once: bool = False,
) -> Run:
    """Play `targets` for `seconds`, or until all are sent if `once`."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise LoadFailed("wrk is not installed (apt-get install wrk)")
    if len(targets) < THREADS:
        raise LoadFailed("too few objects to play")
    threads = str(min(THREADS, connections))
    with tempfile.NamedTemporaryFile("w", suffix=".targets") as file:
        file.write("\n".join(targets) + "\n")
        file.flush()
        command = [
            *(wrk, "-t", threads, "-c", str(connections), "-d", f"{max(1, round(seconds))}s"),
            *("--timeout", "30s", "-s", str(_SCRIPT), f"http://{server.host}/", "--"),
            *(method, file.name, str(body), "once" if once else "cycle", threads),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    last = done.stdout.strip().rpartition("\n")[2]
    if done.returncode or not last.startswith("{"):
        raise LoadFailed(f"wrk: {done.stderr.strip() or done.stdout.strip()}")
    fields = json.loads(last)
    return Run(**{**fields, "issued": tuple(fields["issued"])})


def call(server: Server, method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
    """One request outside of any measurement."""
    connection = http.client.HTTPConnection(HOST, server.port, timeout=60)
    try:
        connection.request(method, target, body=body or None)
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


def must(server: Server, method: str, target: str, body: bytes = b"") -> bytes:
    """One request that has to succeed."""
    status, text = call(server, method, target, body)
    if status >= 300:
        raise LoadFailed(f"{method} {target.partition('?')[0]}: {status} {text[:200]!r}")
    return text


def make_bucket(server: Server, bucket: str) -> None:
    must(server, "PUT", server.signer().target("PUT", bucket))


def fill(server: Server, bucket: str, keys: Iterable[str], body: int) -> float:
    """Store an object of `body` bytes under every key; objects per second, 0.0 if they were
    placed without the server."""
    if server.place(bucket, iter(keys_list := list(keys)), b"x" * body):
        return 0.0
    signer, began = server.signer(), time.perf_counter()
    for chunk in _chunks(iter(keys_list), _FILL_CHUNK):
        targets = [signer.target("PUT", bucket, key) for key in chunk]
        redo = set(targets)
        if len(targets) > 2 * _FILL_CONNECTIONS:
            run = play(
                server,
                "PUT",
                targets,
                connections=_FILL_CONNECTIONS,
                seconds=_LONG,
                body=body,
                once=True,
            )
            if run.status_errors:
                raise LoadFailed(f"{run.status_errors} of {len(targets)} PUTs were refused")
            redo -= set(run.sent(targets))
        for target in redo:  # what was in flight when wrk left
            must(server, "PUT", target, b"x" * body)
    rate = len(keys_list) / (time.perf_counter() - began)
    if must(server, "GET", signer.target("GET", bucket, keys_list[0])) != b"x" * body:
        raise LoadFailed(f"{keys_list[0]}: what was read is not what was written")
    return rate


def _chunks(items: Iterator[str], size: int) -> Iterator[list[str]]:
    while chunk := list(islice(items, size)):
        yield chunk
