"""A large body that outlives the connection it comes over.

When the connection is lost, the source is asked for the same object again, from where the body
broke off. The bytes before are kept and stay hashed. If the object is another one by then, the body
is void, and the whole of it comes again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from aisle.namespace.transfer.frames import StreamCut, StreamDamaged
from aisle.namespace.transfer.items import ItemBody, ItemReader, ObjectItem, PartItem, Voided
from aisle.namespace.transfer.source import Patience, SourceLost

# The rest of the body from an offset on; None if it is another's by now.
Reopen = Callable[[int], Awaitable[ItemBody | None]]


class SteadyBody(ItemBody):
    """See the module."""

    def __init__(self, body: ItemBody, size: int, reopen: Reopen, patience: Patience) -> None:
        self._body = body
        self._size = size
        self._reopen = reopen
        self._patience = patience
        self._passed = 0
        self._replaced = False

    @property
    def comes_again(self) -> bool:
        return self._replaced or self._body.comes_again

    async def read(self, size: int) -> bytes:
        while self._passed < self._size:
            try:
                piece = await self._body.read(size)
            except (SourceLost, StreamCut, StreamDamaged) as error:
                await self._take_up(error)
                continue
            self._passed += len(piece)
            self._patience.restore()
            return piece
        return b""

    async def _take_up(self, error: SourceLost | StreamCut | StreamDamaged) -> None:
        while True:
            await self._patience.wait(error)
            try:
                body = await self._reopen(self._passed)
            except (SourceLost, StreamCut, StreamDamaged) as again:
                error = again
                continue
            if body is None:
                self._replaced = True
                raise Voided("")
            self._body = body
            return


async def taken_up(
    reader: ItemReader, stack: AsyncExitStack, item: ObjectItem | PartItem, offset: int
) -> ItemBody | None:
    """The body of the same item in a stream that begins in its middle. `stack` has the stream."""
    await reader.begin()
    items = reader.items()
    stack.push_async_callback(items.aclose)
    async for found in items:
        if isinstance(found, ObjectItem | PartItem):
            same = found.record == item.record
            return found.body if same and found.body.missing == item.record.size - offset else None
    return None
