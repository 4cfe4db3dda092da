"""A node that is killed while it prefetches and evicts: every object stays whole, here or at the
remote, and nothing is left over."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from aisle.namespace import housekeeping
from aisle.namespace.store import Store, store_id
from aisle.namespace.window import reaping
from aisle.store.files import FileBlobs
from aisle.store.sqlite import SqliteIndex
from tests.crash.test_jobs import Site, until
from tests.harness import ACCESS_KEY, SECRET_KEY, Node

KIB, MIB = 1 << 10, 1 << 20
SIZES = [KIB] * 60 + [200 * KIB] * 30 + [9 * MIB] * 3
BUCKET = "/v1/buckets/evicted?provider=aws"
KILLS = 3
HOUR = 3600 * 10**9


def body(number: int) -> bytes:
    return bytes([number]) * SIZES[number]


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """The node that has the remote bucket."""
    node = Node(tmp_path_factory.mktemp("origin") / "data", workers=1).start()
    assert node.send("PUT", "/evicted").status == 200
    for number in range(len(SIZES)):
        assert node.send("PUT", f"/evicted/{number:03d}", body=body(number)).status == 200
    yield node
    node.kill()


@pytest.fixture
def site(origin: Node, tmp_path: Path) -> Iterator[Site]:
    """A node with a window on it, and a bucket of its own."""
    environment = {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "S3_ENDPOINT": origin.root,
    }
    node = Node(tmp_path / "data", auth=False, workers=2, environment=environment).start()
    made = Site(node)
    made.act("POST", BUCKET, "create-bck")
    made.act("POST", "/v1/buckets/own", "create-bck")
    assert node.send("PUT", "/own/own", body=body(70), signed=False).status == 200
    yield made
    node.kill()


def cached(site: Site) -> int:
    value = {"props": "name", "flags": "1"}
    return len(json.loads(site.act("GET", BUCKET, "list", value).body)["entries"])


def test_a_node_killed_while_it_prefetches_and_evicts_loses_and_leaks_nothing(site: Site) -> None:
    everything = {"template": ""}
    for kill in range(KILLS):
        site.act("POST", BUCKET, "prefetch-listrange", everything)
        until(lambda: cached(site) > 10)
        if kill % 2:
            until(lambda: cached(site) == len(SIZES))
            site.act("DELETE", BUCKET, "evict-listrange", everything)
        site.node.kill()
        site.node.start()
    running = json.loads(site.act("GET", "/v1/cluster?what=running_all", value={}).body)
    for shown in running:
        until(lambda shown=shown: site.is_over(shown.partition("[")[2].rstrip("]")))  # type: ignore[misc]
    for number in range(len(SIZES)):
        reply = site.node.send("GET", f"/s3/evicted/{number:03d}", signed=False)
        assert (reply.status, reply.body == body(number)) == (200, True)
    job = site.act("DELETE", BUCKET, "evict-listrange", everything).body.decode()
    until(lambda: site.is_over(job))
    assert cached(site) == 0
    assert site.node.stop() == 0
    assert asyncio.run(left_over(site.node.data)) == {"blobs": 1, "object": 1, "body": 0}


async def left_over(data: Path) -> dict[str, int]:
    """What a node has left, after its housekeeping of an hour later."""
    index = SqliteIndex.open(data / "index.db", durability="relaxed")
    blobs = FileBlobs.mount([data / "disk"], store=await store_id(index), durability="relaxed")
    try:
        store = Store(index, blobs, now=lambda: time.time_ns() + HOUR)
        await reaping.tidy(store)
        await store.change_config({"space.sweep_age": "0s"})
        await housekeeping.tidy(store)
        report = await housekeeping.sweep(store)
        assert report.missing == []
        for table in ("claim", "chunk", "atime", "layout", "garbage"):
            assert await index.scan(table, limit=10) == [], table
        counts = {name: len(await index.scan(name, limit=1000)) for name in ("object", "body")}
        return {"blobs": len([info async for info in blobs.scan()]), **counts}
    finally:
        await blobs.close()
        await index.close()
