"""One remote object on its way into the cluster, as those see it who read along.

The bytes that are there are a run from the start: first `sealed` ones in `extents`, on disk, then
those of `_pieces`, in memory until they are sealed too, and hashed. Readers go at their own speed:
one that is behind reads from disk, one that is ahead waits for what comes; none of them holds the
others up, or keeps anything in memory. The last bytes are given to nobody before all was found to
be right and the copy can be seen: whoever got all bytes got the right ones.

Nothing here fetches: `fetch` feeds it, or tells it what another process has fetched.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator
from typing import Final

from aisle.backend.base import RemoteObject
from aisle.core.errors import AisleError, BlobMissing, StoreError
from aisle.namespace import bodies
from aisle.namespace.records import Extent, Object
from aisle.namespace.store import Store

# So many bytes at most wait for the rest to be found right.
TAIL: Final = 4096


class NotKept(StoreError):
    """An object is not fetched into the cluster now, for reasons of the cluster's own; it can be
    read from the remote. No client hears of this."""


class Source:
    """See the module. It belongs to one event loop."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.about: RemoteObject | None = None  # once the remote has answered
        self.record: Object | None = None  # once the copy can be seen
        self.error: AisleError | None = None  # once it has failed
        self.over = False
        self.claimed = b""  # the holder of the claim that it is fetched under
        self.extents: list[Extent] = []
        self.sealed = 0
        self.hashed = 0
        self.position = 0
        self._starts: list[int] = []
        self._pieces: list[bytes] = []
        self._waiting: list[asyncio.Future[None]] = []

    # --- for whoever feeds it ---------------------------------------------------------------

    def come(self, piece: bytes) -> None:
        """The next bytes are there."""
        self._starts.append(self.position)
        self._pieces.append(piece)
        self.position += len(piece)
        self.tell()

    def sealed_up_to(self, extents: list[Extent]) -> None:
        """More bytes, which may have come before or not, are on disk."""
        self.extents += extents
        self.sealed += sum(extent.length for extent in extents)
        self.position = max(self.position, self.sealed)
        self._forget()

    def hashed_up_to(self, end: int) -> None:
        """What lies before `end` is needed for no digest any more."""
        self.hashed = end
        self._forget()

    def _forget(self) -> None:
        gone = bisect_right(self._starts, min(self.sealed, self.hashed) - 1)
        del self._starts[:gone], self._pieces[:gone]
        self.tell()

    @property
    def held(self) -> int:
        """How many bytes are in memory."""
        return self.position - self._starts[0] if self._starts else 0

    def unsealed(self, start: int, limit: int) -> list[bytes]:
        """The pieces from `start` on, which have come and are still in memory: about `limit` bytes,
        and at least one piece."""
        first = bisect_right(self._starts, start) - 1
        taken, size = list[bytes](), 0
        for index in range(first, len(self._pieces)):
            piece = self._pieces[index]
            if size + len(piece) > limit and taken:
                break
            taken.append(piece)
            size += len(piece)
        return taken

    def end(self, record: Object | None, error: AisleError | None = None) -> None:
        """Nothing more comes: it is all there and right, and kept if there is a `record`, or it
        has failed."""
        if not self.over:
            self.over, self.record, self.error = True, record, error
            self.tell()

    def tell(self) -> None:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if not one.done():
                one.set_result(None)

    # --- for readers ------------------------------------------------------------------------

    async def changed(self) -> None:
        """Wait until anything is different."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        await turn

    async def begun(self) -> None:
        """Wait until the remote has answered, or a copy is found to be there. Raises what has
        gone wrong before that."""
        while self.about is None and not self.over:
            await self.changed()
        if self.error is not None:
            raise self.error.with_traceback(None)

    async def ended(self) -> Object | None:
        """The row of the copy; `None` if it was right and could not be kept. Raises what went
        wrong."""
        while not self.over:
            await self.changed()
        if self.error is not None:
            raise self.error.with_traceback(None)
        return self.record

    @property
    def ready(self) -> int:
        """Up to where bytes may be given out."""
        about = self.about
        if about is None or self.position < about.size or (self.over and self.error is None):
            return self.position
        held = about.size - min(about.size, TAIL)
        return max(held, self._starts[-1] if self._starts else 0)

    async def follow(self, start: int, length: int) -> AsyncIterator[bytes]:
        """The bytes from `start` on, as they come. Raises what went wrong before they have."""
        at, end = start, start + length
        while at < end:
            ready = self.ready
            if at < min(self.sealed, ready):
                stretch = min(end, self.sealed, ready) - at
                async for piece in self._stored(at, stretch):
                    yield piece
                    at += len(piece)
            elif at < ready:
                piece = self._piece(at, min(end, ready) - at)
                yield piece
                at += len(piece)
            elif self.error is not None:
                raise self.error.with_traceback(None)
            else:
                await self.changed()

    async def _stored(self, start: int, length: int) -> AsyncIterator[bytes]:
        """Bytes that are sealed. Whoever reads along has announced it."""
        for extent, offset, size in bodies.overlaps(self.extents, start, length):
            body = await self.store.blobs.open(extent.blob, offset, size)
            try:
                left = size
                while left > 0:
                    piece = await body.read(min(left, self.store.outgoing.slice()))
                    if not piece:
                        raise BlobMissing(extent.blob.hex(), "truncated")
                    left -= len(piece)
                    yield piece
            finally:
                body.close()

    def _piece(self, at: int, limit: int) -> bytes:
        index = bisect_right(self._starts, at) - 1
        piece, skip = self._pieces[index], at - self._starts[index]
        limit = min(limit, self.store.outgoing.slice())
        return piece if not skip and len(piece) <= limit else piece[skip : skip + limit]
