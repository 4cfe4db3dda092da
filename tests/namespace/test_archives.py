"""Archives in the namespace: every format there and back, and those that mean harm."""

from __future__ import annotations

import asyncio
import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing

import lz4.frame
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aisle.core.errors import (
    ArchiveError,
    InvalidArgument,
    MemberNotFound,
    ObjectNotFound,
    WriteConflict,
)
from aisle.namespace import objects
from aisle.namespace.archives import limits, making, reading
from aisle.namespace.archives.formats import Format, by_magic, by_name, by_type, to_write
from aisle.namespace.archives.making import Mode
from aisle.namespace.archives.matching import matcher, wds_key
from aisle.namespace.archives.reading import Archive
from aisle.namespace.archives.writing import NewMember
from aisle.namespace.store import BucketRow, Store
from tests.archives import FILES, NAMES, archive_of, files_of, packed, tar_of, zip_of
from tests.namespace.support import (
    Data,
    disk_store,
    get,
    make_bucket,
    memory_store,
    nothing_leaks,
    pattern,
    put,
    run,
    unhurried_store,
)


async def opened(data: bytes, name: str = "a.tar", *, mime: str = "") -> Archive:
    store = memory_store()
    bucket = await make_bucket(store)
    await put(store, bucket, name.encode(), data)
    return await reading.open_archive(store, bucket, name.encode(), mime=mime)


async def everything(archive: Archive) -> list[tuple[str, bytes]]:
    """The files of an archive, by the reader under test."""
    data = await reading.matching_members(archive, matcher("", ""), "all")
    return files_of("x.tar", b"".join([piece async for piece in data]))


async def member(archive: Archive, name: str) -> bytes:
    found = await reading.find_member(archive, name)
    data = b"".join([piece async for piece in found.data])
    assert len(data) == found.member.size
    return data


async def listed(archive: Archive) -> list[tuple[str, int]]:
    return [(item.name, item.size) for item in await reading.list_members(archive, 10_000)]


def members_of(files: Mapping[str, bytes], step: int = 1 << 16) -> making.Members:
    async def pieces(data: bytes) -> AsyncIterator[bytes]:
        for at in range(0, len(data), step):
            yield data[at : at + step]

    async def members() -> AsyncIterator[NewMember]:
        for name, data in files.items():
            yield NewMember(name, len(data), 1_700_000_000, pieces(data))

    return members


async def make(
    store: Store, bucket: BucketRow, name: str, files: Mapping[str, bytes], mode: Mode = Mode.PUT
) -> None:
    await making.make(store, bucket, name.encode(), members_of(files), mode=mode)


