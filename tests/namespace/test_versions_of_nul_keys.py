"""Keys with a NUL in them, whose rows of versions begin like those of the key before it."""

from __future__ import annotations

from aisle.namespace import objects
from aisle.namespace.versions import removal
from tests.namespace.support import memory_store, put, run
from tests.namespace.versioned import all_versions, check_invariants, versioned_bucket


def test_the_removal_of_the_last_version_brings_up_no_version_of_another_key() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await versioned_bucket(store)
        for body in (b"1", b"2"):
            await put(store, bucket, b"k\0x", body)
        only = await put(store, bucket, b"k", b"mine")
        await removal.remove(store, bucket, b"k", only.version)
        assert [each.key for each in await all_versions(store, bucket)] == [b"k\0x", b"k\0x"]
        await check_invariants(store)

    run(main())


def test_the_removal_of_a_lone_marker_brings_up_no_version_of_another_key() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await versioned_bucket(store)
        for body in (b"1", b"2"):
            await put(store, bucket, b"k\0x", body)
        done = await objects.delete(store, bucket, b"k", owner="me")
        assert done.marker is not None
        await removal.remove(store, bucket, b"k", done.marker.version)
        assert [each.key for each in await all_versions(store, bucket)] == [b"k\0x", b"k\0x"]
        await check_invariants(store)

    run(main())
