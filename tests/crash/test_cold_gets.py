"""A node that is killed while it fetches remote objects: no reader ever has a wrong body that looks
whole, the next GET of each object works, and nothing is left that is no whole copy.

The remote is a second node behind a proxy that takes its time, so that kills hit downloads on their
way. `AISLE_CRASH_SEED` sets which objects are read when.
"""

from __future__ import annotations

import asyncio
import http.client
import random
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from aisle.namespace import housekeeping
from aisle.namespace.housekeeping import Report
from aisle.namespace.records import Layout, Object, decode
from aisle.namespace.store import Store, store_id
from aisle.namespace.window import reaping
from aisle.store.base import Index
from aisle.store.files import FileBlobs
from aisle.store.sqlite import SqliteIndex
from tests.crash.site import seed_of_today
from tests.harness import ACCESS_KEY, SECRET_KEY, Node
from tests.remote.windows import make_window
from tests.servers.faults import Fault, FaultProxy

MIB = 1 << 20
SIZES = (0, 700, 100_000, 3 * MIB, 9 * MIB, 20 * MIB)
COPIES = 2
BUCKET = "cold"
KILLS = 3
READERS = 4
HOUR = 3600 * 10**9


def body(number: int) -> bytes:
    return random.Random(number).randbytes(SIZES[number % len(SIZES)])


BODIES = [body(number) for number in range(len(SIZES) * COPIES)]


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path / "origin", workers=1).start()
    assert node.send("PUT", f"/{BUCKET}").status == 200
    for number, data in enumerate(BODIES):
        assert node.send("PUT", f"/{BUCKET}/{number}", body=data).status == 200
    yield node
    node.kill()


@pytest.fixture
def proxy(origin: Node) -> Iterator[FaultProxy]:
    with FaultProxy(origin.port) as proxy:
        yield proxy


@pytest.fixture
def node(origin: Node, proxy: FaultProxy, tmp_path: Path) -> Iterator[Node]:
    """The node that is killed, with a window on the origin's bucket."""
    environment = {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "S3_ENDPOINT": proxy.endpoint,
    }
    node = Node(tmp_path / "data", auth=False, workers=2, environment=environment).start()
    make_window(node, origin.client(), BUCKET)
    yield node
    node.kill()


class Readers:
    """Threads that read objects at random until they are told to stop."""

    def __init__(self, node: Node, choose: random.Random) -> None:
        self._node = node
        self._stop = threading.Event()
        self.whole = self.short = 0
        self.wrong: list[int] = []
        self._threads = [
            threading.Thread(target=self._read, args=(random.Random(choose.random()),))
            for _ in range(READERS)
        ]

    def __enter__(self) -> Readers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _read(self, choose: random.Random) -> None:
        while not self._stop.is_set():
            number = choose.randrange(len(BODIES))
            try:
                status, data = get(self._node, number)
            except (OSError, http.client.HTTPException):
                self.short += 1
                time.sleep(0.01)
                continue
            if status == 200:
                self.whole += 1
                if data != BODIES[number]:
                    self.wrong.append(number)


def get(node: Node, number: int) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=30)
    with closing(connection):
        connection.request("GET", f"/s3/{BUCKET}/{number}")
        reply = connection.getresponse()
        return reply.status, reply.read()


def test_a_node_killed_while_it_fetches_keeps_whole_copies_or_none(
    node: Node, proxy: FaultProxy
) -> None:
    choose = random.Random(seed_of_today())
    short = 0
    for _ in range(KILLS):
        proxy.add(Fault("GET", BUCKET, times=10_000, rate=12 * MIB))
        with Readers(node, choose) as readers:
            time.sleep(choose.uniform(0.2, 1.0))
            node.kill()
        assert readers.wrong == []
        short += readers.short
        proxy.reset()
        node.start()
        for number in choose.sample(range(len(BODIES)), 6):
            status, data = get(node, number)
            assert (status, data == BODIES[number]) == (200, True), number
    assert short, "no kill has hit a read"
    for number, data in enumerate(BODIES):
        assert get(node, number) == (200, data), number
    assert node.stop() == 0
    asyncio.run(only_whole_copies(node.data))


async def only_whole_copies(data: Path) -> None:
    """What a stopped node has, after its housekeeping of an hour later: copies, and they are what
    the remote has."""
    index = SqliteIndex.open(data / "index.db", durability="relaxed")
    blobs = FileBlobs.mount([data / "disk"], store=await store_id(index), durability="relaxed")
    try:
        store = Store(index, blobs, now=lambda: time.time_ns() + HOUR)
        await reaping.tidy(store)
        await housekeeping.tidy(store)
        await housekeeping.collect_garbage(store, grace=0)
        report = Report()
        await housekeeping.sweep_blobs(store, report, min_age=0)
        await housekeeping.find_missing(store, report)
        assert report.missing == []
        for table in ("claim", "chunk", "garbage"):
            assert await index.scan(table, limit=10) == [], table
        count = await right_copies(index, blobs)
        assert {info.blob async for info in blobs.scan()} == count
    finally:
        await blobs.close()
        await index.close()


async def right_copies(index: Index, blobs: FileBlobs) -> set[bytes]:
    """Compare every copy with the remote's object; the blobs of all of them."""
    named = set[bytes]()
    for key, raw in await index.scan("object", limit=1000):
        record = decode(Object, raw)
        extents = record.extents
        if record.layout:
            layout = await index.get("layout", record.layout)
            assert layout is not None
            extents = decode(Layout, layout).extents
        found = b""
        for extent in extents:
            if extent.inline:
                found += await index.get("body", extent.blob) or b""
                continue
            named.add(extent.blob)
            reader = await blobs.open(extent.blob, extent.offset, extent.length)
            while piece := await reader.read(MIB):
                found += piece
            reader.close()
        assert found == BODIES[int(key[8:])], key
    return named
