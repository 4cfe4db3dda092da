"""Archives that are damaged or mean harm: they are refused, or passed on in bounded pieces."""

from __future__ import annotations

import gzip
import struct
import tarfile
import zipfile
from collections.abc import Callable

import pytest

from aisle.core.errors import (
    ArchiveError,
)
from aisle.namespace.archives import limits, reading
from aisle.namespace.archives.formats import by_name
from tests.archives import FILES, NAMES, archive_of, packed, tar_of, zip_of
from tests.namespace.archives import END, everything, listed, member, opened, pax, tar_info
from tests.namespace.support import (
    pattern,
    run,
)


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
