"""`ais archive`: making archives of files and of objects, listing them, and getting what is in."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from tests.archives import FILES, archive_of, files_of, tar_of
from tests.cli.conftest import Ais
from tests.cli.consoles import DOCS, replay, write_samples
from tests.harness import Node


@pytest.fixture
def tree(tmp_path: Path) -> dict[str, bytes]:
    """A directory `src` with files in it."""
    files = {"a.txt": b"a" * 100, "b.bin": bytes(range(256)) * 1000, "sub/c": b"", "sub/d": b"dd"}
    for name, data in files.items():
        path = tmp_path / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return files


def stored(own: Node, key: str) -> bytes:
    return own.send("GET", f"/v1/objects/abc/{key}").body


def content(own: Node, key: str) -> dict[str, bytes]:
    return dict(files_of(key, stored(own, key)))


# --- put ------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["a.tgz", "a.zip"])
def test_a_directory_becomes_an_archive_and_grows(
    ais: Ais, own: Node, bck: str, tree: dict[str, bytes], key: str
) -> None:
    done = ais("archive", "put", "src", f"{bck}/{key}", "-r")
    assert done.stdout == f"PUT 4 files (250.10KiB) => {bck}/{key}\n"
    assert content(own, key) == tree
    done = ais("archive", "put", "src/a.txt", f"{bck}/{key}", "--append", "--archpath", "x/y")
    assert done.stdout == f'APPEND src/a.txt to {bck}/{key} as "x/y"\n'
    assert content(own, key) == {**tree, "x/y": tree["a.txt"]}
    done = ais("archive", "put", "src", f"{bck}/{key}", "--append-or-put", "--archpath", "z/")
    assert done.stdout == f"APPEND 2 files (250.10KiB) => {bck}/{key}\n"
    added = {f"z/{name}": tree[name] for name in ("a.txt", "b.bin")}
    assert content(own, key) == {**tree, "x/y": tree["a.txt"], **added}
    ais("archive", "put", "src", f"{bck}/{key}", "--include-src-dir")
    assert set(content(own, key)) == {"src/a.txt", "src/b.bin"}


def test_lists_templates_and_stdin_are_archived(
    ais: Ais, own: Node, bck: str, tree: dict[str, bytes]
) -> None:
    ais("archive", "put", "src", f"{bck}/a.tar", "--list", "a.txt,sub/d")
    assert content(own, "a.tar") == {"a.txt": tree["a.txt"], "sub/d": tree["sub/d"]}
    ais("archive", "put", f"{bck}/a.tar", "--template", "src/sub/{c..d}")
    assert set(content(own, "a.tar")) == {"c", "d"}
    ais("archive", "put", "-", f"{bck}/a.tar", "--append", "--archpath", "in", input="text")
    assert content(own, "a.tar")["in"] == b"text"
    ais("archive", "put", "src/*.txt", f"{bck}/new.zip", "--append-or-put")
    assert set(content(own, "new.zip")) == {"a.txt"}


def test_a_dry_run_archives_nothing(ais: Ais, bck: str, tree: dict[str, bytes]) -> None:
    done = ais("archive", "put", "src", f"{bck}/a.tar", "--dry-run", "--archpath", "in")
    assert done.stdout.splitlines() == [
        f'[DRY RUN] PUT src/a.txt to {bck}/a.tar as "in/a.txt"',
        f'[DRY RUN] PUT src/b.bin to {bck}/a.tar as "in/b.bin"',
    ]
    assert ais("ls", bck, "-H").stdout == ""


def test_a_file_that_cannot_be_read_is_passed_over_if_so_told(
    ais: Ais, own: Node, bck: str, tree: dict[str, bytes]
) -> None:
    words = ("archive", "put", "src", f"{bck}/a.tar", "--list", "a.txt,absent,sub/d")
    ais(*words, code=1)
    assert ais("ls", bck, "-H").stdout == ""
    done = ais(*words, "--cont-on-err", code=1)
    assert "1 of 3 files failed, the first: src/absent: No such file or directory" in done.stderr
    assert set(content(own, "a.tar")) == {"a.txt", "sub/d"}


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("src", "{bck}/plain"), "is not the name of an archive"),
        (("src", "{bck}"), "is not the URI of an object"),
        (("{bck}/a.tar",), "name what to archive"),
        (("-", "{bck}/a.tar"), "--archpath"),
        (("src/a.txt", "{bck}/a.tar", "--append"), "ais://abc/a.tar"),
        (("src/a.txt", "{bck}/a.tar", "--append", "--append-or-put"), "exclude each other"),
        (("nothing/*", "{bck}/a.tar"), "no file matches"),
    ],
)
def test_what_cannot_be_archived_is_told(
    ais: Ais, bck: str, tree: dict[str, bytes], words: tuple[str, ...], text: str
) -> None:
    done = ais("archive", "put", *(word.format(bck=bck) for word in words), code=1)
    assert text in done.stderr


# --- bucket ---------------------------------------------------------------------------------


def test_objects_become_an_archive(ais: Ais, own: Node, bck: str, tree: dict[str, bytes]) -> None:
    ais("put", "-r", "src", bck)
    done = ais("archive", "bucket", f"{bck}/sub/", f"{bck}/a.tar", "--wait")
    assert f'archive prefix "sub/" from {bck} as {bck}/a.tar' in done.stdout
    assert done.stdout.endswith("Done: 2 objects (2B).\n")
    assert content(own, "a.tar") == {"sub/c": b"", "sub/d": b"dd"}
    more = ("--append", "--include-src-bck", "--wait")
    ais("archive", "bucket", f"{bck}/a.tar", "--list", "a.txt", *more)
    assert set(content(own, "a.tar")) == {"sub/c", "sub/d", "abc/a.txt"}
    ais("archive", "bucket", f"{bck}/sub/{{c..d}}", f"{bck}/b.tgz", "--wait")
    assert set(content(own, "b.tgz")) == {"sub/c", "sub/d"}
    ais("archive", "bucket", bck, f"{bck}/all.zip", "--nr", "--wait")
    assert set(content(own, "all.zip")) == {"a.txt", "b.bin", "a.tar", "b.tgz"}
    done = ais("archive", "bucket", bck, f"{bck}/dry.tar", "--dry-run")
    assert done.stdout == f"[DRY RUN] archive all objects from {bck} as {bck}/dry.tar\n"


def test_a_job_that_fails_is_told(ais: Ais, bck: str) -> None:
    words = ("archive", "bucket", bck, f"{bck}/a.tar", "--list", "absent", "--wait")
    assert "absent" in ais(*words, code=1).stderr
    assert "ais://abc/a.tar" in ais(*words, "--append", code=1).stderr
    done = ais("archive", "bucket", f"{bck}/a.tar", code=1)
    assert "which objects?" in done.stderr


# --- ls and get -----------------------------------------------------------------------------


def test_archives_are_listed_with_what_is_in_them(ais: Ais, own: Node, bck: str) -> None:
    data = tar_of({"obj1": b"x" * 1024, "dir/obj2": b"x" * 2048})
    own.send("PUT", "/v1/objects/abc/arch.tar", body=data)
    own.send("PUT", "/v1/objects/abc/other", body=b"x")
    lines = [line.split() for line in ais("archive", "ls", f"{bck}/arch.tar").stdout.splitlines()]
    assert lines == [
        ["NAME", "SIZE"],
        ["arch.tar", "10.00KiB"],
        ["arch.tar/dir/obj2", "2.00KiB"],
        ["arch.tar/obj1", "1.00KiB"],
    ]
    shown = ais("ls", bck, "--archive", "-H").stdout
    assert "\n    arch.tar/dir/obj2" in shown
    assert "\nother" in shown
    shown = ais("archive", "ls", bck, "--prefix", "arch.tar/dir", "--json").stdout
    assert [entry["name"] for entry in json.loads(shown)] == ["arch.tar/dir/obj2"]


@pytest.mark.parametrize("key", ["a.tgz", "a.zip"])
def test_members_are_got(ais: Ais, own: Node, bck: str, tmp_path: Path, key: str) -> None:
    own.send("PUT", f"/v1/objects/abc/{key}", body=archive_of(key, FILES))
    assert ais("archive", "get", f"{bck}/{key}/dir/one.txt", "-").stdout == "one"
    assert ais("get", f"{bck}/{key}", "-", "--archpath", "dir/one.txt").stdout == "one"
    ais("archive", "get", f"{bck}/{key}", "x.tar", "--archregx=dir/one", "--archmode=wdskey")
    assert set(dict(files_of("x.tar", (tmp_path / "x.tar").read_bytes()))) == {
        "dir/one.txt",
        "dir/one.json",
    }
    ais("archive", "get", f"{bck}/{key}", "out")
    for name, data in FILES.items():
        assert (tmp_path / "out" / "a" / name).read_bytes() == data
    done = ais("archive", "get", f"{bck}/{key}/absent", "-", code=1)
    assert f'"{bck}/{key}" has no file "absent"' in done.stderr


def test_hostile_members_are_not_extracted(ais: Ais, own: Node, bck: str, tmp_path: Path) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name in ("../up", "/tmp/ais-absolute", "in/../../up", "good"):
            info = tarfile.TarInfo(name)
            info.size = 1
            archive.addfile(info, io.BytesIO(b"x"))
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            info = tarfile.TarInfo("link")
            info.type, info.linkname = kind, "../outside"
            archive.addfile(info)
        info = tarfile.TarInfo("link/inside")
        info.size = 1
        archive.addfile(info, io.BytesIO(b"x"))
    own.send("PUT", "/v1/objects/abc/evil.tar", body=made.getvalue())
    work = tmp_path / "work"
    work.mkdir()
    ais("archive", "get", f"{bck}/evil.tar", "work")
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert found == [
        "work",
        "work/evil",
        "work/evil/good",
        "work/evil/link",
        "work/evil/link/inside",
    ]
    assert not Path("/tmp/ais-absolute").exists()


# --- the page ---------------------------------------------------------------------------------


def test_every_console_of_the_page_shows_what_happens(ais: Ais, own: Node, tmp_path: Path) -> None:
    write_samples(tmp_path)
    assert replay(DOCS / "archives.md", own, tmp_path) > 10
    assert ais("ls").stdout == ""


# --- gen-shards -----------------------------------------------------------------------------


def test_shards_are_made(ais: Ais, own: Node, bck: str) -> None:
    words = ("--fcount", "2", "--fsize", "2KiB", "--fext", ".jpg,.cls", "--num-workers", "2")
    done = ais("archive", "gen-shards", f"{bck}/s-{{01..03}}.tgz", *words)
    assert done.stdout == "Shards created: 3/3\n"
    names = ais("ls", bck, "-H", "--name-only").stdout.split()
    assert names == ["s-01.tgz", "s-02.tgz", "s-03.tgz"]
    found = files_of("x.tgz", stored(own, "s-01.tgz"))
    assert [len(data) for _, data in found] == [2048] * 4
    assert [name[-6:] for name, _ in found] == ["-0.jpg", "-0.cls", "-1.jpg", "-1.cls"]
    ais("archive", "gen-shards", "ais://fresh/x.zip", "--tform", "GNU", "--cleanup")
    assert ais("ls", "ais://fresh", "-H", "--name-only").stdout.split() == ["x.zip"]
    assert "is not the name of" in ais("archive", "gen-shards", f"{bck}/x", code=1).stderr
