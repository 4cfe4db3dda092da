"""Annotations on the move: by a file that may be broken off, and by passes over a source."""

from __future__ import annotations

import os

import msgspec
import pytest

from aisle.core.errors import ConfigError
from aisle.namespace import buckets, edits, notes, objects
from aisle.namespace.objects import Description
from aisle.namespace.records import Object, decode
from aisle.namespace.sealing.ring import Ring
from aisle.namespace.store import BucketRow, Store, store_id
from aisle.namespace.transfer import frames
from aisle.namespace.transfer.exporting import Export, Limit, Taking
from aisle.namespace.transfer.frames import (
    MAGIC,
    End,
    FrameReader,
    FrameWriter,
    Kind,
    Note,
    Start,
    StreamCut,
    pack,
    unpack,
)
from aisle.namespace.versions import listing
from aisle.namespace.versions.ids import shown
from tests.namespace.support import LARGE, Data, make_bucket, memory_store, put, rows, run
from tests.namespace.versioned import versioned_bucket
from tests.transfer.support import (
    Direct,
    export,
    import_all,
    pull,
    reader_of,
    reading,
    verify,
)

KEYS = (b"a", b"k\x00\xc3\xbf", b"z")
Found = dict[tuple[str, bytes, str, bytes], tuple[object, ...]]


async def annotate(store: Store, bucket: BucketRow, key: bytes, *names: bytes) -> None:
    for name in names:
        await notes.put(store, bucket, key, name, b"text of " + name, algorithm="SHA1")


async def filled() -> Store:
    """Objects with and without annotations, small and large, in two buckets."""
    store = memory_store()
    plain = await make_bucket(store, "plain")
    for number, key in enumerate((b"a", b"b", b"k\x00\xc3\xbf", b"z")):
        await put(store, plain, key, b"x" * (LARGE if number % 2 else 1))
        if key in KEYS:
            await annotate(store, plain, key, b"one", b"three", b"two")
    kept = await versioned_bucket(store, "kept")
    for text in (b"1", b"2"):
        await put(store, kept, b"k", text)
        await annotate(store, kept, b"k", b"of " + text, b"other")
    await objects.delete(store, kept, b"k")
    return store


async def all_of(store: Store) -> Found:
    """All annotations, by bucket, key, version and name: as clients see them."""
    found: Found = {}
    for bucket in await buckets.list_all(store):
        if bucket.record.versions:
            page = await listing.list_versions(store, bucket)
            known = [(listing.key_of(place), decode(Object, raw)) for place, raw in page.rows]
        else:
            scanned = await store.index.scan("object", prefix=bucket.record.id, limit=1000)
            known = [(key[8:], decode(Object, raw)) for key, raw in scanned]
        for key, record in known:
            if record.marker:
                continue
            version = shown(record.version) if bucket.record.versions else ""
            for name, row in (await notes.listed(store, bucket, key, version=version)).found:
                _, _, text = await notes.get(store, bucket, key, name, version=version)
                told = (text, row.size, row.mtime, row.etag, row.checksums)
                found[bucket.record.name, key, version, name] = told
    return found


async def nothing_left_over(store: Store) -> None:
    """Every row belongs to an annotation that can be read."""
    number = len(await all_of(store))
    assert len(await rows(store, "annotation")) == len(await rows(store, "note")) == number


async def plain_of(store: Store) -> BucketRow:
    return await buckets.find(store, "plain")


async def text_of(store: Store, key: bytes, name: bytes) -> bytes:
    return (await notes.get(store, await plain_of(store), key, name))[2]


def test_an_import_has_them_all_and_another_passes_over_them() -> None:
    async def work() -> None:
        source, target = await filled(), memory_store()
        stream = await export(source)
        before = await all_of(source)
        assert len(before) == 13
        totals = await import_all(target, stream)
        assert (totals.notes, totals.kept, totals.refused) == (13, 0, 0)
        assert await all_of(target) == before
        totals = await import_all(target, stream)
        assert totals.changes == totals.kept == totals.refused == 0
        await nothing_left_over(target)
        assert await verify(stream) == []

    run(work())


def test_they_are_encrypted_as_their_object_is_at_the_target() -> None:
    async def work() -> None:
        source = memory_store()
        source.ring = Ring({"aisle": {1: os.urandom(32)}})
        bucket = await make_bucket(source, "plain")
        await put(source, bucket, b"a", b"x")
        await annotate(source, bucket, b"a", b"one")
        target = memory_store()
        target.ring = Ring({"aisle": {1: os.urandom(32)}})
        await import_all(target, await export(source))
        assert await text_of(target, b"a", b"one") == b"text of one"
        assert b"text" not in b"".join(raw for _, raw in await target.index.scan("note", limit=10))

    run(work())


