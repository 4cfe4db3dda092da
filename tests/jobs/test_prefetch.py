"""Prefetching over a remote service in memory: what comes, how often, and what ends it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aisle.core.errors import (
    AisleError,
    BucketNotFound,
    OutOfSpace,
    RemoteBucketNotFound,
    RemoteDenied,
    RemoteThrottled,
)
from aisle.jobs.work.prefetch import download_blob, prefetch_objects
from aisle.jobs.work.together import ObjectFailed
from aisle.namespace import buckets
from tests.jobs.support import cut_off
from tests.jobs.windowed import CHUNK, window
from tests.namespace.support import LARGE, get, nothing_leaks, run


@pytest.mark.parametrize(
    ("chosen", "comes"),
    [
        ({"template": ""}, ["a", "b/1", "b/2", "b/c/3", "d"]),
        ({"template": "b/"}, ["b/1", "b/2", "b/c/3"]),
        ({"template": "b/", "non_recursive": True}, ["b/1", "b/2"]),
        ({"template": "b/{1..4}"}, ["b/1", "b/2"]),
        ({"objnames": ["d", "a"]}, ["a", "d"]),
        ({"template": "z"}, []),
    ],
)
def test_what_is_selected_comes_into_the_cluster(chosen: dict[str, Any], comes: list[str]) -> None:
    async def main() -> None:
        async with window() as w:
            w.fill("a", "b/1", "b/2", "b/c/3", "d")
            done = await w.prefetch(**chosen)
            assert await w.kept() == comes
            asked = w.fetched
            assert (done.objects, done.bytes, done.errors) == (len(comes), 10 * len(comes), 0)
            for name in comes:
                assert await get(w.store, w.bucket, name.encode()) == name.encode().ljust(10, b".")
            assert w.fetched == asked  # they are read from here now

    run(main())


def test_what_is_in_the_cluster_is_passed_over() -> None:
    async def main() -> None:
        async with window() as w:
            w.fill("a", "b", "c")
            assert (await w.prefetch(objnames=["b"])).objects == 1
            assert (await w.prefetch(template="")).objects == 2
            assert sorted(w.fetched) == ["a", "b", "c"]
            assert (await w.prefetch(template="")).objects == 0

    run(main())


def test_with_latest_only_what_has_changed_comes_again() -> None:
    async def main() -> None:
        async with window() as w:
            w.fill("a", "b")
            await w.prefetch(template="")
            w.remote.store("b", "b", b"another")
            assert (await w.prefetch(template="")).objects == 0
            done = await w.prefetch(template="", latest=True)
            assert (done.objects, done.bytes) == (1, 7)
            assert w.fetched.count("a") == 1
            assert await get(w.store, w.bucket, b"b") == b"another"

    run(main())


def test_a_listing_of_many_pages_is_read_to_its_end() -> None:
    async def main() -> None:
        async with window() as w:
            names = [f"{number:04d}" for number in range(1100)]
            w.fill(*names, size=1)
            await w.prefetch(template="")
            assert await w.kept() == names
            assert w.remote.calls["list"] == 2

    run(main())


def test_a_name_in_a_list_that_is_not_there_is_a_mistake() -> None:
    async def main() -> None:
        async with window() as w:
            w.fill("a", "b")
            with pytest.raises(ObjectFailed, match='aws://b/nope: object "b/nope" does not exist'):
                await w.prefetch(objnames=["a", "nope", "b"], num_workers=-1)
            assert await w.kept() == ["a"]
            done = await w.prefetch(objnames=["a", "nope", "b"], coer=True)
            assert (done.objects, done.errors) == (1, 1)
            assert await w.kept() == ["a", "b"]

    run(main())


@pytest.mark.parametrize(
    "error", [RemoteDenied("aws://b", "no"), RemoteBucketNotFound("aws://b", "no")]
)
def test_a_remote_that_refuses_ends_the_job(error: AisleError) -> None:
    async def main() -> None:
        async with window() as w:
            w.remote.fail("list", error, times=9)
            with pytest.raises(type(error)):
                await w.prefetch(template="", coer=True)

    run(main())


def test_a_remote_that_is_overloaded_is_waited_for() -> None:
    async def main() -> None:
        async with window() as w:
            w.fill("a")
            error = RemoteThrottled("aws://b", "slow down", retry_after=0.001)
            w.remote.fail("get", error, times=3)
            assert (await w.prefetch(template="")).objects == 1

    run(main())


def test_large_objects_come_by_several_requests_from_the_threshold_on() -> None:
    async def main() -> None:
        async with window() as w:
            w.fill("large", size=3 * CHUNK)
            w.fill("small", size=LARGE)
            done = await w.prefetch(template="", blob_threshold=CHUNK)
            assert done.bytes == 3 * CHUNK + LARGE
            assert w.fetched.count("small") == 1
            assert w.fetched.count("large") > 1
            assert w.remote.bytes_read == 3 * CHUNK + LARGE
            assert w.remote.calls["head"] == 0  # the listing told the sizes

    run(main())


def test_sizes_are_asked_for_where_nothing_else_tells_them() -> None:
    async def main() -> None:
        async with window() as w:
            w.fill("large", size=2 * CHUNK)
            await w.prefetch(objnames=["large"], blob_threshold=CHUNK)
            assert w.fetched.count("large") > 1

    run(main())


def test_a_blob_download_is_of_one_object() -> None:
    async def main() -> None:
        async with window() as w:
            w.fill("large", "other", size=3 * CHUNK)
            task = w.task(name="large", latest=False, chunk_size=0, num_workers=3)
            await download_blob(task)
            assert (task.progress.objects, task.progress.bytes) == (1, 3 * CHUNK)
            assert await w.kept() == ["large"]
            assert w.fetched.count("large") > 1

    run(main())


def test_a_reader_and_a_prefetch_share_one_download() -> None:
    async def main() -> None:
        async with window() as w:
            w.fill("a", size=LARGE)
            done, body = await asyncio.gather(w.prefetch(template=""), get(w.store, w.bucket, b"a"))
            assert done.objects == 1
            assert len(body) == LARGE
            assert w.fetched == ["a"]

    run(main())


def test_a_store_that_is_full_ends_the_job() -> None:
    async def main() -> None:
        async with window() as w:
            w.fill("a")
            await w.store.change_config(
                {"space.highwm": 0, "space.lowwm": 0, "space.cleanupwm": 0, "space.out_of_space": 0}
            )
            await w.store.room.look()
            with pytest.raises(OutOfSpace):
                await w.prefetch(template="", coer=True)
            assert await w.kept() == []

    run(main())


@pytest.mark.parametrize("at", range(1, 12, 2))
def test_another_worker_goes_on_where_a_prefetch_was_cut_off(
    at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aisle.jobs.task.SAVE_SECONDS", 0.0)

    async def main() -> None:
        async with window() as w:
            names = [f"{number}" for number in range(6)]
            w.fill(*names)
            task = w.task(template="", num_workers=2)
            await cut_off(w.index, prefetch_objects, task, at, table="progress")
            done = await w.prefetch(task.progress, template="")
            assert done.objects <= 6
            assert await w.kept() == names
            assert sorted(w.fetched) == names
            await nothing_leaks(w.store)

    run(main())


def test_a_bucket_that_was_evicted_meanwhile_ends_the_job() -> None:
    async def main() -> None:
        async with window() as w:
            w.fill("a")
            task = w.task(template="")
            await buckets.delete(w.store, w.bucket.name)
            with pytest.raises(BucketNotFound):
                await prefetch_objects(task)

    run(main())


def test_the_props_of_a_bucket_limit_how_fast_its_remote_is_asked() -> None:
    async def main() -> None:
        async with window() as w:
            prefix = "rate_limit.backend."
            slow = {"enabled": True, "max_tokens": 0, "per_op_max_tokens": "GET:1000"}
            w.fill("a", "b")
            named = {prefix + name: value for name, value in slow.items()}
            await buckets.change_props(w.store, w.bucket.name, named)
            w.bucket = await buckets.get(w.store, w.bucket.name)
            assert (await w.prefetch(objnames=["a"])).objects == 1
            with pytest.raises(RemoteThrottled, match="the rate of LIST requests"):
                await w.prefetch(template="")
            assert w.remote.calls["list"] == 0
            await buckets.change_props(w.store, w.bucket.name, {prefix + "enabled": False})
            w.bucket = await buckets.get(w.store, w.bucket.name)
            assert (await w.prefetch(template="")).objects == 1

    run(main())
