"""Tidying: what was given up goes after its grace, and not before its readers have ended."""

from __future__ import annotations

import time
from pathlib import Path

from aisle.namespace import bodies, buckets, housekeeping, objects, uploads
from aisle.namespace.records import Reader, encode
from aisle.namespace.store import LOOKUP, Store
from aisle.store.base import Delete, Put
from tests.namespace.support import (
    DAY,
    HOUR,
    LARGE,
    SECOND,
    Clock,
    begin,
    blob_ids,
    complete,
    disk_store,
    everything,
    get,
    make_bucket,
    memory_store,
    pattern,
    put,
    put_part,
    rows,
    run,
    sweep,
)

GRACE = 600 * SECOND


class SystemClock(Clock):
    """The real time, to be moved: ids and the ages of blobs go by the real one."""

    def __init__(self) -> None:
        super().__init__(time.time_ns())


def test_a_replaced_blob_waits_for_the_grace_and_then_goes() -> None:
    async def main() -> None:
        clock = Clock()
        store = memory_store(clock)
        bucket = await make_bucket(store)
        await put(store, bucket, b"k", pattern(LARGE, 1))
        await put(store, bucket, b"k", pattern(LARGE, 2))
        assert len(await blob_ids(store)) == 2
        clock.now += GRACE
        assert await housekeeping.collect_garbage(store, grace=GRACE) == 0
        clock.now += 1
        assert await housekeeping.collect_garbage(store, grace=GRACE) == 1
        assert await get(store, bucket, b"k") == pattern(LARGE, 2)
        assert len(await blob_ids(store)) == 1
        assert await rows(store, "garbage") == []

    run(main())


def test_a_small_body_goes_with_its_row() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        await put(store, bucket, b"k", b"one")
        await put(store, bucket, b"k", b"two")
        assert len(await rows(store, "body")) == 1
        await objects.delete(store, bucket, b"k")
        assert await rows(store, "body") == await rows(store, "garbage") == []

    run(main())


def test_small_parts_wait_as_rows_for_reads_that_have_begun() -> None:
    """An object of several extents is read one by one: the later ones must not vanish."""

    async def main() -> None:
        clock = Clock()
        store = memory_store(clock)
        bucket = await make_bucket(store)
        upload = await begin(store, bucket, b"k")
        parts = [await put_part(store, bucket, upload, n, pattern(10, n)) for n in (1, 2, 3)]
        await complete(store, bucket, upload, *parts)
        found = await objects.find(store, bucket, b"k")
        stream = bodies.read_extents(store, found.extents, 0, 30)
        first = await anext(stream)
        await objects.delete(store, bucket, b"k")
        clock.now += DAY
        assert await housekeeping.collect_garbage(store, grace=GRACE) == 0
        rest = b"".join([piece async for piece in stream])
        assert first + rest == pattern(10, 1) + pattern(10, 2) + pattern(10, 3)
        assert await housekeeping.collect_garbage(store, grace=GRACE) == 3
        assert await rows(store, "body") == []

    run(main())


def test_a_running_read_protects_what_was_given_up_just_before_it_began() -> None:
    """Rows are looked up before the first byte is read: the deletion may lie in between."""

    async def main() -> None:
        clock = Clock()
        store = memory_store(clock)
        bucket = await make_bucket(store)
        data = pattern(4 * LARGE)
        await put(store, bucket, b"k", data)
        found = await objects.find(store, bucket, b"k")
        await objects.delete(store, bucket, b"k")
        clock.now += LOOKUP // 2
        store.outgoing.total = 1  # the smallest slices
        stream = bodies.read_extents(store, found.extents, 0, len(data))
        first = await anext(stream)
        clock.now += DAY
        assert await housekeeping.collect_garbage(store, grace=GRACE) == 0
        assert first + b"".join([piece async for piece in stream]) == data
        assert await housekeeping.collect_garbage(store, grace=GRACE) == 1

    run(main())


