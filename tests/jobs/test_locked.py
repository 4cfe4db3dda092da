"""Jobs and locked versions: whatever is selected, evicted or replicated, those stay."""

from __future__ import annotations

from typing import Any

import pytest

from aisle.core.errors import InvalidArgument, ObjectLocked
from aisle.jobs.leases import Sole
from aisle.jobs.replication import walk
from aisle.jobs.work.delete import delete_objects
from aisle.jobs.work.evict import evict_bucket, evict_objects
from aisle.jobs.work.selection import bucket_args
from aisle.namespace import documents, objects
from aisle.namespace.locks import COMPLIANCE, Rule
from aisle.namespace.records import Object
from aisle.namespace.replication import rules
from aisle.namespace.replication.sink import Replicating
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.versions import removal
from tests.jobs.support import begun
from tests.namespace.locked import COMPLIANT, HELD, lock_bucket, put
from tests.namespace.support import make_bucket, memory_store, pattern, run
from tests.namespace.versioned import all_versions, get_version, versioned_bucket

CHOSEN = pytest.mark.parametrize(
    "chosen", [{"objnames": ["k"]}, {"template": "k"}, {"template": ""}, {"prefix": "k"}]
)


async def stays(store: Store, bucket: BucketRow, it: Object) -> None:
    """The version is there with its bytes, and as locked as before."""
    assert await get_version(store, bucket, b"k", it.version) == pattern(10)
    with pytest.raises(ObjectLocked):
        await removal.remove(store, bucket, b"k", it.version)


@CHOSEN
def test_a_delete_of_many_leaves_a_marker_before_it(chosen: dict[str, Any]) -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await lock_bucket(store)
        it = await put(store, bucket, COMPLIANT)
        await delete_objects(begun(store, {**bucket_args(bucket), **chosen}))
        top, below = await all_versions(store, bucket)
        assert (top.marker, below.version) == (True, it.version)
        await stays(store, bucket, it)

    run(main())


@CHOSEN
def test_a_delete_of_many_ends_at_a_locked_object_without_versions(chosen: dict[str, Any]) -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        it = await put(store, bucket, HELD)
        with pytest.raises(ObjectLocked):
            await delete_objects(begun(store, {**bucket_args(bucket), **chosen}))
        assert await objects.head(store, bucket, b"k") == it

    run(main())


def test_what_is_here_alone_is_not_evicted() -> None:
    async def main() -> None:
        store = memory_store()
        bucket = await lock_bucket(store)
        it = await put(store, bucket, COMPLIANT)
        for work, args in ((evict_objects, {"template": ""}), (evict_bucket, {})):
            with pytest.raises(InvalidArgument):
                await work(begun(store, {**bucket_args(bucket), **args}))
        await stays(store, bucket, it)

    run(main())


def test_a_delete_that_is_replicated_leaves_a_marker_before_it() -> None:
    async def main() -> None:
        store = memory_store()
        replicating = Replicating()
        store.stamp = replicating.stamp
        store.sinks.append(replicating)
        source = await versioned_bucket(store, "source")
        to = rules.Rule("r", 1, True, "bucket", markers=True)
        text = rules.encode(rules.Configuration([to], ""))
        source = await documents.change(store, source, {documents.REPLICATION: text})
        target = await lock_bucket(store, Rule(COMPLIANCE, 1))
        await put(store, source)
        await walk(store, Sole())
        it = await objects.head(store, target, b"k")
        await objects.delete(store, source, b"k", owner="me")
        await walk(store, Sole())
        top, below = await all_versions(store, target)
        assert (top.marker, below.version) == (True, it.version)
        await stays(store, target, it)

    run(main())
