"""What was exported and imported is the same, whatever it was and whichever engines hold it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aisle.core.checksums import ALGORITHMS
from aisle.namespace import appends, buckets, objects
from aisle.namespace.objects import Description
from aisle.namespace.records import Object, encode, encoding
from aisle.namespace.store import Store
from aisle.namespace.transfer.frames import PIECE
from aisle.store.base import Check, Put
from tests.namespace.support import (
    DAY,
    LARGE,
    Clock,
    Data,
    begun,
    disk_store,
    get,
    interposed_store,
    make_bucket,
    memory_store,
    multipart,
    nothing_leaks,
    once,
    pattern,
    put,
    put_part,
    rows,
    run,
    sweep,
    unhurried_store,
)
from tests.transfer.support import MANY, contents, export, fill, import_all, verify

KEYS = st.one_of(
    st.sampled_from([b"a", b"a/", b"a\x00", b"a\x00b", b"z" * 1024]),
    st.text(min_size=1, max_size=12).map(lambda text: text.encode("utf-8", "replace")),
)
SIZES = st.sampled_from([0, 1, 1000, LARGE - 1, LARGE, 3 * LARGE])
WORDS = st.dictionaries(
    st.text("abcdefgh-", min_size=1, max_size=8), st.text(min_size=0, max_size=8), max_size=3
)


class Step(NamedTuple):
    """What to make under a key: an object, one of parts, or an upload that goes on."""

    kind: str
    key: bytes
    sizes: list[int]
    meta: dict[str, str]
    algorithm: str


STEPS = st.builds(
    Step,
    st.sampled_from(["put", "put", "parts", "begin"]),
    KEYS,
    st.lists(SIZES, min_size=1, max_size=MANY),
    WORDS,
    st.sampled_from(["", *ALGORITHMS]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(STEPS, max_size=6), max_size=3))
def test_any_namespace_comes_back_the_same(plan: list[list[Step]]) -> None:
    run(_there(plan))


async def _there(plan: list[list[Step]]) -> None:
    source = memory_store()
    await source.change_config({"multipart.min_part_size": "0"})
    for number, steps in enumerate(plan):
        bucket = await make_bucket(source, f"bucket-{number}")
        for step in steps:
            if step.kind == "parts":
                await multipart(source, bucket, step.key, step.sizes)
            elif step.kind == "begin":
                await begun(source, bucket, step.key, *step.sizes[1:])
            else:
                described = Description(
                    meta=step.meta, owner="me", checksum_algorithm=step.algorithm
                )
                await objects.put(source, bucket, step.key, Data(pattern(step.sizes[0])), described)
    before = await contents(source)
    stream = await export(source)
    assert await verify(stream) == []
    target = memory_store(Clock(7))  # no time of the target gets into it
    await import_all(target, stream)
    assert await contents(target) == before
    again = await import_all(target, stream)
    assert (again.changes, again.kept, again.refused) == (0, 0, 0)
    # What comes out of the target is what went in.
    assert await contents(target) == before
    third = memory_store()
    await import_all(third, await export(target))
    assert await contents(third) == before


async def between(source: Store, target: Store) -> None:
    await fill(source)
    before = await contents(source)
    totals = await import_all(target, await export(source))
    assert totals.refused == totals.kept == 0
    assert await contents(target) == before
    assert await contents(source) == before


def test_from_memory_to_disk_and_back(tmp_path: Path) -> None:
    async def work() -> None:
        async with disk_store(tmp_path) as disk:
            source = memory_store()
            await between(source, disk)
            back = memory_store()
            await import_all(back, await export(disk))
            assert await contents(back) == await contents(source)
            report = await sweep(disk)
            assert (report.orphans, report.missing) == (0, [])

    run(work())


def test_everything_has_a_row_and_every_row_its_bytes() -> None:
    async def work() -> None:
        target = memory_store()
        await between(memory_store(), target)
        report = await sweep(target)
        assert (report.orphans, report.missing) == (0, [])
        assert len(await rows(target, "layout")) == 1

    run(work())


def test_small_bodies_stay_rows_and_large_ones_blobs() -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        await between(source, target)
        assert len(await rows(target, "body")) == len(await rows(source, "body"))

    run(work())


def test_ids_of_buckets_are_the_targets_own() -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        bucket = await make_bucket(source)
        await put(source, bucket, b"a", b"1")
        await import_all(target, await export(source))
        assert {key[:8] for key in await rows(source, "object")} == {bucket.record.id}
        assert {key[:8] for key in await rows(target, "object")} != {bucket.record.id}

    run(work())


@pytest.mark.parametrize("size", [PIECE, PIECE + 1, 3 * PIECE - 1])
def test_bodies_of_many_pieces_are_never_held_whole(size: int) -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        bucket = await make_bucket(source)
        await put(source, bucket, b"a", pattern(size))
        stream = await export(source)
        await import_all(target, stream)
        assert (await contents(target)).objects == (await contents(source)).objects

    run(work())


def test_parts_that_are_rows_become_blobs_beyond_what_one_batch_holds() -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        await source.change_config({"multipart.min_part_size": "0"})
        bucket = await make_bucket(source)
        await multipart(source, bucket, b"a", [60_000] * 80)
        await import_all(target, await export(source))
        (one,) = (await contents(source)).objects.values()
        (other,) = (await contents(target)).objects.values()
        assert one.data == other.data
        assert one.parts == other.parts
        assert all(one.inline)
        assert other.inline == [True] * 69 + [False] * 11
        report = await sweep(target)
        assert (report.orphans, report.missing) == (0, [])

    run(work())


def test_rows_of_an_earlier_release_are_read_as_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row of version 0 travels as it is, and is migrated where it arrives."""
    monkeypatch.setattr(encoding, "MIGRATIONS", {(Object, 0): bytes})

    async def work() -> None:
        source, target = memory_store(), memory_store()
        bucket = await make_bucket(source)
        record = await put(source, bucket, b"a", b"1")
        row_key = bucket.record.id + b"a"
        now = encode(record)
        await source.index.commit(
            Check("object", row_key, now), Put("object", row_key, b"\0" + now[1:])
        )
        await import_all(target, await export(source))
        assert (await contents(target)).objects == (await contents(source)).objects
        (key,) = await rows(target, "object")
        assert (await target.index.get("object", key) or b"")[:1] == encode(record)[:1]

    run(work())


