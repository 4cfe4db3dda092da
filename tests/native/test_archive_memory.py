"""What archives cost in memory: a node of its own, so that its peaks are those of these tests."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import io
import socket
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import Node, children

SIZE = 200 << 20
ALLOWED = 96 << 20  # on top of an idle node; the member alone has twice that


@pytest.fixture(scope="module")
def lone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    running = Node(tmp_path_factory.mktemp("memory") / "data", auth=False, workers=1).start()
    yield running
    assert running.stop() == 0, running.log_tail()


class Zeros(io.RawIOBase):
    """So many of them."""

    def __init__(self, size: int) -> None:
        self._left = size

    def read(self, size: int = -1) -> bytes:
        size = min(size, self._left)
        self._left -= size
        return bytes(size)


@pytest.fixture(scope="module")
def shard(lone: Node) -> str:
    """A TGZ with one member of `SIZE` bytes, as an object."""
    made = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=made, mode="wb", compresslevel=1) as zipped,
        tarfile.open(fileobj=zipped, mode="w|") as archive,
    ):
        info = tarfile.TarInfo("large")
        info.size = SIZE
        archive.addfile(info, Zeros(SIZE))
    assert lone.send("PUT", "/s3/memory").status == 200
    assert lone.send("PUT", "/v1/objects/memory/a.tgz", body=made.getvalue()).status == 200
    return "/v1/objects/memory/a.tgz"


def worker(node: Node) -> int:
    """The process that answers."""
    (pid,) = children(node.pid)
    return pid


def memory(pid: int, field: str) -> int:
    """Bytes of memory by a field of /proc/PID/status."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) << 10
    raise AssertionError(field)


def reset_peak(pid: int) -> int:
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return memory(pid, "VmRSS")


def read(node: Node, target: str) -> tuple[int, str]:
    """Size and digest of a body that is read piece by piece."""
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=120)
    connection.request("GET", target)
    reply = connection.getresponse()
    assert reply.status == 200
    digest, size = hashlib.md5(), 0
    while piece := reply.read(1 << 20):
        digest.update(piece)
        size += len(piece)
    connection.close()
    return size, digest.hexdigest()


def test_a_large_member_is_streamed(lone: Node, shard: str) -> None:
    pid = worker(lone)
    before = reset_peak(pid)
    size, digest = read(lone, f"{shard}?archpath=large")
    expected = hashlib.md5()
    for _ in range(SIZE >> 20):
        expected.update(bytes(1 << 20))
    assert (size, digest) == (SIZE, expected.hexdigest())
    assert memory(pid, "VmHWM") - before < ALLOWED


def test_a_large_archive_grows_as_a_stream(lone: Node, shard: str) -> None:
    pid = worker(lone)
    before = reset_peak(pid)
    reply = lone.send("PUT", f"{shard}?archpath=small", body=b"x", headers={"Ais-Pine": "1"})
    assert reply.status == 200
    assert memory(pid, "VmHWM") - before < ALLOWED
    assert lone.send("GET", f"{shard}?archpath=small").body == b"x"


def test_a_client_that_goes_away_ends_the_reading(lone: Node, shard: str) -> None:
    pid = worker(lone)
    before = reset_peak(pid)
    for _ in range(10):
        with socket.create_connection(("127.0.0.1", lone.port)) as client:
            client.sendall(b"GET %b?archpath=large HTTP/1.1\r\nHost: x\r\n\r\n" % shard.encode())
            assert client.recv(100).startswith(b"HTTP/1.1 200")
    # None of the ten is read on: the worker comes to rest, though each would take a while.
    until = time.monotonic() + 90
    spent = -1.0
    while (now := cpu(pid)) != spent:
        assert time.monotonic() < until
        spent = now
        time.sleep(0.3)
    assert memory(pid, "VmHWM") - before < ALLOWED
    assert lone.send("GET", f"{shard}?archpath=small").body == b"x"


def cpu(pid: int) -> float:
    """Processor time that a process has used, in ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return float(fields[11]) + float(fields[12])