def tar_info(name: str, data: bytes = b"", **fields: object) -> bytes:
    """One member of a TAR, its header and padded data, as `tarfile` writes it in GNU's form."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % 512)


def pax(records: Mapping[str, str], kind: bytes = tarfile.XHDTYPE) -> bytes:
    lines = b""
    for key, value in records.items():
        body = f" {key}={value}\n".encode("utf-8", "surrogateescape")
        length = len(body) + len(str(len(body) + 2))
        lines += str(length).encode() + body
    return tar_info("pax", lines, type=kind)


END = bytes(1024)


# --- there and back -------------------------------------------------------------------------


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


# --- names, kinds, places -------------------------------------------------------------------


def test_paths_that_lead_elsewhere_are_names() -> None:
    files = {"../../etc/passwd": b"1", "a/../b": b"3", "C:\\x": b"4"}
    for name in NAMES:
        archive = run(opened(archive_of(name, files), name))
        assert run(everything(archive)) == list(files.items())
        assert run(member(archive, "../../etc/passwd")) == b"1"
    archive = run(opened(tar_info("/etc/passwd", b"2") + END))
    assert run(listed(archive)) == [("/etc/passwd", 1)]
    assert run(member(archive, "etc/passwd")) == b"2"


def test_the_first_of_two_members_of_a_name_is_read() -> None:
    data = tar_info("x", b"first") + tar_info("x", b"second!") + END
    archive = run(opened(data))
    assert run(member(archive, "x")) == b"first"
    assert run(listed(archive)) == [("x", 5), ("x", 7)]


def test_names_that_are_not_utf8_keep_their_bytes() -> None:
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    archive = run(opened(tar_info("caf?", b"1").replace(b"caf?", b"caf\xe9", 1)))
    with pytest.raises(ArchiveError, match="header"):  # the checksum is of the other name
        run(listed(archive))
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", errors="surrogateescape") as writer:
        info = tarfile.TarInfo(name)
        info.size = 1
        writer.addfile(info, io.BytesIO(b"1"))
    archive = run(opened(made.getvalue()))
    assert run(member(archive, name)) == b"1"


def test_only_files_are_read() -> None:
    data = b"".join(
        [
            tar_info("dir", type=tarfile.DIRTYPE),
            tar_info("soft", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
            tar_info("hard", type=tarfile.LNKTYPE, linkname="file"),
            tar_info("null", type=tarfile.CHRTYPE),
            tar_info("pipe", type=tarfile.FIFOTYPE),
            tar_info("file", b"1"),
        ]
    )
    archive = run(opened(data + END))
    names = [name for name, _ in run(listed(archive))]
    assert names == ["file", "hard", "null", "pipe", "soft"]
    assert run(everything(archive)) == [("file", b"1")]
    for name in ("soft", "hard"):
        with pytest.raises(ArchiveError, match=f'"{name}" in it is a link'):
            run(member(archive, name))
    with pytest.raises(ArchiveError, match="neither a file"):
        run(member(archive, "null"))
    with pytest.raises(MemberNotFound):
        run(member(archive, "dir"))


def test_a_link_that_says_to_have_data_has_none() -> None:
    lying = tarfile.TarInfo("link")
    lying.type, lying.linkname, lying.size = tarfile.SYMTYPE, "x", 10_000
    archive = run(opened(lying.tobuf(tarfile.GNU_FORMAT) + tar_info("file", b"1") + END))
    assert run(listed(archive)) == [("file", 1), ("link", 0)]


def test_sparse_files_are_passed_over() -> None:
    old = bytearray(tar_info("old", type=tarfile.GNUTYPE_SPARSE))
    new = pax({"GNU.sparse.major": "1", "GNU.sparse.name": "new", "GNU.sparse.realsize": "9999"})
    data = bytes(old) + new + tar_info("GNUSparseFile.0/new", b"x" * 600) + tar_info("file", b"1")
    archive = run(opened(data + END))
    assert run(everything(archive)) == [("file", b"1")]
    assert run(listed(archive)) == [("file", 1), ("new", 9999), ("old", 0)]
    with pytest.raises(ArchiveError, match="sparse"):
        run(member(archive, "new"))


def test_global_pax_headers_count_for_all_that_follow() -> None:
    data = pax({"mtime": "-5.5"}, tarfile.XGLTYPE) + tar_info("a", b"1")
    data += pax({"path": "renamed", "size": "2", "other": "x" * 300}) + tar_info("b", b"22")
    assert run(everything(run(opened(data + END)))) == [("a", b"1"), ("renamed", b"22")]


def test_types_are_told_by_name_type_and_magic() -> None:
    for name in NAMES:
        kind = by_name(name)
        assert kind is not None
        assert by_type(name.removeprefix("a.")) is kind
        assert by_type(name.removeprefix("a")) is kind
        assert by_magic(archive_of(name, FILES)) is kind
        archive = run(opened(archive_of(name, FILES), "plain"))
        assert run(everything(archive)) == list(FILES.items())
    assert by_type("application/x-tar") is Format.TAR
    assert by_type("application/gzip") is Format.TGZ
    assert by_magic(b"") is None
    assert to_write(".tar.gz", "x.tgz") is Format.TGZ
    for mime, name in ((".rar", "x"), ("", "x"), (".zip", "x.tar")):
        with pytest.raises(InvalidArgument):
            to_write(mime, name)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("dir/a.jpg", "dir/a"),
        ("/dir/a.b.c", "dir/a.b"),
        ("dir.x/a", "dir.x/a"),
        ("a", "a"),
        (".hidden", ""),
    ],
)
def test_a_webdataset_key_is_the_name_without_its_extension(name: str, key: str) -> None:
    assert wds_key(name) == key
    assert matcher(key, "wdskey")(name)


# --- harm -----------------------------------------------------------------------------------


def broken(data: bytes, name: str = "a.tar") -> str:
    """How the archive is refused, whatever is asked of it."""
    archive = run(opened(data, name))
    told = set()
    asks: list[Callable[[], object]] = [
        lambda: run(listed(archive)),
        lambda: run(member(archive, "not there")),
    ]
    for ask in asks:
        with pytest.raises(ArchiveError) as caught:
            ask()
        told.add(str(caught.value))
    (text,) = told
    assert text.startswith(f'"ais://bucket/{name}" cannot be read as an archive: ')
    return text.partition(" archive: ")[2]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_cut_off_is_refused(name: str) -> None:
    data = archive_of(name, {"first": b"1", "large": pattern(300_000)})
    for size in (1, 100, len(data) // 2, len(data) - 150_000):
        assert broken(data[:size], name)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_something_else_is_refused(name: str) -> None:
    assert broken(pattern(5000), name)
    for other in NAMES:
        if by_name(other) is not by_name(name):
            assert broken(archive_of(other, FILES), name)


@pytest.mark.parametrize("name", NAMES[1:])
def test_damaged_data_is_refused(name: str) -> None:
    data = bytearray(archive_of(name, {"large": pattern(300_000)}))
    data[len(data) // 2 : len(data) // 2 + 50] = bytes(50)
    archive = run(opened(bytes(data), name))
    if name == "a.tar.lz4":  # whose frames need not have checksums
        return
    with pytest.raises(ArchiveError, match=r"damaged|too early|header"):
        run(everything(archive))


def test_headers_may_not_be_huge() -> None:
    for kind in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME):
        info = tarfile.TarInfo("x")
        info.type, info.size = kind, 1 << 40
        data = info.tobuf(tarfile.GNU_FORMAT) + bytes(2048)
        assert "extended header of 1,099,511,627,776 bytes" in broken(data)
    assert "negative" in broken(tar_info("x").replace(*_resized(-5)))
    assert "in a row" in broken(pax({"mtime": "1"}) * 100 + tar_info("x") + END)
    assert "name of more than" in broken(pax({"path": "x" * 5000}) + tar_info("x") + END)
    sparse = bytearray(tar_info("x", type=tarfile.GNUTYPE_SPARSE))
    sparse[482] = 1
    sparse[148:156] = b"%06o\0 " % (sum(sparse[:148]) + 256 + sum(sparse[156:]))
    follows = (bytes(504) + b"\1" + bytes(7)) * (limits.HEADER // 512 + 2)
    assert "too large a map" in broken(bytes(sparse) + follows)


def _resized(size: int) -> tuple[bytes, bytes]:
    """What to replace in a header for it to have another size, with its checksum."""
    old = tar_info("x")[:512]
    new = bytearray(old)
    new[124:136] = b"\xff" * 8 + struct.pack(">i", size)
    new[148:156] = b"%06o\0 " % (sum(new[:148]) + 256 + sum(new[156:]))
    return old, bytes(new)


@pytest.mark.parametrize("records", [b"9 path", b"x y=z\n", b"-5 a=b\n", b"99 a=b\n", b"6 a=\n=\n"])
def test_pax_records_that_make_no_sense_are_refused(records: bytes) -> None:
    data = tar_info("pax", records, type=tarfile.XHDTYPE) + tar_info("x") + END
    assert "extended header" in broken(data)


def test_there_may_not_be_too_many_members(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MEMBERS", 10)
    assert "more than 10 members" in broken(tar_info("x") * 11 + END)


def test_the_directory_of_a_zip_may_not_be_huge(monkeypatch: pytest.MonkeyPatch) -> None:
    data = zip_of({f"{number:0200}": b"" for number in range(300)})
    monkeypatch.setattr(limits, "DIRECTORY", 10_000)
    assert "its directory has 73,800 bytes, the limit is 10,000" in broken(data, "a.zip")
    monkeypatch.undo()
    end = bytearray(data)
    end[-22 + 12 : -22 + 16] = struct.pack("<L", 0xFFFFFFF0)
    assert "its directory has" in broken(bytes(end), "a.zip")
    end[-22 + 12 : -22 + 16] = struct.pack("<L", 5)
    assert "cannot be read" in broken(bytes(end), "a.zip")


def test_a_zip_that_is_encrypted_or_packed_otherwise_is_listed_alone() -> None:
    data = bytearray(zip_of({"secret": b"x" * 100, "open": b"1"}))
    first = data.index(b"PK\x01\x02")
    data[first + 8] |= 1
    archive = run(opened(bytes(data), "a.zip"))
    assert run(listed(archive)) == [("open", 1), ("secret", 100)]
    with pytest.raises(ArchiveError, match='"secret" in it is encrypted'):
        run(member(archive, "secret"))
    assert run(everything(archive)) == [("open", b"1")]
    archive = run(opened(zip_of({"x": b"x" * 100}, zipfile.ZIP_LZMA), "a.zip"))
    with pytest.raises(ArchiveError, match="not supported"):
        run(member(archive, "x"))


def test_a_zip_that_lies_is_refused() -> None:
    plain = zip_of({"x": b"x" * 1000})
    central = plain.index(b"PK\x01\x02")
    for offset, value, text in (
        (24, 10, "more than it should"),  # the size
        (24, 5000, "damaged"),
        (16, 1, "damaged"),  # the CRC
        (20, 1 << 30, "ends in the middle"),  # the compressed size
        (42, 7, "not where the directory says"),  # the place
    ):
        data = bytearray(plain)
        data[central + offset : central + offset + 4] = struct.pack("<L", value)
        archive = run(opened(bytes(data), "a.zip"))
        with pytest.raises(ArchiveError, match=text):
            run(member(archive, "x"))


@pytest.mark.parametrize("name", NAMES[1:])
def test_a_bomb_is_passed_on_piece_by_piece(name: str) -> None:
    size = 64 << 20
    zeros = bytes(size)
    data = zip_of({"bomb": zeros}) if name == "a.zip" else packed(name, tar_of({"bomb": zeros}))
    assert len(data) < size // 100

    async def check() -> None:
        found = await reading.find_member(await opened(data, name), "bomb")
        longest = total = 0
        async for piece in found.data:
            longest = max(longest, len(piece))
            total += len(piece)
        assert (total, longest) == (size, limits.PIECE)

    run(check())


def test_listing_holds_no_more_than_a_page() -> None:
    async def check() -> None:
        archive = await opened(
            gzip.compress(tar_of({f"{n:05}": b"" for n in range(3000)})), "a.tgz"
        )
        seen: list[str] = []
        after = ("", -1)
        while page := await reading.list_members(archive, 700, after=after):
            assert len(page) <= 700
            seen += [item.name for item in page]
            after = (page[-1].name, page[-1].number)
        assert seen == [f"{n:05}" for n in range(3000)]

    run(check())


# --- many at once ---------------------------------------------------------------------------


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
        await put(store, bucket, b"a.tgz", archive_of("a.tgz", FILES))

        async def failing() -> AsyncIterator[NewMember]:
            yield NewMember("x", 1, 0, _one(b"1"))
            raise WriteConflict("the source is gone")

        async def short() -> AsyncIterator[NewMember]:
            yield NewMember("x", 2, 0, _one(b"1"))

        for members, text in ((failing, "is gone"), (short, "changed its size")):
            for mode in (Mode.APPEND, Mode.PUT):
                with pytest.raises(WriteConflict, match=text):
                    await making.make(store, bucket, b"a.tgz", members, mode=mode)
        assert await get(store, bucket, b"a.tgz") == archive_of("a.tgz", FILES)
        with pytest.raises(ObjectNotFound):
            await make(store, bucket, "absent.tar", {}, Mode.APPEND)
        with pytest.raises(ObjectNotFound):
            await objects.head(store, bucket, b"absent.tar")
        await nothing_leaks(store)

    run(check())


async def _one(data: bytes) -> AsyncIterator[bytes]:
    yield data
