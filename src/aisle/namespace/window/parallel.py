"""A large object fetched by several requests at once, each for a chunk of its own.

The first chunk is streamed, so that who waits for the object has its first bytes as soon as ever;
then workers take the chunks that follow, each from the network straight to disk. What is sealed
from the start on is hashed in order and given to readers.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from aisle.backend.base import Backend, RemoteObject
from aisle.core.errors import BlobMissing
from aisle.core.ranges import Span
from aisle.namespace.records import Extent
from aisle.namespace.window import pump, steady
from aisle.namespace.window.claims import Held
from aisle.namespace.window.source import Source
from aisle.namespace.window.steady import Steady
from aisle.namespace.window.sums import Sums

if TYPE_CHECKING:
    from aisle.namespace.window.fetch import Plan

# More chunks than this are made larger ones: all their rows go in one commit.
MOST_CHUNKS: Final = 8192
# What a worker may have in memory: the slice that is written, and the pieces it was made of.
EACH: Final = 2 * pump.SLICE


async def large(
    source: Source, held: Held, backend: Backend, body: Steady, sums: Sums, plan: Plan
) -> None:
    """Take in a body, whose reply has begun, by `plan`."""
    about = body.about
    if source.sealed < pump.CHUNK:
        await pump.large(source, held, body, sums, pump.CHUNK)
    await body.close()
    work = _Work(source, held, backend, about, plan.chunk)
    tasks = [asyncio.create_task(work.run()) for _ in range(plan.workers)]
    tasks.append(asyncio.create_task(work.hash(sums)))
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError, Exception):
                await task
        raise


class _Work:
    """The chunks that are left: those that nobody has taken, and those that are sealed ahead."""

    def __init__(
        self, source: Source, held: Held, backend: Backend, about: RemoteObject, chunk: int
    ) -> None:
        left = about.size - source.sealed
        self._source = source
        self._held = held
        self._backend = backend
        self._about = about
        self._chunk = max(chunk, -(-left // MOST_CHUNKS))
        self._next = source.sealed  # where the next chunk begins that nobody has taken
        self._first = self._number = len(source.extents)
        self._sealed: dict[int, Extent] = {}

    async def run(self) -> None:
        """Fetch one chunk after the other until none is left."""
        while self._next < self._about.size:
            number, start = self._number, self._next
            length = min(self._chunk, self._about.size - start)
            self._number, self._next = number + 1, start + length
            extent = await self._fetch(start, length)
            self._sealed[number] = extent
            await pump.tell_chunk(self._source, self._held, number, extent)
            self._source.tell()

    async def _fetch(self, start: int, length: int) -> Extent:
        store, key = self._source.store, self._about.key
        writer = await store.blobs.create(self._held.row_key, size_hint=length)
        try:
            async with await steady.resume(
                self._backend, key, self._about, Span(start, length)
            ) as body:
                pieces, size = list[bytes](), 0
                while piece := await body.read():
                    pieces.append(piece)
                    size += len(piece)
                    if size >= pump.SLICE:
                        await writer.write(b"".join(pieces))
                        pieces, size = [], 0
                if pieces:
                    await writer.write(b"".join(pieces))
            return Extent(await writer.seal(), 0, length)
        except BaseException:
            await writer.abort()
            raise

    async def hash(self, sums: Sums) -> None:
        """Hash in order what is sealed, and let readers have it."""
        source, number = self._source, self._first
        while source.sealed < self._about.size:
            extent = self._sealed.get(number)
            if extent is None:
                await source.changed()
                continue
            await self._hash(extent, sums)
            del self._sealed[number]
            source.sealed_up_to([extent])
            number += 1

    async def _hash(self, extent: Extent, sums: Sums) -> None:
        if not sums.needed:
            sums.skip(extent.length)
            return
        body = await self._source.store.blobs.open(extent.blob, 0, extent.length)
        try:
            left = extent.length
            while left:
                piece = await body.read(min(left, pump.SLICE))
                if not piece:
                    raise BlobMissing(extent.blob.hex(), "truncated")
                left -= len(piece)
                await sums.update(piece)
        finally:
            body.close()
