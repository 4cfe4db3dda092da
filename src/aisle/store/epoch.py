"""A number that the worker processes of one node share: it moves when shared rows may have changed.

It guards caches of rows that every request needs (buckets, settings) and that hardly ever change.
Asking SQLite instead costs a statement a request, and beside a busy commit thread every statement
gives the interpreter lock away and has to win it back (docs/decisions/002).

A sequence lock: odd while a commit of such rows is under way. A reader that finds it odd gets a
number that equals no other, so that nothing is cached or taken from a cache; a writer that is
killed leaves it odd, which is slow and never wrong, and the next writer makes it even again.
The memory is anonymous: made before the fork, it is shared by the workers and by nobody else.
"""

from __future__ import annotations

import mmap
from itertools import count
from typing import Final


class Epoch:
    """See the module. `begin` and `end` are called under the lock of the writers."""

    def __init__(self) -> None:
        self._cell: Final = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("Q")
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
