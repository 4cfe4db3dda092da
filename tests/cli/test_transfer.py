"""`ais put` and `ais get` of many files: what goes where, in parallel, and what fails."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import subprocess
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest

from aisle.cli.transfer import Crew
from tests.cli.conftest import SECONDS, Ais, environment
from tests.harness import BIN, Node


def names(ais: Ais, bck: str) -> list[str]:
    return ais("ls", bck, "-H", "--name-only").stdout.split()


def make(top: Path, *paths: str) -> None:
    """Files that hold their own names."""
    for path in paths:
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text(path)


# --- put ------------------------------------------------------------------------------------


def test_patterns_put_what_matches(ais: Ais, bck: str, tmp_path: Path) -> None:
    make(tmp_path, "d/a.txt", "d/b.txt", "d/c.png", "d/deep/e.txt", "f.txt")
    done = ais("put", "d/*.txt", bck)
    assert done.stdout == "PUT 2 files (14B) => ais://abc\n"
    ais("put", "d/**/e.*", "f.txt", f"{bck}/pre/")
    assert names(ais, bck) == ["a.txt", "b.txt", "pre/deep/e.txt", "pre/f.txt"]
    assert "no file matches" in ais("put", "*.none", bck, code=1).stderr


def test_a_name_with_brackets_is_a_name_first(ais: Ais, bck: str, tmp_path: Path) -> None:
    make(tmp_path, "[x]*.txt")
    ais("put", "[x]*.txt", bck)
    assert names(ais, bck) == ["[x]*.txt"]


def test_lists_and_templates_put_what_they_name(ais: Ais, bck: str, tmp_path: Path) -> None:
    make(tmp_path, "d/s-01", "d/s-02", "d/s-03", ".hidden")
    ais("put", "--list", "s-01, ./s-02", "d", f"{bck}/l")
    ais("put", "--list", ".hidden", bck)
    done = ais("put", "--template", "d/s-{01..03..2}", f"{bck}/t/")
    assert done.stdout == "PUT 2 files (12B) => ais://abc/t/\n"
    assert names(ais, bck) == [".hidden", "l/s-01", "l/s-02", "t/s-01", "t/s-03"]
    assert "--template" in ais("put", "--template", "a-{3..", bck, code=1).stderr
    assert ais("put", "--list", "none", bck, code=1).stderr.startswith("Error: none: No such file")


def test_names_begin_as_they_are_told(ais: Ais, bck: str, tmp_path: Path) -> None:
    make(tmp_path, "d/a", "b")
    ais("put", "-r", "d", bck, "--include-src-dir", "--prefix", "x-")
    ais("put", "b", bck, "--prefix", "p/")
    assert names(ais, bck) == ["p/b", "x-d/a"]


def test_a_dry_run_puts_nothing(ais: Ais, bck: str, tmp_path: Path) -> None:
    make(tmp_path, "d/a", "d/b")
    shown = ais("put", "-r", "d", bck, "--dry-run").stdout
    assert shown == (
        '[DRY RUN] PUT "d/a" => ais://abc/a\n'
        '[DRY RUN] PUT "d/b" => ais://abc/b\n'
        "[DRY RUN] PUT 2 files (6B) => ais://abc\n"
    )
    ais("put", "d/a", bck, "--dry-run")
    ais("put", "-", f"{bck}/x", "--dry-run", input="x")
    assert names(ais, bck) == []


def test_sums_are_told_in_the_units_asked_for(ais: Ais, bck: str, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a").write_bytes(bytes(2000))
    assert "(2000)" in ais("put", "-r", "d", bck, "--units", "raw").stdout
    assert "(2.00KB)" in ais("put", "-r", "d", bck, "--units", "si").stdout


def test_checksums_are_held_to(ais: Ais, bck: str, tmp_path: Path) -> None:
    make(tmp_path, "a", "d/b")
    good = hashlib.md5(b"a").hexdigest()
    ais("put", "a", bck, "--md5", good, "--skip-vc")
    bad = hashlib.md5(b"b").hexdigest()
    error = ais("put", "a", f"{bck}/bad", "--md5", bad, code=1).stderr
    assert good in error
    for kind in ("crc32c", "xxhash", "sha512"):
        ais("bucket", "props", bck, f"checksum.type={kind}")
        ais("put", "-r", "d", bck, "--compute-checksum")
    assert "one file" in ais("put", "-r", "d", bck, "--md5", good, code=1).stderr
    assert "one checksum" in ais("put", "a", bck, "--md5", good, "--crc32c", "0", code=1).stderr
    assert names(ais, bck) == ["a", "b"]


def test_stdin_comes_in_pieces_of_the_size_asked_for(ais: Ais, bck: str) -> None:
    ais("put", "-", f"{bck}/x", "--chunk-size", "7", input="0123456789" * 3)
    assert ais("get", f"{bck}/x", "-").stdout == "0123456789" * 3
    for size in ("0", "x", "2GiB"):
        assert "--chunk-size" in ais("put", "-", f"{bck}/x", "--chunk-size", size, code=1).stderr


def test_the_first_file_that_fails_ends_a_put(ais: Ais, bck: str, tmp_path: Path) -> None:
    make(tmp_path, *(f"d/{number:03}" for number in range(300)))
    os.unlink(tmp_path / "d" / "000")
    error = ais("put", "--template", "d/{000..299}", bck, code=1).stderr
    assert error == "Error: d/000: No such file or directory\n"
    assert len(names(ais, bck)) < 299


def test_files_that_fail_among_many_are_told_in_one_line(
    ais: Ais, bck: str, tmp_path: Path
) -> None:
    make(tmp_path, *(f"d/{number}" for number in range(6)))
    done = ais("put", "--template", "d/{0..9}", bck, "--cont-on-err", "--conc", "1", code=1)
    assert done.stdout.startswith("PUT 6 files")
    assert done.stderr == (
        "Error: 4 of 10 files failed: d/6: No such file or directory;"
        " d/7: No such file or directory; d/8: No such file or directory (and 1 more)\n"
    )
    assert names(ais, bck) == list("012345")


def test_a_bucket_that_is_not_there_is_told_once(ais: Ais, tmp_path: Path) -> None:
    make(tmp_path, *(f"d/{number}" for number in range(50)))
    error = ais("put", "-r", "d", "ais://none", code=1).stderr
    assert error == 'Error: bucket "ais://none" does not exist\n'


def test_workers_are_a_sensible_number(ais: Ais, bck: str, tmp_path: Path) -> None:
    make(tmp_path, "d/a")
    for number in ("0", "129", "-1", "x"):
        assert (
            "--num-workers" in ais("put", "-r", "d", bck, f"--num-workers={number}", code=1).stderr
        )


# --- get ------------------------------------------------------------------------------------


@pytest.fixture
def filled(ais: Ais, bck: str, tmp_path: Path) -> str:
    """A bucket with objects `a/1`, `a/2`, `a/deep/3` and `b`."""
    make(tmp_path, "src/a/1", "src/a/2", "src/a/deep/3", "src/b")
    ais("put", "-r", "src", bck)
    return bck


def files(top: Path) -> list[str]:
    return sorted(str(path.relative_to(top)) for path in top.rglob("*") if path.is_file())


def test_a_prefix_is_written_below_a_directory(ais: Ais, filled: str, tmp_path: Path) -> None:
    done = ais("get", filled, "out", "--prefix", "a/")
    assert done.stdout == "GET 3 objects (26B) from ais://abc/a/ => out\n"
    assert files(tmp_path / "out") == ["1", "2", "deep/3"]
    assert (tmp_path / "out" / "deep" / "3").read_text() == "src/a/deep/3"
    ais("get", f"{filled}/a/d", "part", "--all")
    assert files(tmp_path / "part") == ["deep/3"]
    ais("get", filled, "all", "--all", "--silent")
    assert files(tmp_path / "all") == ["a/1", "a/2", "a/deep/3", "b"]
    ais("get", filled, "two", "--all", "--limit", "2", "--num-workers", "1", "--cached")
    assert files(tmp_path / "two") == ["a/1", "a/2"]
    shown = ais("get", filled, "out", "--prefix", "b", "-v").stdout.splitlines()
    assert shown[0] == "GET ais://abc/b => out/b"


def test_a_bucket_alone_is_not_an_object(ais: Ais, filled: str, tmp_path: Path) -> None:
    assert "--all" in ais("get", filled, code=1).stderr
    assert "both" in ais("get", f"{filled}/a", "--prefix", "b", code=1).stderr
    assert "one object" in ais("get", filled, "-", "--all", code=1).stderr
    assert "one object" in ais("get", filled, "x", "--all", "--offset", "1", code=1).stderr
    (tmp_path / "file").touch()
    assert "name a directory" in ais("get", filled, "file", "--all", code=1).stderr


def test_nothing_below_a_prefix_is_nothing(ais: Ais, filled: str) -> None:
    done = ais("get", filled, "--prefix", "none/")
    assert done.stdout == "GET 0 objects (0B) from ais://abc/none/ => .\n"


def test_names_that_lead_elsewhere_are_refused(ais: Ais, bck: str, tmp_path: Path) -> None:
    for name in ("../up", "a//b", "fine"):
        ais("put", "-", f"{bck}/{name}", input=name)
    done = ais("get", bck, "out", "--all", "--cont-on-err", code=1)
    assert "2 of 3 objects failed" in done.stderr
    assert "cannot be a file below out" in done.stderr
    assert files(tmp_path) == ["out/fine"]


def test_names_of_directories_are_left_out(ais: Ais, bck: str, own: Node, tmp_path: Path) -> None:
    ais("put", "-", f"{bck}/dir/a", input="x")
    assert own.send("PUT", "/s3/abc/dir/", body=b"").status == 200
    ais("get", bck, "out", "--all")
    assert files(tmp_path) == ["out/dir/a"]


def test_a_failed_get_of_many_leaves_no_part_of_a_file(ais: Ais, bck: str, tmp_path: Path) -> None:
    for name in ("a", "a/b"):
        ais("put", "-", f"{bck}/{name}", input=name)
    ais("get", bck, "out", "--all", code=1)  # a file and a directory of one name
    assert all(".ais-get-" not in name for name in files(tmp_path))


def test_what_is_asked_of_one_object(ais: Ais, filled: str, tmp_path: Path) -> None:
    assert ais("get", f"{filled}/b", "--check-cached").stdout == "Cached: yes\n"
    assert ais("get", f"{filled}/b", "--headobj").stdout == "Cached: yes\n"
    assert ais("get", f"{filled}/b", "-", "--cached", "--checksum", "--latest").stdout == "src/b"
    assert ais("get", f"{filled}/b", "-", "--offset", "0").stdout == "src/b"
    assert ais("get", f"{filled}/b", "x", "-v").stdout == "GET ais://abc/b => x\n"
    ais("bucket", "props", filled, "checksum.type=none")
    ais("put", "-", f"{filled}/plain", input="x")
    assert "no checksum" in ais("get", f"{filled}/plain", "y", "--checksum", code=1).stderr
    assert not (tmp_path / "y").exists()
    assert "exist" in ais("get", f"{filled}/none", "--check-cached", code=1).stderr


# --- archives -------------------------------------------------------------------------------


def shard(kind: str) -> bytes:
    """An archive with `a.txt`, `d/b.txt` and a member that would lead out of it."""
    file = io.BytesIO()
    members = {"a.txt": b"one", "d/b.txt": b"two", "../out": b"three"}
    if kind == "zip":
        with zipfile.ZipFile(file, "w") as packed:
            for name, body in members.items():
                packed.writestr(name, body)
        return file.getvalue()
    with tarfile.open(fileobj=file, mode="w:gz" if kind == "tgz" else "w") as archive:
        for name, body in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["tar", "tgz", "zip"])
def test_an_archive_is_unpacked_below_a_directory(
    ais: Ais, bck: str, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "packed").write_bytes(shard(kind))
    ais("put", "packed", f"{bck}/s/shard.{kind}")
    os.unlink(tmp_path / "packed")
    done = ais("get", f"{bck}/s/shard.{kind}", "--extract")
    assert done.stdout == f"GET ais://abc/s/shard.{kind} => 2 files below shard\n"
    assert "cannot be a file" in done.stderr
    assert files(tmp_path) == ["shard/a.txt", "shard/d/b.txt"]
    assert (tmp_path / "shard" / "d" / "b.txt").read_bytes() == b"two"
    ais("get", bck, "all", "--all", "--extract")
    assert files(tmp_path / "all") == ["s/shard/a.txt", "s/shard/d/b.txt"]


def test_what_is_no_archive_is_not_unpacked(ais: Ais, bck: str, tmp_path: Path) -> None:
    ais("put", "-", f"{bck}/x.tar", input="no archive at all")
    assert "cannot be read" in ais("get", f"{bck}/x.tar", "--extract", code=1).stderr
    ais("put", "-", f"{bck}/x.txt", input="text")
    assert "is not an archive" in ais("get", f"{bck}/x.txt", "--extract", code=1).stderr
    assert "name a directory" in ais("get", f"{bck}/x.tar", "-", "--extract", code=1).stderr
    assert files(tmp_path) == []


def test_members_of_an_archive_are_read_by_the_node(ais: Ais, bck: str, tmp_path: Path) -> None:
    (tmp_path / "packed").write_bytes(shard("tar"))
    ais("put", "packed", f"{bck}/shard.tar")
    uri = f"{bck}/shard.tar"
    assert ais("get", uri, "-", "--archpath", "d/b.txt").stdout == "two"
    ais("get", uri, "--archpath", "a.txt")
    assert (tmp_path / "a.txt").read_text() == "one"
    ais("get", uri, "some.tar", "--archregx", "txt", "--archmode", "suffix")
    with tarfile.open(tmp_path / "some.tar") as archive:
        assert [name.rpartition("/")[2] for name in archive.getnames()] == ["a.txt", "b.txt"]
    assert "name a file" in ais("get", uri, "--archregx", "txt", code=1).stderr
    assert "needs --archregx" in ais("get", uri, "--archmode", "suffix", code=1).stderr
    assert "two ways" in ais("get", uri, "--archregx", "x", "--archpath", "y", code=1).stderr


# --- interrupts -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", [("put", "-r", "many", "ais://abc"), ("get", "ais://abc", "out", "--all")]
)
def test_an_interrupt_ends_all_workers(
    ais: Ais, bck: str, own: Node, tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "many").mkdir()
    for number in range(10):
        with (tmp_path / "many" / str(number)).open("wb") as file:
            file.truncate(16 << 20)
    (tmp_path / "out").mkdir()
    if words[0] == "get":
        ais("put", "-r", "many", bck)
    running = subprocess.Popen(
        [str(BIN / "ais"), *words, "-v"],
        cwd=tmp_path,
        env=environment(own),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert running.stdout is not None
    first = running.stdout.readline()  # one is done, others are on their way
    running.send_signal(signal.SIGINT)
    _, error = running.communicate(timeout=60)
    assert first.startswith(words[0].upper().encode())
    if running.returncode != 0:  # 0: it was done first
        assert (running.returncode, error) == (130, b"")
    assert all(".ais-get-" not in name for name in files(tmp_path / "out"))
    # Every object that is there is whole: what was broken off left none.
    sizes = ais("ls", bck, "-HF", "--units", "raw", "--props", "size").stdout.split()[1::2]
    assert set(sizes) <= {str(16 << 20)}


def test_an_interrupted_crew_waits_for_what_is_being_tidied_up() -> None:
    aborted, tidied = threading.Event(), threading.Event()

    def work(item: int) -> None:
        threading.Event().wait(0.2)  # by then the crew is waited for
        os.kill(os.getpid(), signal.SIGINT)
        aborted.wait(SECONDS)
        threading.Event().wait(0.2)  # what takes its time
        tidied.set()

    crew = Crew(work, workers=1, keep_going=False, name=str, abort=aborted.set)
    with pytest.raises(KeyboardInterrupt):
        crew.run([1])
    assert tidied.is_set()
