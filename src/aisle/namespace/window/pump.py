"""From a remote body to disk: chunk after chunk, hashed on the way, whoever reads along.

What comes is in memory until its chunk is sealed, so that readers have it at once: at most one
chunk that is being sealed and one that is being written, however fast the remote is. Each sealed
chunk of an object that has more than one is told in table `chunk`, for other processes and for
whoever takes over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from aisle.core.errors import StoreError
from aisle.namespace.records import Extent, encode, timed_id
from aisle.namespace.window.claims import Held
from aisle.namespace.window.source import Source
from aisle.namespace.window.steady import Steady
from aisle.namespace.window.sums import Sums
from aisle.store.base import BlobWriter, Put

CHUNK: Final = 8 << 20
# The first chunks of an object in several are smaller, so that others have its first bytes soon.
FIRST: Final = 1 << 20
AHEAD: Final = CHUNK
SLICE: Final = 1 << 20
# What one download by one request may have in memory.
MOST: Final = CHUNK + AHEAD + SLICE


async def small(source: Source, body: Steady, sums: Sums) -> bytes:
    """Take in a body that becomes a row: all its bytes."""
    while piece := await body.read():
        source.come(piece)
    data = b"".join(source.unsealed(0, source.position)) if source.position else b""
    await sums.update(data)
    source.extents = [Extent(timed_id(), 0, len(data), True)] if data else []
    return data


async def large(source: Source, held: Held, body: Steady, sums: Sums, end: int) -> None:
    """Take in a body up to `end`, behind what is sealed already. Raises what the remote and the
    engines raise."""
    source.hashed_up_to(edge := source.sealed)
    tasks = [
        asyncio.create_task(work) for work in (_write(source, held, end), _hash(source, sums, end))
    ]
    try:
        while source.position < end and not _failed(tasks) and (piece := await body.read()):
            edge = _split(source, piece[: end - source.position], edge, end)
            while source.held >= CHUNK + AHEAD and not _failed(tasks):
                await source.changed()
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _failed(tasks: Sequence[asyncio.Task[None]]) -> bool:
    return any(task.done() and task.exception() is not None for task in tasks)


def _split(source: Source, piece: bytes, edge: int, end: int) -> int:
    """Pass a piece on, such that none lies in two chunks; `edge` is where one ends, and another one
    what is returned."""
    while piece:
        if edge <= source.position:
            edge += _length(source, edge, end)
        room = edge - source.position
        source.come(piece[:room])
        piece = piece[room:]
    return edge


def _length(source: Source, start: int, end: int) -> int:
    """The size of the chunk that begins at `start`."""
    assert source.about is not None
    if source.about.size <= CHUNK:
        return end - start
    return min(end - start, CHUNK, max(start, FIRST))


async def _hash(source: Source, sums: Sums, end: int) -> None:
    """Hash what comes, beside the writing: neither has to wait for the other."""
    try:
        while source.hashed < end:
            wanted = min(SLICE, end - source.hashed)
            while source.position - source.hashed < wanted:
                await source.changed()
            pieces = source.unsealed(source.hashed, wanted)
            await sums.update(*pieces)
            source.hashed_up_to(source.hashed + sum(map(len, pieces)))
    finally:
        source.tell()  # whoever brings more waits for what may not happen any more


async def _write(source: Source, held: Held, end: int) -> None:
    """Write chunk after chunk as they come; one is sealed while the next is written."""
    sealing: asyncio.Task[None] | None = None
    at = source.sealed
    try:
        while at < end:
            length = _length(source, at, end)
            writer = await _chunk(source, held, at, length)
            if sealing is not None:
                await _or_abort(writer, sealing)
            sealing = asyncio.create_task(_seal(source, held, writer, length))
            at += length
        if sealing is not None:
            await sealing
    finally:
        if sealing is not None:
            await asyncio.gather(sealing, return_exceptions=True)
        source.tell()  # whoever brings more waits for what may not happen any more


async def _chunk(source: Source, held: Held, start: int, length: int) -> BlobWriter:
    """Write the next chunk as it comes."""
    writer, at = await source.store.blobs.create(held.row_key, size_hint=length), start
    try:
        while at < start + length:
            wanted = min(SLICE, start + length - at)
            while source.position - at < wanted:
                await source.changed()
            data = b"".join(source.unsealed(at, wanted))
            await writer.write(data)
            at += len(data)
    except BaseException:
        await writer.abort()
        raise
    return writer


async def _or_abort(writer: BlobWriter, sealing: asyncio.Task[None]) -> None:
    """Wait until the chunk before is sealed: without it this one is of no use."""
    try:
        await sealing
    except BaseException:
        await writer.abort()
        raise


async def _seal(source: Source, held: Held, writer: BlobWriter, length: int) -> None:
    try:
        extent = Extent(await writer.seal(), 0, length)
    except BaseException:
        await writer.abort()
        raise
    await tell_chunk(source, held, len(source.extents), extent)
    source.sealed_up_to([extent])


async def tell_chunk(source: Source, held: Held, number: int, extent: Extent) -> None:
    """Tell others of a chunk, if there are more than one. One that cannot be told is given up."""
    about = source.about
    if about is None or about.size <= CHUNK:
        return
    try:
        await source.store.index.commit(Put("chunk", chunk_key(held.id, number), encode(extent)))
    except StoreError:
        with suppress(StoreError):
            await source.store.blobs.delete(extent.blob)
        raise


def chunk_key(holder: bytes, number: int) -> bytes:
    return holder + number.to_bytes(4, "big")
