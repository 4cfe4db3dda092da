"""Numbers that the worker processes of one node share: they move when rows may have changed.

One guards caches of rows that every request needs (buckets, settings) and that hardly ever change;
the others, the marks, guard single rows (`recentrows`), each of which has one of them by its key.
Asking SQLite instead costs a statement a request, and beside a busy commit thread every statement
gives the interpreter lock away and has to win it back (docs/decisions/002).

Each is a sequence lock: odd while a commit of such rows is under way. A reader that finds it odd
caches nothing and takes nothing from a cache; a writer that is killed leaves it odd, which is slow
and never wrong, and the next writer makes it even again.
The memory is anonymous: made before the fork, it is shared by the workers and by nobody else.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from itertools import count
from typing import Final
from zlib import crc32

# A write to one row makes others forgotten that have its mark: these are few rows in so many.
MARKS: Final = 1 << 16


class Epoch:
    """See the module. What begins and ends does so under the lock of the writers."""

    def __init__(self) -> None:
        shared = memoryview(mmap.mmap(-1, mmap.PAGESIZE + 8 * MARKS))
        self._cell: Final = shared[: mmap.PAGESIZE].cast("Q")
        self._marks: Final = shared[mmap.PAGESIZE :].cast("Q")
        self._unique: Final = count(1)

    def read(self) -> int:
        """A number that equals an earlier one only if nothing has changed since."""
        value = self._cell[0]
        return value if value % 2 == 0 else -next(self._unique)

    def begin(self) -> None:
        """Watched rows are about to change."""
        value = self._cell[0]
        self._cell[0] = value + (1 if value % 2 == 0 else 2)

    def end(self) -> None:
        """They have changed, or not: the commit is over."""
        self._cell[0] += 1

    @staticmethod
    def place(key: bytes) -> int:
        """Where the mark of the rows with this key is."""
        return crc32(key) % MARKS

    def mark(self, key: bytes) -> int:
        """A number that equals an earlier even one only if no row of this key was written since;
        odd while one may be."""
        return self._marks[crc32(key) % MARKS]

    def begin_rows(self, places: Iterable[int]) -> None:
        """The rows at these places are about to change."""
        marks = self._marks
        for place in places:
            value = marks[place]
            marks[place] = value + (1 if value % 2 == 0 else 2)

    def end_rows(self, places: Iterable[int]) -> None:
        """They have changed, or not."""
        marks = self._marks
        for place in places:
            marks[place] += 1
