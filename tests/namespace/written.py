"""A window over a remote in memory that tests write to, and what they say of their objects."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aisle.namespace import objects
from aisle.namespace.conditions import UNCONDITIONAL, WriteConditions
from aisle.namespace.objects import Description
from aisle.namespace.records import Object
from tests.backend.memory import MemoryRemote
from tests.namespace.support import LARGE, Data, nothing_leaks, rows
from tests.namespace.windowed import NAME, Worker, site

AWS = f"aws://{NAME}"


SIZES = [0, 10, LARGE]
SAID = Description(
    headers={"content-type": "image/png", "cache-control": "no-store"},
    meta={"colour": "red"},
    storage_class="STANDARD_IA",
    owner="me",
)


@asynccontextmanager
async def one(**remote: Any) -> AsyncIterator[tuple[MemoryRemote, Worker]]:
    service = MemoryRemote(**remote)
    async with site(service) as (worker,):
        yield service, worker
        assert worker.store.unended == []


async def put(
    worker: Worker,
    key: str,
    data: bytes,
    conditions: WriteConditions = UNCONDITIONAL,
    description: Description = SAID,
) -> Object:
    return await objects.put(
        worker.store,
        await worker.bucket(),
        key.encode(),
        Data(data),
        description,
        conditions=conditions,
    )


async def nothing_is_left(worker: Worker, *keys: str) -> None:
    """No row of these keys, no claim, no bytes that nobody refers to."""
    for key in keys:
        assert await worker.copy(key) is None
    assert await rows(worker.store, "claim") == []
    await nothing_leaks(worker.store)
