"""Archives read and appended to by many at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from aisle.core.errors import (
    ObjectNotFound,
    WriteConflict,
)
from aisle.namespace import objects
from aisle.namespace.archives import making, reading
from aisle.namespace.archives.making import Mode
from aisle.namespace.archives.writing import NewMember
from tests.archives import FILES, NAMES, archive_of, files_of
from tests.namespace.archives import make, opened
from tests.namespace.support import (
    Data,
    get,
    make_bucket,
    memory_store,
    nothing_leaks,
    pattern,
    put,
    run,
    unhurried_store,
)


def test_more_archives_are_read_at_once_than_there_are_threads() -> None:
    async def check() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        await put(store, bucket, b"a.tgz", archive_of("a.tgz", FILES))
        archive = await reading.open_archive(store, bucket, b"a.tgz")
        readers = [await reading.find_member(archive, "large.bin") for _ in range(50)]
        heads = [await anext(reader.data) for reader in readers]  # all are begun, none is done
        rests = await asyncio.gather(*(_rest(reader.data) for reader in readers))
        for head, rest in zip(heads, rests, strict=True):
            assert head + rest == FILES["large.bin"]

    run(check())


async def _rest(data: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in data])


def test_an_archive_that_is_left_is_no_longer_read() -> None:
    async def check() -> None:
        archive = await opened(archive_of("a.tgz", FILES), "a.tgz")
        before = archive.store.oldest_read()
        found = await reading.find_member(archive, "large.bin")
        assert archive.store.oldest_read() < before
        async with aclosing(found.data) as data:  # type: ignore[type-var]
            await anext(data)
        assert archive.store.oldest_read() == before

    run(check())


@pytest.mark.parametrize("name", NAMES)
def test_files_that_are_appended_at_once_are_all_there(name: str) -> None:
    async def check() -> None:
        store = unhurried_store(5)
        bucket = await make_bucket(store)

        async def append(number: int) -> None:
            await making.put_file(
                store,
                bucket,
                name.encode(),
                f"file-{number}",
                Data(pattern(number * 20_000)),
                algorithms=frozenset(),
                mode=Mode.APPEND_OR_PUT,
            )

        await asyncio.gather(*(append(number) for number in range(6)))
        found = dict(files_of(name, await get(store, bucket, name.encode())))
        assert found == {f"file-{number}": pattern(number * 20_000) for number in range(6)}
        await nothing_leaks(store)

    run(check())


def test_an_append_that_fails_leaves_the_archive_as_it_was() -> None:
    async def check() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        before = archive_of("a.tgz", FILES)  # once: a gzip's head tells the second it was made in
        await put(store, bucket, b"a.tgz", before)

        async def failing() -> AsyncIterator[NewMember]:
            yield NewMember("x", 1, 0, _one(b"1"))
            raise WriteConflict("the source is gone")

        async def short() -> AsyncIterator[NewMember]:
            yield NewMember("x", 2, 0, _one(b"1"))

        for members, text in ((failing, "is gone"), (short, "changed its size")):
            for mode in (Mode.APPEND, Mode.PUT):
                with pytest.raises(WriteConflict, match=text):
                    await making.make(store, bucket, b"a.tgz", members, mode=mode)
        assert await get(store, bucket, b"a.tgz") == before
        with pytest.raises(ObjectNotFound):
            await make(store, bucket, "absent.tar", {}, Mode.APPEND)
        with pytest.raises(ObjectNotFound):
            await objects.head(store, bucket, b"absent.tar")
        await nothing_leaks(store)

    run(check())


async def _one(data: bytes) -> AsyncIterator[bytes]:
    yield data
