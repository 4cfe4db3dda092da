"""Running queries: a process each, fed with the object's bytes, ended whatever happens.

`Queries` lets so many run at once in this process and has others wait a while. A `Run` gives what
its worker says as `Frame`s; whoever has one closes it, and then there is no process any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import io
import os
import sys
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from typing import IO, Final, NamedTuple

import msgspec

from aisle.core.errors import OutOfSpace, TooBusy
from aisle.query.errors import QueryError, QueryUnavailable
from aisle.query.shapes import Limits, Order
from aisle.query.worker import HEAD, LENGTH, PROGRESS

AT_ONCE: Final = 4
WAIT_SECONDS: Final = 10.0
_LARGEST: Final = 64 << 20  # of a frame: a batch of records that are as long as they may be
_PIECE: Final = 1 << 20
_MODULE: Final = "aisle.query.worker"
# All that the process is told of its surroundings.
_ENVIRONMENT: Final = {"LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "2", "PATH": "/nonexistent"}


class Frame(NamedTuple):
    """What a worker says: records (R), how far it is (P), or that it is done (E)."""

    letter: str
    data: bytes = b""
    counts: tuple[int, int, int] = (0, 0, 0)


def available() -> bool:
    """Whether this node has what queries need."""
    return importlib.util.find_spec("duckdb") is not None


class Queries:
    """The queries of one process."""

    def __init__(self, limits: Limits | None = None, *, at_once: int = AT_ONCE) -> None:
        self.limits = limits or Limits()
        self._free = asyncio.Semaphore(at_once)

    async def start(self, order: Order, source: AsyncIterator[bytes]) -> Run:
        """Begin a query on what `source` gives, which is closed with it. Raises `TooBusy`,
        `QueryUnavailable`, and what reading a Parquet object raises."""
        if not available():
            raise QueryUnavailable("this node has no DuckDB: it lacks Aisle's extra 'select'")
        try:
            await asyncio.wait_for(self._free.acquire(), WAIT_SECONDS)
        except TimeoutError:
            raise TooBusy("as many queries are at work as may be") from None
        run = Run(order, source, self._free)
        try:
            await run.begin()
        except BaseException:
            await run.close()
            raise
        return run


class Run:
    """One query at work."""

    def __init__(self, order: Order, source: AsyncIterator[bytes], free: asyncio.Semaphore) -> None:
        self._order = order
        self._source = source
        self._free = free
        self._ending: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._spool: IO[bytes] | None = None
        self._child: asyncio.subprocess.Process | None = None
        self._said = asyncio.StreamReader(limit=2 * _PIECE)
        self._pipe: asyncio.ReadTransport | None = None  # what `_said` is read from
        self._feeding: asyncio.Task[None] | None = None
        self._deadline = 0.0

    async def begin(self) -> None:
        """Start the process. Raises what spooling a Parquet object raises."""
        order = self._order
        handles: tuple[int, ...] = ()
        if order.input.format == "Parquet":
            self._spool = await asyncio.to_thread(tempfile.TemporaryFile)
            await self._keep(self._spool)
            handles = (self._spool.fileno(),)
            order = msgspec.structs.replace(order, path=f"/dev/fd/{handles[0]}")
        loop = asyncio.get_running_loop()
        self._deadline = loop.time() + order.limits.seconds
        output = await self._listen()
        try:
            self._child = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-m", _MODULE,
                stdin=asyncio.subprocess.PIPE, stdout=output,
                stderr=asyncio.subprocess.DEVNULL, env=_ENVIRONMENT, cwd="/", pass_fds=handles,
            )  # fmt: skip
        finally:
            os.close(output)
        self._feeding = asyncio.create_task(self._feed(self._child, order))
        # Also if nobody reads any more: who stands still must not keep others from their queries.
        # Not before there is a process to end.
        self._timer = loop.call_at(self._deadline, self._begin_end)

    async def _listen(self) -> int:
        """The end of a pipe that is the process's output. It is a pipe of our own because
        asyncio's `Process.wait` waits for the end of its pipes too, and never ends if nobody
        reads what is in them (CPython issue 119710, in 3.11)."""
        ours, output = os.pipe()
        loop = asyncio.get_running_loop()
        try:
            self._pipe, _ = await loop.connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(self._said), io.FileIO(ours)
            )
        except BaseException:
            os.close(output)
            raise
        return output

    async def _keep(self, spool: IO[bytes]) -> None:
        """The whole object in a file that has no name: Parquet is read from its end."""
        size = 0
        try:
            async for piece in self._source:
                size += len(piece)
                if size > self._order.limits.parquet:
                    raise QueryError(
                        "OverMaxParquetBlockSize", "The Parquet file is too large for a query."
                    )
                await asyncio.to_thread(spool.write, piece)
            await asyncio.to_thread(spool.flush)
        except OSError as error:
            raise OutOfSpace(f"the object cannot be kept for a query: {error.strerror}") from error

    async def _feed(self, child: asyncio.subprocess.Process, order: Order) -> None:
        assert child.stdin is not None
        packed = msgspec.msgpack.encode(order)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            child.stdin.write(LENGTH.pack(len(packed)) + packed)
            await child.stdin.drain()
            if self._spool is None:
                async for piece in self._source:
                    child.stdin.write(piece)
                    await child.stdin.drain()
        child.stdin.close()

    async def frames(self) -> AsyncGenerator[Frame, None]:
        """What the worker says, an E last. Raises `QueryError`, and what the source raises."""
        while True:
            try:
                async with asyncio.timeout_at(self._deadline):
                    head = await self._said.readexactly(HEAD.size)
                    letter, length = HEAD.unpack(head)
                    data = await self._said.readexactly(min(length, _LARGEST))
            except TimeoutError:
                raise _over_time() from None
            except asyncio.IncompleteReadError:
                raise await self._ended() from None
            if letter == b"X":
                await self._check_source()
                code, text = msgspec.msgpack.decode(data, type=tuple[str, str])
                raise QueryError(code, text)
            if letter == b"R":
                yield Frame("R", data)
                continue
            counts = PROGRESS.unpack(data)
            if letter == b"E":
                await self._check_source()
                yield Frame("E", counts=counts)
                return
            yield Frame("P", counts=counts)

    async def _check_source(self) -> None:
        """Raise what kept the object's bytes from coming, if anything did."""
        feeding = self._feeding
        if feeding is not None and feeding.done() and not feeding.cancelled():
            error = feeding.exception()
            if error is not None:
                raise error

    async def _ended(self) -> Exception:
        """Why the process is gone without a word."""
        assert self._child is not None
        await self._check_source()
        status = await self._child.wait()
        if status < 0 and -status in (9, 24):  # killed, or out of its processor time
            return _over_time()
        return QueryError(
            "ExternalEvalException", "The query can't be evaluated: it took more than it may have."
        )

    async def close(self) -> None:
        """End the process and all that belongs to it."""
        await asyncio.shield(self._begin_end())

    def _begin_end(self) -> asyncio.Task[None]:
        if self._ending is None:
            self._ending = asyncio.create_task(self._end_and_free())
        return self._ending

    async def _end_and_free(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        try:
            await self._end()
        finally:
            self._free.release()

    async def _end(self) -> None:
        if self._feeding is not None:
            self._feeding.cancel()
            await asyncio.wait([self._feeding])
            if not self._feeding.cancelled():
                self._feeding.exception()
        child = self._child
        if child is not None:
            if child.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    child.kill()
            await child.wait()
            assert child.stdin is not None
            child.stdin.close()
            with contextlib.suppress(OSError):  # what it did not read, which nobody need hear of
                await child.stdin.wait_closed()
        if self._pipe is not None:
            self._pipe.close()
        closing = getattr(self._source, "aclose", None)
        if closing is not None:
            await closing()
        if self._spool is not None:
            self._spool.close()


def _over_time() -> QueryError:
    return QueryError(
        "ExternalEvalException", "The query can't be evaluated: it takes longer than a query may."
    )