def test_long_reads_of_other_workers_are_announced_and_respected() -> None:
    async def main() -> None:
        clock = Clock()
        one = memory_store(clock)
        two = Store(one.index, one.blobs, now=clock)
        bucket = await make_bucket(one)
        await put(one, bucket, b"k", pattern(LARGE))
        with two.reading():
            clock.now += 31 * SECOND
            await objects.delete(one, bucket, b"k")
            await housekeeping.announce(two, b"two")
            clock.now += GRACE - 31 * SECOND
            await housekeeping.announce(two, b"two")
            clock.now += 40 * SECOND
            assert await housekeeping.collect_garbage(one, grace=GRACE) == 0
        await housekeeping.announce(two, b"two")
        assert await rows(one, "reader") == []
        assert await housekeeping.collect_garbage(one, grace=GRACE) == 1

    run(main())


def test_reads_are_announced_well_within_a_short_grace() -> None:
    """What is given up right after a read has begun must not be gone before it was announced."""

    async def main() -> None:
        clock = Clock()
        store = memory_store(clock)
        await store.change_config({"space.garbage_grace": "2s"})
        assert await housekeeping.announce_after(store) == SECOND // 2
        with store.reading():
            clock.now += SECOND
            await housekeeping.announce(store, b"me")
            assert await rows(store, "reader") == [b"me"]
        await store.change_config({"space.garbage_grace": "1h"})
        assert await housekeeping.announce_after(store) == housekeeping.LONG_READ

    run(main())


def test_a_worker_that_died_while_reading_holds_garbage_for_a_while_only() -> None:
    async def main() -> None:
        clock = Clock()
        store = memory_store(clock)
        bucket = await make_bucket(store)
        await put(store, bucket, b"k", pattern(LARGE))
        reader = Reader(clock.now, clock.now - HOUR)
        await store.index.commit(Put("reader", b"dead", encode(reader)))
        await objects.delete(store, bucket, b"k")
        clock.now += housekeeping.READER_TIMEOUT - 1
        assert await housekeeping.collect_garbage(store, grace=0) == 0
        clock.now += 1
        assert await housekeeping.collect_garbage(store, grace=0) == 1
        clock.now += 2 * DAY
        await housekeeping.collect_garbage(store, grace=0)
        assert await rows(store, "reader") == []

    run(main())


def test_much_garbage_is_collected_in_steps_and_a_part_of_it_is_left() -> None:
    async def main() -> None:
        clock = Clock()
        store = memory_store(clock)
        for number in range(2 * housekeeping.STEP + 5):
            key = (clock.now + number).to_bytes(8, "big") + b"b" + b"%d" % number
            await store.index.commit(Put("garbage", key, b""))
        clock.now += GRACE + 2 * housekeeping.STEP
        assert await housekeeping.collect_garbage(store, grace=GRACE) == 2 * housekeeping.STEP
        assert len(await rows(store, "garbage")) == 5

    run(main())


def test_a_clock_that_goes_backwards_does_no_harm() -> None:
    async def main() -> None:
        clock = SystemClock()
        store = memory_store(clock)
        bucket = await make_bucket(store)
        await put(store, bucket, b"k", pattern(LARGE, 1))
        await put(store, bucket, b"k", pattern(LARGE, 2))
        upload = await begin(store, bucket, b"u")
        await put_part(store, bucket, upload, 1, pattern(LARGE, 3))
        with store.reading():
            clock.now -= 400 * DAY
            await put(store, bucket, b"k", pattern(LARGE, 4))
            await housekeeping.announce(store, b"me")
            report = await housekeeping.tidy(store)
        assert (report.garbage, report.uploads, report.parts) == (0, 0, 0)
        assert (await sweep(store)).orphans == 0
        record = await objects.head(store, bucket, b"k")
        assert record.seq == 3  # versions are ordered by it, not by the time
        assert await get(store, bucket, b"k") == pattern(LARGE, 4)
        assert await uploads.list_parts(store, upload, after=0, limit=9)
        # Once it is right again everything is collected.
        clock.now += 401 * DAY
        assert (await housekeeping.tidy(store)).garbage == 2

    run(main())


