"""A `PostgresIndex` whose database is killed, cut off, paused, full or read-only: what callers hear
is true, and work goes on by itself afterwards."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import NamedTuple

import pytest

from aisle.core.errors import OutOfSpace, ReadOnlyStore, RowChanged, StoreUnavailable
from aisle.store.base import ABSENT, Check, Delete, Put
from aisle.store.postgres.index import PostgresIndex
from tests.servers.postgres import Postgres
from tests.store.conftest import Run, command

SECONDS = 120
# A COMMIT of its own, as asyncpg sends it: a message of type Q, its length, the text, NUL.
COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """A server that syncs what it commits. Tests that harm it bring it up again."""
    server = Postgres(fsync=True).start()
    yield server
    server.stop()


@pytest.fixture
def url(server: Postgres) -> str:
    return server.create_database()


@asynccontextmanager
async def opened(url: str, *, patience: float, lanes: int = 2) -> AsyncIterator[PostgresIndex]:
    index = await PostgresIndex.open(url, patience=patience, lanes=lanes)
    try:
        async with asyncio.timeout(SECONDS):
            yield index
    finally:
        await index.close()


async def until(what: Callable[[], Awaitable[object]]) -> None:
    """Call it again and again until it no longer fails for want of a database."""
    while True:
        with suppress(StoreUnavailable, ReadOnlyStore, OutOfSpace):
            await what()
            return
        await asyncio.sleep(0.05)


async def while_possible(what: Callable[[int], Awaitable[object]]) -> None:
    """Call it with 0, 1, 2 ... until it fails."""
    for number in count():
        await what(number)


class Wire:
    """A wire to the server that can be cut at a COMMIT: `at_commit` is called with the next one,
    once, before it is passed on."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self.at_commit: Callable[[Held], Awaitable[None]] | None = None
        self.open = True
        self._target = target
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Wire:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *failure: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.open:
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        replies, onward = await asyncio.open_connection("127.0.0.1", self._target)
        back = asyncio.create_task(_pump(replies, writer))
        try:
            while piece := await reader.read(1 << 16):
                if piece == COMMIT and self.at_commit is not None:
                    held, self.at_commit = self.at_commit, None
                    await held(Held(onward, writer))
                    # The client has gone; the server is left to find that out.
                    await asyncio.Event().wait()
                onward.write(piece)
                await onward.drain()
        except ConnectionError:
            pass
        finally:
            back.cancel()
            writer.transport.abort()
            onward.transport.abort()


class Held(NamedTuple):
    """A COMMIT on its way, and the two ends of its wire."""

    server: asyncio.StreamWriter
    client: asyncio.StreamWriter

    def pass_on(self) -> None:
        self.server.write(COMMIT)

    def cut_client(self) -> None:
        self.client.transport.abort()

    def cut_server(self) -> None:
        self.server.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while piece := await reader.read(1 << 16):
            writer.write(piece)
            await writer.drain()
    writer.transport.abort()


# --- a connection that is lost at COMMIT ----------------------------------------------------


async def passed_on(held: Held) -> None:
    """The client does not hear the answer."""
    held.cut_client()
    held.pass_on()


async def passed_on_late(held: Held) -> None:
    """The client is back and asks before the server knows that it shall commit."""
    held.cut_client()
    await asyncio.sleep(0.5)
    held.pass_on()


async def not_passed_on(held: Held) -> None:
    """Both ends know that the other one has gone."""
    held.cut_server()
    held.cut_client()


async def passed_on_never(held: Held) -> None:
    """The server waits for the rest of the transaction, and holds its locks."""
    held.cut_client()


@pytest.mark.parametrize("how", [passed_on, passed_on_late, not_passed_on, passed_on_never])
@pytest.mark.parametrize("table", ["object", "bucket"])
def test_a_batch_whose_connection_is_lost_at_its_commit_is_applied_once(
    server: Postgres, url: str, run: Run, how: Callable[[Held], Awaitable[None]], table: str
) -> None:
    async def main() -> None:
        async with Wire(server.port) as wire:
            through = url.replace(str(server.port), str(wire.port))
            async with opened(through, patience=6, lanes=1) as index:
                await index.commit(Put(table, b"counter", b"0"))
                before = index.epoch()
                wire.at_commit = how
                # Were it applied twice, or believed to be lost, the check would fail.
                await index.commit(Check(table, b"counter", b"0"), Put(table, b"counter", b"1"))
                assert wire.at_commit is None
                if table == "bucket":
                    assert index.epoch() != before
                assert await index.get(table, b"counter") == b"1"
                with pytest.raises(RowChanged):
                    await index.commit(Check(table, b"counter", b"0"), Put(table, b"k", b""))
                await index.commit(Check(table, b"counter", b"1"), Put(table, b"counter", b"2"))

    run(main())


