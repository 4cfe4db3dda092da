"""Write-through that is cut off: clients that leave, processes that end, and commits that fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from aisle.backend.base import Outgoing
from aisle.core.errors import OutOfSpace, RemoteUnavailable
from aisle.namespace import housekeeping
from aisle.namespace.records import Object
from aisle.namespace.window import claims, reaping
from aisle.store.base import Change, Put
from tests.backend.memory import MemoryRemote
from tests.namespace.gates import Gate
from tests.namespace.support import LARGE, blob_ids, once_over, pattern, rows, run
from tests.namespace.windowed import NAME, Worker, site
from tests.namespace.written import AWS, nothing_is_left, one, put


async def put_begun(worker: Worker, remote: MemoryRemote) -> tuple[Gate, asyncio.Task[Object]]:
    """A client's put of `k` that has come to the remote, which does not answer yet."""
    await worker.bucket()
    gate = Gate.of_requests(remote)
    client = asyncio.create_task(put(worker, "k", pattern(LARGE)))
    await gate.reached.wait()
    return gate, client


def test_an_upload_at_the_remote_of_a_process_that_died_is_given_up() -> None:
    async def main() -> None:
        service = MemoryRemote()
        async with site(service, workers=2) as (dying, other):
            bucket = await dying.bucket()
            reached = asyncio.Event()

            async def hang(start: int, length: int) -> AsyncIterator[bytes]:
                reached.set()
                await asyncio.Event().wait()
                yield b""

            held = await claims.writing(dying.store, bucket, b"k")
            backend = await dying.remotes.backend(dying.store, bucket.record)

            async def started(upload: str) -> None:
                await held.note(upload=upload)

            body = Outgoing(size=2, open=hang, parts=(1, 1), started=started)
            task = asyncio.create_task(backend.put("k", body))
            await reached.wait()
            task.cancel()
            await asyncio.wait({task})
            assert len(service.uploads) == 1
            other.store.now.now += claims.SETTLE + 1  # type: ignore[attr-defined]
            service.fail("give_up", RemoteUnavailable(AWS, "not now"))
            await reaping.tidy(other.store)
            assert len(await rows(other.store, "claim")) == 1  # it is tried again
            await reaping.tidy(other.store)
            assert service.uploads == {}
            assert await rows(other.store, "claim") == []

    run(main())


def test_a_write_goes_on_when_its_client_leaves() -> None:
    async def main() -> None:
        async with one() as (remote, worker):
            gate, client = await put_begun(worker, remote)
            client.cancel()
            await asyncio.wait({client})
            assert client.cancelled()
            gate.open()
            await once_over(lambda: remote.data(NAME, "k") is not None)
            remote.before = None
            await once_over(lambda: not worker.store.claims)
            assert await worker.kept("k") == pattern(LARGE)

    run(main())


def test_a_process_that_stops_leaves_no_copy_of_what_it_was_writing() -> None:
    async def main() -> None:
        async with one() as (remote, worker):
            _, client = await put_begun(worker, remote)
            await worker.window.close()
            with pytest.raises(asyncio.CancelledError):
                await client
            assert await worker.copy("k") is None
            assert await blob_ids(worker.store) == set()
            assert worker.store.claims == set()
            claim = await claims.look(worker.store, await worker.bucket(), b"k")
            assert claim is not None
            assert claim.holders[0].worker == b""

    run(main())


def failing(worker: Worker, error: Exception, *, table: str) -> None:
    """Have the next commit that puts into a table fail, without applying it."""
    index: Any = worker.store.index
    commit = index.commit

    async def fail(*changes: Change) -> None:
        if any(isinstance(change, Put) and change.table == table for change in changes):
            index.commit = commit
            raise error
        await commit(*changes)

    index.commit = fail


def test_a_copy_that_cannot_be_kept_does_not_stay() -> None:
    async def main() -> None:
        async with one() as (remote, worker):
            await worker.bucket()
            failing(worker, OutOfSpace("full"), table="object")
            with pytest.raises(OutOfSpace):
                await put(worker, "k", b"small")
            assert remote.data(NAME, "k") == b"small"
            assert await worker.copy("k") is None
            await claims.beat(worker.store)
            await nothing_is_left(worker, "k")
            assert await worker.get("k") == b"small"

    run(main())


def test_bytes_on_their_way_to_the_remote_are_not_swept() -> None:
    async def main() -> None:
        async with one() as (remote, worker):
            gate, client = await put_begun(worker, remote)
            report = housekeeping.Report()
            await housekeeping.sweep_blobs(worker.store, report, min_age=0)
            assert report.orphans == 0
            gate.open()
            await client
            assert await worker.kept("k") == pattern(LARGE)

    run(main())
