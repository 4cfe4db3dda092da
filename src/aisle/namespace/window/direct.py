"""Bytes straight from the remote to whoever asked, with nothing kept: ranges of what is not in the
cluster, and everything while the cluster cannot keep it.

They are of the version that was spoken of, or none come. A whole object is held to the remote's
checksums on its way, and its last bytes are given only if all of it was right.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from aisle.backend.base import Backend
from aisle.core.ranges import Span
from aisle.namespace.store import Store
from aisle.namespace.window import steady
from aisle.namespace.window.copies import Ticket
from aisle.namespace.window.source import TAIL
from aisle.namespace.window.sums import Sums


async def pieces(
    store: Store, backend: Backend, ticket: Ticket, start: int, length: int
) -> AsyncIterator[bytes]:
    """A stretch of the version that the ticket is for. Raises `RemoteChanged` and other
    `RemoteError`s."""
    about, span = ticket.about, Span(start, length)
    async with await steady.resume(backend, about.key, about, span) as body:
        sums = Sums(body.about, backend.name, "none") if length == about.size else None
        held, left = b"", length
        while piece := await body.read():
            left -= len(piece)
            if sums is not None:
                await sums.update(piece)
                if not left:
                    piece, held = piece[:-TAIL], piece[-TAIL:]
            for part in _slices(store, piece):
                yield part
        if sums is not None:
            sums.check()
            yield held


def _slices(store: Store, piece: bytes) -> list[bytes]:
    limit = store.outgoing.slice()
    if len(piece) <= limit:
        return [piece] if piece else []
    return [piece[at : at + limit] for at in range(0, len(piece), limit)]
