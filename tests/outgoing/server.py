"""A server of raw replies: what a client makes of them is the test.

It runs in the client's event loop. Each request that comes is noted, and answered with the next of
`replies`, the last of which is given again and again. A reply is its bytes, or a coroutine function
that has the connection to itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

Answer = bytes | Callable[[StreamReader, StreamWriter], Awaitable[None]]


@dataclass
class Seen:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    port: int = 0
    replies: list[Answer] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.connections += 1
        try:
            await self._answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has gone
        finally:
            writer.close()

    async def _answer(self, reader: StreamReader, writer: StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, target, _ = head[0].split(" ")
            pairs = (line.partition(": ") for line in head[1:] if line)
            headers = {name.lower(): value for name, _, value in pairs}
            reply = self.replies[min(len(self.seen), len(self.replies) - 1)]
            seen = Seen(method, target, headers, b"")
            self.seen.append(seen)
            if not isinstance(reply, bytes):
                await reply(reader, writer)
                break
            seen.body = await reader.readexactly(int(headers.get("content-length", "0")))
            writer.write(reply)
            await writer.drain()
            if b"connection: close" in reply:
                break


@contextlib.asynccontextmanager
async def serving(*replies: Answer) -> AsyncIterator[Server]:
    server = Server(replies=list(replies))
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.ensure_future(server.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listener = await asyncio.start_server(connected, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in set(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def reply(
    status: int = 200, body: bytes = b"", *, length: int | None = None, **headers: str
) -> bytes:
    """A reply with a length, its own unless told."""
    fields = {"content-length": str(len(body) if length is None else length)}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status} Some", *(f"{n}: {v}" for n, v in fields.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body
