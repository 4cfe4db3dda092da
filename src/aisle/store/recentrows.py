"""Rows that one process has read lately, each good for as long as nobody writes it.

A read of SQLite gives the interpreter lock away and has to win it back, twice for a small object,
which costs more than the read. Here a row is a look into a dict. It is kept with the mark that it
had in the shared `Epoch` before it was read, and is taken for what it is only while it has that
mark, which every commit of the row changes in all processes.

What is kept is bounded by its bytes; what came first goes first. One thread uses it.
"""

from __future__ import annotations

from aisle.store.epoch import Epoch

# What a row costs beside its bytes, about: two objects, a tuple and its place in the dict.
BESIDE = 250


class RecentRows:
    """The rows of one table, up to `limit` bytes of them."""

    __slots__ = ("_epoch", "_limit", "_rows", "_size")

    def __init__(self, epoch: Epoch, limit: int) -> None:
        self._epoch = epoch
        self._limit = limit
        self._rows: dict[bytes, tuple[int, bytes]] = {}
        self._size = 0

    def get(self, key: bytes) -> tuple[int, bytes | None]:
        """The row's mark now, and the row if it is known still; else it has to be read, and then
        `keep` may be told of it with that mark."""
        mark = self._epoch.mark(key)
        held = self._rows.get(key)
        if held is not None and held[0] == mark:
            return held
        return mark, None

    def keep(self, key: bytes, mark: int, value: bytes) -> None:
        """Remember what was read after the row had `mark`."""
        if mark % 2:
            return  # it was being written
        before = self._rows.pop(key, None)
        if before is not None:
            self._size -= len(key) + len(before[1]) + BESIDE
        self._rows[key] = mark, value
        self._size += len(key) + len(value) + BESIDE
        while self._size > self._limit:
            first = next(iter(self._rows))
            self._size -= len(first) + len(self._rows.pop(first)[1]) + BESIDE
