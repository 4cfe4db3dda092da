"""Cold GETs over a remote in memory: one download, readers at their own speed, bounded memory."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aisle.core.errors import ColdGetDisabled, ObjectNotFound, RemoteBroken
from aisle.core.features import BY_NAME
from aisle.namespace.window import parallel, pump
from aisle.namespace.windows import LOOK, PART, READ
from tests.backend.memory import MemoryRemote
from tests.namespace.coldly import kept_soon, short
from tests.namespace.gates import Gate
from tests.namespace.support import LARGE, disk_store, pattern, rows, run
from tests.namespace.windowed import NAME, Worker, site

SIZES = [1, 1000, LARGE - 1, LARGE, pump.CHUNK, pump.CHUNK + 1, 3 * pump.CHUNK - 7]


@pytest.mark.parametrize("size", SIZES)
def test_an_object_of_any_size_is_read_and_kept(size: int) -> None:
    async def check() -> None:
        remote = MemoryRemote()
        data = pattern(size)
        about = remote.store(NAME, "k", data, meta={"color": "blue"})
        async with site(remote) as [worker]:
            assert await worker.get("k") == data
            copy = await worker.copy("k")
            assert copy is not None
            assert await worker.kept("k") == data
            assert (copy.etag, copy.size, copy.mtime) == (about.etag, size, about.mtime)
            assert copy.meta == {"color": "blue"}
            assert copy.origin is not None
            assert copy.origin.checksums == {"md5": about.etag}
            assert remote.calls == {"get": 1}
            assert await worker.get("k") == data
            assert remote.calls == {"get": 1}
            assert await rows(worker.store, "claim") == []
            assert await rows(worker.store, "chunk") == []
            assert remote.reading_now == 0

    run(check())


def test_an_empty_object_is_kept_at_once() -> None:
    async def check() -> None:
        remote = MemoryRemote()
        remote.store(NAME, "k", b"")
        async with site(remote) as [worker]:
            assert await worker.get("k") == b""
            assert await kept_soon(worker, "k") == b""
            assert remote.calls == {"get": 1}

    run(check())


def test_what_the_remote_does_not_have_is_asked_for_again() -> None:
    async def check() -> None:
        remote = MemoryRemote()
        async with site(remote) as [worker]:
            for how in (READ, PART, LOOK):
                with pytest.raises(ObjectNotFound, match=f'"{NAME}/k"'):
                    await worker.find("k", how)
            remote.store(NAME, "k", b"there now")
            assert await worker.get("k") == b"there now"

    run(check())


def test_a_look_keeps_nothing() -> None:
    async def check() -> None:
        remote = MemoryRemote()
        about = remote.store(NAME, "k", pattern(LARGE))
        async with site(remote) as [worker]:
            found = await worker.find("k", LOOK)
            assert (found.record.size, found.record.etag) == (LARGE, about.etag)
            assert remote.calls == {"head": 1}
            assert await worker.copy("k") is None

    run(check())


@pytest.mark.parametrize(("size", "readers"), [(LARGE, 1000), (pump.CHUNK + 99, 30)])
def test_many_readers_cause_one_download(size: int, readers: int) -> None:
    async def check() -> None:
        remote = MemoryRemote()
        data = pattern(size)
        remote.store(NAME, "k", data)
        async with site(remote) as [worker]:
            results = await asyncio.gather(*(worker.get("k") for _ in range(readers)))
            assert all(result == data for result in results)
            assert remote.calls == {"get": 1}

    run(check())


def test_readers_have_the_first_bytes_while_the_remote_still_sends() -> None:
    async def check() -> None:
        remote = MemoryRemote()
        data = pattern(LARGE * 10)
        remote.store(NAME, "k", data)
        gate = Gate.of_bodies(remote, 3 * remote.piece)
        async with site(remote) as [worker]:
            streams = [worker.stream("k"), worker.stream("k")]
            for stream in streams:
                assert await anext(stream) == data[: remote.piece]
            assert await worker.copy("k") is None
            gate.open()
            for stream in streams:
                rest = b"".join([piece async for piece in stream])
                assert rest == data[remote.piece :]

    run(check())


def test_a_download_goes_on_when_its_readers_leave() -> None:
    async def check() -> None:
        remote = MemoryRemote()
        data = pattern(2 * pump.CHUNK)
        remote.store(NAME, "k", data)
        async with site(remote) as [worker]:
            stream = worker.stream("k")
            await anext(stream)
            await stream.aclose()
            assert await kept_soon(worker, "k") == data
            assert remote.calls == {"get": 1}

    run(check())


def test_a_reader_that_stops_holds_nobody_and_nothing_in_memory() -> None:
    async def check() -> None:
        remote = MemoryRemote()
        data = pattern(5 * pump.CHUNK)
        remote.store(NAME, "k", data)
        async with site(remote) as [worker]:
            slow = worker.stream("k")
            first = await anext(slow)
            most = 0

            async def reading(key: str, place: int) -> None:
                nonlocal most
                fetch = worker.window._cold._downloads.running(
                    (await worker.bucket()).record.id + b"k"
                )
                assert fetch is not None
                most = max(most, fetch.position - fetch.sealed)

            remote.reading = reading
            assert await worker.get("k") == data
            assert most <= pump.CHUNK + pump.AHEAD + remote.piece
            assert first + b"".join([piece async for piece in slow]) == data

    run(check())


def test_downloads_wait_their_turn_for_memory() -> None:
    async def check() -> None:
        remote = MemoryRemote()
        for number in range(20):
            remote.store(NAME, f"{number}", pattern(pump.CHUNK, number))
        async with site(remote) as [worker]:
            reserve = worker.store.fetching
            least = reserve.total

            async def reading(key: str, place: int) -> None:
                nonlocal least
                least = min(least, reserve.left)
                await asyncio.sleep(0)

            remote.reading = reading
            results = await asyncio.gather(*(worker.get(f"{number}") for number in range(20)))
            assert results == [pattern(pump.CHUNK, number) for number in range(20)]
            assert 0 <= least < reserve.total
            assert reserve.left == reserve.total

    run(check())


def test_a_download_by_many_requests_takes_memory_for_each() -> None:
    async def check() -> None:
        remote, workers = MemoryRemote(piece=pump.SLICE), 16
        remote.store(NAME, "k", pattern(5 * pump.CHUNK))
        async with site(remote) as [worker]:
            reserve = worker.store.fetching
            taken = 0

            async def reading(key: str, place: int) -> None:
                nonlocal taken
                taken = max(taken, reserve.total - reserve.left)

            remote.reading = reading
            bucket = await worker.bucket()
            await worker.window.fetch(worker.store, bucket, b"k", workers=workers)
            assert taken == workers * parallel.EACH > pump.MOST
            assert reserve.left == reserve.total

    run(check())


def test_memory_stays_bounded_whatever_the_size_of_the_object(tmp_path: Path) -> None:
    async def check() -> None:
        remote = MemoryRemote()
        data = pattern(6 * pump.CHUNK)
        remote.store(NAME, "k", data)
        async with disk_store(tmp_path) as store, site(remote, over=store) as [worker]:
            slow = worker.stream("k")
            await anext(slow)
            tracemalloc.start()
            try:
                async for piece in worker.stream("k"):
                    del piece
                most = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            await slow.aclose()
            # A chunk, what came while it was sealed, and copies of slices on their way.
            assert most < pump.MOST + 4 * pump.SLICE

    run(check())


# --- what is sent when ----------------------------------------------------------------------


def test_with_validation_of_cold_gets_nothing_is_given_before_all_is_right() -> None:
    async def check() -> None:
        remote = MemoryRemote()
        data = pattern(2 * pump.CHUNK)
        remote.store(NAME, "k", data)
        held = remote.bucket(NAME)["k"]
        held.data = data[:-1] + b"!"
        async with site(remote, props={"cold_get.verify_first": True}) as [worker]:
            with pytest.raises(RemoteBroken):
                await worker.find("k")
            assert await short(aiter_range(worker, "k", 10, 10), RemoteBroken) == 0
            held.data = data
            found = await worker.find("k")
            assert not found.extents[0].cold
            assert await worker.get("k") == data

    run(check())


async def aiter_range(worker: Worker, key: str, start: int, length: int) -> AsyncIterator[bytes]:
    yield await worker.range(key, start, length)


def test_disabled_cold_gets_are_refused_and_looks_are_not() -> None:
    async def check() -> None:
        remote = MemoryRemote()
        remote.store(NAME, "k", b"data")
        mask = BY_NAME["Disable-Cold-GET"].mask
        async with site(remote, props={"features": mask}) as [worker]:
            assert (await worker.find("k", LOOK)).record.size == 4
            for how in (READ, PART):
                with pytest.raises(ColdGetDisabled):
                    await worker.find("k", how)
            assert remote.calls == {"head": 1}

    run(check())


def test_without_validation_of_cold_gets_the_remotes_checksums_do_not_count() -> None:
    async def check() -> None:
        remote = MemoryRemote()
        remote.store(NAME, "k", b"right")
        remote.bucket(NAME)["k"].data = b"wrong"
        async with site(remote, props={"checksum.validate_cold_get": False}) as [worker]:
            assert await worker.get("k") == b"wrong"

    run(check())
