"""Prefetching and evicting over a remote service in memory: what comes, what goes, how often."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from aisle.core.errors import (
    AisleError,
    BucketNotFound,
    InvalidArgument,
    OutOfSpace,
    RemoteBucketNotFound,
    RemoteDenied,
    RemoteThrottled,
)
from aisle.core.names import BucketName
from aisle.jobs.task import Task
from aisle.jobs.work.copy import copy_objects
from aisle.jobs.work.delete import delete_objects
from aisle.jobs.work.evict import evict_bucket, evict_objects
from aisle.jobs.work.lru import evict_least_recent
from aisle.jobs.work.prefetch import download_blob, prefetch_objects
from aisle.jobs.work.selection import bucket_args
from aisle.jobs.work.together import ObjectFailed
from aisle.namespace import buckets
from aisle.namespace.records import Progress
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.window.registry import Remotes
from aisle.namespace.window.window import RemoteWindow
from aisle.store.memory import MemoryBlobs, MemoryIndex
from tests.backend.memory import MemoryProvider, MemoryRemote
from tests.jobs.support import begun, cut_off
from tests.namespace.kept import keep, kept
from tests.namespace.support import LARGE, Interposed, get, nothing_leaks, put, run

CHUNK = 8 << 20
Work = Callable[[Task], Awaitable[object]]


class Window:
    """A store with a window on the bucket `b` of a service in memory."""

    def __init__(self, store: Store, index: Interposed, bucket: BucketRow) -> None:
        self.store = store
        self.index = index
        self.bucket = bucket
        self.remote = MemoryRemote()
        self.remote.make("b")

    def fill(self, *names: str, size: int = 10) -> None:
        for name in names:
            self.remote.store("b", name, name.encode().ljust(size, b"."))

    def task(self, progress: Progress | None = None, **args: Any) -> Task:
        given = {"num_workers": 0, **bucket_args(self.bucket), **args}
        return begun(self.store, given, progress)

    async def prefetch(self, progress: Progress | None = None, **args: Any) -> Progress:
        task = self.task(progress, **args)
        await prefetch_objects(task)
        return task.progress

    async def evict(self, **args: Any) -> Progress:
        task = self.task(**args)
        await evict_objects(task)
        return task.progress

    async def kept(self) -> list[str]:
        return await kept(self.store, self.bucket)

    @property
    def fetched(self) -> list[str]:
        return [key for method, key in self.remote.log if method == "get"]


@asynccontextmanager
async def window() -> AsyncIterator[Window]:
    index = Interposed(MemoryIndex())
    store = Store(index, MemoryBlobs())
    bucket = await buckets.create(store, BucketName("b", "aws"), owner="me")
    made = Window(store, index, bucket)
    store.remotes = Remotes({"aws": MemoryProvider(made.remote)})
    store.window = remote = RemoteWindow(store.remotes)
    try:
        yield made
    finally:
        await remote.close()
        await store.remotes.close()


# --- prefetch -------------------------------------------------------------------------------


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


# --- evict ----------------------------------------------------------------------------------


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


# --- other work over windows ------------------------------------------------------------------


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


# --- lru ------------------------------------------------------------------------------------


def test_the_job_lru_says_why_there_is_nothing_to_do() -> None:
    async def main() -> None:
        async with window() as w:
            await keep(w.store, w.bucket, "a", LARGE, used=1)
            task = begun(w.store, {}, kind="lru")
            assert await evict_least_recent(task) == {"objects": 0, "bytes": 0}
            assert task.progress.message == "0% are used: nothing has to be evicted"
            assert await w.kept() == ["a"]

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
