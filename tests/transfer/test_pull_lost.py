"""Passes whose connection is cut, or whose source stays away or cannot read what it has."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable

import pytest

from aisle.core.errors import BlobMissing
from aisle.namespace import objects
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.transfer.exporting import Limit
from aisle.namespace.transfer.frames import StreamCut
from aisle.namespace.transfer.pull import Pull
from aisle.namespace.transfer.source import SourceLost
from aisle.namespace.transfer.terms import Totals
from tests.namespace.support import (
    LARGE,
    begun,
    get,
    make_bucket,
    memory_store,
    multipart,
    pattern,
    put,
    run,
    sweep,
)
from tests.transfer.support import Direct, contents, fill, pull, same


def patient(store: Store, source: Direct) -> Pull:
    return Pull(store, source, patience=60.0)


def test_a_connection_that_is_cut_anywhere_is_taken_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aisle.namespace.transfer.source._SLOWEST", 0.0)
    monkeypatch.setattr("aisle.namespace.transfer.source._FIRST", 0.0)

    async def work() -> None:
        source = memory_store()
        await fill(source)
        wanted = await contents(source)
        for cut in (0, 5, 50, 300, 1000, LARGE, LARGE + 700, 3 * LARGE):
            for kind in (SourceLost, StreamCut):
                target = memory_store()
                direct = Direct(source)
                direct.kind = kind
                # Every other reply breaks off after so many bytes.
                direct.breaks = list(
                    itertools.chain.from_iterable((cut, 1 << 30) for _ in range(20))
                )
                totals = Totals()
                await patient(target, direct).run_pass(totals)
                assert await contents(target) == wanted
                assert totals.refused == totals.kept == 0
                assert (await sweep(target)).orphans == 0

    run(work())


def test_what_has_come_is_not_asked_for_again() -> None:
    async def work() -> None:
        source = memory_store()
        bucket = await make_bucket(source)
        for number in range(20):
            await put(source, bucket, b"%02d" % number, pattern(LARGE, number))
        target = memory_store()
        direct = Direct(source, limit=Limit(1000, 1 << 20))
        direct.breaks = [1 << 30, 15 * LARGE]
        await patient(target, direct).run_pass(Totals())
        await same(source, target)
        assert direct.sent < 40 * LARGE
        assert direct.asked == [20, 6]

    run(work())


def test_a_large_body_goes_on_where_it_broke_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aisle.namespace.transfer.source._FIRST", 0.0)

    async def work() -> None:
        source = memory_store()
        await source.change_config({"multipart.min_part_size": "0"})
        bucket = await make_bucket(source)
        await put(source, bucket, b"a", pattern(5 << 20, 1))
        await multipart(source, bucket, b"b", [3 << 20, 2 << 20, 7])
        await begun(source, bucket, b"c", 4 << 20)
        await put(source, bucket, b"z", b"small")
        target = memory_store()
        direct = Direct(source, limit=Limit(1000, 1 << 20))
        # No reply but the first, of rows alone, ever has a whole large body.
        direct.breaks = [1 << 30] + [(1 << 21) + 3000] * 20
        await patient(target, direct).run_pass(Totals())
        await same(source, target)
        assert direct.sent < 40 << 20

    run(work())


async def lost_midway(meanwhile: Callable[[Store, BucketRow], Awaitable[object]]) -> Totals:
    """A pass whose connection is lost inside a large object; `meanwhile` is done to the source."""
    source, target = memory_store(), memory_store()
    bucket = await make_bucket(source)
    await put(source, bucket, b"a", pattern(4 << 20, 1))
    direct = Direct(source)

    async def broken() -> None:
        await meanwhile(source, bucket)

    direct.breaks = [1 << 30, 2 << 20]
    direct.when_broken = broken
    totals = Totals()
    await patient(target, direct).run_pass(totals)
    await same(source, target)
    return totals


@pytest.mark.parametrize("size", [9, LARGE, 4 << 20])
def test_a_large_body_that_is_replaced_while_the_connection_is_lost_comes_whole(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aisle.namespace.transfer.source._FIRST", 0.0)
    totals = run(lost_midway(lambda store, row: put(store, row, b"a", pattern(size, 2))))
    assert (totals.objects, totals.refused, totals.kept) == (1, 0, 0)


def test_a_large_body_that_is_deleted_while_the_connection_is_lost_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("aisle.namespace.transfer.source._FIRST", 0.0)
    totals = run(lost_midway(lambda store, row: objects.delete(store, row, b"a")))
    assert (totals.objects, totals.refused, totals.kept) == (0, 0, 0)


def test_a_source_that_stays_away_is_given_up() -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        await fill(source)
        direct = Direct(source)
        direct.breaks = [10] * 100
        with pytest.raises(SourceLost):
            await pull(target, direct)
        # What is there by then is whole, and the next run goes on.
        direct.breaks = [1 << 30] * 3 + [10] * 100
        with pytest.raises(SourceLost):
            await pull(target, direct)
        direct.breaks = []
        await pull(target, direct)
        await same(source, target)

    run(work())


def test_an_object_that_the_source_cannot_read_is_refused_by_name_and_not_for_ever() -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        bucket = await make_bucket(source)
        await put(source, bucket, b"a", b"1")
        lost = await put(source, bucket, b"lost", pattern(LARGE))
        await source.blobs.delete(lost.extents[0].blob)
        with pytest.raises(BlobMissing):
            await get(source, bucket, b"lost")
        told: list[str] = []
        totals = await pull(target, Direct(source), told=told)
        assert (totals.objects, totals.refused) == (1, 1)
        assert "ais://bucket/lost" in told[0]

    run(work())
