"""Appends at an offset: one visible moment, nothing lost, nothing left over."""

from __future__ import annotations

import base64
import random
from pathlib import Path

import msgspec
import pytest

from aisle.core.errors import (
    CustomerKeyNeeded,
    DigestMismatch,
    InvalidRequest,
    ObjectNotFound,
    TooManyAppends,
    WriteConflict,
    WriteOffsetWrong,
)
from aisle.namespace import buckets, objects, offsets
from aisle.namespace.objects import Description
from aisle.namespace.records import Object, decode, encode
from aisle.namespace.sealing.ring import Ring
from aisle.namespace.sealing.wishes import Wish
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.windows import READ
from aisle.store.base import Put
from tests.namespace.support import (
    Data,
    disk_store,
    get,
    interposed_store,
    make_bucket,
    memory_store,
    nothing_leaks,
    once,
    outcomes,
    pattern,
    put,
    run,
    sweep,
    unhurried_store,
)

RING = Ring.parse("aisle/1:" + base64.b64encode(b"1" * 32).decode())


async def extend(
    store: Store, bucket: BucketRow, offset: int, data: bytes, **more: object
) -> Object:
    return await offsets.extend(
        store,
        bucket,
        b"k",
        offset,
        Data(data),
        Description(owner="me"),
        **more,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("sizes", [[1, 2, 3], [70_000, 5, 70_000], [0, 0, 9], [30] * 150])
def test_an_object_is_its_pieces_in_order(tmp_path: Path, sizes: list[int]) -> None:
    async def main() -> None:
        async with disk_store(tmp_path) as store:
            bucket = await make_bucket(store)
            whole = b""
            for number, size in enumerate(sizes):
                piece = pattern(size, number)
                record = await extend(store, bucket, len(whole), piece)
                whole += piece
                assert record.size == len(whole)
            assert await get(store, bucket, b"k") == whole
            found = await objects.find(store, bucket, b"k")
            assert len(found.parts) == found.record.part_count == len(sizes)
            assert len(found.extents) < 80
            report = await sweep(store)
            assert (report.orphans, report.missing) == (0, [])
            await objects.delete(store, bucket, b"k")
            await nothing_leaks(store)

    run(main())


def test_an_object_has_up_to_ten_thousand_parts() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        record = await put(store, bucket, b"k", b"12")
        row = bucket.record.id + b"k"
        full = msgspec.structs.replace(record, part_count=offsets.MAX_PARTS)
        await store.index.commit(Put("object", row, encode(full)))
        with pytest.raises(TooManyAppends):
            await extend(store, bucket, 2, b"3")
        await nothing_leaks(store)

    run(main())


@pytest.mark.parametrize("size", [3, 70_000])
def test_what_is_refused_leaves_nothing(size: int) -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        with pytest.raises(ObjectNotFound):
            await extend(store, bucket, 1, b"x")
        await put(store, bucket, b"k", b"12")
        for offset in (0, 1, 3):
            with pytest.raises(WriteOffsetWrong):
                await extend(store, bucket, offset, b"x" * size)
        wrong = DigestMismatch("CRC32", expected="a", computed="b")
        with pytest.raises(DigestMismatch):
            await offsets.extend(
                store, bucket, b"k", 2, Data(b"x" * size, wrong=wrong), Description()
            )
        assert await get(store, bucket, b"k") == b"12"
        await nothing_leaks(store)

    run(main())


@pytest.mark.parametrize("size", [3, 70_000])
def test_who_loses_the_race_is_told_and_leaves_nothing(size: int) -> None:
    async def main() -> None:
        store, index = interposed_store()
        bucket = await make_bucket(store)
        await put(store, bucket, b"k", b"12")

        async def faster() -> None:
            await extend(store, bucket, 2, b"ab")

        once(index, "get", "object", faster)
        with pytest.raises(WriteOffsetWrong):
            await extend(store, bucket, 2, b"x" * size)
        assert await get(store, bucket, b"k") == b"12ab"
        await nothing_leaks(store)

    run(main())


@pytest.mark.parametrize("seed", range(5))
def test_of_many_at_one_place_one_wins(seed: int) -> None:
    async def main() -> None:
        store = unhurried_store(seed)
        bucket = await make_bucket(store)
        size = random.Random(seed).choice([4, 70_000])
        await put(store, bucket, b"k", b"12")
        done = await outcomes(*(extend(store, bucket, 2, bytes([n]) * size) for n in range(5)))
        assert sum(isinstance(one, Object) for one in done) == 1
        data = await get(store, bucket, b"k")
        assert len(data) == size + 2
        assert len(set(data[2:])) == 1
        await nothing_leaks(store)

    run(main())


@pytest.mark.parametrize("size", [10, 70_000])
def test_an_encrypted_object_goes_on_with_its_key(size: int) -> None:
    async def main() -> None:
        store = memory_store()
        store.ring = RING
        bucket = await make_bucket(store)
        whole = b""
        for number in range(70):
            piece = pattern(size if number < 3 else 7, number)
            await extend(store, bucket, len(whole), piece)
            whole += piece
        assert await get(store, bucket, b"k") == whole
        raw = await store.index.get("object", bucket.record.id + b"k")
        assert raw is not None
        record = decode(Object, raw)
        assert record.sealed is not None
        found = await objects.find(store, bucket, b"k")
        assert all(extent.seal for extent in found.extents)

    run(main())


def test_a_clients_key_is_needed_again() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        key = b"c" * 32
        secret = Description(owner="me", wish=Wish(customer=key))
        await offsets.extend(store, bucket, b"k", 0, Data(b"1"), secret)
        with pytest.raises(CustomerKeyNeeded):
            await offsets.extend(store, bucket, b"k", 1, Data(b"2"), Description())
        await offsets.extend(store, bucket, b"k", 1, Data(b"2"), secret, customer=key)
        found, small = await objects.find_small(
            store, bucket, b"k", READ._replace(customer_key=key)
        )
        assert found.record.size == 2
        assert small is None

    run(main())


def test_versions_and_replaced_objects_do_not_grow() -> None:
    async def main() -> None:
        store, index = interposed_store()
        bucket = await make_bucket(store)
        await put(store, bucket, b"k", b"12")

        async def replaced() -> None:
            store.ring = RING
            await put(store, bucket, b"k", b"ab")

        once(index, "get", "object", replaced)
        with pytest.raises(WriteConflict):
            await extend(store, bucket, 2, b"x" * 70_000)
        await nothing_leaks(store)
        versioned = await buckets.set_versioning(store, bucket, suspended=False)
        with pytest.raises(InvalidRequest):
            await extend(store, versioned, 2, b"x")

    run(main())
