"""Archives there and back: every format is read, written and grows."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile

import lz4.frame
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aisle.namespace.archives import reading
from aisle.namespace.archives.making import Mode
from tests.archives import FILES, NAMES, archive_of, files_of, tar_of, zip_of
from tests.namespace.archives import everything, listed, make, member, opened
from tests.namespace.support import (
    disk_store,
    get,
    make_bucket,
    memory_store,
    nothing_leaks,
    pattern,
    put,
    run,
)


@pytest.mark.parametrize("name", NAMES)
def test_every_format_is_read(name: str) -> None:
    async def check() -> None:
        archive = await opened(archive_of(name, FILES), name)
        assert await everything(archive) == list(FILES.items())
        assert await listed(archive) == [(key, len(FILES[key])) for key in sorted(FILES)]
        for key, data in FILES.items():
            assert await member(archive, key) == data
            assert await member(archive, f"/{key}") == data

    run(check())


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_form_of_header_is_read(form: int) -> None:
    files = {"short": b"1", "p" * 80 + "/" + "n" * 90: b"2"}
    if form != tarfile.USTAR_FORMAT:
        files |= {"deep/" * 200 + "name": b"3", "é" * 200: b"4", "l" * 101: b"5"}
    archive = run(opened(tar_of(files, form=form)))
    assert run(everything(archive)) == list(files.items())


def test_stored_and_zip64_members_are_read() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("stored", b"s" * 1000)
        with archive.open("large", "w", force_zip64=True) as file:
            file.write(b"l" * 1000)
    assert run(everything(run(opened(made.getvalue(), "a.zip")))) == [
        ("stored", b"s" * 1000),
        ("large", b"l" * 1000),
    ]


def test_a_zip_with_a_large_directory_is_read() -> None:
    files = {f"{number:0100}": b"%d" % number for number in range(1500)}
    archive = run(opened(zip_of(files), "a.zip"))
    assert run(listed(archive)) == [(name, len(data)) for name, data in files.items()]
    assert run(member(archive, f"{1234:0100}")) == b"1234"


def test_a_zip_behind_something_else_is_read() -> None:
    data = b"#!/bin/sh\n" * 100 + zip_of(FILES)
    assert run(everything(run(opened(data, "a.zip")))) == list(FILES.items())


def test_a_zip_with_a_comment_keeps_it_when_it_grows() -> None:
    async def check() -> None:
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as archive:
            archive.writestr("x", b"x")
            archive.comment = b"a comment" * 100
        store = memory_store()
        bucket = await make_bucket(store)
        await put(store, bucket, b"a.zip", made.getvalue())
        await make(store, bucket, "a.zip", {"y": b"y"}, Mode.APPEND)
        data = await get(store, bucket, b"a.zip")
        assert files_of("a.zip", data) == [("x", b"x"), ("y", b"y")]
        with zipfile.ZipFile(io.BytesIO(data)) as grown:
            assert grown.comment == b"a comment" * 100

    run(check())


def test_streams_of_several_parts_are_read() -> None:
    data = tar_of(FILES)
    half = len(data) // 2
    zipped = gzip.compress(data[:half]) + gzip.compress(b"") + gzip.compress(data[half:])
    assert run(everything(run(opened(zipped + bytes(100), "a.tgz")))) == list(FILES.items())
    frames = lz4.frame.compress(data[:half]) + lz4.frame.compress(data[half:])
    assert run(everything(run(opened(frames, "a.tar.lz4")))) == list(FILES.items())


@pytest.mark.parametrize("name", NAMES)
def test_an_archive_on_disks_is_read_and_grows(
    name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async def check() -> None:
        async with disk_store(tmp_path_factory.mktemp("disks")) as store:
            bucket = await make_bucket(store)
            files = {**FILES, "random": pattern(3_000_000)}
            await make(store, bucket, name, files)
            await make(store, bucket, name, {"more": pattern(400_000, 1)}, Mode.APPEND)
            archive = await reading.open_archive(store, bucket, name.encode())
            expected = {**files, "more": pattern(400_000, 1)}
            assert await everything(archive) == list(expected.items())
            assert await member(archive, "more") == expected["more"]
            assert files_of(name, await get(store, bucket, name.encode())) == list(expected.items())

    run(check())


_names = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\\"),
    min_size=1,
    max_size=150,
).filter(lambda name: not name.startswith("/") and not name.endswith("/"))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(NAMES),
    st.dictionaries(_names, st.binary(max_size=3000), max_size=6),
    st.dictionaries(_names, st.binary(max_size=3000), max_size=3),
)
def test_what_is_written_is_read(
    name: str, files: dict[str, bytes], more: dict[str, bytes]
) -> None:
    async def check() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        await make(store, bucket, name, files)
        await make(store, bucket, name, more, Mode.APPEND)
        expected = [*files.items(), *more.items()]
        assert files_of(name, await get(store, bucket, name.encode())) == expected
        archive = await reading.open_archive(store, bucket, name.encode())
        assert sorted(await listed(archive)) == sorted((k, len(d)) for k, d in expected)
        if expected:
            assert await everything(archive) == expected
        await nothing_leaks(store)

    run(check())
