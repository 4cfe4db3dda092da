"""Cold GETs through several workers over one store: one download, readers everywhere, takeovers."""

from __future__ import annotations

import asyncio

import pytest

from aisle.core.errors import OutOfSpace
from aisle.namespace import housekeeping
from aisle.namespace.records import Extent, decode
from aisle.namespace.window import claims, pump, watch
from aisle.namespace.windows import PART
from tests.backend.memory import MemoryRemote
from tests.namespace.gates import Gate
from tests.namespace.support import LARGE, SECOND, Clock, pattern, rows, run
from tests.namespace.windowed import NAME, Worker, site


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stands still for seconds is not taken for another worker that does."""
    monkeypatch.setattr(watch, "STALLED", 60.0)


async def reading_to(
    worker: Worker, remote: MemoryRemote, place: int
) -> tuple[Gate, asyncio.Task[bytes]]:
    """A read of `k` whose body has come to a place, and waits there."""
    gate = Gate.of_bodies(remote, place)
    begun = asyncio.create_task(worker.get("k"))
    await gate.reached.wait()
    return gate, begun


def later(worker: Worker) -> None:
    """It is so late that who has not been heard of since is taken for dead."""
    assert isinstance(worker.store.now, Clock)
    worker.store.now.now += claims.PATIENCE + SECOND


async def chunks_of(worker: Worker) -> int:
    return len(await rows(worker.store, "chunk"))


async def chunks_are(worker: Worker, count: int) -> None:
    async with asyncio.timeout(60):
        while await chunks_of(worker) != count:
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("size", [100, LARGE, 3 * pump.CHUNK + 1])
def test_workers_that_ask_at_once_cause_one_download(size: int) -> None:
    async def check() -> None:
        remote = MemoryRemote()
        data = pattern(size)
        remote.store(NAME, "k", data)
        async with site(remote, workers=3) as team:
            results = await asyncio.gather(*(one.get("k") for one in team for _ in range(5)))
            assert all(result == data for result in results)
            assert remote.calls["get"] == 1
            assert remote.bytes_read == size

    run(check())


def test_another_worker_reads_chunks_as_they_are_sealed() -> None:
    async def check() -> None:
        remote = MemoryRemote()
        data = pattern(4 * pump.CHUNK)
        remote.store(NAME, "k", data)
        async with site(remote, workers=2) as (first, second):
            gate, one = await reading_to(first, remote, 3 * pump.CHUNK)
            stream = second.stream("k")
            got = bytearray()
            while len(got) < 2 * pump.CHUNK:
                got += await anext(stream)
            assert await second.copy("k") is None
            assert got == data[: len(got)]
            gate.open()
            async for piece in stream:
                got += piece
            assert got == data == await one
            assert remote.calls["get"] == 1

    run(check())


def test_who_waits_for_a_stalled_worker_reads_from_the_remote(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def check() -> None:
        monkeypatch.setattr(watch, "STALLED", 0.05)
        remote = MemoryRemote()
        data = pattern(3 * pump.CHUNK)
        remote.store(NAME, "k", data)
        async with site(remote, workers=2) as (first, second):
            gate, one = await reading_to(first, remote, 2 * pump.CHUNK + remote.piece)
            remote.reading = None
            assert await second.get("k") == data
            assert await second.copy("k") is None
            gate.open()
            assert await one == data
            assert await second.kept("k") == data

    run(check())


def test_a_dead_workers_download_is_gone_on_with() -> None:
    async def check() -> None:
        remote = MemoryRemote()
        data = pattern(4 * pump.CHUNK + 5)
        remote.store(NAME, "k", data)
        async with site(remote, workers=2) as (first, second):
            gate, dead = await reading_to(first, remote, 3 * pump.CHUNK)
            await chunks_are(first, 6)
            remote.reading = None
            before = remote.bytes_read
            later(second)
            assert await second.get("k") == data
            assert remote.bytes_read - before == len(data) - 3 * pump.CHUNK
            assert await second.kept("k") == data
            # The other was only asleep: it has nothing to add, and takes nothing away.
            gate.open()
            assert await dead == data
            assert await second.kept("k") == data
            assert await rows(second.store, "chunk") == []
            assert await rows(second.store, "claim") == []

    run(check())


def test_chunks_of_another_version_are_not_gone_on_with() -> None:
    async def check() -> None:
        remote = MemoryRemote()
        remote.store(NAME, "k", pattern(4 * pump.CHUNK, 1))
        async with site(remote, workers=2) as (first, second):
            gate, dead = await reading_to(first, remote, 3 * pump.CHUNK)
            await chunks_are(first, 6)
            remote.reading = None
            new = pattern(4 * pump.CHUNK, 2)
            remote.store(NAME, "k", new)
            later(second)
            assert await second.get("k") == new
            assert await second.kept("k") == new
            gate.open()
            assert await dead == pattern(4 * pump.CHUNK, 1)
            assert await second.kept("k") == new

    run(check())


def test_a_writer_that_comes_makes_readers_go_to_the_remote_and_nothing_is_kept() -> None:
    async def check() -> None:
        remote = MemoryRemote()
        old, new = pattern(3 * pump.CHUNK, 1), pattern(3 * pump.CHUNK, 2)
        remote.store(NAME, "k", old)
        async with site(remote, workers=2) as (first, second):
            gate, begun = await reading_to(first, remote, pump.CHUNK)
            held = await claims.writing(second.store, await second.bucket(), b"k")
            remote.reading = None
            assert await first.get("k") == old
            remote.store(NAME, "k", new)
            for worker in (first, second):
                assert await worker.get("k") == new
                assert await worker.range("k", 7, 7) == new[7:14]
                assert (await worker.find("k", PART)).record.size == len(new)
            await claims.leave(held)
            gate.open()
            assert await begun == old
            assert await first.copy("k") is None
            assert await first.get("k") == new
            assert await first.kept("k") == new

    run(check())


def test_a_read_after_a_write_that_is_over_is_of_the_new_version() -> None:
    async def check() -> None:
        remote = MemoryRemote()
        old, new = pattern(2 * pump.CHUNK, 1), pattern(2 * pump.CHUNK, 2)
        remote.store(NAME, "k", old)
        async with site(remote) as [worker]:
            gate, begun = await reading_to(worker, remote, pump.CHUNK)
            held = await claims.writing(worker.store, await worker.bucket(), b"k")
            remote.store(NAME, "k", new)
            await claims.leave(held)
            remote.reading = None
            assert await worker.get("k") == new
            gate.open()
            assert await begun == old
            assert await worker.kept("k") == new

    run(check())


def test_a_full_store_streams_and_keeps_nothing() -> None:
    async def check() -> None:
        remote = MemoryRemote()
        data = pattern(2 * pump.CHUNK)
        remote.store(NAME, "k", data)
        async with site(remote) as [worker]:
            worker.store.room.full = True
            assert await worker.get("k") == data
            assert await worker.range("k", 5, 10) == data[5:15]
            for table in ("object", "claim", "chunk", "garbage"):
                assert await rows(worker.store, table) == []
            worker.store.room.full = False
            assert await worker.get("k") == data
            assert await worker.kept("k") == data

    run(check())


def test_a_disk_that_fills_up_in_the_middle_does_not_end_the_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def check() -> None:
        remote = MemoryRemote()
        data = pattern(3 * pump.CHUNK)
        remote.store(NAME, "k", data)
        async with site(remote) as [worker]:
            create, count = worker.store.blobs.create, 0

            async def full(owner: bytes, *, size_hint: int = 0):  # type: ignore[no-untyped-def]
                nonlocal count
                count += 1
                if count == 2:
                    raise OutOfSpace("the disk is full")
                return await create(owner, size_hint=size_hint)

            monkeypatch.setattr(worker.store.blobs, "create", full)
            assert await worker.get("k") == data
            assert await worker.copy("k") is None
            assert await chunks_of(worker) == 0

    run(check())


def test_a_sweep_leaves_chunks_that_are_being_fetched_alone() -> None:
    async def check() -> None:
        remote = MemoryRemote()
        data = pattern(3 * pump.CHUNK)
        remote.store(NAME, "k", data)
        async with site(remote) as [worker]:
            gate, begun = await reading_to(worker, remote, 2 * pump.CHUNK)
            await chunks_are(worker, 5)
            found = [
                decode(Extent, raw) for _, raw in await worker.store.index.scan("chunk", limit=9)
            ]
            owner = (await worker.bucket()).record.id + b"k"
            for extent in found:
                assert await housekeeping._referred(worker.store, owner, extent.blob)
            assert not await housekeeping._referred(worker.store, owner + b"2", found[0].blob)
            gate.open()
            assert await begun == data
            assert await worker.kept("k") == data

    run(check())


def test_stopping_gives_up_what_was_fetched() -> None:
    async def check() -> None:
        remote = MemoryRemote()
        remote.store(NAME, "k", pattern(3 * pump.CHUNK))
        async with site(remote) as [worker]:
            _, begun = await reading_to(worker, remote, 2 * pump.CHUNK)
            await chunks_are(worker, 5)
            begun.cancel()
            await worker.window.close()
            for table in ("object", "claim", "chunk"):
                assert await rows(worker.store, table) == []
            assert remote.reading_now == 0

    run(check())
