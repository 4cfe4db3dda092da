"""`Stream`: a reply's body on its way, and HTTP failures as `TransportError`s.

Whether the body has as many bytes as its head announced is told by `read`: a short one is
`BrokenReply`, and so is one that stands still for too long.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping

import aiohttp

from aisle.outgoing.request import BrokenReply, NoReply, TransportError, Unreachable


class Stream:
    """See the module. `status` and `headers` are the reply's; `body` is set, and all there is, if
    the reply was read whole already."""

    __slots__ = ("_idle", "_response", "body", "headers", "length", "status")

    def __init__(
        self, response: aiohttp.ClientResponse, idle: float, body: bytes | None = None
    ) -> None:
        self.status: int = response.status
        self.headers: Mapping[str, str] = response.headers
        self.length: int | None = response.content_length  # as announced
        self.body = body
        self._response = response
        self._idle = idle

    async def read(self, size: int = -1) -> bytes:
        """The next piece, of `size` bytes at most, `b""` at the end. Raises `BrokenReply`,
        `NoReply`."""
        if self.body is not None:
            end = len(self.body) if size < 0 else size
            piece, self.body = self.body[:end], self.body[end:]
            return piece
        content = self._response.content
        try:
            piece = content.read_nowait(size)
            if piece:
                return piece
            async with asyncio.timeout(self._idle):
                return await (content.readany() if size < 0 else content.read(size))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            self._response.close()
            if isinstance(error, TimeoutError):
                raise NoReply("no answer in time", sent=True) from None
            raise BrokenReply("the connection was lost", sent=True) from None

    def abandon(self) -> None:
        """Give the connection up, unless all was read: then it went back already. Never raises."""
        self._response.close()

    async def close(self) -> None:
        """The same, for those who await it."""
        self.abandon()


def failure_of(error: BaseException, *, sent: bool) -> TransportError:
    """What went wrong with an exchange, before its reply was there or while it was read whole."""
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return Unreachable(_reason(error))
    if isinstance(error, aiohttp.ClientPayloadError | aiohttp.ClientResponseError):
        return BrokenReply("the reply is broken", sent=sent)
    if isinstance(error, aiohttp.InvalidURL):
        return Unreachable("the address cannot be used")
    return NoReply(_reason(error), sent=sent)


def _reason(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
        return "no secure connection"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "the host's name cannot be found"
    # asyncio writes the address into `strerror`.
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return "the connection was lost"
