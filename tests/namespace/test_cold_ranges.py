"""Parts of cold objects: ranges that clients ask for, and large objects by several requests."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from aisle.core.errors import RemoteChanged
from aisle.namespace.window import pump
from aisle.namespace.windows import PART
from tests.backend.memory import MemoryRemote
from tests.namespace.coldly import kept_soon, leaves_nothing, short
from tests.namespace.support import LARGE, pattern, rows, run
from tests.namespace.windowed import NAME, site

# --- ranges ---------------------------------------------------------------------------------


def test_a_range_does_not_wait_for_the_whole_which_comes_behind_it() -> None:
    async def check() -> None:
        remote = MemoryRemote()
        data = pattern(4 * pump.CHUNK)
        remote.store(NAME, "k", data)
        hold = asyncio.Event()

        async def reading(key: str, place: int) -> None:
            if pump.CHUNK <= place < 3 * pump.CHUNK:
                await hold.wait()

        remote.reading = reading
        async with site(remote) as [worker]:
            start = len(data) - 1000
            assert await worker.range("k", start, 1000) == data[start:]
            assert await worker.range("k", 100, 50) == data[100:150]
            assert await worker.copy("k") is None
            hold.set()
            assert await kept_soon(worker, "k") == data
            asked = remote.calls["get"]
            assert await worker.range("k", 5, 5) == data[5:10]
            assert remote.calls["get"] == asked

    run(check())


@pytest.mark.parametrize(
    "props", [{"cold_get.range_fetch": "none"}, {"cold_get.range_limit": "1KiB"}]
)
def test_a_range_brings_nothing_where_the_settings_say_so(props: dict[str, str]) -> None:
    async def check() -> None:
        remote = MemoryRemote()
        data = pattern(LARGE)
        remote.store(NAME, "k", data)
        async with site(remote, props=props) as [worker]:
            assert await worker.range("k", 10, 100) == data[10:110]
            assert remote.bytes_read == 100
            assert (
                worker.window._cold._downloads.running((await worker.bucket()).record.id + b"k")
                is None
            )
            assert await worker.copy("k") is None
            assert await worker.get("k") == data
            assert await worker.kept("k") == data

    run(check())


def test_a_range_of_a_version_that_is_gone_is_refused() -> None:
    async def check() -> None:
        remote = MemoryRemote()
        remote.store(NAME, "k", pattern(LARGE, 1))
        async with site(remote) as [worker]:
            found = await worker.find("k", PART)
            remote.store(NAME, "k", pattern(LARGE, 2))
            stream = worker.window.read(worker.store, found.extents[0], 5, 10)
            assert await short(stream, RemoteChanged) == 0
            assert await worker.get("k") == pattern(LARGE, 2)

    run(check())


# --- large objects by several requests ------------------------------------------------------


@pytest.mark.parametrize("chunk", [1 << 20, 3 << 20, 64 << 20])
def test_a_large_object_comes_by_several_requests(chunk: int) -> None:
    async def check() -> None:
        remote = MemoryRemote()
        data = pattern(3 * pump.CHUNK + 777)
        remote.store(NAME, "k", data)
        async with site(remote) as [worker]:
            bucket = await worker.bucket()
            row = await worker.window.fetch(
                worker.store, bucket, b"k", workers=4, chunk=chunk, latest=False
            )
            assert row.etag == hashlib.md5(data).hexdigest()
            assert await worker.kept("k") == data
            assert remote.calls["get"] > 1
            assert await rows(worker.store, "chunk") == []

    run(check())


def test_objects_above_the_threshold_come_in_parallel_and_readers_follow() -> None:
    async def check() -> None:
        remote = MemoryRemote()
        data = pattern(4 * pump.CHUNK + 1)
        remote.store(NAME, "k", data)
        async with site(remote, props={"cold_get.parallel_from": "16MiB"}) as [worker]:
            assert await worker.get("k") == data
            assert remote.calls["get"] == 5
            assert await worker.kept("k") == data

    run(check())


def test_parallel_requests_of_a_changed_object_leave_nothing() -> None:
    async def check() -> None:
        remote = MemoryRemote()
        remote.store(NAME, "k", pattern(4 * pump.CHUNK, 1))
        async with site(remote, props={"cold_get.parallel_from": "16MiB"}) as [worker]:
            stream = worker.stream("k")
            await anext(stream)
            remote.store(NAME, "k", pattern(4 * pump.CHUNK, 2))
            assert await short(stream, RemoteChanged) < 4 * pump.CHUNK
            await leaves_nothing(worker)

    run(check())
