"""Bodies: bytes on their way in and out, hashed once, never held whole.

In: an `Incoming` body is read, hashed and written slice by slice; a small one ends up inline (to
be committed with its row), a large one in a sealed blob. Nobody can see it yet: whoever called
commits a row that refers to it, or calls `discard`.
Out: extents are read one after the other, in slices as large as the worker's budget allows.

With a key a body is sealed on its way in, after it was hashed: digests and sizes are of the plain
bytes. Extents that come with their key (`sealing.frames.Opened`) are opened on their way out, frame
by frame; without it sealed ones cannot be read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from typing import Final, NamedTuple, Protocol

from aisle.core import checksums
from aisle.core.errors import BlobMissing, BodyCorrupt
from aisle.namespace.records import Extent, timed_id
from aisle.namespace.sealing import frames
from aisle.namespace.sealing.frames import DataKey, Opener, Sealer
from aisle.namespace.store import Store
from aisle.store.base import BlobWriter, Change, Delete, Put

# Bodies up to this size are rows: docs/decisions/002 has the measurement.
INLINE_LIMIT: Final = 64 << 10
# The digest that each of AIStore's checksum types is: a PUT computes it once, whoever asks.
DIGEST_OF: Final[Mapping[str, str]] = {
    "none": "",
    "xxhash": "XXHASH64",
    "xxhash2": "XXHASH64",
    "md5": "MD5",
    "crc32c": "CRC32C",
    "sha256": "SHA256",
    "sha512": "SHA512",
}
# What a row of `garbage` names, after its time.
ROW: Final = b"r"
BLOB: Final = b"b"
# Hashing goes to threads of its own, beside the engine's: it would otherwise queue behind fsync.
_HASHING: Final = ThreadPoolExecutor(max_workers=4, thread_name_prefix="aisle-hash")


class Incoming(Protocol):
    """A request's body as the namespace sees it: decoded bytes, and the client's claims."""

    size: int | None  # bytes announced, if they were

    async def read(self) -> bytes:
        """The next piece, `b""` at the end. Raises `IncompleteBody` and other `AisleError`s."""
        ...

    def verify(self, digests: Mapping[str, bytes], size: int) -> None:
        """Compare with what the client announced; raises `DigestMismatch` and the like.

        Called once, after the end was read and before anything becomes visible.
        """
        ...


class Stored(NamedTuple):
    """A body that is safe on disk, or held in `inline` until its row is committed, sealed if it
    is to be."""

    size: int
    digests: dict[str, bytes]
    extents: list[Extent]
    inline: bytes | None

    def changes(self) -> list[Change]:
        """What to add to the batch that makes the body visible."""
        if self.inline is None or not self.extents:
            return []
        return [Put("body", self.extents[0].blob, self.inline)]


async def ingest(
    store: Store,
    incoming: Incoming,
    *,
    owner: bytes,
    algorithms: Iterable[str],
    key: DataKey | None = None,
) -> Stored:
    """Read a whole body, hashing it by each of `algorithms` (names of `core.checksums`), and
    sealing it with `key`.

    Raises what `incoming` raises and the engine's errors; then nothing is left behind.
    """
    if store.room.full:
        await store.room.admit()
    pieces: list[bytes] = []
    size = 0
    while piece := await incoming.read():
        pieces.append(piece)
        size += len(piece)
        if size > INLINE_LIMIT:
            return await _ingest_large(store, incoming, pieces, size, owner, tuple(algorithms), key)
    data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    return finish_small(data, incoming, algorithms, key)


def finish_small(
    data: bytes,
    incoming: Incoming | None,
    algorithms: Iterable[str],
    key: DataKey | None = None,
) -> Stored:
    """Hash and verify a body that is wholly in memory and small enough to be a row."""
    digests = {name: checksums.ALGORITHMS[name].compute(data) for name in algorithms}
    if incoming is not None:
        incoming.verify(digests, len(data))
    if not data:
        return Stored(0, digests, [], None)
    salt, kept = (b"", data) if key is None else frames.seal(key, data)
    return Stored(len(data), digests, [Extent(timed_id(), 0, len(data), True, seal=salt)], kept)


async def _ingest_large(
    store: Store,
    incoming: Incoming,
    pieces: list[bytes],
    size: int,
    owner: bytes,
    algorithms: tuple[str, ...],
    key: DataKey | None,
) -> Stored:
    hashers = {name: checksums.ALGORITHMS[name].new() for name in algorithms}
    sealer = Sealer(key) if key is not None else None
    writer = await store.blobs.create(owner, size_hint=incoming.size or 0)
    running: asyncio.Task[None] | None = None
    with store.incoming as budget:
        try:
            held = size
            while piece := await incoming.read():
                pieces.append(piece)
                held += len(piece)
                size += len(piece)
                if held >= budget.slice():
                    if running is not None:
                        await running
                    taking = _absorb(writer, hashers, b"".join(pieces), sealer)
                    running = asyncio.create_task(taking)
                    pieces, held = [], 0
            if running is not None:
                await running
                running = None
            await _absorb(writer, hashers, b"".join(pieces), sealer)
            digests = {name: hasher.digest() for name, hasher in hashers.items()}
            incoming.verify(digests, size)
            if sealer is not None:
                await writer.write(sealer.finish())
            blob = await writer.seal()
        except BaseException:
            await _give_up(writer, running)
            raise
    salt = sealer.salt if sealer is not None else b""
    return Stored(size, digests, [Extent(blob, 0, size, seal=salt)], None)


async def _absorb(
    writer: BlobWriter,
    hashers: Mapping[str, checksums.Hasher],
    data: bytes,
    sealer: Sealer | None,
) -> None:
    """Hash in a thread beside the write, which the engine does in one of its own; seal in another
    before it."""
    if not data:
        return
    if not hashers:
        await _write(writer, data, sealer)
        return
    hashing = asyncio.get_running_loop().run_in_executor(_HASHING, _hash, hashers, data)
    try:
        await _write(writer, data, sealer)
    finally:
        await hashing


async def _write(writer: BlobWriter, data: bytes, sealer: Sealer | None) -> None:
    if sealer is not None:
        loop = asyncio.get_running_loop()
        data = await loop.run_in_executor(_HASHING, sealer.update, data)
    if data:
        await writer.write(data)


def _hash(hashers: Mapping[str, checksums.Hasher], data: bytes) -> None:
    for hasher in hashers.values():
        hasher.update(data)


async def _give_up(writer: BlobWriter, running: asyncio.Task[None] | None) -> None:
    if running is not None:
        with suppress(Exception, asyncio.CancelledError):
            await running
    await writer.abort()


async def copy_extents(
    store: Store,
    extents: Sequence[Extent],
    *,
    owner: bytes,
    small: bytes | None = None,
    key: DataKey | None = None,
) -> Stored:
    """Copy bytes inside the store, without hashing them: to a row if small, else to a blob.
    `small` are the bytes themselves, if they have been read. What is sealed, or is to be sealed
    with `key`, passes through memory: no two runs have the same frames."""
    if store.room.full:
        await store.room.admit()
    size = sum(extent.length for extent in extents)
    if size <= INLINE_LIMIT:
        if small is None:
            small = b"".join([piece async for piece in read_extents(store, extents, 0, size)])
        return finish_small(small, None, (), key)
    if key is not None or any(extent.seal for extent in extents):
        # What is decrypted is never what is stored: it is sealed again, or its bytes are checked.
        stretch = Stretch(store, extents, 0, size)
        return await _ingest_large(store, stretch, [], 0, owner, (), key)
    writer = await store.blobs.create(owner, size_hint=size)
    try:
        with store.reading():
            for extent in extents:
                if extent.inline:
                    await writer.write(await _inline(store, extent))
                elif extent.cold:
                    async for piece in read_extents(store, [extent], 0, extent.length):
                        await writer.write(piece)
                else:
                    await writer.copy(extent.blob, extent.offset, extent.length)
        blob = await writer.seal()
    except BaseException:
        await writer.abort()
        raise
    return Stored(size, {}, [Extent(blob, 0, size)], None)


class Stretch:
    """A stretch of stored bytes as an `Incoming`, for copies whose digest has to be computed.
    `small` are all bytes of the source, if they have been read."""

    def __init__(
        self,
        store: Store,
        extents: Sequence[Extent],
        start: int,
        length: int,
        *,
        small: bytes | None = None,
    ) -> None:
        self.size: int | None = length
        self._small = None if small is None else small[start : start + length]
        self._pieces = read_extents(store, extents, start, length)

    async def read(self) -> bytes:
        if self._small is None:
            return await anext(self._pieces, b"")
        piece, self._small = self._small, b""
        return piece

    def verify(self, digests: Mapping[str, bytes], size: int) -> None:
        if size != self.size:
            raise BlobMissing("source of a copy", "truncated")


async def read_extents(
    store: Store, extents: Sequence[Extent], start: int, length: int
) -> AsyncIterator[bytes]:
    """Yield `length` bytes from `start` of what `extents` make up, in order.

    Raises `BlobMissing` when bytes are not there (`SealBroken` when they are not what was sealed)
    and `CustomerKeyNeeded` without a key to sealed ones; what was yielded before is right.
    """
    key = frames.key_of(extents)
    with store.reading(), store.outgoing as budget:
        for extent, offset, size in overlaps(extents, start, length):
            if extent.inline:
                data = await _inline(store, extent)
                if extent.seal:
                    data = frames.open_whole(key, extent, data)
                yield data[offset : offset + size]
                continue
            if extent.seal:
                opener = Opener(key, extent, offset, size)
                body = await store.blobs.open(extent.blob, *opener.range)
                try:
                    left = opener.range.length
                    while left > 0:
                        piece = await body.read(min(left, opener.slice(budget.slice())))
                        if not piece:
                            raise BlobMissing(extent.blob.hex(), "truncated")
                        left -= len(piece)
                        # On the loop: a slice takes less than a thread takes to begin it.
                        if plain := opener.open(piece, ended=not left):
                            yield plain
                finally:
                    body.close()
                continue
            if extent.cold:
                assert store.window is not None  # it has named the extent
                async with aclosing(store.window.read(store, extent, offset, size)) as pieces:  # type: ignore[type-var]
                    async for piece in pieces:
                        yield piece
                continue
            body = await store.blobs.open(extent.blob, offset, size)
            try:
                left = size
                while left > 0:
                    piece = await body.read(min(left, budget.slice()))
                    if not piece:
                        raise BlobMissing(extent.blob.hex(), "truncated")
                    left -= len(piece)
                    yield piece
            finally:
                body.close()


def digest_small(data: bytes, algorithm: str) -> bytes:
    """The digest of bytes that are in memory, few enough to be hashed at once."""
    return checksums.ALGORITHMS[algorithm].compute(data)


async def digest_of(
    store: Store, extents: Sequence[Extent], start: int, length: int, algorithm: str
) -> bytes:
    """The digest of a stretch of stored bytes."""
    hashers = {algorithm: checksums.ALGORITHMS[algorithm].new()}
    async for piece in read_extents(store, extents, start, length):
        await _hash_aside(hashers, piece)
    return hashers[algorithm].digest()


async def verified(
    pieces: AsyncIterator[bytes], algorithm: str, expected: bytes, corrupt: BodyCorrupt
) -> AsyncIterator[bytes]:
    """`pieces`, the last of which is given only if all of them have the expected digest.

    Raises `corrupt` if they have not: whoever reads them has got less than was announced then.
    """
    hashers = {algorithm: checksums.ALGORITHMS[algorithm].new()}
    held = b""
    try:
        async for piece in pieces:
            await _hash_aside(hashers, piece)
            if held:
                yield held
            held = piece
        if hashers[algorithm].digest() != expected:
            raise corrupt
        if held:
            yield held
    finally:
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()


async def _hash_aside(hashers: Mapping[str, checksums.Hasher], data: bytes) -> None:
    await asyncio.get_running_loop().run_in_executor(_HASHING, _hash, hashers, data)


def overlaps(
    extents: Sequence[Extent], start: int, length: int
) -> Iterable[tuple[Extent, int, int]]:
    """The extents that hold the range, with the offset inside the blob and the bytes of each."""
    position, end = 0, start + length
    for extent in extents:
        if position >= end:
            break
        first = max(start, position)
        last = min(end, position + extent.length)
        if first < last:
            yield extent, extent.offset + first - position, last - first
        position += extent.length


async def _inline(store: Store, extent: Extent) -> bytes:
    data = await store.index.get("body", extent.blob)
    if data is None or len(data) < extent.offset + extent.length:
        raise BlobMissing(extent.blob.hex())
    return data


def release(extents: Sequence[Extent], now: int) -> list[Change]:
    """The changes that give up bytes once no row refers to them.

    A body that is one row goes at once: a reader fetches it right after the object's row and
    looks again if it is gone. Everything else waits in `garbage` for running reads to end.
    """
    if len(extents) == 1 and extents[0].inline:
        return [Delete("body", extents[0].blob)]
    stamp = now.to_bytes(8, "big")
    return [
        Put("garbage", stamp + (ROW if e.inline else BLOB) + e.blob, e.length.to_bytes(8, "big"))
        for e in extents
    ]


async def discard(store: Store, stored: Stored) -> None:
    """Drop the bytes of a body whose row was certainly not committed."""
    for extent in stored.extents:
        if not extent.inline:
            await store.blobs.delete(extent.blob)
