"""`RadosBlobs` on a real cluster: how blobs lie in a pool, and what stays bounded."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import pytest

from aisle.core.errors import BlobMissing, StoreError, StoreUnavailable
from aisle.store.base import BlobInfo, Body
from aisle.store.rados.blob import PROBES, BlobId, object_name
from aisle.store.rados.blobs import RadosBlobs
from tests.servers.ceph import shared, shared_pool
from tests.store.conftest import Run
from tests.store.test_blobs_contract import MIB, all_of, put, some_bytes, take

KIB = 1 << 10
STRIPE = 64 * KIB
PAGE = resource.getpagesize()
DEADLINE = 120  # seconds, for what takes few

Connect = Callable[..., Coroutine[Any, Any, RadosBlobs]]


@pytest.fixture(params=[False, True], ids=["replicated", "erasure-coded"])
def pool(request: pytest.FixtureRequest) -> str:
    return shared_pool(ec=request.param)


@pytest.fixture
def store() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def connect(pool: str, store: str, run: Run) -> Iterator[Connect]:
    """A function that opens an engine, by default on the test's own store with small stripes."""
    opened: list[RadosBlobs] = []

    async def connect(
        *, stripe: int = STRIPE, pool: str = pool, store: str = store, timeout: int = 30
    ) -> RadosBlobs:
        url = f"rados://{pool}?conf={shared().conf}&stripe={stripe}&timeout={timeout}s"
        blobs = await RadosBlobs.connect(url, store=store)
        opened.append(blobs)
        return blobs

    async def close() -> None:
        for blobs in opened:
            await blobs.close()

    yield connect
    run(close())


