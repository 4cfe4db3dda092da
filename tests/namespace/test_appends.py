"""Appends: pieces in order, none lost and none twice, whichever worker takes them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from aisle.core.errors import (
    DigestMismatch,
    InvalidArgument,
    InvalidPart,
    ObjectNotFound,
    StoreUnavailable,
    UploadNotFound,
    WriteConflict,
)
from aisle.namespace import appends, housekeeping, objects, uploads
from aisle.namespace.appends import RUN, Handle, parse_handle
from aisle.namespace.chains import Claim
from aisle.namespace.objects import Description
from aisle.namespace.records import Layout, Object, decode
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.uploads import NamedPart
from tests.namespace.support import (
    DAY,
    LARGE,
    NO_CLAIMS,
    Clock,
    Data,
    blob_ids,
    disk_store,
    get,
    interposed_store,
    make_bucket,
    memory_store,
    once,
    outcomes,
    pattern,
    put,
    rows,
    run,
    sweep,
)

KEY = b"log"


async def begin(store: Store, bucket: BucketRow) -> Handle:
    return await appends.begin(store, bucket, KEY, Description(owner="me"))


async def append(store: Store, bucket: BucketRow, handle: Handle, data: bytes) -> Handle:
    return await appends.append(store, bucket, KEY, handle, Data(data))


async def flush(
    store: Store, bucket: BucketRow, handle: Handle, claim: Claim | None = None
) -> Object:
    return await appends.flush(store, bucket, KEY, handle, claim=claim)


async def grow(store: Store, bucket: BucketRow, *pieces: bytes) -> Object:
    handle = await begin(store, bucket)
    for piece in pieces:
        handle = await append(store, bucket, handle, piece)
    return await flush(store, bucket, handle)


def test_pieces_of_any_size_become_an_object() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        pieces = [b"small", pattern(LARGE), b"", b"x", pattern(3 * LARGE, 1)]
        record = await grow(store, bucket, *pieces)
        assert await get(store, bucket, KEY) == b"".join(pieces)
        assert (record.size, record.seq, record.part_count) == (len(b"".join(pieces)), 1, 0)
        assert "-" in record.etag
        for table in ("upload", "part"):
            assert await rows(store, table) == []

    run(main())


def test_an_object_keeps_growing_and_keeps_what_it_was_told(tmp_path: Path) -> None:
    async def main() -> None:
        async with disk_store(tmp_path) as store:
            bucket = await make_bucket(store)
            described = Description({"content-type": "text/plain"}, {"a": "b"}, owner="me")
            await objects.put(store, bucket, KEY, Data(pattern(LARGE)), described)
            expected = pattern(LARGE)
            for number in range(2 * RUN):
                piece = b"%d" % number if number % 3 else pattern(LARGE, number)
                record = await grow(store, bucket, piece)
                expected += piece
            assert await get(store, bucket, KEY) == expected
            assert (record.seq, record.meta) == (2 * RUN + 1, {"a": "b"})
            assert record.headers == {"content-type": "text/plain"}
            assert len(await _extents(store, record)) < RUN
            assert len(await rows(store, "layout")) <= 1
            assert (await sweep(store)).orphans == 0
            assert await get(store, bucket, KEY) == expected

    run(main())


async def _extents(store: Store, record: Object) -> list[object]:
    if not record.layout:
        return list(record.extents)
    row = await store.index.get("layout", record.layout)
    assert row is not None
    return list(decode(Layout, row).extents)


def test_many_small_pieces_do_not_stay_many(tmp_path: Path) -> None:
    async def main() -> None:
        async with disk_store(tmp_path) as store:
            bucket = await make_bucket(store)
            pieces = [b"piece %d," % number for number in range(5 * RUN)]
            record = await grow(store, bucket, *pieces)
            assert len(await _extents(store, record)) < RUN
            assert await get(store, bucket, KEY) == b"".join(pieces)
            store.now = Clock(store.now() + DAY)
            await housekeeping.collect_garbage(store, grace=0)
            assert await get(store, bucket, KEY) == b"".join(pieces)
            await objects.delete(store, bucket, KEY)
            store.now = Clock(store.now() + DAY)
            await housekeeping.collect_garbage(store, grace=0)
            assert await rows(store, "body") == []
            assert await blob_ids(store) == set()

    run(main())


def test_a_piece_that_is_sent_again_is_taken_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with disk_store(tmp_path) as store:
            bucket = await make_bucket(store)
            first = await begin(store, bucket)
            second = await append(store, bucket, first, pattern(LARGE))
            assert await append(store, bucket, first, pattern(LARGE)) == second
            third = await append(store, bucket, second, b"end")
            assert await append(store, bucket, second, b"end") == third
            await flush(store, bucket, third)
            assert await get(store, bucket, KEY) == pattern(LARGE) + b"end"
            assert (await sweep(store)).orphans == 0

    run(main())


@pytest.mark.parametrize("piece", [b"other", b"longer than it", pattern(LARGE)])
def test_two_writers_cannot_use_one_handle(piece: bytes) -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        handle = await begin(store, bucket)
        taken = await append(store, bucket, handle, b"first")
        with pytest.raises(WriteConflict):
            await append(store, bucket, handle, piece)
        with pytest.raises(WriteConflict):
            await flush(store, bucket, handle)
        await flush(store, bucket, taken)
        assert await get(store, bucket, KEY) == b"first"
        assert len(await blob_ids(store)) == 0

    run(main())


def test_of_two_pieces_at_the_same_time_one_is_taken() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        handle = await begin(store, bucket)
        tried = await outcomes(*(append(store, bucket, handle, b"%d" % n) for n in range(5)))
        assert sum(isinstance(one, WriteConflict) for one in tried) == 4
        (taken,) = (one for one in tried if isinstance(one, Handle))
        assert (await flush(store, bucket, taken)).size == 1

    run(main())


def test_sessions_side_by_side_both_end_up_in_the_object() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        one, other = await begin(store, bucket), await begin(store, bucket)
        one = await append(store, bucket, one, b"one")
        other = await append(store, bucket, other, b"other")
        await flush(store, bucket, other)
        await flush(store, bucket, one)
        assert await get(store, bucket, KEY) == b"otherone"

    run(main())


def test_an_object_that_changes_while_it_is_flushed_is_appended_to_as_it_is_then() -> None:
    async def main() -> None:
        store, between = interposed_store()
        bucket = await make_bucket(store)
        await put(store, bucket, KEY, b"old ")
        handle = await append(store, bucket, await begin(store, bucket), b"piece")

        once(between, "get", "object", lambda: put(store, bucket, KEY, b"new "))
        await flush(store, bucket, handle)
        assert await get(store, bucket, KEY) == b"new piece"

    run(main())


def test_a_small_object_that_goes_while_it_is_flushed_is_no_loss() -> None:
    """Its bytes are a row that goes at once, so the flush cannot read what it was about to."""

    async def main() -> None:
        store, between = interposed_store()
        bucket = await make_bucket(store)
        await put(store, bucket, KEY, b"old ")
        handle = await append(store, bucket, await begin(store, bucket), b"piece")
        claim = Claim("sha256", "SHA256", hashlib.sha256(b"new piece").digest())
        once(between, "get", "object", lambda: put(store, bucket, KEY, b"new "))
        await flush(store, bucket, handle, claim)
        assert await get(store, bucket, KEY) == b"new piece"

    run(main())


def test_pieces_that_cannot_be_merged_are_kept() -> None:
    async def main() -> None:
        store, between = interposed_store()
        bucket = await make_bucket(store)
        handle = await begin(store, bucket)
        for _ in range(RUN - 1):
            handle = await append(store, bucket, handle, b"x")

        async def fail(method: str, table: str) -> None:
            if (method, table) == ("get", "body"):
                raise StoreUnavailable("not now")

        between.before = fail
        handle = await append(store, bucket, handle, b"y")
        between.before = None
        assert (await flush(store, bucket, handle)).size == RUN
        assert await get(store, bucket, KEY) == b"x" * (RUN - 1) + b"y"

    run(main())


def test_a_flush_is_held_to_a_claim_and_may_be_tried_again() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        await put(store, bucket, KEY, b"a")
        handle = await append(store, bucket, await begin(store, bucket), b"b")
        wrong = Claim("sha256", "SHA256", hashlib.sha256(b"b").digest())
        with pytest.raises(DigestMismatch):
            await flush(store, bucket, handle, wrong)
        assert await get(store, bucket, KEY) == b"a"
        right = Claim("sha256", "SHA256", hashlib.sha256(b"ab").digest())
        record = await flush(store, bucket, handle, right)
        assert record.digest == ("sha256", hashlib.sha256(b"ab").hexdigest())

    run(main())


def test_a_flush_that_is_asked_for_again_is_remembered() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        handle = await append(store, bucket, await begin(store, bucket), b"x")
        record = await flush(store, bucket, handle)
        with pytest.raises(UploadNotFound):
            await flush(store, bucket, handle)
        assert await appends.flushed(store, bucket, KEY, handle) == record.etag
        assert await appends.flushed(store, bucket, b"other", handle) is None
        assert await appends.flushed(store, bucket, KEY, Handle("zz", 0)) is None
        assert await appends.flushed(store, bucket, KEY, Handle("00" * 16, 0)) is None

    run(main())


def test_a_handle_belongs_to_its_object() -> None:
    async def main() -> None:
        store = memory_store()
        bucket, other = await make_bucket(store), await make_bucket(store, "other")
        handle = await begin(store, bucket)
        for where, key in ((other, KEY), (bucket, b"log2")):
            with pytest.raises(UploadNotFound):
                await appends.append(store, where, key, handle, Data(b"x"))

    run(main())


def test_a_session_expires_as_uploads_do(tmp_path: Path) -> None:
    async def main() -> None:
        clock = Clock()
        async with disk_store(tmp_path, clock) as store:
            bucket = await make_bucket(store)
            handle = await append(store, bucket, await begin(store, bucket), pattern(LARGE))
            assert (await sweep(store)).orphans == 0, "its pieces are in use"
            clock.now += 8 * DAY
            assert await housekeeping.expire_uploads(store) == 1
            with pytest.raises(UploadNotFound):
                await append(store, bucket, handle, b"late")
            with pytest.raises(ObjectNotFound):
                await get(store, bucket, KEY)
            clock.now += DAY
            await housekeeping.collect_garbage(store, grace=0)
            assert await blob_ids(store) == set()

    run(main())


def test_a_session_is_no_upload_that_could_be_completed() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        handle = await append(store, bucket, await begin(store, bucket), b"x")
        upload = await uploads.find(store, bucket, KEY, handle.upload)
        assert await uploads.list_parts(store, upload, after=0, limit=10) == []
        named = [NamedPart(appends.NUMBER, None, {})]
        with pytest.raises(InvalidPart):
            await uploads.complete(store, bucket, upload, named, NO_CLAIMS)
        assert (await flush(store, bucket, handle)).size == 1

    run(main())


@pytest.mark.parametrize("text", ["", "-", "abc", "abc-", "-5", "abc-x", "a-" + "9" * 20])
def test_a_handle_that_cannot_be_read(text: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_handle(text)
    assert parse_handle(str(Handle("abc", 17))) == Handle("abc", 17)
