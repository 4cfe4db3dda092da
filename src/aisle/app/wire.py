"""Bytes between ASGI and the house: request bodies in, responses out.

Facts about HTTP that decided this (docs/decisions/001): an upload cut off by the client arrives
as `http.disconnect`; `send` does not raise when the client of a download has gone; a reply sent
before the body was read closes the connection under a client that is still writing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any, Final

from aisle.api.base import Headers, Response
from aisle.app.stalls import Waiting
from aisle.core.errors import IncompleteBody, RequestTimeout

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# Up to how much of an unread body is taken in, and for how long, so that its client reads the
# reply. Draining part of a larger one would help nobody.
DRAIN_BYTES: Final = 16 << 20
DRAIN_SECONDS: Final = 2.0


class WireBody:
    """The raw body of a request. `length` is its Content-Length, if it has one."""

    __slots__ = ("_ended", "_receive", "_stalled", "_timeout", "count", "length")

    def __init__(self, receive: Receive, length: int | None, timeout: float = 60.0) -> None:
        self._receive = receive
        self._timeout = timeout
        self._stalled = False
        self._ended = length == 0
        self.length = length
        self.count = 0

    @property
    def ended(self) -> bool:
        return self._ended

    async def read(self) -> bytes:
        """The next piece, `b""` at the end. Raises `IncompleteBody`; `RequestTimeout` if nothing
        has come for too long."""
        while not self._ended:
            try:
                with Waiting(self._timeout):
                    message = await self._receive()
            except RequestTimeout:
                self._stalled = True
                raise
            if message["type"] == "http.disconnect":
                self._ended = True
                raise IncompleteBody("the client went away before the end of its body")
            piece: bytes = message.get("body", b"")
            self.count += len(piece)
            if not message.get("more_body", False):
                self._ended = True
                if self.length is not None and self.count != self.length:
                    raise IncompleteBody(f"{self.count} bytes came, {self.length} were announced")
            if piece:
                return piece
        return b""

    async def drain(self) -> None:
        """Take in what is left of the body if that is little enough to be worth it."""
        if self._stalled or (self.length is not None and self.length - self.count > DRAIN_BYTES):
            return
        limit = self.count + DRAIN_BYTES
        with suppress(IncompleteBody, RequestTimeout, TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                while not self._ended and self.count < limit:
                    await self.read()


async def respond(
    response: Response,
    extra: Headers,
    receive: Receive,
    send: Send,
    *,
    head_only: bool,
    patience: float = 300.0,
) -> int:
    """Send a response with `extra` headers; returns how many bytes of body were sent.

    The response is a value, and its headers may be shared: neither is changed. Raises
    `RequestTimeout` if the client takes nothing of a streamed body for `patience` seconds.
    """
    body, length = response.body, response.length
    size = len(body) if isinstance(body, bytes) and length is None else length
    headers = [*response.headers, *extra]
    if response.status not in (204, 304) and size is not None:
        headers.append((b"content-length", str(size).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if not isinstance(body, bytes):
        return await _stream(body, receive, send, patience)
    await send({"type": "http.response.body", "body": b"" if head_only else body})
    return 0 if head_only else len(body)


async def _stream(body: AsyncIterator[bytes], receive: Receive, send: Send, patience: float) -> int:
    """Send a streamed body, and stop reading it when the client is gone."""
    watcher = asyncio.ensure_future(_gone(receive))
    sent = 0
    try:
        async for piece in body:
            if watcher.done():
                return sent
            with Waiting(patience, reads=False):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            sent += len(piece)
        await send({"type": "http.response.body", "body": b""})
    finally:
        watcher.cancel()
        aclose = getattr(body, "aclose", None)
        if aclose is not None:
            await aclose()
    return sent


async def _gone(receive: Receive) -> None:
    """Returns when the client has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        continue
