"""The epoch of a `PostgresIndex`: a number that moves when watched rows may have changed.

Every commit that changes such rows writes a new random token beside them. Each process reads the
token a few times a second, and counts how often it was another one. The count is handed out only
while the reading that confirmed it began at most `LAG` ago: if readings fail, are slow, or the
process was stopped, every number is a new one, so that nothing is taken from a cache.

A token rather than a number: after a failover to a server that lacks the last commits, a number
might come again with other rows beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from time import monotonic
from typing import Final

from aisle.core.errors import StoreError

LAG: Final = 1.0
_INTERVAL: Final = 0.25


class Epoch:
    """See the module. `follow` is to be run as a task."""

    def __init__(self) -> None:
        self._unique: Final = count(1)
        self._token = b""
        self._number = 0
        self._forgotten = -LAG
        self._confirmed = -LAG

    def read(self) -> int:
        """A number that equals an earlier one only if nothing has changed up to `LAG` ago."""
        if monotonic() - self._confirmed < LAG:
            return self._number
        return -next(self._unique)

    def observe(self, token: bytes, began: float) -> None:
        """The token was this at some time after `began`."""
        if token != self._token:
            self._token = token
            self._number += 1
        if began >= self._forgotten:
            self._confirmed = max(self._confirmed, began)

    def forget(self) -> None:
        """Watched rows may have changed: nothing is confirmed before the next reading."""
        self._token = b""
        self._confirmed = -LAG
        self._forgotten = monotonic()

    async def follow(self, read_token: Callable[[], Awaitable[bytes]]) -> None:
        """Read the token again and again."""
        while True:
            began = monotonic()
            with suppress(StoreError):  # then nothing is confirmed, which is what it takes
                self.observe(await read_token(), began)
            await asyncio.sleep(_INTERVAL)
