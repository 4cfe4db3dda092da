"""A synchronous standby takes over under load: nothing that was acknowledged is missing.

Streaming replication between two real servers on loopback; whoever promotes the standby in
production is the test here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit, urlunsplit

import pytest

from aisle.core.errors import StoreError
from aisle.store.base import ABSENT, Check, Put
from aisle.store.postgres.index import PostgresIndex
from tests.servers.postgres import Postgres
from tests.store.conftest import Run

WRITERS = 8
SECONDS = 60.0


@pytest.fixture
def pair() -> Iterator[tuple[Postgres, Postgres]]:
    """A primary, and a standby that has everything before a commit is acknowledged."""
    with ExitStack() as stack:
        primary = Postgres(fsync=True)
        stack.callback(primary.stop)
        primary.start()
        standby = primary.standby("second")
        stack.callback(standby.stop)
        primary.set("synchronous_standby_names", "second")
        yield primary, standby


def of_both(url: str, standby: Postgres) -> str:
    """The URL with both addresses, the standby's first."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{standby.port},{host}"))


def test_after_a_failover_every_acknowledged_batch_is_there(
    pair: tuple[Postgres, Postgres], run: Run
) -> None:
    primary, standby = pair
    url = of_both(primary.create_database(), standby)
    acknowledged: set[bytes] = set()
    failed: list[str] = []

    async def write(index: PostgresIndex, writer: int, until: asyncio.Event) -> None:
        number = 0
        while not until.is_set():
            key = b"%d/%06d" % (writer, number)
            try:
                await index.commit(Check("row", key, ABSENT), Put("row", key, b"v"))
                acknowledged.add(key)
            except StoreError as error:
                failed.append(str(error))
            number += 1

    async def main() -> None:
        index = await PostgresIndex.open(url)
        until = asyncio.Event()
        async with asyncio.timeout(SECONDS):
            writers = [asyncio.create_task(write(index, n, until)) for n in range(WRITERS)]
            while len(acknowledged) < 200:
                await asyncio.sleep(0.01)
            await asyncio.to_thread(primary.kill)
            at_the_kill = len(acknowledged)
            await asyncio.to_thread(standby.promote)
            # Its own standby is gone: it has to acknowledge alone.
            await asyncio.to_thread(standby.set, "synchronous_standby_names", "")
            while len(acknowledged) < at_the_kill + 200:
                await asyncio.sleep(0.01)
            until.set()
            await asyncio.gather(*writers)
            there = {key for key, _ in await index.scan("row", limit=1_000_000)}
            assert acknowledged <= there
            # What is there beside is the batches whose outcome was told to be unknown. Each key is
            # written once: to hear that it is there already would have ended its writer.
            assert len(there - acknowledged) <= len(failed)
            while index.epoch() != index.epoch():  # until caches are in use again
                await asyncio.sleep(0.05)
            await index.close()

    run(main())
