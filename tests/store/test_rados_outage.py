"""`RadosBlobs` while OSDs die, hang and come back, and on a pool that is full."""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from aisle.core.errors import OutOfSpace, StoreError, StoreUnavailable
from aisle.store.base import BlobWriter, Body
from aisle.store.rados.blobs import RadosBlobs
from tests.servers.ceph import Ceph, shared, shared_pool
from tests.store.conftest import Run
from tests.store.test_blobs_contract import MIB, all_of, put, some_bytes, take

DEADLINE = 120  # seconds, for what takes few


@pytest.fixture
def ceph() -> Iterator[Ceph]:
    """The shared cluster, whole again afterwards."""
    yield shared()
    shared().restore()


async def connect(pool: str, store: str, *, timeout: int = 30) -> RadosBlobs:
    url = f"rados://{pool}?conf={shared().conf}&stripe=1MiB&timeout={timeout}s"
    return await RadosBlobs.connect(url, store=store)


@pytest.mark.parametrize("ec", [False, True], ids=["replicated", "erasure-coded"])
def test_an_osd_that_is_killed_and_comes_back_is_not_noticed(
    ceph: Ceph, run: Run, ec: bool
) -> None:
    """Four writers and four readers, all the while: no error, and every byte is right."""
    written: dict[bytes, int] = {}
    over = asyncio.Event()
    source = some_bytes(4 * MIB)

    def content(size: int) -> bytes:
        return source[size - 2 * MIB : 2 * size - 2 * MIB]

    async def write(blobs: RadosBlobs, numbers: Iterator[int]) -> None:
        while not over.is_set():
            size = 2 * MIB + next(numbers)
            blob = await put(blobs, content(size), chunk=300_000)
            written[blob] = size
            await asyncio.sleep(0.05)

    async def read(blobs: RadosBlobs) -> None:
        while not over.is_set():
            for blob, size in list(written.items())[-4:]:
                assert await take(blobs, blob, 0, size) == content(size)
            await asyncio.sleep(0.01)

    async def more(count: int) -> None:
        """Wait until `count` more blobs have been written."""
        async with asyncio.timeout(DEADLINE):
            want = len(written) + count
            while len(written) < want:
                await asyncio.sleep(0.01)

    async def attempt() -> None:
        blobs = await connect(shared_pool(ec=ec), uuid.uuid4().hex)
        numbers = itertools.count()
        work = [asyncio.ensure_future(write(blobs, numbers)) for _ in range(4)]
        work += [asyncio.ensure_future(read(blobs)) for _ in range(4)]
        await more(10)
        ceph.kill_osd(1)
        await more(10)
        await asyncio.to_thread(ceph.start_osd, 1)
        await more(10)
        over.set()
        async with asyncio.timeout(DEADLINE):
            await asyncio.gather(*work)
        for blob, size in written.items():
            assert await take(blobs, blob, 0, size) == content(size)
        assert {b: i.size for b, i in (await all_of(blobs)).items()} == written
        await asyncio.gather(*[blobs.delete(blob) for blob in written])
        await blobs.close()

    run(attempt())


def test_what_too_few_osds_hold_is_unavailable_in_time_and_comes_back_by_itself(
    ceph: Ceph, run: Run
) -> None:
    async def attempt() -> None:
        pool, store = shared_pool(), uuid.uuid4().hex
        blobs = await connect(pool, store, timeout=2)
        data = some_bytes(3 * MIB)
        blob = await put(blobs, data)
        half = await blobs.create(b"owner")
        await half.write(bytes(3 * MIB))
        ceph.kill_osd(0)
        ceph.kill_osd(1)
        # Reads of what the third OSD leads may still succeed; no write does.
        for attempt in (put(blobs, data), put(blobs, b"x"), half.seal(), blobs.delete(blob)):
            async with asyncio.timeout(DEADLINE):
                with pytest.raises(StoreUnavailable):
                    await attempt
        with pytest.raises(StoreError):
            await half.write(b"more")
        async with asyncio.timeout(DEADLINE):
            await half.abort()
        async with asyncio.timeout(DEADLINE):
            with pytest.raises(StoreUnavailable):
                await all_of(blobs)
        await asyncio.to_thread(ceph.restore)
        # The same engine, with nothing done to it; OSDs need minutes to find each other when the
        # machine is busy.
        deadline = time.monotonic() + 2 * DEADLINE
        while True:
            try:
                again = await put(blobs, data)
                break
            except StoreUnavailable:
                assert time.monotonic() < deadline
        assert await take(blobs, again, 0, len(data)) == data
        # What the failures left behind is found and goes.
        for left in await all_of(blobs):
            if left != again:
                await blobs.delete(left)
        assert set(await all_of(blobs)) == {again}
        await blobs.close()

    run(attempt())


