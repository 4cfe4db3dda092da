"""Several gateways over one index whose epoch lags: what may be a moment old, and what may not.

`Lagging` is an index as a cluster's engine gives it to one gateway: its epoch does not move when
another one writes, which is the worst that the port allows.
"""

from __future__ import annotations

import base64

import pytest

from aisle.core.errors import (
    BucketNotFound,
    DeleteMarkerFound,
    DeleteMarkerNamed,
    ObjectNotFound,
    VersionNotFound,
)
from aisle.core.names import BucketName
from aisle.namespace import buckets, destroy, documents, objects
from aisle.namespace.clock import Clock
from aisle.namespace.notifications import queue
from aisle.namespace.notifications import rules as notify
from aisle.namespace.sealing import wishes
from aisle.namespace.sealing.ring import Ring
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.windows import LOOK
from aisle.store.memory import MemoryBlobs, MemoryIndex
from tests.namespace.support import Interposed, make_bucket, put, rows, run

NAME = BucketName("b")
RING = Ring.parse("aisle/1:" + base64.b64encode(b"1" * 32).decode())


class Lagging(Interposed):
    """An index whose epoch stands still until it is told to move."""

    seen = 0

    @property
    def lag(self) -> float:
        return 1.0

    def epoch(self) -> int:
        return self.seen


def gateways() -> tuple[Store, Store]:
    index, blobs = MemoryIndex(), MemoryBlobs()
    first, second = (Store(Lagging(index), blobs) for _ in range(2))
    return first, second


async def warm(store: Store) -> BucketRow:
    return await buckets.get(store, NAME, recent=True)


def test_a_bucket_made_here_is_there_at_once() -> None:
    async def story() -> None:
        here, there = gateways()
        with pytest.raises(BucketNotFound):
            await warm(there)
        await make_bucket(here, NAME.name)
        assert (await warm(there)).record.name == "b"

    run(story())


def test_a_bucket_that_is_gone_is_gone_everywhere() -> None:
    async def story() -> None:
        here, there = gateways()
        await make_bucket(here, NAME.name)
        recent = await warm(there)
        await buckets.delete(here, NAME)
        with pytest.raises(BucketNotFound):
            await buckets.get(there, NAME)
        with pytest.raises(BucketNotFound):
            await objects.head(there, recent, b"k")

    run(story())


def test_what_is_written_to_a_bucket_made_anew_is_read_through_an_old_row() -> None:
    async def story() -> None:
        here, there = gateways()
        await make_bucket(here, NAME.name)
        recent = await warm(there)
        await destroy.destroy(here, NAME)
        await put(here, await make_bucket(here, NAME.name), b"k", b"new")
        assert (await objects.head(there, recent, b"k")).size == 3
        found, data = await objects.find_small(there, recent, b"k")
        assert (found.record.size, data) == (3, b"new")
        with pytest.raises(ObjectNotFound):
            await objects.head(there, recent, b"other")
        fresh = await buckets.get(there, NAME)
        await put(there, fresh, b"k2", b"x")
        assert (await objects.head(here, fresh, b"k2")).size == 1

    run(story())


def test_versions_of_a_bucket_made_anew_are_read_through_an_old_row() -> None:
    async def story() -> None:
        here, there = gateways()
        await make_bucket(here, NAME.name)
        recent = await warm(there)
        await destroy.destroy(here, NAME)
        bucket = await make_bucket(here, NAME.name, props={"versioning.enabled": True})
        record = await put(here, bucket, b"k", b"new")
        how = LOOK._replace(version=record.version)
        assert await objects.head(there, recent, b"k", how) == record
        deleted = await objects.delete(here, bucket, b"k")
        with pytest.raises(DeleteMarkerFound):
            await objects.head(there, recent, b"k")
        assert deleted.marker is not None
        marker = LOOK._replace(version=deleted.marker.version)
        with pytest.raises(DeleteMarkerNamed):
            await objects.head(there, recent, b"k", marker)
        with pytest.raises(VersionNotFound):
            await objects.head(there, recent, b"other", how)

    run(story())


def test_a_marker_is_told_of_through_a_row_without_versions() -> None:
    async def story() -> None:
        here, there = gateways()
        bucket = await make_bucket(here, NAME.name)
        recent = await warm(there)
        bucket = await buckets.set_versioning(here, bucket, suspended=False)
        await put(here, bucket, b"k", b"new")
        await objects.delete(here, bucket, b"k")
        with pytest.raises(DeleteMarkerFound):
            await objects.head(there, recent, b"k")

    run(story())


def test_what_a_bucket_says_of_encryption_and_events_holds_for_the_next_write() -> None:
    """Access may be decided by what was so a moment ago; what is written stays as it was."""

    async def story() -> None:
        here, there = gateways()
        there.ring = RING
        there.sinks.append(queue.Queue())
        row = await make_bucket(here, NAME.name)
        for mode, prefix in (("AES256", "first"), ("aws:kms", "second")):
            rule = notify.Rule("r", "Queue", "arn", "hook", ("s3:ObjectCreated:*",), prefix)
            told = {
                documents.ENCRYPTION: wishes.encode_rule(wishes.Rule(mode)),
                documents.NOTIFICATION: notify.encode(notify.Rules((rule,))),
            }
            await documents.change(here, row, told)
            row = await buckets.get(there, NAME)
            record = await put(there, row, prefix.encode(), b"data")
            assert record.sealed is not None
            assert record.sealed.mode == mode
        assert len(await rows(there, queue.TABLE)) == 2

    run(story())


def test_a_recent_row_saves_a_read() -> None:
    async def story() -> None:
        here, _ = gateways()
        row = await make_bucket(here, NAME.name)
        assert await warm(here) is await warm(here)
        assert await buckets.get(here, NAME) == row

    run(story())


def test_settings_are_followed_as_soon_as_the_epoch_moves() -> None:
    async def story() -> None:
        here, there = gateways()
        assert await there.text("checksum.type") == "xxhash"
        await here.change_config({"checksum.type": "md5"})
        assert await here.text("checksum.type") == "md5"
        assert isinstance(there.index, Lagging)
        there.index.seen += 1
        assert await there.text("checksum.type") == "md5"

    run(story())


def test_the_clock_is_the_index_s(monkeypatch: pytest.MonkeyPatch) -> None:
    class Elsewhere(MemoryIndex):
        async def time(self) -> int:
            return 7_000_000_000_000_000_000

    async def story() -> None:
        clock = Clock(Elsewhere())
        await clock.follow()
        assert abs(clock() - 7_000_000_000_000_000_000) < 60_000_000_000
        # Nobody's setting of the machine's clock is felt.
        monkeypatch.setattr("time.time_ns", lambda: 0)
        assert abs(clock() - 7_000_000_000_000_000_000) < 60_000_000_000

    run(story())
