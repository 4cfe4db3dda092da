"""Cold GETs that go wrong, and copies that are damaged or no longer what the remote has: nothing is
kept or given that is not whole, right and of one version.
"""

from __future__ import annotations

import asyncio

import pytest

from aisle.core.errors import ObjectNotFound, RemoteBroken, RemoteChanged, RemoteDenied
from aisle.namespace import objects, reads
from aisle.namespace.window import pump
from aisle.namespace.windows import How
from aisle.store.base import Put
from aisle.store.memory import MemoryBlobs
from tests.backend.memory import MemoryRemote
from tests.namespace.coldly import kept_soon, leaves_nothing, short
from tests.namespace.gates import Gate
from tests.namespace.support import LARGE, pattern, run
from tests.namespace.windowed import NAME, site

# --- what goes wrong ------------------------------------------------------------------------


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


def test_a_body_that_breaks_behind_its_last_byte_is_not_asked_to_go_on() -> None:
    async def check() -> None:
        remote = MemoryRemote()
        remote.store(NAME, "k", pattern(100))

        async def reading(key: str, place: int) -> None:
            if place == 100:
                raise RemoteBroken(f"aws://{NAME}", "more than it should be")

        remote.reading = reading
        async with site(remote) as [worker]:
            with pytest.raises(RemoteBroken):
                await worker.get("k")
            assert remote.calls["get"] == 1
            await leaves_nothing(worker)

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


# --- copies that are compared ---------------------------------------------------------------


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
        async with site(remote) as [worker]:
            await worker.get("k")
            gate = Gate.of_requests(remote)
            latest = How(latest=True, whole=True, used=True)
            reading = asyncio.gather(*(worker.get("k", latest) for _ in range(50)))
            await gate.reached.wait()
            for _ in range(100):  # turns of the loop, in which all others come to the comparison
                await asyncio.sleep(0)
            gate.open()
            await reading
            assert remote.calls["head"] <= 2

    run(check())
