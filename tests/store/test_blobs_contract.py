"""The suite of the `Blobs` port, on every engine of `engines.BLOBS`."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from aisle.core.errors import BlobMissing, StoreError
from aisle.store.base import BlobInfo, Blobs
from tests.store.conftest import Run
from tests.store.engines import BlobsEngine

MIB = 1 << 20
UNSEALED = 9 * MIB
SIZES = [0, 1, 4095, MIB - 1, MIB, MIB + 1, 3 * MIB + 7]


def some_bytes(size: int) -> bytes:
    return random.Random(size).randbytes(size)


async def put(blobs: Blobs, data: bytes, *, owner: bytes = b"owner", chunk: int = MIB) -> bytes:
    writer = await blobs.create(owner, size_hint=len(data))
    for start in range(0, len(data), chunk):
        await writer.write(data[start : start + chunk])
    return await writer.seal()


async def take(blobs: Blobs, blob: bytes, offset: int, length: int, *, step: int = MIB) -> bytes:
    body = await blobs.open(blob, offset, length)
    try:
        pieces = []
        while piece := await body.read(step):
            assert len(piece) <= step
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        body.close()


async def all_of(blobs: Blobs) -> dict[bytes, BlobInfo]:
    return {info.blob: info async for info in blobs.scan()}


async def leave_unsealed(blobs: Blobs) -> BlobInfo:
    """A blob that is never sealed, as a scan shows it. A writer may hold its first bytes back and
    not wait for the others, so it is large, and shows itself after a while."""
    writer = await blobs.create(b"nobody")
    await writer.write(bytes(UNSEALED))
    async with asyncio.timeout(60):
        while True:
            for info in (await all_of(blobs)).values():
                if info.owner is None and info.size:
                    return info
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("size", SIZES)
def test_a_sealed_blob_is_read_back_whole(blobs: Blobs, run: Run, size: int) -> None:
    data = some_bytes(size)
    blob = run(put(blobs, data))
    assert 1 <= len(blob) <= 64
    assert run(take(blobs, blob, 0, size)) == data


@pytest.mark.parametrize(
    ("offset", "length"),
    [(0, 0), (0, 1), (1, 0), (MIB - 1, 2), (MIB, MIB), (2 * MIB + 999, 1), (3 * MIB, 0), (5, 3000)],
)
def test_a_range_is_read_and_nothing_beside_it(
    blobs: Blobs, run: Run, offset: int, length: int
) -> None:
    data = some_bytes(3 * MIB)
    blob = run(put(blobs, data))
    for step in (1000, MIB, 8 * MIB):
        assert run(take(blobs, blob, offset, length, step=step)) == data[offset : offset + length]


def test_a_range_beyond_the_end_is_a_blob_cut_short(blobs: Blobs, run: Run) -> None:
    blob = run(put(blobs, b"x" * 100, owner=b"y" * 4096))
    for offset, length in [(0, 101), (100, 1), (99, 2), (10**12, 1)]:
        with pytest.raises(BlobMissing, match="truncated"):
            run(take(blobs, blob, offset, length))


@pytest.mark.parametrize("hint", [0, 1, 99, 100, 101, 250, 300, 1000])
def test_a_hint_of_the_size_binds_to_nothing(blobs: Blobs, run: Run, hint: int) -> None:
    data = some_bytes(300)

    async def attempt() -> bytes:
        source = await put(blobs, data)
        writer = await blobs.create(b"owner", size_hint=hint)
        await writer.write(data[:100])
        await writer.write(b"")
        await writer.write(data[100:250])
        await writer.copy(source, 250, 50)
        return await writer.seal()

    blob = run(attempt())
    assert run(take(blobs, blob, 0, 300)) == data
    info = run(all_of(blobs))[blob]
    assert (info.owner, info.size) == (b"owner", 300)


def test_abort_of_a_blob_that_has_all_its_bytes_leaves_nothing(blobs: Blobs, run: Run) -> None:
    async def attempt() -> None:
        writer = await blobs.create(b"owner", size_hint=3)
        await writer.write(b"abc")
        await writer.abort()

    run(attempt())
    assert run(all_of(blobs)) == {}


def test_pieces_of_any_size_are_put_together(blobs: Blobs, run: Run) -> None:
    data = some_bytes(5000)
    assert run(take(blobs, run(put(blobs, data, chunk=1)), 0, 5000)) == data
    assert run(take(blobs, run(put(blobs, data, chunk=777)), 0, 5000, step=1)) == data


@pytest.mark.parametrize("blob", [b"x" * 16, b"", b"short", b"x" * 64, b"../../../etc/passwd"])
def test_an_unknown_blob_is_missing(blobs: Blobs, run: Run, blob: bytes) -> None:
    with pytest.raises(BlobMissing):
        run(take(blobs, blob, 0, 1))
    run(blobs.delete(blob))


def test_a_copy_of_ranges_makes_a_blob_of_them(blobs: Blobs, run: Run) -> None:
    data = some_bytes(3 * MIB)

    async def assemble() -> bytes:
        source = await put(blobs, data)
        writer = await blobs.create(b"")
        await writer.copy(source, MIB - 3, MIB + 5)
        await writer.write(b"between")
        await writer.copy(source, 0, 0)
        await writer.copy(source, 7, 1)
        target = await writer.seal()
        await blobs.delete(source)
        return target

    want = data[MIB - 3 : 2 * MIB + 2] + b"between" + data[7:8]
    assert run(take(blobs, run(assemble()), 0, len(want))) == want


def test_a_copy_of_bytes_that_are_not_there_fails_and_can_be_aborted(
    blobs: Blobs, run: Run
) -> None:
    async def attempt(blob: bytes, length: int) -> None:
        writer = await blobs.create(b"")
        try:
            await writer.copy(blob, 0, length)
        finally:
            await writer.abort()

    blob = run(put(blobs, b"abc", owner=b"a long owner"))
    with pytest.raises(BlobMissing, match="truncated"):
        run(attempt(blob, 4))
    with pytest.raises(BlobMissing):
        run(attempt(b"y" * 16, 1))
    assert set(run(all_of(blobs))) == {blob}


def test_abort_leaves_nothing_and_may_be_repeated(blobs: Blobs, run: Run) -> None:
    async def attempt() -> None:
        writer = await blobs.create(b"owner")
        await writer.write(b"x" * 5000)
        await writer.abort()
        await writer.abort()
        for late in (writer.write(b"x"), writer.seal()):
            with pytest.raises(StoreError):
                await late

    run(attempt())
    assert run(all_of(blobs)) == {}


def test_abort_after_seal_keeps_the_blob(blobs: Blobs, run: Run) -> None:
    async def attempt() -> bytes:
        writer = await blobs.create(b"owner")
        await writer.write(b"abc")
        blob = await writer.seal()
        await writer.abort()
        return blob

    assert run(take(blobs, run(attempt()), 0, 3)) == b"abc"


def test_abort_of_a_cancelled_write_leaves_nothing(blobs: Blobs, run: Run) -> None:
    async def attempt() -> None:
        writer = await blobs.create(b"owner")
        writing = asyncio.ensure_future(writer.write(bytes(16 * MIB)))
        await asyncio.sleep(0)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        await writer.abort()

    for _ in range(5):
        run(attempt())
    assert run(all_of(blobs)) == {}


def test_a_deleted_blob_is_gone_and_deleting_it_again_is_fine(blobs: Blobs, run: Run) -> None:
    kept, blob = run(put(blobs, b"kept")), run(put(blobs, b"abc"))
    run(blobs.delete(blob))
    run(blobs.delete(blob))
    with pytest.raises(BlobMissing):
        run(take(blobs, blob, 0, 3))
    assert set(run(all_of(blobs))) == {kept}


def test_scan_tells_owner_size_and_age_and_that_a_blob_was_never_sealed(
    blobs: Blobs, run: Run
) -> None:
    owners = [b"", b"o", bytes(range(256)), b"x" * 480, b"y" * 4096]
    sealed = {run(put(blobs, b"d" * number, owner=o)): o for number, o in enumerate(owners)}
    half = run(leave_unsealed(blobs))
    found = run(all_of(blobs))
    assert len(found) == len(owners) + 1
    assert {blob: found[blob].owner for blob in sealed} == sealed
    assert [found[blob].size for blob in sealed] == list(range(len(owners)))
    assert [info.blob for info in found.values() if info.owner is None] == [half.blob]
    assert 0 < half.size <= UNSEALED
    assert all(0 <= info.age < 60 for info in found.values())


def test_an_unsealed_blob_cannot_be_read(blobs: Blobs, run: Run) -> None:
    half = run(leave_unsealed(blobs))
    with pytest.raises(BlobMissing):
        run(take(blobs, half.blob, 0, 1))
    run(blobs.delete(half.blob))
    assert run(all_of(blobs)) == {}


def test_many_blobs_are_written_and_read_at_once(blobs: Blobs, run: Run) -> None:
    async def one(number: int) -> bytes:
        data = some_bytes(100_000 + number)
        blob = await put(blobs, data, owner=str(number).encode(), chunk=30_000)
        assert await take(blobs, blob, 0, len(data), step=40_000) == data
        return blob

    async def all_at_once() -> list[bytes]:
        return await asyncio.gather(*[one(number) for number in range(100)])

    made = run(all_at_once())
    found = run(all_of(blobs))
    assert set(found) == set(made)
    assert [found[blob].owner for blob in made] == [str(n).encode() for n in range(100)]


def test_a_body_may_be_closed_at_any_time_and_more_than_once(blobs: Blobs, run: Run) -> None:
    async def attempt() -> None:
        blob = await put(blobs, bytes(4 * MIB))
        body = await blobs.open(blob, 0, 4 * MIB)
        reading = asyncio.ensure_future(body.read(MIB))
        await asyncio.sleep(0)
        reading.cancel()
        body.close()
        body.close()
        await asyncio.gather(reading, return_exceptions=True)
        with pytest.raises(StoreError):
            await body.read(1)

    run(attempt())


def test_an_owner_has_at_most_4096_bytes(blobs: Blobs, run: Run) -> None:
    with pytest.raises(ValueError, match="owner"):
        run(blobs.create(b"x" * 4097))


def test_a_blob_has_a_place(blobs: Blobs, run: Run) -> None:
    blob = run(put(blobs, some_bytes(1000)))
    place = run(blobs.place(blob))
    assert place.isprintable()
    assert place


def test_space_adds_up(blobs: Blobs, run: Run) -> None:
    space = run(blobs.space())
    assert space.total > 0
    assert 0 <= space.used <= space.total
    assert 0 < space.free <= space.total


def test_blobs_are_there_after_a_restart(
    blobs_engine: BlobsEngine, tmp_path: Path, run: Run
) -> None:
    async def opened() -> Blobs:
        return await blobs_engine.open(tmp_path)

    first = run(opened())
    made = {run(put(first, some_bytes(size))): size for size in SIZES}
    run(first.close())
    second = run(opened())
    if not blobs_engine.durable:
        assert run(all_of(second)) == {}
        made = {}
    for blob, size in made.items():
        assert run(take(second, blob, 0, size)) == some_bytes(size)
    run(second.close())
    run(second.close())
