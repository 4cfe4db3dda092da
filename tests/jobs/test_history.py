"""What is remembered of jobs that are over, and for how long."""

from __future__ import annotations

from aisle.jobs import housekeeper, rows
from aisle.jobs.jobs import Jobs, new_id
from aisle.jobs.leases import Sole
from aisle.namespace.records import Job, encode
from aisle.namespace.store import Store
from aisle.store.base import Put
from aisle.store.memory import MemoryBlobs, MemoryIndex
from tests.namespace.support import run

HOUR = 3600 * 10**9


async def _remember(store: Store, *ended: int) -> list[str]:
    """Jobs that were over so many hours ago."""
    made = []
    for hours in ended:
        record = Job("count", {}, "", 1, ended=store.now() - hours * HOUR, state="finished")
        identity = new_id()
        await store.index.commit(
            Put("job", identity.encode(), encode(record)), Put("progress", identity.encode(), b"x")
        )
        made.append(identity)
    return made


def test_housekeeping_forgets_what_is_too_old_or_too_much() -> None:
    async def story() -> None:
        store = Store(MemoryIndex(), MemoryBlobs())
        jobs = Jobs(store, "a")
        waiting = await jobs.submit("load-lom-cache", {})
        just, recent, older, _ = await _remember(store, 0, 1, 47, 49)
        await store.change_config({"jobs.keep_time": "2d"})
        await housekeeper.keep_house(store, Sole(), whole=True)
        keys = [key.decode() for key, _ in await store.index.scan("job", limit=10)]
        assert set(keys) == {waiting, just, recent, older}
        assert len(await store.index.scan("progress", limit=10)) == 3
        await store.change_config({"jobs.keep_count": 2})
        await housekeeper.keep_house(store, Sole(), whole=True)
        keys = [key.decode() for key, _ in await store.index.scan("job", limit=10)]
        assert set(keys) == {waiting, just, recent}
        await store.change_config({"jobs.keep_count": 0})
        await housekeeper.keep_house(store, Sole(), whole=True)
        keys = [key.decode() for key, _ in await store.index.scan("job", limit=10)]
        assert set(keys) == {waiting, just}

    run(story())


def test_very_many_are_forgotten_in_steps() -> None:
    async def story() -> None:
        store = Store(MemoryIndex(), MemoryBlobs())
        await _remember(store, *range(1, rows.STEP * 2 + 3))
        dropped = await rows.forget(store.index, store.now(), age=10**6 * HOUR, count=1)
        assert dropped == rows.STEP * 2 + 1
        assert len(await store.index.scan("job", limit=10)) == 1

    run(story())