def test_uploads_expire_as_their_bucket_says() -> None:
    async def main() -> None:
        clock = SystemClock()
        store = memory_store(clock)
        await make_bucket(store, "empty")
        for name, props in (
            ("default", {}),
            ("short", {"multipart.expiry": "1h"}),
            ("never", {"multipart.expiry": "0"}),
        ):
            bucket = await make_bucket(store, name, props=props)
            upload = await begin(store, bucket, b"k")
            await put_part(store, bucket, upload, 1, pattern(LARGE))

        async def left() -> int:
            report = await housekeeping.tidy(store)
            assert report.uploads == 0 or report.parts == 0
            assert len(await rows(store, "part")) == len(await rows(store, "upload"))
            return len(await rows(store, "upload"))

        assert await left() == 3
        clock.now += HOUR + 1
        assert await left() == 2
        clock.now += 7 * DAY
        assert await left() == 1
        clock.now += 1000 * DAY
        assert await left() == 1
        await housekeeping.tidy(store)
        assert len(await blob_ids(store)) == 1

    run(main())


def test_uploads_of_a_bucket_that_is_gone_are_dropped_after_a_while() -> None:
    """A crash between the removal of the bucket and that of its uploads leaves them."""

    async def main() -> None:
        clock = SystemClock()
        store = memory_store(clock)
        bucket = await make_bucket(store)
        upload = await begin(store, bucket, b"k")
        await put_part(store, bucket, upload, 1, b"small")
        await buckets.delete(store, bucket.name)
        assert (await housekeeping.tidy(store)).uploads == 0
        clock.now += housekeeping.PART_GRACE + 1
        assert (await housekeeping.tidy(store)).uploads == 1
        for table in ("upload", "part", "body"):
            assert await rows(store, table) == []

    run(main())


def test_parts_of_an_upload_that_has_ended_are_reclaimed() -> None:
    async def main() -> None:
        clock = SystemClock()
        store = memory_store(clock)
        bucket = await make_bucket(store)
        live, dead = await begin(store, bucket, b"live"), await begin(store, bucket, b"dead")
        for upload in (live, dead):
            await put_part(store, bucket, upload, 1, pattern(LARGE))
            await put_part(store, bucket, upload, 2, b"small")
        await store.index.commit(Delete("upload", dead.row_key))
        assert await housekeeping.reclaim_parts(store) == 0
        clock.now += housekeeping.PART_GRACE + SECOND
        assert await housekeeping.reclaim_parts(store) == 2
        assert len(await uploads.list_parts(store, live, after=0, limit=9)) == 2
        assert {key[:16] for key in await rows(store, "part")} == {live.record.id}

    run(main())


def test_answers_for_repeated_completes_are_kept_for_a_day() -> None:
    async def main() -> None:
        clock = SystemClock()
        store = memory_store(clock)
        bucket = await make_bucket(store)
        upload = await begin(store, bucket, b"k")
        await complete(store, bucket, upload, await put_part(store, bucket, upload, 1, b"x"))
        clock.now += housekeeping.DONE_KEPT
        await housekeeping.tidy(store)
        assert len(await rows(store, "done")) == 1
        clock.now += 1
        await housekeeping.tidy(store)
        assert await rows(store, "done") == []

    run(main())


def test_a_store_in_use_is_tidied_and_swept_without_a_trace(tmp_path: Path) -> None:
    """Everything is deleted in the end, and then nothing is left but the bucket."""

    async def main() -> None:
        clock = SystemClock()
        async with disk_store(tmp_path, clock) as store:
            await everything(store)
            bucket = await buckets.find(store, "bucket")
            for key in await rows(store, "object"):
                assert await objects.delete(store, bucket, key[8:])
            clock.now += 8 * DAY
            report = await housekeeping.tidy(store)
            assert report.uploads == 1
            clock.now += HOUR
            await housekeeping.tidy(store)
            for table in ("object", "layout", "body", "part", "upload", "garbage", "done"):
                assert await rows(store, table) == [], table
            assert await blob_ids(store) == set()

    run(main())
