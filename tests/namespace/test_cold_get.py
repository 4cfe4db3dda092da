"""Cold GETs over a remote in memory: one download, readers at their own speed, and nothing kept
that is not whole, right and of one version."""

from __future__ import annotations

import asyncio
import hashlib
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aisle.core.errors import (
    ColdGetDisabled,
    ObjectNotFound,
    RemoteBroken,
    RemoteChanged,
    RemoteDenied,
)
from aisle.core.features import BY_NAME
from aisle.namespace import objects, reads
from aisle.namespace.window import pump
from aisle.namespace.windows import LOOK, PART, READ, How
from aisle.store.base import Put
from aisle.store.memory import MemoryBlobs
from tests.backend.memory import MemoryRemote
from tests.namespace.support import LARGE, blob_ids, disk_store, pattern, rows, run
from tests.namespace.windowed import NAME, Worker, site

SIZES = [1, 1000, LARGE - 1, LARGE, pump.CHUNK, pump.CHUNK + 1, 3 * pump.CHUNK - 7]


async def kept_soon(worker: Worker, key: str) -> bytes:
    async with asyncio.timeout(10):
        while (data := await worker.kept(key)) is None:
            await asyncio.sleep(0.001)
    return data


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
        go_on = asyncio.Event()

        async def reading(key: str, place: int) -> None:
            if place >= 3 * remote.piece:
                await go_on.wait()

        remote.reading = reading
        async with site(remote) as [worker]:
            streams = [worker.stream("k"), worker.stream("k")]
            for stream in streams:
                assert await anext(stream) == data[: remote.piece]
            assert await worker.copy("k") is None
            go_on.set()
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


# --- what goes wrong ------------------------------------------------------------------------


async def short(stream: AsyncIterator[bytes], error: type[Exception]) -> int:
    """How many bytes come before an error that has to."""
    size = 0
    try:
        async for piece in stream:
            size += len(piece)
    except error:
        return size
    raise AssertionError(f"{size} bytes came, and no {error.__name__}")


async def leaves_nothing(worker: Worker) -> None:
    """No copy, no claim, no chunk; blobs are garbage."""
    store = worker.store
    for table in ("object", "claim", "chunk", "body", "layout"):
        assert await rows(store, table) == []
    assert await blob_ids(store) <= {key[9:] for key in await rows(store, "garbage")}


@pytest.mark.parametrize("size", [100, LARGE, 2 * pump.CHUNK + 5])
def test_a_body_with_another_checksum_is_never_whole(size: int) -> None:
    async def check() -> None:
        remote = MemoryRemote()
        data = pattern(size)
        remote.store(NAME, "k", data)
        held = remote.bucket(NAME)["k"]
        held.data = data[:-1] + bytes([data[-1] ^ 1])
        async with site(remote) as [worker]:
            assert await short(worker.stream("k"), RemoteBroken) < size
            await leaves_nothing(worker)
            held.data = data
            assert await worker.get("k") == data

    run(check())


def test_a_body_that_is_cut_goes_on_where_it_was() -> None:
    async def check() -> None:
        remote = MemoryRemote(cut=pump.CHUNK + 12345)
        data = pattern(2 * pump.CHUNK)
        remote.store(NAME, "k", data)
        async with site(remote) as [worker]:
            assert await worker.get("k") == data
            assert remote.calls == {"get": 2}
            assert remote.bytes_read == len(data)
            assert await worker.kept("k") == data

    run(check())


def test_a_remote_that_fails_in_the_middle_for_good_leaves_nothing() -> None:
    async def check() -> None:
        remote = MemoryRemote(cut=pump.CHUNK + 12345)
        remote.store(NAME, "k", pattern(2 * pump.CHUNK))
        async with site(remote) as [worker]:
            stream = worker.stream("k")
            await anext(stream)
            remote.fail("get", RemoteDenied(f"aws://{NAME}", "no more"), times=99)
            assert await short(stream, RemoteDenied) < 2 * pump.CHUNK
            await leaves_nothing(worker)

    run(check())


def test_an_object_that_changes_is_short_for_who_has_begun_and_new_for_others() -> None:
    async def check() -> None:
        remote = MemoryRemote()
        old, new = pattern(3 * pump.CHUNK, 1), pattern(3 * pump.CHUNK, 2)
        remote.store(NAME, "k", old)
        async with site(remote) as [worker]:
            stream = worker.stream("k")
            first = await anext(stream)
            remote.store(NAME, "k", new)
            remote.cut = 2 * pump.CHUNK + 3
            size = len(first) + await short(stream, RemoteChanged)
            assert size < len(old)
            await leaves_nothing(worker)
            assert await worker.get("k") == new

    run(check())


