"""Evicting over a remote in memory, by names, by bucket and by `lru`: what goes and what stays."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from aisle.core.errors import BucketNotFound, InvalidArgument
from aisle.core.names import BucketName
from aisle.jobs.task import Task
from aisle.jobs.work.evict import evict_bucket, evict_objects
from aisle.jobs.work.lru import evict_least_recent
from aisle.jobs.work.prefetch import prefetch_objects
from aisle.jobs.work.selection import bucket_args
from aisle.namespace import buckets
from tests.jobs.support import begun, cut_off
from tests.jobs.windowed import window
from tests.namespace.kept import keep
from tests.namespace.support import LARGE, get, nothing_leaks, run

Work = Callable[[Task], Awaitable[object]]


@pytest.mark.parametrize(
    ("chosen", "stays"),
    [
        ({"template": ""}, []),
        ({"template": "b/"}, ["a", "d"]),
        ({"template": "b/{1..9}"}, ["a", "b/c/3", "d"]),
        ({"objnames": ["d", "a", "nope", "a"]}, ["b/1", "b/2", "b/c/3"]),
    ],
)
def test_what_is_selected_is_evicted_and_the_remote_hears_nothing(
    chosen: dict[str, Any], stays: list[str]
) -> None:
    async def main() -> None:
        async with window() as w:
            for name in ("a", "b/1", "b/2", "b/c/3", "d"):
                await keep(w.store, w.bucket, name, LARGE)
            done = await w.evict(**chosen)
            assert await w.kept() == stays
            assert (done.objects, done.bytes) == (5 - len(stays), (5 - len(stays)) * LARGE)
            assert not w.remote.calls
            await nothing_leaks(w.store)

    run(main())


def test_what_was_evicted_is_read_from_the_remote_again() -> None:
    async def main() -> None:
        async with window() as w:
            w.fill("a")
            await w.prefetch(template="")
            await w.evict(objnames=["a"])
            assert await get(w.store, w.bucket, b"a") == b"a........."
            assert w.fetched == ["a", "a"]

    run(main())


@pytest.mark.parametrize("work", [prefetch_objects, evict_objects, evict_bucket])
def test_a_bucket_of_our_own_is_neither_evicted_nor_prefetched(work: Work) -> None:
    async def main() -> None:
        async with window() as w:
            own = await buckets.create(w.store, BucketName("own"), owner="me")
            task = begun(w.store, {**bucket_args(own), "template": "", "keep_md": False})
            with pytest.raises(InvalidArgument, match="it is not a remote bucket"):
                await work(task)

    run(main())


@pytest.mark.parametrize("keeps", [True, False])
def test_a_bucket_is_evicted_whole_with_or_without_its_props(keeps: bool) -> None:
    async def main() -> None:
        async with window() as w:
            w.fill("a", "b")
            await w.prefetch(template="")
            task = w.task(keep_md=keeps)
            await evict_bucket(task)
            assert (task.progress.objects, await w.kept()) == (2, [])
            if keeps:
                assert (await buckets.get(w.store, w.bucket.name)).record == w.bucket.record
            else:
                with pytest.raises(BucketNotFound):
                    await buckets.get(w.store, w.bucket.name)
            assert w.remote.data("b", "a") is not None
            assert w.remote.calls["delete"] == 0
            await nothing_leaks(w.store)

    run(main())


@pytest.mark.parametrize("at", range(1, 9))
def test_another_worker_ends_an_eviction_that_was_cut_off(at: int) -> None:
    async def main() -> None:
        async with window() as w:
            for number in range(1200):
                await keep(w.store, w.bucket, f"{number:04d}", 1)
            task = w.task(keep_md=False)
            if await cut_off(w.index, evict_bucket, task, at):
                await evict_bucket(w.task(task.progress, keep_md=False))
            with pytest.raises(BucketNotFound):
                await buckets.get(w.store, w.bucket.name)
            assert await w.kept() == []
            await nothing_leaks(w.store)

    run(main())


def test_the_job_lru_says_why_there_is_nothing_to_do() -> None:
    async def main() -> None:
        async with window() as w:
            await keep(w.store, w.bucket, "a", LARGE, used=1)
            task = begun(w.store, {}, kind="lru")
            assert await evict_least_recent(task) == {"objects": 0, "bytes": 0}
            assert task.progress.message == "0% are used: nothing has to be evicted"
            assert await w.kept() == ["a"]

    run(main())
