"""The store's one clock, as this process follows it.

Machines' clocks differ, and jump. What is compared between processes (the age of garbage, the
start of a read, the date of a signed request) is therefore told by one clock, the Index's; in
between it goes on by this machine's steady clock, which nobody sets.
"""

from __future__ import annotations

import time
from typing import Final

from aisle.store.base import Index

# A reply that took longer tells too little of what the time was.
_SLOWEST: Final = 2_000_000_000


class Clock:
    """Nanoseconds since 1970: call it. Right from the first `follow` on."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._offset = time.time_ns() - time.monotonic_ns()

    def __call__(self) -> int:
        return time.monotonic_ns() + self._offset

    async def follow(self) -> None:
        """Ask the Index for the time. Raises `StoreError`."""
        asked = time.monotonic_ns()
        there = await self._index.time()
        heard = time.monotonic_ns()
        if heard - asked < _SLOWEST:
            self._offset = there - (asked + heard) // 2
