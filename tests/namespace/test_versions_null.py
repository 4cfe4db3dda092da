"""The null version, wherever it is, and what suspending versions does and what keeps it from being
done."""

from __future__ import annotations

import pytest

from aisle.core.errors import (
    DeleteMarkerNamed,
    VersionNotFound,
    VersionsKept,
)
from aisle.namespace import buckets, documents, objects
from aisle.namespace.versions import ids as version_ids
from aisle.namespace.versions import removal
from tests.namespace.support import (
    LARGE,
    get,
    make_bucket,
    memory_store,
    pattern,
    put,
    rows,
    run,
)
from tests.namespace.versioned import (
    NULL,
    Version,
    all_versions,
    check_invariants,
    get_version,
    ids,
    marker_of,
    switch,
    versioned_bucket,
)

KEY = b"key"


def test_what_was_there_before_is_the_null_version() -> None:
    async def work() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        await put(store, bucket, KEY, b"before")
        bucket = await switch(store, bucket, suspended=False)
        assert await get_version(store, bucket, KEY, NULL) == b"before"
        after = await put(store, bucket, KEY, b"after")
        assert await get_version(store, bucket, KEY, NULL) == b"before"
        assert await ids(store, bucket, KEY) == [after.version, NULL]
        await check_invariants(store)
        assert await removal.remove(store, bucket, KEY, NULL) == removal.Removed("", False)
        with pytest.raises(VersionNotFound):
            await get_version(store, bucket, KEY, NULL)
        await check_invariants(store)

    run(work())


def test_the_null_version_comes_up_again_and_is_found() -> None:
    async def work() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        await put(store, bucket, KEY, b"before")
        bucket = await switch(store, bucket, suspended=False)
        after = await put(store, bucket, KEY, b"after")
        await removal.remove(store, bucket, KEY, after.version)
        assert await rows(store, "null") == []
        assert await get_version(store, bucket, KEY, NULL) == b"before"
        await check_invariants(store)

    run(work())


def test_a_suspended_bucket_replaces_its_null_version_wherever_it_is() -> None:
    async def work() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        await put(store, bucket, KEY, pattern(LARGE, 1))
        bucket = await switch(store, bucket, suspended=False)
        kept = await put(store, bucket, KEY, pattern(LARGE, 2))
        bucket = await switch(store, bucket, suspended=True)
        record = await put(store, bucket, KEY, b"null")  # its former one was below
        assert record.version == ""
        assert await ids(store, bucket, KEY) == [NULL, kept.version]
        await check_invariants(store)
        await put(store, bucket, KEY, b"null again")  # its former one is the current one
        assert await ids(store, bucket, KEY) == [NULL, kept.version]
        assert await get_version(store, bucket, KEY, NULL) == b"null again"
        await check_invariants(store)
        bucket = await switch(store, bucket, suspended=False)
        last = await put(store, bucket, KEY, b"last")
        assert await ids(store, bucket, KEY) == [last.version, NULL, kept.version]
        await check_invariants(store)

    run(work())


def test_a_delete_in_a_suspended_bucket_replaces_the_null_version_by_a_marker() -> None:
    async def work() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        await put(store, bucket, KEY, pattern(LARGE, 1))
        bucket = await switch(store, bucket, suspended=True)
        deleted = await objects.delete(store, bucket, KEY)
        assert marker_of(deleted) == NULL
        assert await all_versions(store, bucket) == [Version(KEY, NULL, True, True, 0)]
        again = await objects.delete(store, bucket, KEY)  # a null marker in place of the other
        assert marker_of(again) == NULL
        assert await all_versions(store, bucket) == [Version(KEY, NULL, True, True, 0)]
        await check_invariants(store)
        with pytest.raises(DeleteMarkerNamed):
            await get_version(store, bucket, KEY, NULL)
        await put(store, bucket, KEY, b"back")  # in place of the marker
        assert await all_versions(store, bucket) == [Version(KEY, NULL, True, False, 4)]
        await check_invariants(store)

    run(work())


def test_a_marker_of_a_suspended_bucket_keeps_real_versions() -> None:
    async def work() -> None:
        store = memory_store()
        bucket = await versioned_bucket(store)
        kept = await put(store, bucket, KEY, b"kept")
        bucket = await switch(store, bucket, suspended=True)
        assert marker_of(await objects.delete(store, bucket, KEY)) == NULL
        assert await ids(store, bucket, KEY) == [NULL, kept.version]
        assert await removal.remove(store, bucket, KEY, NULL) == removal.Removed("", True)
        assert await get(store, bucket, KEY) == b"kept"
        await check_invariants(store)

    run(work())


def test_removal_without_versioning_takes_the_null_version() -> None:
    async def work() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        await put(store, bucket, KEY, b"data")
        assert await removal.remove(store, bucket, KEY, version_ids.mint(1)) is None
        assert await removal.remove(store, bucket, KEY, NULL) == removal.Removed("", False)
        assert await removal.remove(store, bucket, KEY, NULL) is None
        await check_invariants(store)

    run(work())


@pytest.mark.parametrize("kind", documents.BITS)
def test_what_needs_versions_keeps_them_from_being_suspended(kind: bytes) -> None:
    async def work() -> None:
        store = memory_store()
        bucket = await versioned_bucket(store)
        bucket = await documents.change(store, bucket, {kind: b"x"})
        if kind in (documents.LOCK, documents.REPLICATION):
            with pytest.raises(VersionsKept):
                await switch(store, bucket, suspended=True)
            with pytest.raises(VersionsKept):
                await buckets.change_props(store, bucket.name, {"versioning.enabled": False})
            bucket = await documents.change(store, bucket, {kind: None})
        assert (await switch(store, bucket, suspended=True)).record.versions == "Suspended"

    run(work())
