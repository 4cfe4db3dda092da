"""`node.agent`: what a node does beside answering requests goes on whatever fails of it."""

from __future__ import annotations

import asyncio
import logging

import pytest

from aisle.jobs import housekeeper
from aisle.jobs.inventorying import Inventorying
from aisle.jobs.leases import Sole
from aisle.namespace.inventories import configuration
from aisle.namespace.store import Store
from aisle.node import agent
from aisle.store.base import Put
from aisle.store.memory import MemoryBlobs, MemoryIndex


def test_work_that_fails_begins_anew_and_ends_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(agent, "_AGAIN_SECONDS", 0.0)
    began: list[str] = []
    enough = asyncio.Event()

    async def fails() -> None:
        began.append("fails")
        if len(began) < 3:
            raise LookupError("a bug")
        enough.set()

    async def lasts() -> None:
        await enough.wait()
        began.append("lasts")

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(agent._ever("one", fails))
            group.create_task(agent._ever("other", lasts))

    asyncio.run(main())
    assert began == ["fails", "fails", "fails", "lasts"]
    failed = [record for record in caplog.records if "one failed" in record.getMessage()]
    assert len(failed) == 2
    assert failed[0].levelno == logging.ERROR


def test_a_row_that_cannot_be_read_does_not_end_housekeeping(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        store = Store(MemoryIndex(), MemoryBlobs())
        # A configuration whose name is no text.
        key = bytes(8) + configuration.KIND + b"\xff"
        await store.index.commit(Put("document", key, b""))
        await Inventorying(store, Sole()).turn()
        keeping = asyncio.create_task(housekeeper.run(store, Sole()))
        done, _ = await asyncio.wait([keeping], timeout=2 * housekeeper._LOOK_SECONDS)
        assert not done
        keeping.cancel()

    asyncio.run(main())
    assert "looking after inventories failed" in caplog.text
