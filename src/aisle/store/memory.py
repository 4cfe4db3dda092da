"""The reference engines: both ports over plain dicts, for tests and for nothing else.

They state the contract in the fewest lines; the suites and property tests compare every other
engine with them. Nothing is durable, nothing suspends, one event loop at a time.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_left, insort
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from aisle.core.errors import BlobMissing, RowChanged, StoreUnavailable
from aisle.store.base import (
    ABSENT,
    BlobInfo,
    Change,
    Check,
    Delete,
    Fold,
    IndexStats,
    Put,
    Row,
    Space,
)
from aisle.store.rows import bounds, check_limits, check_table, fold_end

_SPACE: Final = 1 << 40


class _Table:
    """A dict beside the sorted list of its keys."""

    __slots__ = ("keys", "values")

    def __init__(self) -> None:
        self.keys: list[bytes] = []
        self.values: dict[bytes, bytes] = {}

    def put(self, key: bytes, value: bytes) -> None:
        if key not in self.values:
            insort(self.keys, key)
        self.values[key] = value

    def delete(self, key: bytes) -> None:
        if self.values.pop(key, None) is not None:
            del self.keys[bisect_left(self.keys, key)]


class MemoryIndex:
    """An `Index` that forgets everything with the process."""

    def __init__(self) -> None:
        self._tables: dict[str, _Table] = {}
        self._epoch = 0

    def _table(self, name: str) -> _Table:
        table = self._tables.get(name)
        if table is None:
            table = self._tables[check_table(name)] = _Table()
        return table

    async def get(self, table: str, key: bytes) -> bytes | None:
        return self._table(table).values.get(key)

    async def get_many(self, table: str, keys: Sequence[bytes]) -> list[bytes | None]:
        values = self._table(table).values
        return [values.get(key) for key in keys]

    async def scan(
        self,
        table: str,
        *,
        prefix: bytes = b"",
        after: bytes = b"",
        limit: int,
        reverse: bool = False,
        fold: Fold | None = None,
    ) -> list[Row]:
        rows = self._table(table)
        low, high = bounds(prefix, after, reverse=reverse)
        first = bisect_left(rows.keys, low)
        last = len(rows.keys) if high is None else bisect_left(rows.keys, high)
        limit = max(limit, 0)
        if fold is not None:
            end, keys = fold_end(fold.delimiter), list[bytes]()
            while first < last and len(keys) < limit:
                key = rows.keys[first]
                keys.append(key)
                at = key.find(fold.delimiter, fold.start)
                first = bisect_left(rows.keys, key + b"\0" if at < 0 else key[:at] + end)
        elif reverse:
            keys = rows.keys[max(first, last - limit) : max(first, last)][::-1]
        else:
            keys = rows.keys[first : min(last, first + limit)]
        return [(key, rows.values[key]) for key in keys]

    async def commit(self, *changes: Change) -> None:
        check_limits(changes)
        tables = [self._table(change.table) for change in changes]
        for table, change in zip(tables, changes, strict=True):
            if isinstance(change, Check):
                expected = None if change.expected is ABSENT else change.expected
                if table.values.get(change.key) != expected:
                    raise RowChanged(change.table, change.key)
        for table, change in zip(tables, changes, strict=True):
            if isinstance(change, Put):
                table.put(change.key, change.value)
            elif isinstance(change, Delete):
                table.delete(change.key)
        self._epoch += 1

    async def drop(self, table: str) -> None:
        self._tables.pop(check_table(table), None)
        self._epoch += 1

    @property
    def lag(self) -> float:
        return 0.0

    async def time(self) -> int:
        return time.time_ns()

    def epoch(self) -> int:
        return self._epoch

    async def stats(self) -> IndexStats:
        used = sum(
            len(key) + len(value)
            for table in self._tables.values()
            for key, value in table.values.items()
        )
        return IndexStats("memory", used)

    async def close(self) -> None:
        self._tables.clear()


@dataclass(slots=True)
class _Blob:
    owner: bytes
    data: bytearray = field(default_factory=bytearray)
    sealed: bool = False
    written: float = field(default_factory=time.time)


class MemoryBlobs:
    """A `Blobs` that forgets everything with the process."""

    def __init__(self) -> None:
        self._blobs: dict[bytes, _Blob] = {}

    def _range(self, blob: bytes, offset: int, length: int) -> bytes:
        found = self._blobs.get(blob)
        if found is None or not found.sealed:
            raise BlobMissing(blob.hex())
        if offset + length > len(found.data):
            raise BlobMissing(blob.hex(), "truncated")
        return bytes(found.data[offset : offset + length])

    async def create(self, owner: bytes, *, size_hint: int = 0) -> _MemoryWriter:
        if len(owner) > 4096:
            raise ValueError(f"an owner of {len(owner)} bytes")
        blob = os.urandom(16)
        self._blobs[blob] = _Blob(owner)
        return _MemoryWriter(self, blob)

    async def open(self, blob: bytes, offset: int, length: int) -> _MemoryBody:
        return _MemoryBody(self._range(blob, offset, length))

    async def delete(self, blob: bytes) -> None:
        self._blobs.pop(blob, None)

    async def scan(self) -> AsyncIterator[BlobInfo]:
        for blob, found in list(self._blobs.items()):
            owner = found.owner if found.sealed else None
            age = max(0.0, time.time() - found.written)
            yield BlobInfo(blob, owner, age, len(found.data))

    async def place(self, blob: bytes) -> str:
        return "memory" if blob in self._blobs else ""

    async def space(self) -> Space:
        used = sum(len(found.data) for found in self._blobs.values())
        return Space(_SPACE, used, _SPACE - used)

    async def close(self) -> None:
        self._blobs.clear()


class _MemoryWriter:
    __slots__ = ("_blob", "_ended", "_store")

    def __init__(self, store: MemoryBlobs, blob: bytes) -> None:
        self._store = store
        self._blob = blob
        self._ended = False

    def _open(self) -> _Blob:
        found = self._store._blobs.get(self._blob)
        if self._ended or found is None:
            raise StoreUnavailable("this blob is no longer being written")
        return found

    async def write(self, chunk: bytes) -> None:
        found = self._open()
        found.data += chunk
        found.written = time.time()

    async def copy(self, blob: bytes, offset: int, length: int) -> None:
        self._open().data += self._store._range(blob, offset, length)

    async def seal(self) -> bytes:
        self._open().sealed = True
        self._ended = True
        return self._blob

    async def abort(self) -> None:
        if not self._ended:
            self._ended = True
            self._store._blobs.pop(self._blob, None)


class _MemoryBody:
    __slots__ = ("_closed", "_data", "_position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0
        self._closed = False

    async def read(self, size: int) -> bytes:
        if self._closed:
            raise StoreUnavailable("this body is closed")
        piece = self._data[self._position : self._position + size]
        self._position += len(piece)
        return piece

    def close(self) -> None:
        self._closed = True