def test_without_a_monitor_data_go_on_and_statistics_do_not(ceph: Ceph, run: Run) -> None:
    async def attempt() -> None:
        await asyncio.to_thread(ceph.await_clean)
        blobs = await connect(shared_pool(), uuid.uuid4().hex, timeout=2)
        await blobs.delete(await put(blobs, some_bytes(3 * MIB)))
        ceph.pause_monitor()
        blob = await put(blobs, some_bytes(3 * MIB))
        assert await take(blobs, blob, 0, 3 * MIB) == some_bytes(3 * MIB)
        async with asyncio.timeout(DEADLINE):
            with pytest.raises(StoreUnavailable, match="not answer in time"):
                await blobs.space()
        ceph.resume_monitor()
        assert (await blobs.space()).total > 0
        await blobs.delete(blob)
        await blobs.close()

    run(attempt())


async def put_on_and_on(blobs: RadosBlobs) -> None:
    while True:
        await blobs.delete(await put(blobs, b"x"))


def test_a_client_that_was_shut_out_is_told_so(ceph: Ceph, run: Run) -> None:
    async def attempt() -> None:
        pool, store = shared_pool(), uuid.uuid4().hex
        blobs = await connect(pool, store)
        blob = await put(blobs, bytes(3 * MIB))
        cluster: Any = blobs._pool.cluster
        for address in cluster.get_addrs().split(","):
            ceph.command("osd blocklist", blocklistop="add", addr=address.removeprefix("v2:"))
        async with asyncio.timeout(DEADLINE):
            with pytest.raises(StoreUnavailable, match="blocklisted"):
                await put_on_and_on(blobs)
            with pytest.raises(StoreUnavailable, match="blocklisted"):
                await take(blobs, blob, 0, 1)
            with pytest.raises(StoreError):
                await all_of(blobs)
            await blobs.close()
        again = await connect(pool, store)
        assert blob in await all_of(again)
        await again.close()

    run(attempt())


def test_a_store_with_no_osd_at_all_is_unavailable_and_says_so(ceph: Ceph, run: Run) -> None:
    async def attempt() -> None:
        blobs = await connect(shared_pool(), uuid.uuid4().hex, timeout=2)
        data = some_bytes(3 * MIB)
        blob = await put(blobs, data)
        body = await blobs.open(blob, 0, len(data))
        first = await body.read(1000)
        for number in range(3):
            ceph.pause_osd(number)
        late = await blobs.open(blob, 0, len(data))
        for attempt in (late.read(MIB), put(blobs, data), blobs.delete(b"\0" * 28), all_of(blobs)):
            async with asyncio.timeout(DEADLINE):
                with pytest.raises(StoreUnavailable, match="not answer in time"):
                    await attempt
        await asyncio.to_thread(ceph.restore)
        # Bodies that were open all the while have not lost their places.
        assert first + await rest_of(body) == data
        assert await rest_of(late) == data
        await blobs.close()

    run(attempt())


async def rest_of(body: Body) -> bytes:
    """What is left of `body`, tried again until the cluster answers."""
    deadline = time.monotonic() + DEADLINE
    rest = b""
    while True:
        try:
            piece = await body.read(MIB)
        except StoreUnavailable:
            assert time.monotonic() < deadline
            continue
        if not piece:
            return rest
        rest += piece


async def write_and_seal(writer: BlobWriter, size: int) -> bytes:
    await writer.write(bytes(size))
    return await writer.seal()


def test_a_full_pool_takes_no_bytes_but_lets_them_go(ceph: Ceph, run: Run) -> None:
    pool, store = ceph.create_pool(), uuid.uuid4().hex

    def quota(size: int) -> None:
        ceph.command("osd pool set-quota", pool=pool, field="max_bytes", val=str(size))

    async def until_full(blobs: RadosBlobs) -> None:
        async with asyncio.timeout(DEADLINE):
            while True:
                writer = await blobs.create(b"owner")
                try:
                    await write_and_seal(writer, 2 * MIB)
                except OutOfSpace:
                    await writer.abort()
                    return
                await asyncio.sleep(0.1)

    async def attempt() -> None:
        blobs = await connect(pool, store)
        blob = await put(blobs, bytes(8 * MIB))
        quota(4 * MIB)
        await until_full(blobs)
        before = ceph.objects(pool, store)
        for size in (1, MIB, 5 * MIB):
            writer = await blobs.create(b"owner")
            with pytest.raises(OutOfSpace):
                await write_and_seal(writer, size)
            await writer.abort()
        assert ceph.objects(pool, store) == before
        assert await take(blobs, blob, 0, 8 * MIB) == bytes(8 * MIB)
        async with asyncio.timeout(DEADLINE):
            while (await blobs.space()).free:
                await asyncio.sleep(0.1)
        for full in await all_of(blobs):
            await blobs.delete(full)
        assert ceph.objects(pool, store) == []
        quota(0)
        async with asyncio.timeout(DEADLINE):
            while True:
                try:
                    await put(blobs, b"room again")
                    break
                except OutOfSpace:
                    await asyncio.sleep(0.1)
        await blobs.close()

    run(attempt())
    ceph.delete_pool(pool)
