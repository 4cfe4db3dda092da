"""A gate in front of a remote in memory: what a test holds there goes on when it says so."""

from __future__ import annotations

import asyncio
from typing import Self

from tests.backend.memory import MemoryRemote


class Gate:
    """Holds what comes until it is opened; `reached` tells that something has come."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self._open = asyncio.Event()

    @classmethod
    def of_requests(cls, remote: MemoryRemote) -> Self:
        """In front of every request."""
        gate = cls()

        async def before(method: str, key: str) -> None:
            await gate._hold()

        remote.before = before
        return gate

    @classmethod
    def of_bodies(cls, remote: MemoryRemote, place: int) -> Self:
        """In every body, from a place on."""
        gate = cls()

        async def reading(key: str, at: int) -> None:
            if at >= place:
                await gate._hold()

        remote.reading = reading
        return gate

    def open(self) -> None:
        self._open.set()

    async def _hold(self) -> None:
        self.reached.set()
        await self._open.wait()
