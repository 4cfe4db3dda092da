"""Picking one entry of a batch: an object, a file in an archive, or a range of either, as a size
and a stream of that many bytes. Where the bytes go, and under which name, is the caller's matter.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Final, NamedTuple

from aisle.core.errors import RangeNotSatisfiable
from aisle.core.names import encode_key
from aisle.namespace import objects, reads
from aisle.namespace.archives import reading
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.windows import PART, READ

TO_END: Final = -1
_SECOND: Final = 1_000_000_000


class Entry(NamedTuple):
    """What is asked for: `member` is a file in the archive that the object is, `""` the object
    itself; `length` bytes from `start`, `TO_END` for all that there are."""

    bucket: BucketRow
    key: str
    member: str = ""
    start: int = 0
    length: int = TO_END


class Picked(NamedTuple):
    size: int
    mtime: int  # seconds since the epoch
    data: AsyncIterator[bytes]


async def pick(store: Store, entry: Entry) -> Picked:
    """Raises `ObjectNotFound`, `MemberNotFound`, `ArchiveError`, and `RangeNotSatisfiable` where
    there are not as many bytes as asked for."""
    key = encode_key(entry.key)
    whole = not entry.start and entry.length == TO_END
    if entry.member:
        archive = await reading.open_archive(store, entry.bucket, key)
        found = await reading.find_member(archive, entry.member)
        length = _length(entry, found.member.size)
        # One that is wanted whole is read to its end, where what is wrong with it would be told.
        data = found.data if whole else _cut(found.data, entry.start, length)
        return Picked(length, archive.record.mtime // _SECOND, data)
    held, small = await objects.find_small(store, entry.bucket, key, READ if whole else PART)
    record = held.record
    length = _length(entry, record.size)
    if whole:
        body = await reads.whole(store, entry.bucket, entry.key, held, small)
    else:
        body = await reads.part(store, held, small, entry.start, length)
    data = _one(body) if isinstance(body, bytes) else body
    return Picked(length, record.mtime // _SECOND, data)


def _length(entry: Entry, size: int) -> int:
    """How many of `size` bytes are meant. Raises `RangeNotSatisfiable`."""
    left = size - entry.start
    if left < 0 or entry.length > left:
        last = "" if entry.length == TO_END else entry.start + entry.length - 1
        raise RangeNotSatisfiable(f"bytes={entry.start}-{last}", size)
    return left if entry.length == TO_END else entry.length


async def _one(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def _cut(data: AsyncIterator[bytes], start: int, length: int) -> AsyncIterator[bytes]:
    """The `length` bytes of a stream from `start`; what follows is not read."""
    async with aclosing(data):  # type: ignore[type-var]
        async for piece in data:
            part = piece[start : start + length]
            start = max(0, start - len(piece))
            length -= len(part)
            if part:
                yield part
            if not length:
                return
