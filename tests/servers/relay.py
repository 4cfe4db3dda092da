"""A TCP relay in front of a server: counts what passes, and can lose a reply.

It runs inside the event loop of the test. Bytes go through unchanged, so signatures hold.
"""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType

PIECE = 64 << 10


class Relay:
    """`async with Relay(port) as relay`: connections to `relay.port` are passed on."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self.sent = 0  # bytes from clients to the server
        self.received = 0  # bytes from the server to clients
        self.lose = b""  # the first reply to a request that has these bytes is not passed on
        self.lost = 0
        self._target = target
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Relay:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Break every connection."""
        for task in self._tasks:
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        onward: asyncio.StreamWriter | None = None
        try:
            replies, onward = await asyncio.open_connection("127.0.0.1", self._target)
            seen = asyncio.Event()
            async with asyncio.TaskGroup() as both:
                both.create_task(self._requests(reader, onward, seen))
                both.create_task(self._replies(replies, writer, seen))
        except* (OSError, asyncio.CancelledError, ConnectionAbortedError):
            pass
        finally:
            self._tasks.discard(task)
            for end in (writer, onward):
                if end is not None:
                    end.transport.abort()

    async def _requests(
        self, reader: asyncio.StreamReader, onward: asyncio.StreamWriter, seen: asyncio.Event
    ) -> None:
        while piece := await reader.read(PIECE):
            self.sent += len(piece)
            if self.lose and self.lose in piece:
                self.lose = b""
                seen.set()
            onward.write(piece)
            await onward.drain()
        raise ConnectionAbortedError

    async def _replies(
        self, replies: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: asyncio.Event
    ) -> None:
        while piece := await replies.read(PIECE):
            if seen.is_set():
                self.lost += 1
                raise ConnectionAbortedError
            self.received += len(piece)
            writer.write(piece)
            with contextlib.suppress(ConnectionError):
                await writer.drain()
        raise ConnectionAbortedError