def test_errors_of_the_remote_are_told_and_not_kept() -> None:
    async def check() -> None:
        remote = MemoryRemote()
        remote.store(NAME, "k", b"data")
        remote.fail("get", RemoteDenied(f"aws://{NAME}", "not for you"))
        async with site(remote) as [worker]:
            results = await asyncio.gather(
                *(worker.get("k") for _ in range(5)), return_exceptions=True
            )
            assert all(isinstance(result, RemoteDenied) for result in results)
            assert await worker.get("k") == b"data"

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


# --- comparing ------------------------------------------------------------------------------


def test_a_copy_is_compared_where_that_is_asked_for() -> None:
    async def check() -> None:
        remote = MemoryRemote()
        old, new = pattern(LARGE, 1), pattern(LARGE, 2)
        remote.store(NAME, "k", old)
        latest = How(latest=True, whole=True, used=True)
        async with site(remote) as [worker]:
            assert await worker.get("k") == old
            assert await worker.get("k", latest) == old
            remote.store(NAME, "k", new)
            assert await worker.get("k") == old
            assert await worker.get("k", latest) == new
            assert await worker.get("k") == new
            remote.discard(NAME, "k")
            with pytest.raises(ObjectNotFound):
                await worker.get("k", latest)
            assert await worker.get("k") == new

    run(check())


def test_a_bucket_may_have_every_read_compared_and_lost_objects_deleted() -> None:
    async def check() -> None:
        remote = MemoryRemote()
        remote.store(NAME, "k", b"old")
        props = {"versioning.validate_warm_get": True, "versioning.synchronize": True}
        async with site(remote, props=props) as [worker]:
            assert await worker.get("k") == b"old"
            remote.store(NAME, "k", b"new")
            assert await worker.get("k") == b"new"
            remote.discard(NAME, "k")
            with pytest.raises(ObjectNotFound):
                await worker.get("k")
            await leaves_nothing(worker)

    run(check())


def test_comparisons_at_the_same_time_share_requests() -> None:
    async def check() -> None:
        remote = MemoryRemote()
        remote.store(NAME, "k", b"data")

        async def before(method: str, key: str) -> None:
            await asyncio.sleep(0.01)

        async with site(remote) as [worker]:
            await worker.get("k")
            remote.before = before
            latest = How(latest=True, whole=True, used=True)
            await asyncio.gather(*(worker.get("k", latest) for _ in range(50)))
            assert remote.calls["head"] <= 2

    run(check())


# --- copies that are damaged ----------------------------------------------------------------


@pytest.mark.parametrize("size", [100, LARGE, 2 * pump.CHUNK])
@pytest.mark.parametrize("lost", [False, True])
def test_a_damaged_copy_is_dropped_and_fetched_again(size: int, lost: bool) -> None:
    async def check() -> None:
        remote = MemoryRemote()
        data = pattern(size)
        remote.store(NAME, "k", data)
        async with site(remote, props={"checksum.validate_warm_get": True}) as [worker]:
            assert await worker.get("k") == data
            bucket = await worker.bucket()
            found, small = await objects.find_small(worker.store, bucket, b"k")
            extent = found.extents[0]
            if extent.inline:
                body = data[:-1] + bytes([data[-1] ^ 1])
                await worker.store.index.commit(Put("body", extent.blob, body))
            elif lost:
                await worker.store.blobs.delete(extent.blob)
            else:
                blobs = worker.store.blobs
                assert isinstance(blobs, MemoryBlobs)
                blobs._blobs[extent.blob].data[5] ^= 1
            found, small = await objects.find_small(worker.store, bucket, b"k")
            whole = await reads.whole(worker.store, bucket, "k", found, small)
            if not isinstance(whole, bytes):
                whole = b"".join([piece async for piece in whole])
            assert whole == data
            assert remote.calls["get"] == 2
            assert await kept_soon(worker, "k") == data

    run(check())


def test_a_damaged_copy_of_an_object_that_has_changed_is_not_mixed_with_it() -> None:
    async def check() -> None:
        remote = MemoryRemote()
        remote.store(NAME, "k", pattern(LARGE, 1))
        async with site(remote, props={"checksum.validate_warm_get": True}) as [worker]:
            await worker.get("k")
            bucket = await worker.bucket()
            found, small = await objects.find_small(worker.store, bucket, b"k")
            await worker.store.blobs.delete(found.extents[0].blob)
            remote.store(NAME, "k", pattern(LARGE, 2))
            with pytest.raises(RemoteChanged):
                await reads.whole(worker.store, bucket, "k", found, small)
            assert await worker.get("k") == pattern(LARGE, 2)

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


def test_without_validation_of_cold_gets_the_remotes_checksums_do_not_count() -> None:
    async def check() -> None:
        remote = MemoryRemote()
        remote.store(NAME, "k", b"right")
        remote.bucket(NAME)["k"].data = b"wrong"
        async with site(remote, props={"checksum.validate_cold_get": False}) as [worker]:
            assert await worker.get("k") == b"wrong"

    run(check())
