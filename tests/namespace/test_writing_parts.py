"""Multipart uploads and appends to a window: their parts reach the remote, are kept, and end."""

from __future__ import annotations

from typing import Any

import pytest

from aisle.core.errors import RemoteUnavailable
from aisle.namespace import appends, objects, uploads
from aisle.namespace.window import claims
from tests.backend.memory import MemoryBackend
from tests.namespace.support import LARGE, Data, begin, complete, pattern, put_part, rows, run
from tests.namespace.windowed import NAME
from tests.namespace.written import AWS, SAID, SIZES, nothing_is_left, one


def test_a_multipart_upload_keeps_its_parts_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with one() as (remote, worker):
            bucket = await worker.bucket()
            sizes: list[tuple[int, ...]] = []
            outgoing = MemoryBackend.put

            async def note(backend: MemoryBackend, key: str, body: Any) -> Any:
                sizes.append(body.parts)
                return await outgoing(backend, key, body)

            upload = await begin(worker.store, bucket, b"k")
            parts = [
                await put_part(worker.store, bucket, upload, n, pattern(LARGE + n, n))
                for n in range(1, 7)
            ]
            monkeypatch.setattr(MemoryBackend, "put", note)
            record = await complete(worker.store, bucket, upload, *parts)
            assert sizes == [tuple(LARGE + n for n in range(1, 7))]
            whole = b"".join(pattern(LARGE + n, n) for n in range(1, 7))
            assert remote.data(NAME, "k") == whole
            assert record.etag == remote.bucket(NAME)["k"].about.etag
            assert record.part_count == 6
            assert await worker.get("k") == whole
            assert await rows(worker.store, "upload") == await rows(worker.store, "part") == []
            assert remote.uploads == {}
            found = await objects.find(worker.store, bucket, b"k")
            assert [part.size for part in found.parts] == list(sizes[0])
            # A repeated complete hears what the remote said.
            again = await uploads.completed(
                worker.store, bucket, b"k", upload.record.id.hex(),
                [uploads.NamedPart(part.number, part.etag, {}) for part in parts],
            )  # fmt: skip
            assert again is not None
            assert again.etag == record.etag

    run(main())


def test_an_upload_of_ten_thousand_parts_is_sent_as_it_is() -> None:
    async def main() -> None:
        async with one() as (remote, worker):
            bucket = await worker.bucket()
            await worker.store.change_config({"multipart.min_part_size": "0"})
            upload = await begin(worker.store, bucket, b"k")
            parts = [
                await put_part(worker.store, bucket, upload, n, b"%d," % n)
                for n in range(1, uploads.MAX_PARTS + 1)
            ]
            record = await complete(worker.store, bucket, upload, *parts)
            assert record.etag.endswith(f"-{uploads.MAX_PARTS}")
            whole = b"".join(b"%d," % n for n in range(1, uploads.MAX_PARTS + 1))
            assert remote.data(NAME, "k") == whole
            assert await worker.get("k") == whole
            assert await rows(worker.store, "part") == []

    run(main())


@pytest.mark.parametrize("count", [2, 6])
def test_a_complete_that_was_not_alone_gives_its_parts_up(count: int) -> None:
    async def main() -> None:
        async with one() as (remote, worker):
            bucket = await worker.bucket()
            upload = await begin(worker.store, bucket, b"k")
            parts = [
                await put_part(worker.store, bucket, upload, n, pattern(LARGE, n))
                for n in range(1, count + 1)
            ]
            other = await claims.writing(worker.store, bucket, b"k")
            record = await complete(worker.store, bucket, upload, *parts)
            assert record.etag == remote.bucket(NAME)["k"].about.etag
            await claims.leave(other)
            await nothing_is_left(worker, "k")
            assert await rows(worker.store, "upload") == await rows(worker.store, "part") == []
            assert await rows(worker.store, "layout") == []
            assert await worker.get("k") == remote.data(NAME, "k")

    run(main())


def test_a_complete_that_the_remote_refuses_can_be_repeated() -> None:
    async def main() -> None:
        async with one() as (remote, worker):
            bucket = await worker.bucket()
            upload = await begin(worker.store, bucket, b"k")
            part = await put_part(worker.store, bucket, upload, 1, pattern(LARGE))
            remote.fail("put", RemoteUnavailable(AWS, "not now"))
            with pytest.raises(RemoteUnavailable):
                await complete(worker.store, bucket, upload, part)
            await nothing_is_left(worker, "k")
            await complete(worker.store, bucket, upload, part)
            assert await worker.get("k") == pattern(LARGE)

    run(main())


@pytest.mark.parametrize("size", SIZES)
def test_an_append_is_flushed_to_the_remote_behind_what_it_has(size: int) -> None:
    async def main() -> None:
        async with one() as (remote, worker):
            bucket = await worker.bucket()
            remote.store(NAME, "k", pattern(size), meta={"colour": "red"})
            handle = await appends.begin(worker.store, bucket, b"k", SAID)
            for piece in (pattern(LARGE, 1), b"end"):
                handle = await appends.append(worker.store, bucket, b"k", handle, Data(piece))
            record = await appends.flush(worker.store, bucket, b"k", handle)
            whole = pattern(size) + pattern(LARGE, 1) + b"end"
            assert remote.data(NAME, "k") == whole
            assert remote.bucket(NAME)["k"].about.meta == {"colour": "red"}
            assert record.etag == remote.bucket(NAME)["k"].about.etag
            assert await worker.kept("k") == whole
            assert await rows(worker.store, "upload") == await rows(worker.store, "part") == []
            assert await appends.flushed(worker.store, bucket, b"k", handle) == record.etag

    run(main())
