"""What tests of cold GETs look at: reads that come short, copies that come, and what is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from tests.namespace.support import blob_ids, rows
from tests.namespace.windowed import Worker


async def kept_soon(worker: Worker, key: str) -> bytes:
    async with asyncio.timeout(60):
        while (data := await worker.kept(key)) is None:
            await asyncio.sleep(0.001)
    return data


async def short(stream: AsyncIterator[bytes], error: type[Exception]) -> int:
    """How many bytes come before an error that has to."""
    size = 0
    try:
        async for piece in stream:
            size += len(piece)
    except error:
        return size
    raise AssertionError(f"{size} bytes came, and no {error.__name__}")


async def leaves_nothing(worker: Worker) -> None:
    """No copy, no claim, no chunk; blobs are garbage."""
    store = worker.store
    for table in ("object", "claim", "chunk", "body", "layout"):
        assert await rows(store, table) == []
    assert await blob_ids(store) <= {key[9:] for key in await rows(store, "garbage")}
