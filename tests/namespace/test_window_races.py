"""Readers, writers, deleters and evictions of several processes over one window: whatever is kept
is what the remote has at that moment, and every reader gets one version whole."""

from __future__ import annotations

import asyncio
import hashlib
import random
from contextlib import suppress

import pytest

from aisle.core.errors import (
    AisleError,
    ObjectNotFound,
    PreconditionFailed,
    RemoteChanged,
    RemoteObjectNotFound,
    RemoteUnavailable,
    RemoteUnknown,
)
from aisle.namespace import objects
from aisle.namespace.conditions import UNCONDITIONAL, WriteConditions
from aisle.namespace.objects import Description
from aisle.namespace.window import claims, evict, reaping
from aisle.namespace.windows import READ
from tests.backend.memory import MemoryRemote
from tests.namespace.support import (
    LARGE,
    Data,
    begin,
    complete,
    nothing_leaks,
    once_over,
    pattern,
    put_part,
    rows,
    run,
)
from tests.namespace.windowed import NAME, Worker, site

KEYS = ("a", "b")
SIZES = (0, 10, LARGE)
AWS = f"aws://{NAME}"
# The remote object may go between the answer of its head and that of its body.
EXPECTED = (
    ObjectNotFound, PreconditionFailed, RemoteChanged, RemoteObjectNotFound, RemoteUnavailable,
)  # fmt: skip


class Race:
    """What everybody does, at random, and what the remote has had under each key."""

    def __init__(self, remote: MemoryRemote, team: list[Worker], choose: random.Random) -> None:
        self.remote = remote
        self.team = team
        self.choose = choose
        self.written = 0
        self.known: set[bytes] = set()

    async def dally(self, method: str = "", key: str = "") -> None:
        for _ in range(self.choose.choice((0, 0, 1, 3, 10))):
            await asyncio.sleep(0)
        await self.kept_is_current()

    async def kept_is_current(self) -> None:
        for key in KEYS:
            copy = await self.team[0].copy(key)
            held = self.remote.bucket(NAME).get(key)
            assert copy is None or (held is not None and copy.etag == held.about.etag), key

    def body(self) -> bytes:
        self.written += 1
        data = pattern(self.choose.choice(SIZES), self.written) + b"%d" % self.written
        self.known.add(hashlib.md5(data).digest())
        return data

    async def somebody(self) -> None:
        """One after the other: whatever may be done."""
        for _ in range(12):
            worker, key = self.choose.choice(self.team), self.choose.choice(KEYS)
            work = self.choose.choice(
                (
                    self.put,
                    self.put,
                    self.parts,
                    self.delete,
                    self.get,
                    self.get,
                    self.get,
                    self.evict,
                )
            )
            if self.choose.random() < 0.1:
                self.remote.fail(
                    self.choose.choice(("put", "delete", "get", "head")),
                    self.choose.choice((RemoteUnavailable, RemoteUnknown))(AWS, "no answer"),
                    after=self.choose.random() < 0.5,
                )
            with suppress(*EXPECTED):
                await work(worker, key)
            await self.dally()

    async def put(self, worker: Worker, key: str) -> None:
        create = WriteConditions(if_none_match="*")
        await objects.put(
            worker.store, await worker.bucket(), key.encode(), Data(self.body()),
            Description(owner="me"), conditions=self.choose.choice((UNCONDITIONAL, create)),
        )  # fmt: skip

    async def parts(self, worker: Worker, key: str) -> None:
        bucket = await worker.bucket()
        upload = await begin(worker.store, bucket, key.encode())
        bodies = [self.body(), self.body()]
        self.known.add(hashlib.md5(b"".join(bodies)).digest())
        parts = [
            await put_part(worker.store, bucket, upload, number, body)
            for number, body in enumerate(bodies, 1)
        ]
        for _ in range(3):
            with suppress(RemoteUnavailable):
                await complete(worker.store, bucket, upload, *parts)
                break

    async def delete(self, worker: Worker, key: str) -> None:
        await objects.delete(worker.store, await worker.bucket(), key.encode())

    async def get(self, worker: Worker, key: str) -> None:
        how = READ._replace(latest=self.choose.random() < 0.3)
        body = await worker.get(key, how)
        assert hashlib.md5(body).digest() in self.known

    async def evict(self, worker: Worker, key: str) -> None:
        bucket = await worker.bucket()
        row_key = bucket.record.id + key.encode()
        raw = await worker.store.index.get("object", row_key)
        if raw is not None:
            await evict.evict(worker.store, [(row_key, raw)])


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_kept_is_what_the_remote_has(seed: int) -> None:
    async def main() -> None:
        choose = random.Random(seed)
        remote = MemoryRemote()
        async with site(remote, props={}, workers=3) as team:
            await team[0].store.change_config({"multipart.min_part_size": "0"})
            race = Race(remote, list(team), choose)
            remote.before = race.dally
            async with asyncio.timeout(60), asyncio.TaskGroup() as group:
                for _ in range(6):
                    group.create_task(race.somebody())
            remote.before = None
            remote._faults.clear()
            await once_over(lambda: not any(worker.store.claims for worker in team))
            await race.kept_is_current()
            team[0].store.now.now += 2 * claims.SETTLE  # type: ignore[attr-defined]
            await reaping.tidy(team[0].store)
            assert await rows(team[0].store, "claim") == await rows(team[0].store, "chunk") == []
            for key in KEYS:
                held = remote.data(NAME, key)
                for worker in team:
                    try:
                        assert await worker.get(key) == held
                    except ObjectNotFound:
                        assert held is None
            await nothing_leaks(team[0].store)

    run(main())


def test_what_others_write_is_found_by_a_comparison() -> None:
    async def main() -> None:
        remote = MemoryRemote()
        async with site(remote) as (worker,):
            bucket = await worker.bucket()
            for size in SIZES:
                await objects.put(
                    worker.store, bucket, b"k", Data(pattern(size)), Description(owner="me")
                )
                remote.store(NAME, "k", b"other")
                assert await worker.get("k") == pattern(size)  # until somebody looks
                assert await worker.get("k", READ._replace(latest=True)) == b"other"
                assert await worker.kept("k") == b"other"
                remote.discard(NAME, "k")
                with pytest.raises(AisleError):
                    await worker.get("k", READ._replace(latest=True))

    run(main())
