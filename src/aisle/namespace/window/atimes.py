"""When the objects of windows were last used: what eviction goes by, and clients see as `atime`.

A read notes its object in memory, which costs it next to nothing. `write` puts what was noted into
the table `atime` now and then, in one commit, and never sets a time back. Whoever keeps a copy puts
`came` into the batch that makes its row visible; whoever drops one puts `gone` into that batch. A
note that is written a moment after its copy was dropped leaves a row behind, which `tidy` finds;
the same gives a row to a copy that has none.

A process that dies takes the notes of its last seconds along: its objects look that much older.
Keys are those of the table `object`: bucket id and key.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from aisle.core.errors import RowChanged, StoreError
from aisle.namespace.records import Bucket, decode
from aisle.store.base import ABSENT, Change, Check, Delete, Index, Put

_log: Final = logging.getLogger("aisle.window")

TABLE: Final = "atime"
# Notes are written this often, or when there are many; more than `MOST` are never held.
WRITE_SECONDS: Final = 15.0
MANY: Final = 32_768
MOST: Final = 65_536
STEP: Final = 1000
_TRIES: Final = 3


def gone(row_key: bytes) -> Delete:
    """The change that forgets a copy; it belongs into the batch that drops its row."""
    return Delete(TABLE, row_key)


def packed(when: int) -> bytes:
    return when.to_bytes(8, "big")


def read(row: bytes | None) -> int:
    return int.from_bytes(row, "big") if row is not None else 0


class AccessTimes:
    """The notes of one process."""

    def __init__(self, index: Index, now: Callable[[], int]) -> None:
        self._index = index
        self._now = now
        self._noted: dict[bytes, int] = {}
        self._many = asyncio.Event()

    def note(self, row_key: bytes) -> None:
        """The object has just been used."""
        noted = self._noted
        if row_key not in noted and len(noted) >= MOST:
            del noted[next(iter(noted))]  # writing fails, or does not keep up
        noted[row_key] = self._now()
        if len(noted) == MANY:
            self._many.set()

    def came(self, row_key: bytes) -> Put:
        """The change that says when a copy came; it belongs into the batch with its row."""
        return Put(TABLE, row_key, packed(self._now()))

    def noted(self, row_key: bytes) -> int:
        """When it was used since the last `write`, as far as this process knows; 0 for never."""
        return self._noted.get(row_key, 0)

    async def of(self, row_keys: Sequence[bytes]) -> list[int]:
        """When each object was last used, or came, in ns; 0 for what has no copy."""
        rows = await self._index.get_many(TABLE, row_keys)
        return [
            max(read(row), self.noted(key)) if row is not None else 0
            for key, row in zip(row_keys, rows, strict=True)
        ]

    async def follow(self) -> None:
        """Write now and then, for ever."""
        while True:
            try:
                async with asyncio.timeout(WRITE_SECONDS):
                    await self._many.wait()
            except TimeoutError:
                pass
            self._many.clear()
            try:
                await self.write()
            except StoreError as error:
                _log.warning("when objects were last used cannot be written: %s", error)
                await asyncio.sleep(WRITE_SECONDS)

    async def write(self) -> None:
        """Keep what was noted since the last time."""
        while self._noted:
            some = list(self._noted.items())[:STEP]
            await self._write(dict(some))
            for key, when in some:
                if self._noted.get(key) == when:
                    del self._noted[key]

    async def _write(self, noted: dict[bytes, int]) -> None:
        keys = list(noted)
        for _ in range(_TRIES):
            rows = await self._index.get_many(TABLE, keys)
            present = await self._index.get_many("object", keys)
            changes: list[Change] = []
            for key, row, held in zip(keys, rows, present, strict=True):
                if held is not None and read(row) < noted[key]:
                    changes += [
                        Check(TABLE, key, ABSENT if row is None else row),
                        Put(TABLE, key, packed(noted[key])),
                    ]
            try:
                if changes:
                    await self._index.commit(*changes)
            except RowChanged:
                continue  # somebody else has used, dropped or brought one of them
            return


async def tidy(index: Index, now: int) -> int:
    """Drop the times of copies that are gone, and give one to every copy without; the number of
    rows that were wrong."""
    count, windows = 0, set[bytes]()
    for _, raw in await index.scan("bucket", limit=1_000_000):
        bucket = decode(Bucket, raw)
        if bucket.behind is not None:
            windows.add(bucket.id)
    after = b""
    while rows := await index.scan(TABLE, after=after, limit=STEP):
        after = rows[-1][0]
        held = await index.get_many("object", [key for key, _ in rows])
        lost = [
            (key, raw)
            for (key, raw), row in zip(rows, held, strict=True)
            if row is None or key[:8] not in windows
        ]
        dropped: list[list[Change]] = [[Check(TABLE, k, r), Delete(TABLE, k)] for k, r in lost]
        count += await commit(index, dropped)
    for bucket_id in sorted(windows):
        after = b""
        while rows := await index.scan("object", prefix=bucket_id, after=after, limit=STEP):
            after = rows[-1][0]
            told = await index.get_many(TABLE, [key for key, _ in rows])
            lacking: list[list[Change]] = [
                [Check(TABLE, key, ABSENT), Check("object", key, raw), Put(TABLE, key, packed(now))]
                for (key, raw), row in zip(rows, told, strict=True)
                if row is None
            ]
            count += await commit(index, lacking)
    return count


async def commit(index: Index, groups: Sequence[Sequence[Change]]) -> int:
    """All groups in one batch; if something has changed meanwhile, the next round looks again."""
    try:
        if groups:
            await index.commit(*(change for group in groups for change in group))
    except RowChanged:
        return 0
    return len(groups)
