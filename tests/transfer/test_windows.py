"""Windows move as buckets: their copies stay, and no remote bucket is written to."""

from __future__ import annotations

from aisle.namespace import buckets
from aisle.namespace.records import BACKEND_BCK
from tests.backend.memory import MemoryRemote
from tests.namespace.support import LARGE, make_bucket, memory_store, pattern, put, rows, run
from tests.namespace.windowed import NAME, site
from tests.transfer.support import contents, export, import_all


def test_a_window_is_exported_without_its_copies() -> None:
    async def main() -> None:
        remote = MemoryRemote()
        async with site(remote) as (worker,):
            bucket = await worker.bucket()
            for size in (0, 10, LARGE):
                await put(worker.store, bucket, b"k%d" % size, pattern(size))
            own = await make_bucket(worker.store, "own")
            await put(worker.store, own, b"k", b"data")
            remote.calls.clear()
            stream = await export(worker.store)
            target = memory_store()
            totals = await import_all(target, stream)
            assert (totals.buckets, totals.objects, totals.refused) == (2, 1, 0)
            assert len((await contents(target)).objects) == 1
            found = await buckets.get(target, bucket.name)
            assert found.record.behind == bucket.record.behind
            assert not remote.calls

    run(main())


def test_objects_of_a_bucket_that_is_a_window_at_the_target_are_refused() -> None:
    async def main() -> None:
        source = memory_store()
        own = await make_bucket(source, "own")
        for size in (0, 10, LARGE):
            await put(source, own, b"k%d" % size, pattern(size))
        stream = await export(source)
        remote = MemoryRemote()
        async with site(remote) as (worker,):
            props = {BACKEND_BCK: f"aws://{NAME}"}
            await make_bucket(worker.store, "own", props=props)
            told: list[str] = []
            totals = await import_all(worker.store, stream, tell=told.append)
            assert (totals.objects, totals.refused) == (0, 3)
            assert any("is a window on aws://remote" in line for line in told)
            assert not remote.calls
            assert await rows(worker.store, "object") == []

    run(main())
