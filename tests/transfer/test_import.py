"""Importing beside clients, over what is there, again, and through a crash."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from aisle.core.errors import StoreUnavailable
from aisle.core.names import BucketName
from aisle.namespace import buckets, objects, uploads
from aisle.namespace.records import Object, decode, encode
from aisle.namespace.store import Store
from aisle.namespace.transfer.frames import StreamCut, StreamDamaged
from aisle.store.base import Check, Put
from tests.namespace.support import (
    LARGE,
    begun,
    complete,
    get,
    interposed_store,
    make_bucket,
    memory_store,
    multipart,
    once,
    pattern,
    put,
    put_part,
    rows,
    run,
    sweep,
    unhurried_store,
)
from tests.transfer.support import contents, export, fill, import_all


async def filled() -> tuple[Store, bytes]:
    source = memory_store()
    await fill(source)
    return source, await export(source)


async def no_orphans(store: Store) -> None:
    report = await sweep(store)
    assert (report.orphans, report.missing) == (0, [])


def test_an_import_that_is_run_again_writes_nothing() -> None:
    async def work() -> None:
        source, stream = await filled()
        target = memory_store()
        first = await import_all(target, stream)
        things = len((await contents(source)).objects) + len((await contents(source)).parts)
        before = await rows(target, "body")
        again = await import_all(target, stream)
        assert again.changes == again.kept == again.refused == 0
        # The settings, three buckets, three uploads, and what they hold.
        assert again.skipped == things + 1 + first.buckets + first.uploads
        assert await rows(target, "body") == before

    run(work())


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_differs_at_the_target_is_kept_unless_told_otherwise(overwrite: bool) -> None:
    async def work() -> None:
        source, stream = await filled()
        target = memory_store()
        bucket = await make_bucket(target, "first")
        for key, data in ((b"small", b"mine"), (b"large", pattern(LARGE, 7)), (b"own", b"own")):
            await put(target, bucket, key, data)
        await multipart(target, bucket, b"few", [LARGE])
        await target.change_config({"space.garbage_grace": "1h"})
        told: list[str] = []
        totals = await import_all(target, stream, overwrite=overwrite, tell=told.append)
        found, wanted = await contents(target), await contents(source)
        own = found.objects.pop(("ais://first", b"own"))
        assert own.data == b"own"
        if overwrite:
            assert found == wanted
            assert totals.kept == 0
            assert told == []
        else:
            assert found.objects["ais://first", b"small"].data == b"mine"
            assert found.objects["ais://first", b"large"].data == pattern(LARGE, 7)
            assert found.objects["ais://first", b"many"] == wanted.objects["ais://first", b"many"]
            assert totals.kept == len(told) == 5  # with the settings and the bucket's own row
            assert "kept ais://first/small as it is at the target" in told
        assert totals.refused == 0
        await no_orphans(target)

    run(work())


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("size", [3, LARGE, 3 << 20])
def test_a_client_that_is_faster_wins(size: int, overwrite: bool) -> None:
    """It writes right after the import has looked and found nothing."""

    async def work() -> None:
        source = memory_store()
        await put(source, await make_bucket(source), b"a", pattern(size))
        stream = await export(source)
        target, index = interposed_store()
        bucket = await make_bucket(target)

        async def client() -> None:
            await put(target, bucket, b"a", b"the client's")

        once(index, "get", "object", client)
        totals = await import_all(target, stream, overwrite=overwrite)
        expected = pattern(size) if overwrite else b"the client's"
        assert await get(target, bucket, b"a") == expected
        assert totals.kept == (0 if overwrite else 1)
        await no_orphans(target)

    run(work())


def test_buckets_that_go_while_they_are_filled_are_not_made_again() -> None:
    async def work() -> None:
        source = memory_store()
        bucket = await make_bucket(source)
        for number in range(3):
            await put(source, bucket, b"%d" % number, pattern(LARGE, number))
        stream = await export(source)
        target, index = interposed_store()

        async def client() -> None:
            await buckets.delete(target, BucketName("bucket"))

        once(index, "commit", "bucket", client)
        told: list[str] = []
        totals = await import_all(target, stream, tell=told.append)
        assert totals.objects == 0
        assert totals.refused == len(told) == 3
        assert "does not exist" in told[0]
        assert await rows(target, "bucket") == await rows(target, "object") == []
        await no_orphans(target)

    run(work())


def test_a_name_that_another_provider_has_is_refused() -> None:
    async def work() -> None:
        source = memory_store()
        await put(source, await make_bucket(source), b"a", b"1")
        target = memory_store()
        await buckets.create(target, BucketName("bucket", "aws"), owner="me")
        told: list[str] = []
        totals = await import_all(target, await export(source), tell=told.append)
        assert (totals.objects, totals.refused) == (0, 1)
        assert "another provider" in told[0]

    run(work())


def test_a_clients_own_upload_goes_on_after_the_import() -> None:
    """A client that began an upload at the source completes it at the target."""

    async def work() -> None:
        source = memory_store()
        await source.change_config({"multipart.min_part_size": "0"})
        bucket = await make_bucket(source)
        upload = await begun(source, bucket, b"a", LARGE)
        target = memory_store()
        await import_all(target, await export(source))
        there = await buckets.find(target, "bucket")
        found = await uploads.find(target, there, b"a", upload.record.id.hex())
        first = (await uploads.list_parts(target, found, after=0, limit=10))[0]
        second = await put_part(target, there, found, 2, b"the rest")
        await complete(target, there, found, first, second)
        assert await get(target, there, b"a") == pattern(LARGE, 1) + b"the rest"
        # It has ended there, so it is not begun again.
        again = await import_all(target, await export(source))
        assert again.changes == 0
        assert await rows(target, "upload") == []

    run(work())


def test_a_body_that_is_not_what_its_record_says_is_refused_and_the_rest_comes() -> None:
    async def work() -> None:
        source = memory_store()
        await source.change_config({"multipart.min_part_size": "0"})
        bucket = await make_bucket(source)
        for key, size in ((b"small", 5), (b"large", LARGE), (b"pieces", 3 << 20), (b"good", 6)):
            await put(source, bucket, key, pattern(size))
        await multipart(source, bucket, b"parts", [LARGE, 7])
        for key in (b"small", b"large", b"pieces", b"parts"):
            await spoil(source, bucket.record.id + key)
        told: list[str] = []
        target = memory_store()
        totals = await import_all(target, await export(source), tell=told.append)
        assert sorted(line.split(":")[1] for line in told) == [
            "//bucket/large",
            "//bucket/parts",
            "//bucket/pieces",
            "//bucket/small",
        ]
        assert (totals.objects, totals.refused) == (1, 4)
        assert {key for _, key in (await contents(target)).objects} == {b"good"}
        assert await rows(target, "body") == [
            decode(Object, row).extents[0].blob
            for _, row in await target.index.scan("object", limit=10)
        ]
        await no_orphans(target)

    run(work())


async def spoil(store: Store, row_key: bytes) -> None:
    """Have a record say another digest than its bytes have."""
    raw = await store.index.get("object", row_key)
    assert raw is not None
    record = decode(Object, raw)
    parts = [
        msgspec.structs.replace(part, checksums={"CRC64NVME": "AAAAAAAAAAA="})
        for part in record.parts
    ]
    wrong = msgspec.structs.replace(record, etag=record.etag if parts else "0" * 32, parts=parts)
    await store.index.commit(Check("object", row_key, raw), Put("object", row_key, encode(wrong)))


@pytest.mark.parametrize("digest_type", ["none", "xxhash", "sha512"])
def test_records_without_an_md5_are_held_to_what_they_have(digest_type: str) -> None:
    async def work() -> None:
        source = memory_store()
        bucket = await make_bucket(
            source, props={"etag.type": "opaque", "checksum.type": digest_type}
        )
        record = await put(source, bucket, b"a", pattern(LARGE))
        stream = await export(source)
        target = memory_store()
        assert (await import_all(target, stream)).objects == 1
        row_key = bucket.record.id + b"a"
        if digest_type != "none":
            wrong = msgspec.structs.replace(record, digest=(digest_type, record.digest[1][::-1]))
            await source.index.commit(Put("object", row_key, encode(wrong)))
            assert (await import_all(memory_store(), await export(source))).refused == 1

    run(work())


def test_a_stream_that_is_cut_leaves_whole_objects_and_goes_on_when_it_is_whole() -> None:
    async def work() -> None:
        source, stream = await filled()
        wanted = await contents(source)
        for cut in range(0, len(stream), len(stream) // 40):
            target = memory_store()
            with pytest.raises(StreamCut):
                await import_all(target, stream[:cut])
            found = await contents(target)
            assert found.objects.items() <= wanted.objects.items()
            assert found.parts.items() <= wanted.parts.items()
            await no_orphans(target)
            totals = await import_all(target, stream)
            assert totals.kept == totals.refused == 0
            assert await contents(target) == wanted

    run(work())


def test_damage_ends_an_import_where_it_is() -> None:
    async def work() -> None:
        source, stream = await filled()
        wanted = await contents(source)
        for position in range(40, len(stream), len(stream) // 25):
            damaged = bytearray(stream)
            damaged[position] ^= 4
            target = memory_store()
            with pytest.raises((StreamDamaged, StreamCut)):
                await import_all(target, bytes(damaged))
            assert (await contents(target)).objects.items() <= wanted.objects.items()

    run(work())


def test_a_crash_at_any_commit_leaves_whole_objects_and_orphans_that_the_sweep_finds() -> None:
    async def work() -> None:
        source, stream = await filled()
        wanted = await contents(source)
        for turn in range(0, 40, 3):
            target, index = interposed_store()
            index.before = _fail_at(turn)
            try:
                await import_all(target, stream)
            except StoreUnavailable:
                index.before = None
                found = await contents(target)
                assert found.objects.items() <= wanted.objects.items()
                await sweep(target)
                await no_orphans(target)
            index.before = None
            await import_all(target, stream)
            assert await contents(target) == wanted
            await no_orphans(target)

    run(work())


def _fail_at(turn: int) -> Callable[[str, str], Awaitable[None]]:
    left = turn

    async def before(method: str, table: str) -> None:
        nonlocal left
        left -= method == "commit"
        if left < 0:
            raise StoreUnavailable("the engine has gone")

    return before


def test_two_imports_at_once_do_not_disturb_each_other() -> None:
    async def work() -> None:
        source, stream = await filled()
        for seed in range(4):
            target = unhurried_store(seed)
            await asyncio.gather(import_all(target, stream), import_all(target, stream))
            assert await contents(target) == await contents(source)
            await no_orphans(target)

    run(work())


def test_clients_write_while_an_import_runs() -> None:
    async def work() -> None:
        source = memory_store()
        bucket = await make_bucket(source)
        for number in range(30):
            size = 10 if number % 3 else LARGE
            await put(source, bucket, b"%02d" % number, pattern(size, number))
        stream = await export(source)
        target = unhurried_store(11)
        there = await make_bucket(target)
        written = set[bytes]()

        async def client(number: int) -> None:
            for turn in range(10):
                key = b"%02d" % ((number * 10 + turn * 7) % 30)
                await put(target, there, key, b"client " + key)
                written.add(key)

        await asyncio.gather(import_all(target, stream), *(client(n) for n in range(3)))
        for number in range(30):
            key = b"%02d" % number
            data = await get(target, there, key)
            if key in written:
                assert data == b"client " + key
            else:
                assert data == await get(source, bucket, key)
        await no_orphans(target)

    run(work())


def test_what_a_client_deletes_after_an_import_stays_deleted_until_the_next() -> None:
    async def work() -> None:
        source = memory_store()
        await put(source, await make_bucket(source), b"a", b"1")
        stream = await export(source)
        target = memory_store()
        await import_all(target, stream)
        await objects.delete(target, await buckets.find(target, "bucket"), b"a")
        assert (await import_all(target, stream)).objects == 1

    run(work())