# --- a source that is written to meanwhile ------------------------------------------------------


def test_an_object_that_is_replaced_while_it_is_read_is_whole() -> None:
    async def work() -> None:
        source, index = interposed_store()
        bucket = await make_bucket(source)
        await put(source, bucket, b"a", b"old")
        await put(source, bucket, b"large", pattern(LARGE, 1))

        async def replace() -> None:
            await put(source, bucket, b"a", b"new")
            await put(source, bucket, b"large", pattern(LARGE, 2))

        once(index, "scan", "object", replace)
        stream = await export(source)
        target = memory_store()
        totals = await import_all(target, stream)
        assert totals.refused == 0
        found = await contents(target)
        assert found.objects == (await contents(source)).objects

    run(work())


def test_an_object_that_is_deleted_while_it_is_read_is_left_out() -> None:
    async def work() -> None:
        source, index = interposed_store()
        bucket = await make_bucket(source)
        for key in (b"a", b"b", b"c"):
            await put(source, bucket, key, key)

        async def remove() -> None:
            await objects.delete(source, bucket, b"b")

        once(index, "scan", "object", remove)
        target = memory_store()
        assert (await import_all(target, await export(source))).objects == 2
        assert {key for _, key in (await contents(target)).objects} == {b"a", b"c"}

    run(work())


def test_a_part_that_is_replaced_while_it_is_read_is_whole() -> None:
    async def work() -> None:
        source, index = interposed_store()
        bucket = await make_bucket(source)
        upload = await begun(source, bucket, b"a", 5)

        async def replace() -> None:
            await put_part(source, bucket, upload, 1, b"another")

        once(index, "scan", "part", replace)
        stream = await export(source)
        assert await verify(stream) == []
        target = memory_store()
        await import_all(target, stream)
        assert (await contents(target)).parts == (await contents(source)).parts

    run(work())


def test_an_append_goes_on_at_the_target() -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        bucket = await make_bucket(source)
        handle = await appends.begin(source, bucket, b"log", Description(owner="me"))
        for piece in (b"small", pattern(LARGE)):
            handle = await appends.append(source, bucket, b"log", handle, Data(piece))
        await import_all(target, await export(source))
        moved = await buckets.get(target, bucket.name)
        handle = await appends.append(target, moved, b"log", handle, Data(b"more"))
        await appends.flush(target, moved, b"log", handle)
        assert await get(target, moved, b"log") == b"small" + pattern(LARGE) + b"more"

    run(work())


def test_an_object_whose_bytes_are_missing_is_named_and_the_rest_comes() -> None:
    async def work() -> None:
        source = memory_store()
        bucket = await make_bucket(source)
        await put(source, bucket, b"a", b"1")
        lost = await put(source, bucket, b"lost\n", pattern(LARGE))
        await put(source, bucket, b"z", b"2")
        await source.blobs.delete(lost.extents[0].blob)
        stream = await export(source)
        told: list[str] = []
        target = memory_store()
        totals = await import_all(target, stream, tell=told.append)
        assert (totals.objects, totals.refused) == (2, 1)
        assert told[0].startswith("refused ais://bucket/lost\\n: it could not be read")
        assert await verify(stream) == told

    run(work())


def test_many_writers_do_not_disturb_an_export() -> None:
    async def work() -> None:
        source = unhurried_store(3)
        bucket = await make_bucket(source)
        written: dict[bytes, set[bytes]] = {}

        async def write(number: int) -> None:
            for turn in range(6):
                key = b"%d" % ((number + turn) % 5)
                data = pattern(LARGE if turn % 2 else 50, number * 10 + turn)
                written.setdefault(key, set()).add(data)
                await put(source, bucket, key, data)

        streams = await asyncio.gather(
            export(source), *(write(number) for number in range(4)), export(source)
        )
        for stream in (streams[0], streams[-1]):
            assert isinstance(stream, bytes)
            assert await verify(stream) == []
            target = memory_store()
            await import_all(target, stream)
            for (_, key), thing in (await contents(target)).objects.items():
                assert thing.data in written[key]
        await nothing_leaks(source)

    run(work())


def test_times_of_the_source_are_kept_to_the_nanosecond() -> None:
    async def work() -> None:
        clock = Clock(1_700_000_000_123_456_789)
        source, target = memory_store(clock), memory_store(Clock(5 * DAY))
        await fill(source)
        await import_all(target, await export(source))
        found = await contents(target)
        assert {thing.record.mtime for thing in found.objects.values()} == {clock.now}
        assert {bucket.created for bucket in found.buckets.values()} == {clock.now}
        assert {upload.started for upload in found.uploads.values()} == {clock.now}
        assert msgspec.structs.asdict(found.buckets["ais://first"])["location"] == "eu-1"

    run(work())
