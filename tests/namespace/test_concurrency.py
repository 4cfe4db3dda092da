"""Writers, readers and deleters at the same time: what must hold however they interleave."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from aisle.core.errors import (
    InvalidPart,
    ObjectNotFound,
    PreconditionFailed,
    UploadNotFound,
    WriteConflict,
)
from aisle.namespace import buckets, copies, objects, uploads
from aisle.namespace.conditions import WriteConditions
from aisle.namespace.objects import Description
from tests.namespace.support import (
    LARGE,
    begin,
    complete,
    disk_store,
    get,
    interposed_store,
    make_bucket,
    nothing_leaks,
    once,
    outcomes,
    pattern,
    put,
    put_part,
    rows,
    run,
    unhurried_store,
)

SEEDS = range(25)
CREATE = WriteConditions(if_none_match="*")
SIZES = [10, LARGE]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("seed", SEEDS)
def test_of_many_creators_one_wins(seed: int, size: int) -> None:
    async def main() -> None:
        store = unhurried_store(seed)
        bucket = await make_bucket(store)
        bodies = [pattern(size, number) for number in range(8)]
        told = await outcomes(*(put(store, bucket, b"k", body, CREATE) for body in bodies))
        won = [body for body, outcome in zip(bodies, told, strict=True)
               if not isinstance(outcome, BaseException)]  # fmt: skip
        assert len(won) == 1
        lost = [outcome for outcome in told if isinstance(outcome, BaseException)]
        assert all(isinstance(outcome, PreconditionFailed) for outcome in lost)
        assert await get(store, bucket, b"k") == won[0]
        await nothing_leaks(store)

    run(main())


@pytest.mark.parametrize("seed", SEEDS)
def test_a_counter_loses_no_update(seed: int) -> None:
    async def main() -> None:
        store = unhurried_store(seed)
        bucket = await make_bucket(store)
        await put(store, bucket, b"k", b"0")

        async def count(times: int) -> None:
            while times:
                found, data = await objects.find_small(store, bucket, b"k")
                assert data is not None
                condition = WriteConditions(if_match=found.record.etag)
                try:
                    await put(store, bucket, b"k", b"%d" % (int(data) + 1), condition)
                except (PreconditionFailed, WriteConflict):
                    continue
                times -= 1

        await asyncio.gather(*(count(5) for _ in range(5)))
        assert await get(store, bucket, b"k") == b"25"
        assert (await objects.head(store, bucket, b"k")).seq == 26
        await nothing_leaks(store)

    run(main())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_reader_sees_one_whole_version(seed: int, size: int) -> None:
    async def main() -> None:
        store = unhurried_store(seed)
        bucket = await make_bucket(store)
        versions = [pattern(size + number, number) for number in range(12)]
        await put(store, bucket, b"k", versions[0])

        async def write() -> None:
            for version in versions[1:]:
                await put(store, bucket, b"k", version)

        async def read() -> None:
            seen = [versions.index(await get(store, bucket, b"k")) for _ in range(10)]
            assert seen == sorted(seen), "an older version after a newer one"

        await asyncio.gather(write(), read(), read())
        await nothing_leaks(store)

    run(main())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_copy_races_with_the_replacement_of_its_source(seed: int, size: int) -> None:
    async def main() -> None:
        store = unhurried_store(seed)
        bucket = await make_bucket(store)
        versions = [pattern(size, number) for number in range(6)]
        await put(store, bucket, b"source", versions[0])

        async def write() -> None:
            for version in versions[1:]:
                await put(store, bucket, b"source", version)

        async def copy(target: bytes) -> None:
            found, small = await objects.find_small(store, bucket, b"source")
            description = Description(checksum_algorithm="SHA256" if target[-1:] == b"1" else "")
            await copies.copy(store, found, bucket, target, description, small=small)
            assert await get(store, bucket, target) in versions

        await asyncio.gather(write(), *(copy(b"copy%d" % n) for n in range(4)))
        await nothing_leaks(store)

    run(main())


@pytest.mark.parametrize("ending", ["complete", "abort"])
@pytest.mark.parametrize("seed", SEEDS)
def test_parts_that_come_while_an_upload_ends(seed: int, ending: str) -> None:
    """A part is in, and used or given up; or its writer hears that the upload is gone."""

    async def main() -> None:
        store = unhurried_store(seed)
        bucket = await make_bucket(store)
        upload = await begin(store, bucket, b"k")
        first = await put_part(store, bucket, upload, 1, b"one")
        await put_part(store, bucket, upload, 2, b"unused")

        async def end() -> None:
            if ending == "abort":
                await uploads.abort(store, upload)
                return
            try:
                await complete(store, bucket, upload, first)
            except InvalidPart:  # part 1 is another one by now
                return
            assert await get(store, bucket, b"k") == b"one"

        told = await outcomes(
            end(),
            put_part(store, bucket, upload, 1, b"again"),
            put_part(store, bucket, upload, 2, pattern(LARGE)),
            put_part(store, bucket, upload, 3, b"new"),
        )
        assert told[0] is None
        assert all(not isinstance(o, BaseException) or isinstance(o, UploadNotFound) for o in told)
        if await rows(store, "upload") == []:
            assert await rows(store, "part") == []
        await nothing_leaks(store)

    run(main())


def test_an_unused_part_replaced_while_its_upload_completes_does_not_leak() -> None:
    async def main() -> None:
        store, index = interposed_store()
        bucket = await make_bucket(store)
        upload = await begin(store, bucket, b"k")
        used = await put_part(store, bucket, upload, 1, b"used")
        await put_part(store, bucket, upload, 2, b"unused")
        once(index, "scan", "part", lambda: put_part(store, bucket, upload, 2, b"replaced"))
        await complete(store, bucket, upload, used)
        assert await get(store, bucket, b"k") == b"used"
        await nothing_leaks(store)

    run(main())


@pytest.mark.parametrize("seed", SEEDS)
def test_a_complete_sent_twice_at_once_happens_once(seed: int) -> None:
    async def main() -> None:
        store = unhurried_store(seed)
        bucket = await make_bucket(store)
        upload = await begin(store, bucket, b"k")
        part = await put_part(store, bucket, upload, 1, b"one")
        told = await outcomes(*(complete(store, bucket, upload, part) for _ in range(3)))
        won = [outcome for outcome in told if not isinstance(outcome, BaseException)]
        assert len(won) == 1
        assert sum(isinstance(outcome, UploadNotFound) for outcome in told) == 2
        done = await uploads.completed(
            store, bucket, b"k", upload.record.id.hex(), [uploads.NamedPart(1, part.etag, {})]
        )
        assert done is not None
        assert done.etag == (await objects.head(store, bucket, b"k")).etag == won[0].etag
        assert won[0].seq == 1

    run(main())


@pytest.mark.parametrize("seed", SEEDS)
def test_deletes_and_writes_of_one_key_keep_its_bytes_or_none(seed: int) -> None:
    async def main() -> None:
        store = unhurried_store(seed)
        bucket = await make_bucket(store)

        async def write(number: int) -> None:
            for size in (5, LARGE, 7):
                await put(store, bucket, b"k", pattern(size, number))

        async def delete() -> None:
            for _ in range(4):
                await objects.delete(store, bucket, b"k")

        async def read() -> None:
            for _ in range(6):
                try:
                    data = await get(store, bucket, b"k")
                except ObjectNotFound:
                    continue
                assert data in [pattern(s, n) for s in (5, LARGE, 7) for n in (1, 2)]

        await asyncio.gather(write(1), write(2), delete(), read(), read())
        await nothing_leaks(store)

    run(main())


def test_concurrent_writers_over_the_embedded_engines(tmp_path: Path) -> None:
    """Two stores over one directory, as two worker processes have it."""

    async def main() -> None:
        async with disk_store(tmp_path) as one, disk_store(tmp_path) as two:
            bucket = await make_bucket(one)
            for size in SIZES:
                key = b"%d" % size
                told = await outcomes(
                    *(put(store, bucket, key, pattern(size, number), CREATE)
                      for number, store in enumerate([one, two] * 6))
                )  # fmt: skip
                assert sum(not isinstance(outcome, BaseException) for outcome in told) == 1
                assert all(
                    isinstance(outcome, PreconditionFailed)
                    for outcome in told
                    if isinstance(outcome, BaseException)
                )
                assert await get(one, bucket, key) == await get(two, bucket, key)
            await nothing_leaks(one)
            await buckets.change_props(two, bucket.name, {"checksum.type": "md5"})
            seen = await buckets.get(one, bucket.name)
            assert seen.record.props == {"checksum.type": "md5"}

    run(main())