def memory() -> int:
    """Bytes of this process that are in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * PAGE


def test_a_blob_is_cut_into_objects_of_a_stripe(
    connect: Connect, run: Run, pool: str, store: str
) -> None:
    async def attempt() -> bytes:
        blobs = await connect()
        return await put(blobs, bytes(3 * STRIPE + 5), chunk=10_001)

    unique = run(attempt())[:16]
    names = [object_name(unique, number) for number in range(4)]
    assert shared().objects(pool, store) == names
    with shared().ioctx(pool, store) as ioctx:
        assert [ioctx.stat(name)[0] for name in names] == [STRIPE, STRIPE, STRIPE, 5]


def test_ranges_at_the_edges_of_stripes_are_read(connect: Connect, run: Run) -> None:
    async def attempt() -> None:
        blobs = await connect()
        size = 5 * STRIPE + 77
        data = some_bytes(size)
        blob = await put(blobs, data, chunk=100_003)
        edges = [0, 1, STRIPE - 1, STRIPE, STRIPE + 1, 3 * STRIPE, 5 * STRIPE - 1, size - 1, size]
        for start in edges:
            for end in edges:
                if start <= end:
                    assert await take(blobs, blob, start, end - start) == data[start:end]
        for step in (1000, STRIPE - 1, STRIPE + 1):
            assert await take(blobs, blob, 0, size, step=step) == data

    run(attempt())


@pytest.mark.parametrize("chunk", [1, 4097, STRIPE - 1, STRIPE, STRIPE + 1, 3 * STRIPE + 1, MIB])
def test_chunks_of_any_size_fill_objects_in_order(connect: Connect, run: Run, chunk: int) -> None:
    async def attempt() -> None:
        blobs = await connect()
        for size in (2 * chunk, 2 * chunk + 1, 5 * chunk - 1):
            data = random.Random(size).randbytes(size)
            assert await take(blobs, await put(blobs, data, chunk=chunk), 0, size) == data

    run(attempt())


def test_an_announced_size_changes_nothing_but_the_order(connect: Connect, run: Run) -> None:
    async def attempt(announced: int, size: int) -> None:
        blobs = await connect()
        writer = await blobs.create(b"owner", size_hint=announced)
        data = some_bytes(size)
        for start in range(0, size, 30_000):
            await writer.write(data[start : start + 30_000])
        blob = await writer.seal()
        assert await take(blobs, blob, 0, size) == data
        assert [info.size async for info in blobs.scan() if info.blob == blob] == [size]

    for announced in (0, MIB, 9 * MIB):
        for size in (0, 10, STRIPE, 2 * MIB):
            run(attempt(announced, size))


def test_an_alignment_that_divides_no_power_of_two_is_kept(run: Run, connect: Connect) -> None:
    pool = shared().create_pool(ec=True, stripe_unit=12 * KIB)

    async def attempt() -> None:
        blobs = await connect(pool=pool, stripe=MIB)
        data = some_bytes(5 * MIB + 1)
        for chunk in (MIB, 3 * MIB, 100_000):
            assert await take(blobs, await put(blobs, data, chunk=chunk), 0, len(data)) == data
        await blobs.close()

    run(attempt())
    shared().delete_pool(pool)


def test_blobs_keep_the_stripe_that_they_were_written_with(connect: Connect, run: Run) -> None:
    async def attempt() -> None:
        data = some_bytes(3 * MIB)
        before, after = await connect(stripe=STRIPE), await connect(stripe=4 * MIB)
        blob = await put(before, data)
        assert await take(after, blob, 100, 2 * MIB) == data[100 : 2 * MIB + 100]
        assert set(await all_of(after)) == {blob}
        await after.delete(blob)
        assert await all_of(before) == {}

    run(attempt())


def test_a_range_is_copied_across_stripes(connect: Connect, run: Run) -> None:
    async def attempt() -> None:
        blobs = await connect()
        data = some_bytes(3 * MIB)
        source = await put(blobs, data)
        writer = await blobs.create(b"copy")
        await writer.write(b"before")
        await writer.copy(source, STRIPE - 1, 2 * MIB)
        await writer.copy(source, 0, 1)
        want = b"before" + data[STRIPE - 1 : STRIPE - 1 + 2 * MIB] + data[:1]
        assert await take(blobs, await writer.seal(), 0, len(want)) == want

    run(attempt())


def test_a_cancelled_copy_cannot_be_sealed(connect: Connect, run: Run) -> None:
    async def attempt() -> None:
        blobs = await connect()
        source = await put(blobs, bytes(8 * MIB))
        writer = await blobs.create(b"copy")
        copying = asyncio.ensure_future(writer.copy(source, 0, 8 * MIB))
        await asyncio.sleep(0.005)
        copying.cancel()
        await asyncio.gather(copying, return_exceptions=True)
        with pytest.raises(StoreUnavailable):
            await writer.seal()
        await writer.abort()
        assert set(await all_of(blobs)) == {source}

    run(attempt())


def test_a_writer_that_a_sweep_may_have_taken_for_an_orphan_cannot_go_on(
    connect: Connect, run: Run, pool: str, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def attempt() -> None:
        blobs = await connect()
        writer = await blobs.create(b"owner")
        await writer.write(bytes(2 * MIB))
        monkeypatch.setattr("aisle.store.rados.writer.IDLE", 0.0)
        for late in (writer.write(b"x"), writer.seal()):
            with pytest.raises(StoreUnavailable, match="too long"):
                await late
        await writer.abort()
        assert shared().objects(pool, store) == []

    run(attempt())


def test_abort_and_delete_leave_no_object(
    connect: Connect, run: Run, pool: str, store: str
) -> None:
    async def attempt() -> None:
        blobs = await connect()
        writer = await blobs.create(b"owner")
        await writer.write(bytes(5 * MIB))
        await writer.abort()
        assert shared().objects(pool, store) == []
        blob = await put(blobs, bytes(5 * MIB + 1))
        assert len(shared().objects(pool, store)) == 81
        await blobs.delete(blob)
        assert shared().objects(pool, store) == []

    run(attempt())


def test_two_stores_in_one_pool_do_not_see_each_other(connect: Connect, run: Run) -> None:
    async def attempt() -> None:
        mine, other = await connect(), await connect(store=uuid.uuid4().hex)
        blob = await put(mine, b"mine")
        assert await all_of(other) == {}
        with pytest.raises(BlobMissing):
            await take(other, blob, 0, 4)
        await other.delete(blob)
        assert await take(mine, blob, 0, 4) == b"mine"

    run(attempt())


def lost(objects: set[int], pool: str, store: str) -> bytes:
    """Objects of a blob as a writer or a removal that died might leave them."""
    unique = os.urandom(16)
    with shared().ioctx(pool, store) as ioctx:
        for number in objects:
            ioctx.write_full(object_name(unique, number), bytes(10))
    return unique


@pytest.mark.parametrize(
    "objects",
    [{0}, {0, 1, 2}, {0, 3, PROBES - 1}, {0, PROBES, 2 * PROBES - 1}, {1}, {5, 7}, {3 * PROBES}],
)
def test_what_was_never_sealed_is_found_once_and_removed_wholly(
    connect: Connect, run: Run, pool: str, store: str, objects: set[int]
) -> None:
    async def attempt() -> None:
        blobs = await connect()
        kept = await put(blobs, bytes(3 * STRIPE))
        unique = lost(objects, pool, store)
        seen = [info async for info in blobs.scan()]
        assert len(seen) == 2
        (orphan,) = [info for info in seen if info.blob != kept]
        assert orphan == BlobInfo(
            BlobId(unique, 0, min(objects)).encode(), None, orphan.age, 10 * len(objects)
        )
        assert 0 <= orphan.age < 60
        with pytest.raises(BlobMissing):
            await take(blobs, orphan.blob, 0, 1)
        await blobs.delete(orphan.blob)
        assert set(await all_of(blobs)) == {kept}
        assert len(shared().objects(pool, store)) == 3

    run(attempt())


def test_a_slow_upload_is_as_young_as_its_last_object(
    connect: Connect, run: Run, pool: str, store: str
) -> None:
    async def attempt() -> None:
        blobs = await connect()
        unique = lost({1}, pool, store)
        with shared().ioctx(pool, store) as ioctx:
            with_old_time = ioctx.create_write_op()
            with_old_time.write_full(b"first")
            ioctx.operate_write_op(with_old_time, object_name(unique, 0), mtime=1_000_000_000)
            ioctx.release_write_op(with_old_time)
        (info,) = [info async for info in blobs.scan()]
        assert info.age < 60
        with shared().ioctx(pool, store) as ioctx:
            ioctx.remove_object(object_name(unique, 1))
        (info,) = [info async for info in blobs.scan()]
        assert info.age > 1e8

    run(attempt())


def test_names_of_others_are_no_blobs(connect: Connect, run: Run, pool: str, store: str) -> None:
    async def attempt() -> None:
        blobs = await connect()
        with shared().ioctx(pool, store) as ioctx:
            for name in ("x", "x.0", f"{'AB' * 16}.0", f"{'ab' * 16}.00", f"{'ab' * 16}.x", "ab.0"):
                ioctx.write_full(name, b"x")
        assert await all_of(blobs) == {}

    run(attempt())


def test_a_scan_of_many_blobs_tells_each_once(connect: Connect, run: Run) -> None:
    async def attempt() -> None:
        blobs = await connect()
        made = await asyncio.gather(*[put(blobs, bytes(n * 1000)) for n in range(300)])
        seen = [info.blob async for info in blobs.scan()]
        assert sorted(seen) == sorted(made)

    run(attempt())


def test_bytes_that_are_not_there_are_missed(
    connect: Connect, run: Run, pool: str, store: str
) -> None:
    async def attempt() -> None:
        blobs = await connect()
        data = some_bytes(3 * STRIPE)
        blob = await put(blobs, data)
        with shared().ioctx(pool, store) as ioctx:
            ioctx.write_full(object_name(blob[:16], 1), data[STRIPE : 2 * STRIPE - 1])
            ioctx.remove_object(object_name(blob[:16], 2))
        assert await take(blobs, blob, 0, STRIPE) == data[:STRIPE]
        for offset, length in ((0, 3 * STRIPE), (2 * STRIPE - 1, 1), (2 * STRIPE, 1)):
            with pytest.raises(BlobMissing):
                await take(blobs, blob, offset, length)

    run(attempt())


async def finish(scan: AsyncIterator[BlobInfo]) -> None:
    async for _ in scan:
        pass


async def rest_of(body: Body) -> bytes:
    pieces = []
    while piece := await body.read(MIB):
        pieces.append(piece)
    return b"".join(pieces)


def test_close_ends_everything_and_may_be_repeated(connect: Connect, run: Run) -> None:
    async def attempt() -> None:
        blobs = await connect()
        blob = await put(blobs, bytes(4 * MIB))
        await asyncio.gather(*[put(blobs, b"x") for _ in range(300)])
        scan = blobs.scan()
        await anext(scan)
        body = await blobs.open(blob, 0, 4 * MIB)
        await body.read(MIB)
        writer = await blobs.create(b"")
        writing = asyncio.ensure_future(writer.write(bytes(8 * MIB)))
        await asyncio.sleep(0)
        await blobs.close()
        await asyncio.gather(writing, return_exceptions=True)
        for late in (
            rest_of(body),
            finish(scan),
            put(blobs, b"x"),
            blobs.delete(blob),
            blobs.space(),
            all_of(blobs),
        ):
            with pytest.raises(StoreError):
                await late
        await writer.abort()
        await blobs.close()

    run(attempt())


@pytest.mark.parametrize("pool", [False], indirect=True)
def test_many_writers_of_a_cluster_that_hangs_keep_little_in_memory(
    connect: Connect, run: Run
) -> None:
    """100 writers with 4 MiB each, of which at most 64 MiB a process are on their way."""
    data = some_bytes(MIB)

    async def one(blobs: RadosBlobs) -> bytes:
        writer = await blobs.create(b"owner", size_hint=4 * MIB)
        for _ in range(4):
            await writer.write(data)
        return await writer.seal()

    async def attempt() -> None:
        blobs = await connect(stripe=4 * MIB)
        await put(blobs, data)
        before = memory()
        for number in range(3):
            shared().pause_osd(number)
        try:
            writing = [asyncio.ensure_future(one(blobs)) for _ in range(100)]
            done, _ = await asyncio.wait(writing, timeout=2)
            grown = memory() - before
            assert not done
            # The loop is not held up by anything that hangs.
            async with asyncio.timeout(DEADLINE):
                hanging = asyncio.ensure_future(all_of(blobs))
                for _ in range(1000):
                    await asyncio.sleep(0)
        finally:
            shared().restore()
        assert grown < 150 * MIB
        async with asyncio.timeout(DEADLINE):
            made = await asyncio.gather(*writing)
            await asyncio.gather(hanging, return_exceptions=True)
        for blob in made[::50]:
            assert await take(blobs, blob, 0, 4 * MIB) == data * 4
        await asyncio.gather(*[blobs.delete(blob) for blob in made])

    run(attempt())


def test_readers_that_stop_keep_little_in_memory_and_can_go_on(connect: Connect, run: Run) -> None:
    async def attempt() -> None:
        blobs = await connect(stripe=4 * MIB)
        data = some_bytes(16 * MIB)
        blob = await put(blobs, data)
        before = memory()
        bodies = [await blobs.open(blob, 0, len(data)) for _ in range(100)]
        firsts = [await body.read(MIB) for body in bodies]
        assert all(first == data[:MIB] for first in firsts)
        del firsts
        await asyncio.sleep(0.5)  # whatever is read ahead has arrived by now
        assert memory() - before < 200 * MIB
        for body in bodies[::20]:
            assert await rest_of(body) == data[MIB:]
        for body in bodies:
            body.close()
        await asyncio.sleep(0)
        assert blobs._ahead.used == 0

    run(attempt())
