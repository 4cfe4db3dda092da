"""Claims on objects of windows: who may keep a copy, and who may not."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from aisle.core.errors import BucketNotFound, RowChanged, StoreUnavailable
from aisle.core.names import BucketName
from aisle.namespace import bodies, buckets, housekeeping
from aisle.namespace.records import Claim, Extent, Object, Origin, decode, encode
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.window import claims, reaping
from aisle.store.base import ABSENT, Change, Check, Delete, Put
from tests.namespace.support import Clock, Data, disk_store, interposed_store, rows, run

KEY = b"photos/1.jpg"
SEEDS = range(20)


def sibling(store: Store) -> Store:
    """Another process on the same store."""
    return Store(store.index, store.blobs, now=store.now)


async def make_window(store: Store, name: str = "window") -> BucketRow:
    return await buckets.create(store, BucketName(name, "aws", ""), owner="me")


def copy_of(etag: str) -> Object:
    return Object(
        size=0, mtime=1, etag=etag, storage_class="STANDARD", checksums={}, checksum_type="",
        owner="me", extents=[], layout=b"", headers={}, meta={}, digest=("none", ""), parts=[],
        part_count=0, seq=1, origin=Origin("aws", etag),
    )  # fmt: skip


def keep(bucket: BucketRow, etag: str, key: bytes = KEY) -> Change:
    return Put("object", bucket.record.id + key, encode(copy_of(etag)))


async def kept(store: Store, bucket: BucketRow, key: bytes = KEY) -> str | None:
    raw = await store.index.get("object", bucket.record.id + key)
    return decode(Object, raw).etag if raw is not None else None


async def nobody(bucket: BucketRow, key: str, upload: str) -> None:
    raise AssertionError(f"{key} has no upload {upload}")


@asynccontextmanager
async def small_store() -> AsyncIterator[tuple[Store, BucketRow, Clock]]:
    clock = Clock()
    store, _ = interposed_store(clock)
    yield store, await make_window(store), clock


def test_who_is_alone_keeps_a_copy_and_the_claim_ends() -> None:
    async def main() -> None:
        async with small_store() as (store, bucket, _):
            held = await claims.fetching(store, bucket, KEY)
            assert held is not None
            claim = await claims.look(store, bucket, KEY)
            assert claim is not None
            assert [one.id for one in claim.holders] == [held.id]
            assert await claims.finish(held, keep(bucket, "1"))
            assert await kept(store, bucket) == "1"
            assert await claims.look(store, bucket, KEY) is None
            assert not store.claims
            assert not store.unended

    run(main())


def test_a_second_fetcher_is_told_who_is_at_work() -> None:
    async def main() -> None:
        async with small_store() as (store, bucket, _):
            held = await claims.fetching(store, bucket, KEY)
            assert held is not None
            assert await held.note(etag="e", size=7)
            assert await claims.fetching(sibling(store), bucket, KEY) is None
            assert await claims.fetching(store, bucket, KEY) is None
            claim = await claims.look(store, bucket, KEY)
            assert claim is not None
            assert (claim.etag, claim.size) == ("e", 7)

    run(main())


def test_a_writer_drops_the_copy_and_takes_a_fetch_over() -> None:
    async def main() -> None:
        async with small_store() as (store, bucket, _):
            first = await claims.fetching(store, bucket, KEY)
            assert first is not None
            assert await claims.finish(first, keep(bucket, "1"))
            fetch = await claims.fetching(store, bucket, KEY)
            assert fetch is not None
            writer = await claims.writing(sibling(store), bucket, KEY)
            assert await kept(store, bucket) is None
            assert not await fetch.note(etag="late")
            assert not await claims.finish(fetch, keep(bucket, "1"))
            assert await kept(store, bucket) is None
            assert await claims.finish(writer, keep(bucket, "2"))
            assert await kept(store, bucket) == "2"

    run(main())


def test_of_writers_at_the_same_time_none_keeps_a_copy() -> None:
    async def main() -> None:
        async with small_store() as (store, bucket, _):
            one = await claims.writing(store, bucket, KEY)
            two = await claims.writing(sibling(store), bucket, KEY)
            assert not await claims.finish(one, keep(bucket, "1"))
            # Alone by now, but not all the time; nor is one who comes while the second is there.
            three = await claims.writing(store, bucket, KEY)
            assert not await claims.finish(two, keep(bucket, "2"))
            assert not await claims.finish(three, keep(bucket, "3"))
            assert await kept(store, bucket) is None
            assert await claims.look(store, bucket, KEY) is None
            four = await claims.writing(store, bucket, KEY)
            assert await claims.finish(four, keep(bucket, "4"))

    run(main())


def test_nobody_fetches_while_a_writer_is_there() -> None:
    async def main() -> None:
        async with small_store() as (store, bucket, clock):
            writer = await claims.writing(store, bucket, KEY)
            clock.now += 10 * claims.SETTLE
            assert await claims.fetching(sibling(store), bucket, KEY) is None
            await claims.leave(writer)
            assert await claims.fetching(sibling(store), bucket, KEY) is not None

    run(main())


def test_what_was_to_be_dropped_goes_into_the_commit_that_ends_the_claim() -> None:
    async def main() -> None:
        async with small_store() as (store, bucket, _):
            one = await claims.writing(store, bucket, KEY)
            two = await claims.writing(store, bucket, KEY)
            put = Put("garbage", b"\0" * 8 + b"bx", b"")
            assert not await claims.finish(one, keep(bucket, "1"), otherwise=[put])
            assert await rows(store, "garbage") == [put.key]
            await claims.leave(two, Delete("garbage", put.key))
            assert await rows(store, "garbage") == []

    run(main())


def test_a_dead_fetcher_is_taken_over_and_a_live_one_is_not() -> None:
    async def main() -> None:
        async with small_store() as (store, bucket, clock):
            dead, living = sibling(store), sibling(store)
            old = await claims.fetching(dead, bucket, KEY)
            other = await claims.fetching(living, bucket, b"other")
            assert old is not None
            assert other is not None
            clock.now += claims.PATIENCE - 1
            assert await claims.fetching(store, bucket, KEY) is None
            await claims.beat(living)
            clock.now += 2
            new = await claims.fetching(store, bucket, KEY)
            assert new is not None
            assert new.former == old.id
            assert await claims.fetching(store, bucket, b"other") is None
            # The dead one was only slow: it keeps nothing, and hinders nobody.
            assert not await claims.finish(old, keep(bucket, "1"))
            assert await claims.finish(new, keep(bucket, "2"))
            assert await kept(store, bucket) == "2"

    run(main())


def test_a_writer_that_was_taken_for_dead_leaves_no_copy_of_others() -> None:
    async def main() -> None:
        async with small_store() as (store, bucket, clock):
            slow = sibling(store)
            writer = await claims.writing(slow, bucket, KEY)
            clock.now += claims.SETTLE + 1
            assert await reaping.reap(store, nobody) == 1
            fetch = await claims.fetching(store, bucket, KEY)
            assert fetch is not None
            assert await claims.finish(fetch, keep(bucket, "old"))
            again = await claims.fetching(store, bucket, b"x" + KEY)
            assert again is not None
            # Its request reached the remote after all.
            assert not await claims.finish(writer, keep(bucket, "new"))
            assert await kept(store, bucket) is None

    run(main())


def test_a_fetch_that_began_behind_a_dead_looking_writer_keeps_nothing() -> None:
    async def main() -> None:
        async with small_store() as (store, bucket, clock):
            writer = await claims.writing(sibling(store), bucket, KEY)
            clock.now += claims.SETTLE + 1
            await reaping.reap(store, nobody)
            fetch = await claims.fetching(store, bucket, KEY)
            assert fetch is not None
            assert not await claims.finish(writer, keep(bucket, "new"))
            assert not await claims.finish(fetch, keep(bucket, "old"))
            assert await kept(store, bucket) is None
            assert await rows(store, "claim") == []

    run(main())


def test_a_writer_in_doubt_keeps_others_from_keeping_a_copy_for_a_while() -> None:
    async def main() -> None:
        async with small_store() as (store, bucket, clock):
            await claims.abandon(await claims.writing(store, bucket, KEY))
            assert await claims.fetching(store, bucket, KEY) is None
            next_one = await claims.writing(store, bucket, KEY)
            assert not await claims.finish(next_one, keep(bucket, "2"))
            assert await reaping.reap(store, nobody) == 0
            clock.now += claims.SETTLE + 1
            assert await reaping.reap(store, nobody) == 1
            assert await claims.fetching(store, bucket, KEY) is not None

    run(main())


def test_housekeeping_gives_up_the_uploads_of_the_dead_and_of_nobody_else() -> None:
    given_up: list[tuple[str, str]] = []

    async def give_up(bucket: BucketRow, key: str, upload: str) -> None:
        given_up.append((key, upload))

    async def main() -> None:
        async with small_store() as (store, bucket, clock):
            dead, living = sibling(store), sibling(store)
            for worker, key in ((dead, KEY), (living, b"alive"), (store, b"mine")):
                held = await claims.writing(worker, bucket, key)
                await held.note(upload="upload of " + key.decode())
            clock.now += claims.SETTLE + 1
            await claims.beat(living)
            assert await reaping.reap(store, give_up) == 1
            assert given_up == [(KEY.decode(), "upload of " + KEY.decode())]
            assert len(await rows(store, "claim")) == 2

    run(main())


def test_chunks_go_with_the_fetcher_that_had_them() -> None:
    async def chunk(store: Store, held: claims.Held) -> None:
        stored = await bodies.ingest(store, Data(b"x" * 100_000), owner=b"o", algorithms=())
        key = held.id + bytes(4)
        await store.index.commit(Put("chunk", key, encode(stored.extents[0])))

    async def main() -> None:
        async with small_store() as (store, bucket, clock):
            lost, dead = sibling(store), sibling(store)
            for worker, key in ((lost, b"lost"), (dead, b"dead"), (store, b"mine")):
                held = await claims.fetching(worker, bucket, key)
                assert held is not None
                await chunk(worker, held)
                if worker is lost:
                    await claims.writing(store, bucket, key)
                    assert not await claims.finish(held, keep(bucket, "1", key))
            assert len(await rows(store, "chunk")) == 2
            # Ids of holders tell the time of this machine, not of the test's clock.
            clock.now = 1 << 62
            await reaping.reap(store, nobody)
            (left,) = await rows(store, "chunk")
            assert decode(Extent, await store.index.get("chunk", left) or b"").length == 100_000
            assert len(await rows(store, "garbage")) == 2

    run(main())


def test_a_failed_check_of_the_changes_leaves_the_claim_as_it_is() -> None:
    async def main() -> None:
        async with small_store() as (store, bucket, _):
            held = await claims.writing(store, bucket, KEY)
            with pytest.raises(RowChanged):
                await claims.finish(held, Check("upload", b"u", b"there"), keep(bucket, "1"))
            assert await kept(store, bucket) is None
            assert await claims.look(store, bucket, KEY) is not None
            assert await claims.finish(held, Check("upload", b"u", ABSENT), keep(bucket, "1"))

    run(main())


def test_nothing_is_kept_for_a_bucket_that_has_gone_or_has_another_remote() -> None:
    async def main() -> None:
        async with small_store() as (store, bucket, _):
            moved = await claims.writing(store, bucket, KEY)
            await buckets.change_props(store, bucket.name, {"extra.aws.endpoint": "http://x"})
            assert not await claims.finish(moved, keep(bucket, "1"))
            bucket = await buckets.get(store, bucket.name)
            gone = await claims.writing(store, bucket, KEY)
            await buckets.delete(store, bucket.name)
            assert not await claims.finish(gone, keep(bucket, "1"))
            assert await rows(store, "object") == await rows(store, "claim") == []
            with pytest.raises(BucketNotFound):
                await claims.writing(store, bucket, KEY)
            with pytest.raises(BucketNotFound):
                await claims.fetching(store, bucket, KEY)

    run(main())


def test_a_claim_that_could_not_be_ended_is_ended_later() -> None:
    async def main() -> None:
        store, index = interposed_store()
        bucket = await make_window(store)
        fetch = await claims.fetching(store, bucket, KEY)
        doubtful = await claims.writing(store, bucket, b"other")
        assert fetch is not None

        async def fail(method: str, table: str) -> None:
            if method == "commit":
                raise StoreUnavailable("the disk is slow")

        index.after = fail
        with pytest.raises(StoreUnavailable):
            await claims.finish(fetch, keep(bucket, "1"))
        with pytest.raises(StoreUnavailable):
            await claims.abandon(doubtful)
        assert store.unended == [fetch, doubtful]
        with pytest.raises(StoreUnavailable):
            await claims.beat(store)
        assert store.unended == [doubtful]  # the other had been ended all the same
        index.after = None
        await claims.beat(store)
        assert store.unended == []
        claim = await claims.look(store, bucket, b"other")
        assert claim is not None
        assert claim.holders[0].worker == b""
        assert await claims.look(store, bucket, KEY) is None

    run(main())


def test_a_process_says_that_it_is_alive_only_while_it_holds_claims() -> None:
    async def main() -> None:
        async with small_store() as (store, bucket, clock):
            held = await claims.writing(store, bucket, KEY)
            assert await rows(store, "reader") == [store.worker]
            clock.now += claims.BEAT
            await housekeeping.announce(store, store.worker)
            assert await rows(store, "reader") == [store.worker]
            await claims.leave(held)
            await housekeeping.announce(store, store.worker)
            assert await rows(store, "reader") == []
            await claims.writing(store, bucket, KEY)
            assert await rows(store, "reader") == [store.worker]

    run(main())


class Remote:
    """What a remote has under one key, and who has changed it."""

    def __init__(self, choose: random.Random) -> None:
        self.versions = ["0"]
        self.choose = choose

    async def dally(self) -> None:
        for _ in range(self.choose.choice((0, 1, 3, 8))):
            await asyncio.sleep(0)

    async def put(self, etag: str) -> None:
        await self.dally()
        self.versions.append(etag)
        await self.dally()

    async def get(self) -> str:
        await self.dally()
        etag = self.versions[-1]
        await self.dally()
        return etag


async def race(store: Store, choose: random.Random) -> None:
    """Writers and fetchers of several processes over one key; what is kept is always current."""
    bucket = await make_window(store)
    remote = Remote(choose)
    fetched = 0

    async def write(worker: Store, etag: str) -> None:
        held = await claims.writing(worker, bucket, KEY)
        await remote.put(etag)
        if await claims.finish(held, keep(bucket, etag)):
            wrote.append(etag)

    async def fetch(worker: Store) -> None:
        nonlocal fetched
        for _ in range(6):
            await remote.dally()
            held = await claims.fetching(worker, bucket, KEY)
            if held is None:
                continue
            if await kept(worker, bucket) is not None:
                await claims.leave(held)
                continue
            fetched += await claims.finish(held, keep(bucket, await remote.get()))

    async def watch() -> None:
        while not over.is_set():
            now = remote.versions[-1]
            copy = await kept(store, bucket)
            assert copy in (None, now, remote.versions[-1])
            await asyncio.sleep(0)

    wrote: list[str] = []
    over = asyncio.Event()
    workers = [sibling(store) for _ in range(3)]
    watching = asyncio.create_task(watch())
    try:
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            for number in range(8):
                group.create_task(write(choose.choice(workers), str(number + 1)))
                group.create_task(fetch(choose.choice(workers)))
    finally:
        over.set()
        await watching
    assert await rows(store, "claim") == []
    assert await kept(store, bucket) in (None, remote.versions[-1])
    last = await claims.fetching(store, bucket, KEY)
    assert last is not None
    assert await claims.finish(last, keep(bucket, remote.versions[-1]))


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_kept_in_a_race_is_what_the_remote_has(seed: int) -> None:
    async def main() -> None:
        choose = random.Random(seed)
        store, index = interposed_store()

        async def pause(method: str, table: str) -> None:
            for _ in range(choose.choice((0, 0, 1, 2, 5))):
                await asyncio.sleep(0)

        index.before = index.after = pause
        await race(store, choose)

    run(main())


@pytest.mark.parametrize("seed", range(2))
def test_what_is_kept_in_a_race_on_disk_is_what_the_remote_has(seed: int, tmp_path: Path) -> None:
    async def main() -> None:
        async with disk_store(tmp_path) as store:
            await race(store, random.Random(seed))

    run(main())


def test_of_many_fetchers_one_is_at_work_at_a_time() -> None:
    async def main() -> None:
        async with small_store() as (store, bucket, _):
            workers = [sibling(store) for _ in range(4)]
            tries = (claims.fetching(workers[n % 4], bucket, KEY) for n in range(100))
            won = [held for held in await asyncio.gather(*tries) if held is not None]
            assert len(won) == 1
            claim = decode(Claim, (await store.index.scan("claim", limit=1))[0][1])
            assert claim.holders[0].id == won[0].id

    run(main())
