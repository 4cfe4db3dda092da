"""Writes that guess their key to be new: right whatever the key is, and only while it pays."""

from __future__ import annotations

import pytest

from aisle.namespace.store import NEW_KEYS
from tests.namespace.support import (
    LARGE,
    get,
    make_bucket,
    memory_store,
    nothing_leaks,
    pattern,
    put,
    run,
)


@pytest.mark.parametrize("size", [10, LARGE])
def test_a_wrong_guess_replaces_the_object_all_the_same(size: int) -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        await put(store, bucket, b"old", pattern(size, 1))
        for number in range(NEW_KEYS):
            await put(store, bucket, b"k%d" % number, pattern(size))
        assert store.expects_new_keys
        record = await put(store, bucket, b"old", pattern(size, 2))
        assert record.seq == 2
        assert await get(store, bucket, b"old") == pattern(size, 2)
        assert not store.expects_new_keys
        await nothing_leaks(store)

    run(main())


def test_the_guess_is_only_made_after_a_run_of_new_keys() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        for number in range(NEW_KEYS):
            assert not store.expects_new_keys
            await put(store, bucket, b"k%d" % number, b"x")
        assert store.expects_new_keys
        await put(store, bucket, b"k0", b"x")
        assert not store.expects_new_keys

    run(main())
