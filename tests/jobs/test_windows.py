"""Deleting and copying over windows: the remote has what was done, cached or not."""

from __future__ import annotations

from typing import Any

import pytest

from aisle.core.names import BucketName
from aisle.jobs.work.copy import copy_objects
from aisle.jobs.work.delete import delete_objects
from aisle.jobs.work.selection import bucket_args
from aisle.namespace import buckets
from tests.jobs.support import begun
from tests.jobs.windowed import window
from tests.namespace.kept import kept
from tests.namespace.support import get, nothing_leaks, put, run


@pytest.mark.parametrize(
    ("chosen", "stays"),
    [
        ({"template": "b/"}, ["a", "d"]),
        ({"template": "b/{1..9}"}, ["a", "b/c/3", "d"]),
        ({"objnames": ["d", "nope"]}, ["a", "b/1", "b/2", "b/c/3"]),
    ],
)
def test_what_is_deleted_is_deleted_at_the_remote_cached_or_not(
    chosen: dict[str, Any], stays: list[str]
) -> None:
    async def main() -> None:
        async with window() as w:
            w.fill("a", "b/1", "b/2", "b/c/3", "d")
            await w.prefetch(objnames=["a", "b/1", "d"])
            task = w.task(**chosen)
            await delete_objects(task)
            assert sorted(w.remote.bucket("b")) == stays
            assert set(await w.kept()) <= set(stays)
            await nothing_leaks(w.store)

    run(main())


@pytest.mark.parametrize(
    ("chosen", "comes"),
    [
        ({"prefix": ""}, ["a", "b", "c"]),
        ({"prefix": "", "all": False}, ["b"]),
        ({"objnames": ["a"]}, ["a"]),
        ({"template": "{a..b}"}, ["a", "b"]),
        ({"template": "{a..z}"}, ["a", "b", "c"]),
    ],
)
def test_objects_are_copied_out_of_a_window_cached_or_not(
    chosen: dict[str, Any], comes: list[str]
) -> None:
    async def main() -> None:
        async with window() as w:
            w.fill("a", "b", "c")
            await w.prefetch(objnames=["b"])
            own = await buckets.create(w.store, BucketName("own"), owner="me")
            task = w.task(**chosen, **bucket_args(own, "to"))
            await copy_objects(task)
            assert await kept(w.store, own) == comes
            assert task.progress.bytes == 10 * len(comes)
            for name in comes:
                assert await get(w.store, own, name.encode()) == name.encode().ljust(10, b".")

    run(main())


def test_a_copy_that_is_not_there_is_a_mistake_in_a_list_alone() -> None:
    async def main() -> None:
        async with window() as w:
            w.fill("a")
            own = await buckets.create(w.store, BucketName("own"), owner="me")
            task = w.task(objnames=["nope", "a"], coer=True, **bucket_args(own, "to"))
            await copy_objects(task)
            assert (task.progress.objects, task.progress.errors) == (1, 1)

    run(main())


def test_a_window_is_synchronized_with_a_bucket_of_our_own_and_back() -> None:
    async def main() -> None:
        async with window() as w:
            own = await buckets.create(w.store, BucketName("own"), owner="me")
            for name in (b"a", b"c"):
                await put(w.store, own, name, b"own")
            w.fill("a", "b")
            task = begun(
                w.store,
                {
                    "prefix": "",
                    "synchronize": True,
                    **bucket_args(own),
                    **bucket_args(w.bucket, "to"),
                },
            )
            await copy_objects(task)
            assert sorted(w.remote.bucket("b")) == ["a", "c"]
            assert w.remote.data("b", "a") == b"own"
            w.remote.discard("b", "c")
            await w.evict(template="")
            task = w.task(prefix="", synchronize=True, **bucket_args(own, "to"))
            await copy_objects(task)
            assert await kept(w.store, own) == ["a"]

    run(main())


@pytest.mark.parametrize("chosen", [{"prefix": ""}, {"template": "{a..c}"}, {"objnames": ["b"]}])
def test_what_the_remote_has_lost_is_no_longer_copied_though_it_is_cached(
    chosen: dict[str, Any],
) -> None:
    async def main() -> None:
        async with window() as w:
            own = await buckets.create(w.store, BucketName("own"), owner="me")
            w.fill("a", "b", "c")
            await w.prefetch(template="")
            latest = {"synchronize": True, "latest": True, **bucket_args(own, "to")}
            await copy_objects(w.task(prefix="", **latest))
            assert await kept(w.store, own) == ["a", "b", "c"]
            w.remote.discard("b", "b")
            await copy_objects(w.task(**chosen, **latest))
            assert await kept(w.store, own) == ["a", "c"]

    run(main())
