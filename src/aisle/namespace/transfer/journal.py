"""What an online pull has written, so that it never takes a client's write for its own.

| table    | key                                                | value                          |
|----------|----------------------------------------------------|--------------------------------|
| `pulled` | id of the source (16) + letter of the table + row key | xxh3-128 of the row written |

The entry of a version goes by its key in `version`, be it there or in `object`; that of an
annotation as `notes` says.

A row of `object`, `version`, `part`, `upload` or `bucket` is the pull's as long as it is byte for
byte the row whose digest stands here. A row without an entry, or another than the entry's, is a
client's; so is the absence of a row that has an entry. An entry is committed with the row it is
for.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from awscrt.checksums import XXHash

from aisle.core.errors import RowChanged
from aisle.namespace.store import Store
from aisle.store.base import ABSENT, Change, Check, Delete, Put, Row

TABLE: Final = "pulled"
_LETTERS: Final = {
    "bucket": b"b",
    "object": b"o",
    "version": b"v",
    "upload": b"u",
    "part": b"p",
    "annotation": b"a",
}
_STEP: Final = 500
_TOGETHER: Final = 100


def digest(row: bytes) -> bytes:
    return bytes(XXHash.compute_xxhash3_128(row))


class Journal:
    """The entries of one source (32 hex digits)."""

    def __init__(self, store: Store, source: str) -> None:
        self._store = store
        self.source = source
        self._source = bytes.fromhex(source)

    def key(self, table: str, row_key: bytes) -> bytes:
        return self._source + _LETTERS[table] + row_key

    async def get(self, table: str, row_key: bytes) -> bytes | None:
        return await self._store.index.get(TABLE, self.key(table, row_key))

    async def get_many(self, table: str, row_keys: Sequence[bytes]) -> list[bytes | None]:
        return await self._store.index.get_many(TABLE, [self.key(table, k) for k in row_keys])

    async def scan(self, table: str, prefix: bytes, after: bytes) -> list[Row]:
        """Row keys and digests of entries, in order, above the row key `after`."""
        start = self.key(table, b"")
        rows = await self._store.index.scan(
            TABLE, prefix=start + prefix, after=start + after if after else b"", limit=_STEP
        )
        return [(key[len(start) :], value) for key, value in rows]

    def record(self, table: str, row_key: bytes, old: bytes | None, row: bytes) -> list[Change]:
        """The changes that enter a row, to be committed with it; `old` is the entry so far."""
        key = self.key(table, row_key)
        return [
            Check(TABLE, key, ABSENT if old is None else old),
            Put(TABLE, key, digest(row)),
        ]

    def forget(self, table: str, row_key: bytes) -> Delete:
        return Delete(TABLE, self.key(table, row_key))

    async def adopt(self, rows: Sequence[tuple[str, bytes, bytes]]) -> None:
        """Enter rows (table, key, value) that are the source's already, unless they change."""
        for start in range(0, len(rows), _TOGETHER):
            some = rows[start : start + _TOGETHER]
            try:
                await self._adopt(some)
            except RowChanged:
                for row in some:  # all but the one that has changed
                    with suppress(RowChanged):
                        await self._adopt([row])

    async def _adopt(self, rows: Sequence[tuple[str, bytes, bytes]]) -> None:
        changes: list[Change] = []
        for table, row_key, row in rows:
            changes.append(Check(table, row_key, row))
            changes += self.record(table, row_key, None, row)
        await self._store.index.commit(*changes)

    async def adopt_as(
        self, entry: tuple[str, bytes], there: tuple[str, bytes, bytes], row: bytes | None = None
    ) -> None:
        """Enter one row under another table's key, unless it changes; or what stands for it."""
        changes = self.record(*entry, None, there[2] if row is None else row)
        with suppress(RowChanged):
            await self._store.index.commit(Check(*there), *changes)

    async def clear(self) -> int:
        """Drop every entry of the source; returns how many there were."""
        count = 0
        while rows := await self._store.index.scan(TABLE, prefix=self._source, limit=_STEP):
            await self._store.index.commit(*(Delete(TABLE, key) for key, _ in rows))
            count += len(rows)
        return count
