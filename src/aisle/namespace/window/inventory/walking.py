"""Making rows of a remote's own listing: the native inventory, of any bucket that can be listed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from aisle.backend.base import Backend
from aisle.core.errors import InventoryDamaged
from aisle.core.names import MAX_KEY_BYTES
from aisle.namespace.window.inventory import entries
from aisle.store.base import Row

# Rows that go together: several pages of most remotes.
BATCH: Final = 5000


async def rows(backend: Backend, prefix: str, after: str) -> AsyncGenerator[list[Row], None]:
    """The rows of all objects that begin with `prefix`, behind the key `after`, in order. The next
    page is on its way while one is stored. Raises `InventoryDamaged`, `RemoteError`s."""
    last = after.encode("utf-8", "surrogateescape")
    batch: list[Row] = []
    coming = asyncio.create_task(backend.list(prefix=prefix, after=after))
    try:
        while True:
            page = await coming
            if page.token:
                coming = asyncio.create_task(backend.list(prefix=prefix, token=page.token))
            found = [row for row in map(entries.of_remote, page.entries) if row is not None]
            last = _ascending(found, last)
            batch += found
            if len(batch) >= BATCH or not page.token:
                yield batch
                batch = []
            if not page.token:
                return
    finally:
        coming.cancel()
        await asyncio.wait([coming])
        if not coming.cancelled():
            coming.exception()


def _ascending(rows: list[Row], last: bytes) -> bytes:
    """The last key by then. Raises `InventoryDamaged` for a listing that would never end, or has
    keys that there cannot be."""
    for key, _ in rows:
        if key <= last or len(key) > MAX_KEY_BYTES:
            raise InventoryDamaged(f"the remote listed {key[:200]!r} out of place")
        last = key
    return last
