"""Bytes of one version of a remote object, in order, over as many requests as it takes.

A reply that breaks off is continued by a request for the rest, pinned to the ETag, where the
backend can do that; a few times in a row, and not for ever. What comes is of the version that the
first reply spoke of, or nothing comes.
"""

from __future__ import annotations

import asyncio
import random
from types import TracebackType
from typing import Final

from aisle.backend.base import Backend, RemoteBody, RemoteObject
from aisle.core.errors import (
    RemoteBroken,
    RemoteChanged,
    RemoteObjectNotFound,
    RemoteThrottled,
    RemoteUnavailable,
)
from aisle.core.ranges import Span
from aisle.namespace.window import copies

# Continuations without a byte in between, and of one body at all.
TRIES: Final = 4
MOST: Final = 16
_PAUSE: Final = 0.1
_LONGEST: Final = 10.0
_PASSING: Final = (RemoteBroken, RemoteUnavailable, RemoteThrottled)


class Steady:
    """A stretch of a remote object. `about` is of the whole."""

    def __init__(self, backend: Backend, key: str, body: RemoteBody, span: Span) -> None:
        self.about = body.about
        self._backend = backend
        self._key = key
        self._body: RemoteBody | None = body
        self._at = span.start
        self._end = span.start + span.length
        self._failures = 0
        self._left = MOST

    async def read(self) -> bytes:
        """The next piece, `b""` at the end. Raises `RemoteError`s."""
        while True:
            try:
                body = self._body or await self._again()
                piece = await body.read()
                if not piece and self._at != self._end:
                    raise RemoteBroken(self._backend.name, f'"{self._key}" ended early')
                if len(piece) > self._end - self._at:
                    raise RemoteBroken(self._backend.name, f'"{self._key}" goes on past its end')
            except _PASSING as error:
                await self._failed(error)
                continue
            if piece:
                self._at += len(piece)
                self._failures = 0
            return piece

    async def _again(self) -> RemoteBody:
        span = Span(self._at, self._end - self._at)
        self._body = await _get(self._backend, self._key, span, self.about)
        return self._body

    async def _failed(self, error: RemoteBroken | RemoteUnavailable | RemoteThrottled) -> None:
        await self.close()
        self._failures += 1
        self._left -= 1
        pinned = self._backend.ranges_by_etag and self.about.etag
        if not pinned or self._failures > TRIES or not self._left or self._at >= self._end:
            raise error
        pause = min(_LONGEST, _PAUSE * 2 ** (self._failures - 1)) * random.uniform(0.5, 1)  # noqa: S311
        if isinstance(error, RemoteThrottled):
            pause = min(max(pause, error.retry_after), _LONGEST)
        await asyncio.sleep(pause)

    async def close(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            await body.close()

    async def __aenter__(self) -> Steady:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self.close()


async def begin(backend: Backend, key: str) -> Steady:
    """The whole object as it is now. Raises `RemoteObjectNotFound` and other `RemoteError`s."""
    body = await backend.get(key)
    if body.about.size < 0:
        await body.close()
        raise RemoteBroken(backend.name, f'"{key}" has no size')
    return Steady(backend, key, body, Span(0, body.about.size))


async def resume(backend: Backend, key: str, about: RemoteObject, span: Span) -> Steady:
    """A stretch of the version that `about` is of. Raises `RemoteChanged` if that is gone."""
    return Steady(backend, key, await _get(backend, key, span, about), span)


async def _get(backend: Backend, key: str, span: Span, about: RemoteObject) -> RemoteBody:
    whole = span.start == 0 and span.length == about.size
    pin = about.etag if backend.ranges_by_etag else ""
    try:
        body = await backend.get(key, span=None if whole else span, etag=pin)
    except RemoteObjectNotFound:
        raise RemoteChanged(backend.name, f'"{key}" was deleted while it was read') from None
    if not copies.same(body.about, about):
        await body.close()
        raise RemoteChanged(backend.name, f'"{key}" was replaced while it was read')
    return body
