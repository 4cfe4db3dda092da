"""The crash test: SIGKILL at random moments, and every acknowledged state is there afterwards.

Several writers work on a real node over its real engines; the node (all of it, one worker, or only
the supervisor) is killed at a random moment and started again on the same directory. After every
kill each key holds what was last acknowledged, or what an unanswered request would have made of
it, whole, with its ETag; the listing, the uploads and their parts say the same. After the last one
the sweep removes what the kills left behind, and nothing else.

`AISLE_CRASH_KILLS` sets the number of kills, `AISLE_CRASH_SEED` the choices of the writers.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from pathlib import Path

from aisle.namespace import housekeeping
from aisle.namespace.records import Layout, Object, Part, decode
from aisle.namespace.store import Store, store_id
from aisle.store.base import Index
from aisle.store.files import FileBlobs
from aisle.store.sqlite import SqliteIndex
from tests.crash.site import Site, seed_of_today
from tests.harness import Node

KILLS = int(os.environ.get("AISLE_CRASH_KILLS", "50"))
DAY = 86_400 * 10**9


def kinds(count: int, choose: random.Random) -> list[str]:
    """What to kill each time: mostly everything at once, as a power cut would."""
    rest = [choose.choice(("worker", "supervisor", "node", "node")) for _ in range(count)]
    rest[:3] = ["node", "worker", "supervisor"][:count]
    return rest


def test_every_acknowledged_state_survives_kills_at_random_moments(tmp_path: Path) -> None:
    site = Site(tmp_path, seed_of_today(), Node(tmp_path / "data", auth=False, workers=2))
    try:
        site.start()
        for number, kill in enumerate(kinds(KILLS, site.random)):
            before = site.done
            if kill == "worker":
                site.write_until(site.kill_a_worker)
            else:
                site.write_until(site.node.kill if kill == "node" else site.kill_supervisor)
                site.node.kill()
                site.node.start()
            site.check()
            print(f"kill {number + 1} ({kill}): {site.done - before} operations before it")
        assert site.done > 5 * KILLS, "too few operations to prove anything"
        site.node.kill()
        asyncio.run(sweep_leaves_what_is_referred_to(site.node.data))
        site.node.start()
        site.check(final=True)
        assert site.node.stop() == 0
    finally:
        site.close()


async def sweep_leaves_what_is_referred_to(data: Path) -> None:
    """Tidy and sweep the stopped store two days on: what is left is exactly what rows name."""
    index = SqliteIndex.open(data / "index.db")
    blobs = FileBlobs.mount([data / "disk"], store=await store_id(index))
    try:
        store = Store(index, blobs, now=lambda: time.time_ns() + 2 * DAY)
        await store.change_config({"space.sweep_age": "0s"})
        tidied = await housekeeping.tidy(store)
        swept = await housekeeping.sweep(store)
        print(f"garbage {tidied.garbage}, {swept.orphans} orphans of {swept.orphan_bytes} bytes")
        assert swept.missing == []
        named_blobs, named_rows = await referred(index)
        assert {info.blob async for info in blobs.scan()} == named_blobs
        assert {key for key, _ in await index.scan("body", limit=10**6)} == named_rows
        assert await index.scan("garbage", limit=1) == []
        again = await housekeeping.sweep(store)
        assert (again.orphans, again.missing) == (0, [])
    finally:
        await blobs.close()
        await index.close()


async def referred(index: Index) -> tuple[set[bytes], set[bytes]]:
    """The blobs and the rows of `body` that objects and parts consist of."""
    extents = []
    layouts = {key: decode(Layout, raw) for key, raw in await index.scan("layout", limit=10**6)}
    for _, raw in await index.scan("object", limit=10**6):
        record = decode(Object, raw)
        extents += layouts.pop(record.layout).extents if record.layout else record.extents
    assert not layouts, "a layout that no object names"
    uploads = {key[-16:] for key, _ in await index.scan("upload", limit=10**6)}
    for key, raw in await index.scan("part", limit=10**6):
        assert key[:16] in uploads, "a part of no upload"
        extents += decode(Part, raw).extents
    blobs = [extent.blob for extent in extents if not extent.inline]
    rows = [extent.blob for extent in extents if extent.inline]
    assert len({*blobs}) == len(blobs)
    assert len({*rows}) == len(rows)
    return {*blobs}, {*rows}