def test_one_that_differs_is_kept_or_replaced() -> None:
    async def work() -> None:
        source, target = await filled(), memory_store()
        stream = await export(source)
        await import_all(target, stream)
        bucket = await plain_of(target)
        await notes.put(target, bucket, b"a", b"one", b"another")
        await notes.put(target, bucket, b"a", b"more", b"more")
        told: list[str] = []
        totals = await import_all(target, stream, tell=told.append)
        assert (totals.kept, totals.changes) == (1, 0)
        assert told == ["kept ais://plain/a, annotation 'one' as it is at the target"]
        totals = await import_all(target, stream, overwrite=True)
        assert (totals.kept, totals.notes) == (0, 1)
        assert await text_of(target, b"a", b"one") == b"text of one"
        assert await text_of(target, b"a", b"more") == b"more"
        await nothing_left_over(target)

    run(work())


def test_those_of_an_object_that_was_kept_are_passed_over() -> None:
    async def work() -> None:
        source, target = await filled(), memory_store()
        bucket = await make_bucket(target, "plain")
        await put(target, bucket, b"a", b"its own")
        totals = await import_all(target, await export(source))
        assert totals.refused == 0
        assert not (await notes.listed(target, bucket, b"a")).found
        assert totals.notes == 10

    run(work())


@pytest.mark.parametrize("versions", [False, True])
def test_what_is_said_anew_of_an_object_leaves_it_its_annotations(versions: bool) -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        bucket = await make_bucket(source, "b", props={"versioning.enabled": versions})
        await put(source, bucket, b"k", b"1")
        await import_all(target, await export(source))
        there = await buckets.find(target, "b")
        await annotate(target, there, b"k", b"mine")

        def tagged(old: Object) -> Object:
            return msgspec.structs.replace(old, tags={"t": "v"})

        await edits.change(source, bucket, b"k", tagged)
        await import_all(target, await export(source), overwrite=True)
        record = await objects.head(target, there, b"k")
        assert record.tags == {"t": "v"}
        _, _, text = await notes.get(target, there, b"k", b"mine")
        assert text == b"text of mine"
        await nothing_left_over(target)

    run(work())


def test_an_export_is_taken_up_between_any_two_of_them() -> None:
    async def work() -> None:
        source = await filled()
        stream = await export(source)
        ends: set[int] = set()
        reader = FrameReader(reading(stream))
        await reader.magic()
        while (await reader.next()).kind is not Kind.END:
            ends.add(reader.position)
        for end in sorted(ends):
            kept = reader_of(stream[: end + 1])
            try:
                await kept.begin()
                async for _ in kept.items():
                    pass
            except StreamCut:
                pass
            if not kept.begun:
                continue
            identity = await store_id(source.index)
            taken = Export(source, identity, taking=Taking(kept.check, kept.counts))
            rest = b"".join([frame async for frame in taken.everything(kept.cursor)])
            target = memory_store()
            await import_all(target, stream[: kept.position] + rest)
            assert await all_of(target) == await all_of(source)

    run(work())


async def as_of_format_3(stream: bytes) -> bytes:
    """A stream as a release wrote it that had no annotations in it."""
    reader, writer, out = FrameReader(reading(stream)), FrameWriter(), [MAGIC]
    await reader.magic()
    while True:
        frame = await reader.next()
        payload = frame.payload
        if frame.kind is Kind.NOTE:
            continue
        if frame.kind is Kind.START:
            payload = pack(msgspec.structs.replace(unpack(Start, payload), format=3))
        if frame.kind is Kind.END:
            counts = msgspec.structs.astuple(unpack(End, payload).counts)[:-1]
            payload = msgspec.msgpack.encode([counts, b""])
        out.append(writer.frame(frame.kind, payload))
        if frame.kind is Kind.END:
            return b"".join(out)


def test_an_export_of_an_earlier_release_is_read() -> None:
    async def work() -> None:
        source, target = await filled(), memory_store()
        old = await as_of_format_3(await export(source))
        totals = await import_all(target, old)
        assert (totals.objects, totals.notes, totals.refused) == (7, 0, 0)
        assert await all_of(target) == {}
        totals = await import_all(target, await export(source))
        assert (totals.objects, totals.notes) == (0, 13)
        assert await all_of(target) == await all_of(source)

    run(work())


def test_an_earlier_release_refuses_what_it_could_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work() -> None:
        stream = await export(await filled())
        monkeypatch.setattr("aisle.namespace.transfer.items.FORMAT", 3)
        with pytest.raises(ConfigError, match="has format 4"):
            await reader_of(stream).begin()

    assert frames.FORMAT == 4
    run(work())