def test_an_outcome_that_cannot_be_found_out_is_told_to_be_unknown(
    server: Postgres, url: str, run: Run
) -> None:
    async def main() -> None:
        async with Wire(server.port) as wire:

            async def and_nobody_answers(held: Held) -> None:
                wire.open = False
                held.cut_client()
                held.pass_on()

            through = url.replace(str(server.port), str(wire.port))
            async with opened(through, patience=1, lanes=1) as index:
                await index.commit(Put("object", b"k", b"0"))
                wire.at_commit = and_nobody_answers
                with pytest.raises(StoreUnavailable, match="outcome is unknown"):
                    await index.commit(Put("object", b"k", b"1"))
                with pytest.raises(StoreUnavailable) as caught:
                    await index.commit(Put("object", b"k", b"2"))
                assert "unknown" not in str(caught.value)
                wire.open = True
                await until(lambda: index.commit(Put("object", b"l", b"")))
                assert await index.get("object", b"k") == b"1"

    run(main())


# --- a server that dies ---------------------------------------------------------------------


async def write_until(
    stop: asyncio.Event,
    index: PostgresIndex,
    name: bytes,
    acknowledged: list[bytes],
    unsure: list[bytes],
) -> None:
    number = 0
    while not stop.is_set():
        key = b"%b/%06d" % (name, number)
        number += 1
        try:
            await index.commit(
                Check("object", key, ABSENT), Put("object", key, key), Put("body", key, key * 200)
            )
            acknowledged.append(key)
        except StoreUnavailable as error:
            if "unknown" in str(error):
                unsure.append(key)
            await asyncio.sleep(0.01)


def test_a_killed_server_loses_nothing_it_acknowledged_and_keeps_no_half(
    server: Postgres, url: str, run: Run
) -> None:
    async def main() -> None:
        acknowledged: list[bytes] = []
        unsure: list[bytes] = []
        rng = random.Random(1)
        stop = asyncio.Event()
        async with opened(url, patience=20) as one, opened(url, patience=0.3) as two:
            writers = [
                asyncio.create_task(
                    write_until(stop, index, b"%d-%d" % (number, task), acknowledged, unsure)
                )
                for number, index in enumerate((one, two))
                for task in range(6)
            ]
            for _ in range(3):
                await asyncio.sleep(rng.uniform(0.3, 0.8))
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.restart)
                before = len(acknowledged)
                while len(acknowledged) < before + 50:  # they go on by themselves
                    await asyncio.sleep(0.01)
            # Each is heard out: a commit whose caller is cancelled still runs, and its rows would
            # appear between the two looks below.
            stop.set()
            await asyncio.gather(*writers)
            rows = {key for key, _ in await one.scan("object", limit=10**6)}
            bodies = await one.scan("body", limit=10**6)
            assert {key for key, _ in bodies} == rows
            assert all(value == key * 200 for key, value in bodies)
            assert set(acknowledged) <= rows
            assert rows <= {*acknowledged, *unsure}

    run(main())


def test_reads_and_writes_wait_out_a_restart(server: Postgres, url: str, run: Run) -> None:
    async def main() -> None:
        async with opened(url, patience=60) as index:
            await index.commit(Put("object", b"k", b"0"))
            server.shut_down()
            reading = asyncio.create_task(index.get("object", b"k"))
            writing = asyncio.create_task(index.commit(Put("object", b"l", b"1")))
            await asyncio.sleep(0.2)
            await asyncio.to_thread(server.restart)
            assert await reading == b"0"
            await writing
            assert await index.get("object", b"l") == b"1"

    run(main())


