"""The port of a pull: a serving node, what is asked of it, and how long to wait for it.

The namespace speaks no HTTP: whoever runs a pull brings a `Source` that does.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

import msgspec

from aisle.core.errors import AisleError
from aisle.namespace.transfer.frames import Read

# Seconds between two attempts: at first, and at most.
_FIRST: Final = 0.05
_SLOWEST: Final = 5.0
_ATTEMPTS: Final = 100


class SourceLost(AisleError):
    """The source cannot be reached, or broke off: trying again may help."""


class Source(Protocol):
    """A node to pull from. Both give a stream of frames; entering and reading raise `SourceLost`,
    and other `AisleError`s if trying again would not help."""

    def heads(self, after: bytes) -> AbstractAsyncContextManager[Read]:
        """A page of rows behind the place that the last page ended with."""
        ...

    def bodies(self, asked: bytes) -> AbstractAsyncContextManager[Read]:
        """The rows and bytes that `Asking` names, as JSON."""
        ...


class AskedUpload(msgspec.Struct, frozen=True):
    """Parts of an upload: its object's key, its id in hex, the parts' numbers."""

    key: str
    id: str
    parts: list[int]


class AskedVersion(msgspec.Struct, frozen=True):
    """A version, by its object's key and its place among the key's versions."""

    key: str
    seq: int


class AskedNote(msgspec.Struct, frozen=True):
    """An annotation, by the key and place of its object and its own name."""

    key: str
    seq: int
    name: str


class Asking(msgspec.Struct, frozen=True):
    """What is asked of one bucket. If it is one thing alone, its body may begin at `offset`."""

    bucket: str
    provider: str
    namespace: str
    objects: list[str] = []
    uploads: list[AskedUpload] = []
    offset: int = 0
    versions: list[AskedVersion] = []
    notes: list[AskedNote] = []


class Patience:
    """Waits longer from one failure to the next. Gives up after so many seconds without a reply,
    or so many replies that all broke off before one item was whole."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.restore()

    def restore(self) -> None:
        """An item has come whole."""
        self._since: float | None = None
        self._attempts = 0
        self._pause = _FIRST

    def heard(self) -> None:
        """A reply has begun."""
        self._since = None

    async def wait(self, error: AisleError) -> None:
        """Wait, or raise `error`."""
        now = time.monotonic()
        if self._since is None:
            self._since = now
        self._attempts += 1
        if now - self._since > self._seconds or self._attempts > _ATTEMPTS:
            raise error
        await asyncio.sleep(self._pause)
        self._pause = min(self._pause * 2, _SLOWEST)