def test_one_that_is_damaged_is_refused() -> None:
    async def work() -> None:
        reader, writer = FrameReader(reading(await export(await filled()))), FrameWriter()
        await reader.magic()
        out = [MAGIC]
        spoilt = False
        while True:
            frame = await reader.next()
            payload = frame.payload
            if frame.kind is Kind.NOTE and not spoilt:
                note = unpack(Note, payload)
                payload = pack(msgspec.structs.replace(note, text=note.text[::-1]))
                spoilt = True
            out.append(writer.frame(frame.kind, payload))
            if frame.kind is Kind.END:
                break
        stream, target = b"".join(out), memory_store()
        (line,) = await verify(stream)
        assert "annotation 'of 2'" in line
        totals = await import_all(target, stream)
        assert (totals.refused, totals.notes) == (1, 12)

    run(work())


# --- by passes ------------------------------------------------------------------------------


@pytest.mark.parametrize("items", [1, 3, 1000])
def test_a_pass_brings_them_and_the_next_nothing(items: int) -> None:
    async def work() -> None:
        source, target = await filled(), memory_store()
        direct = Direct(source, limit=Limit(items, 1 << 20))
        totals = await pull(target, direct)
        assert (totals.notes, totals.refused, totals.kept) == (13, 0, 0)
        assert await all_of(target) == await all_of(source)
        totals = await pull(target, direct, delete=True)
        assert totals.changes == totals.refused == totals.kept == 0

    run(work())


@pytest.mark.parametrize("items", [1, 1000])
def test_what_becomes_of_them_at_the_source_follows(items: int) -> None:
    async def work() -> None:
        source, target = await filled(), memory_store()
        direct = Direct(source, limit=Limit(items, 1 << 20))
        await pull(target, direct)
        bucket = await plain_of(source)
        await notes.put(source, bucket, b"a", b"one", b"replaced")
        await notes.delete(source, bucket, b"k\x00\xc3\xbf", b"three")
        await annotate(source, bucket, b"b", b"first")
        totals = await pull(target, direct)
        assert (totals.notes, totals.kept) == (2, 0)
        totals = await pull(target, direct, delete=True)
        assert (totals.notes, totals.deleted) == (0, 1)
        assert await all_of(target) == await all_of(source)
        await put(source, bucket, b"b", b"another object")
        await annotate(source, bucket, b"b", b"first")
        await objects.delete(source, bucket, b"a")
        totals = await pull(target, direct, delete=True)
        assert (totals.objects, totals.notes, totals.deleted) == (1, 1, 1)
        assert await all_of(target) == await all_of(source)
        assert (await pull(target, direct, delete=True)).changes == 0
        await nothing_left_over(target)

    run(work())


def test_what_clients_do_with_them_at_the_target_is_not_undone() -> None:
    async def work() -> None:
        source, target = await filled(), memory_store()
        direct = Direct(source)
        await pull(target, direct)
        bucket = await plain_of(target)
        await notes.put(target, bucket, b"a", b"one", b"mine")
        await notes.delete(target, bucket, b"a", b"two")
        await notes.put(target, bucket, b"a", b"zero", b"mine too")
        told: list[str] = []
        totals = await pull(target, direct, delete=True, told=told)
        assert (totals.changes, totals.kept) == (0, 2)
        assert all("annotation" in line for line in told)
        found = [name for name, _ in (await notes.listed(target, bucket, b"a")).found]
        assert found == [b"one", b"three", b"zero"]
        assert await text_of(target, b"a", b"one") == b"mine"

    run(work())


def test_a_connection_that_is_lost_costs_none_of_them() -> None:
    async def work() -> None:
        whole = memory_store()
        source = await filled()
        direct = Direct(source, limit=Limit(1000, 1 << 20))
        await pull(whole, direct)
        for end in range(1, direct.sent, 997):
            target = memory_store()
            direct.breaks = [1 << 30, end]
            await pull(target, direct)
            direct.breaks = []
            while (await pull(target, direct)).changes:
                pass
            assert await all_of(target) == await all_of(source)

    run(work())


def test_many_are_fetched_in_several_requests() -> None:
    async def work() -> None:
        source, target = memory_store(), memory_store()
        bucket = await make_bucket(source, "plain")
        said = Description(owner="me")
        await objects.put(source, bucket, b"k", Data(b"1"), said)
        await annotate(source, bucket, b"k", *(b"%d" % number for number in range(150)))
        totals = await pull(target, Direct(source))
        assert totals.notes == 150
        assert await all_of(target) == await all_of(source)

    run(work())
