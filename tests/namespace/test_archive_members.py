"""Members of archives: their names and kinds, and how the format is told."""

from __future__ import annotations

import io
import tarfile

import pytest

from aisle.core.errors import (
    ArchiveError,
    InvalidArgument,
    MemberNotFound,
)
from aisle.namespace.archives.formats import Format, by_magic, by_name, by_type, to_write
from aisle.namespace.archives.matching import matcher, wds_key
from tests.archives import FILES, NAMES, archive_of
from tests.namespace.archives import END, everything, listed, member, opened, pax, tar_info
from tests.namespace.support import (
    run,
)


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
