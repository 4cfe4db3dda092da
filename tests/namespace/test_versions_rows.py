"""Rows of versions: what a bucket that ends, the sweep, and another release make of them."""

from __future__ import annotations

import pytest
from msgspec import msgpack

from aisle.core.errors import (
    BucketNotEmpty,
)
from aisle.namespace import buckets, destroy, housekeeping, objects
from aisle.namespace.records import Object, decode, encode
from aisle.store.base import Put
from tests.namespace.support import (
    DAY,
    LARGE,
    Clock,
    make_bucket,
    memory_store,
    multipart,
    pattern,
    put,
    rows,
    run,
    sweep,
)
from tests.namespace.versioned import (
    NULL,
    check_invariants,
    get_version,
    ids,
    switch,
    versioned_bucket,
)

KEY = b"key"


def test_a_bucket_with_markers_alone_is_not_empty_and_destroying_it_leaves_nothing() -> None:
    async def work() -> None:
        clock = Clock()
        store = memory_store(clock)
        bucket = await versioned_bucket(store)
        await objects.delete(store, bucket, KEY)
        with pytest.raises(BucketNotEmpty):
            await buckets.delete(store, bucket.name)
        for n in range(destroy.BATCH // 100):
            await put(store, bucket, b"%d" % n, pattern(LARGE, n))
            await put(store, bucket, b"%d" % n, b"again")
        bucket = await switch(store, bucket, suspended=True)
        await objects.delete(store, bucket, b"1")
        assert await destroy.destroy(store, bucket.name) == destroy.BATCH // 100 - 1
        await check_invariants(store)
        clock.now += 30 * DAY
        await housekeeping.tidy(store)
        for table in ("object", "version", "null", "hidden", "body", "garbage", "layout"):
            assert await rows(store, table) == []

    run(work())


def test_housekeeping_sees_former_versions() -> None:
    async def work() -> None:
        store = memory_store()
        await store.change_config({"multipart.min_part_size": "0"})
        bucket = await versioned_bucket(store)
        first = await put(store, bucket, KEY, pattern(LARGE, 1))
        second = await multipart(store, bucket, KEY, [LARGE] * 6)
        await objects.delete(store, bucket, KEY)
        report = await sweep(store)
        assert (report.orphans, report.missing) == (0, [])
        whole = await get_version(store, bucket, KEY, second.version)
        assert len(whole) == 6 * LARGE
        await store.blobs.delete(first.extents[0].blob)
        report = await sweep(store)
        assert report.missing == [KEY.decode()]

    run(work())


def test_rows_of_earlier_releases_are_read_and_become_versions() -> None:
    async def work() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        await put(store, bucket, KEY, b"old")
        place = bucket.record.id + KEY
        raw = await store.index.get("object", place)
        assert raw is not None
        # A release without versions wrote the fields up to `seq`, or up to `acl` and `origin`.
        for fields in (15, 16, 17):
            short = raw[:1] + _shortened(raw[1:], fields)
            await store.index.commit(Put("object", place, short))
            record = await objects.head(store, bucket, KEY)
            assert (record.version, record.marker, record.tags) == ("", False, {})
            assert (record.lock, record.sealed, record.replication) == (None, None, "")
        bucket = await switch(store, bucket, suspended=False)
        new = await put(store, bucket, KEY, b"new")
        assert await ids(store, bucket, KEY) == [new.version, NULL]
        assert await get_version(store, bucket, KEY, NULL) == b"old"
        assert decode(Object, encode(new)) == new
        await check_invariants(store)

    run(work())


def _shortened(payload: bytes, fields: int) -> bytes:
    values = msgpack.decode(payload)
    return msgpack.encode(values[:fields])