def test_a_server_that_hangs_is_unavailable_after_a_while_and_never_stale(
    server: Postgres, url: str, run: Run
) -> None:
    async def main() -> None:
        async with opened(url, patience=1) as index:
            await index.commit(Put("bucket", b"k", b"0"))
            server.pause()
            try:
                outcomes = await asyncio.gather(
                    index.get("bucket", b"k"),
                    index.commit(Put("bucket", b"k", b"1")),
                    return_exceptions=True,
                )
                assert [type(o) for o in outcomes] == [StoreUnavailable] * 2
                await asyncio.sleep(index.lag)
                assert len({index.epoch() for _ in range(10)}) == 10
            finally:
                server.resume()
            await until(lambda: index.commit(Put("bucket", b"l", b"2")))
            assert await index.get("bucket", b"l") == b"2"
            while index.epoch() != index.epoch():
                await asyncio.sleep(0.05)

    run(main())


# --- a server that refuses ------------------------------------------------------------------


def test_a_read_only_server_is_read_from_and_written_to_when_it_lets(
    server: Postgres, url: str, run: Run
) -> None:
    async def main() -> None:
        async with opened(url, patience=2) as index:
            await index.commit(Put("object", b"k", b"0"))
            server.set("default_transaction_read_only", "on")
            try:
                with pytest.raises(ReadOnlyStore):
                    # Its sessions hear of it when they get round to it.
                    await while_possible(lambda _: index.commit(Put("object", b"l", b"1")))
                assert await index.get("object", b"k") == b"0"
            finally:
                server.set("default_transaction_read_only", "off")
            await until(lambda: index.commit(Put("object", b"k", b"2")))
            assert await index.get("object", b"k") == b"2"

    run(main())


def test_a_full_disk_takes_no_more_bodies_and_nothing_is_lost(server: Postgres, run: Run) -> None:
    disk = server.directory / "small"
    disk.mkdir()
    command("mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(disk))
    try:
        filler = disk / "filler"
        filler.write_bytes(bytes(8 << 20))
        shutil.chown(disk, server.directory.owner(), server.directory.group())
        server.sql(f"CREATE TABLESPACE small LOCATION '{disk}'")
        server.sql("CREATE DATABASE full_disk TABLESPACE small")

        async def main() -> None:
            async with opened(server.url("full_disk"), patience=10) as index:
                kept: list[bytes] = []

                async def put(number: int) -> None:
                    key = b"%06d" % number
                    await index.commit(Put("body", key, bytes(60_000)))
                    kept.append(key)

                with pytest.raises(OutOfSpace):
                    await while_possible(put)
                assert await index.get_many("body", kept) == [bytes(60_000)] * len(kept)
                assert await index.get("body", b"%06d" % len(kept)) is None
                filler.unlink()
                # Of those who wait together only the one that is too large hears of it.
                outcomes = await asyncio.gather(
                    *[index.commit(Delete("body", key)) for key in kept],
                    index.commit(Put("body", b"large", bytes(15 << 20))),
                    return_exceptions=True,
                )
                assert [type(o) for o in outcomes] == [type(None)] * len(kept) + [OutOfSpace]
                assert await index.scan("body", limit=9) == []

        run(main())
        server.sql("DROP DATABASE full_disk WITH (FORCE)")
        server.sql("DROP TABLESPACE small")
    finally:
        command("umount", "--lazy", str(disk))


def test_too_many_connections_are_waited_for_and_then_unavailable(
    server: Postgres, url: str, run: Run
) -> None:
    name = url.rpartition("/")[2]
    server.create_user(f"user_{name}", "secret")
    server.sql(f"GRANT ALL ON SCHEMA public TO user_{name}", name)
    through = server.url(name, user=f"user_{name}", password="secret")

    async def main() -> None:
        async with opened(through, patience=2) as index:
            await index.commit(Put("object", b"k", b"0"))
            server.sql(f"ALTER ROLE user_{name} CONNECTION LIMIT 0")
            ours = f"FROM pg_stat_activity WHERE usename = 'user_{name}'"
            server.sql(f"SELECT pg_terminate_backend(pid) {ours}")
            with pytest.raises(StoreUnavailable, match="too many connections"):
                await index.get("object", b"k")
            with pytest.raises(StoreUnavailable, match="too many connections"):
                await index.commit(Put("object", b"k", b"1"))
            server.sql(f"ALTER ROLE user_{name} CONNECTION LIMIT -1")
            await until(lambda: index.commit(Put("object", b"k", b"2")))
            assert await index.get("object", b"k") == b"2"

    run(main())
