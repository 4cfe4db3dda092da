"""`ais put`, `get`, `object show` and `object rm`."""

import hashlib
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Ais, environment
from tests.harness import BIN, Node


def test_a_file_goes_by_its_own_name_or_another(ais: Ais, bck: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    ais("put", "a.txt", bck)
    ais("put", "a.txt", f"{bck}/b")
    ais("put", "a.txt", f"{bck}/dir/")
    shown = ais("put", "-v", "a.txt", f"{bck}/c").stdout
    assert shown == 'PUT "a.txt" => ais://abc/c\n'
    assert ais("ls", bck, "-H").stdout.split()[::2] == ["a.txt", "b", "c", "dir/a.txt"]


def test_stdin_is_stored_and_stdout_is_fed(ais: Ais, bck: str) -> None:
    ais("put", "-", f"{bck}/x", input="some text\n")
    assert ais("get", f"{bck}/x", "-").stdout == "some text\n"
    assert "needs a name" in ais("put", "-", bck, input="x", code=1).stderr


def test_empty_files_and_empty_stdin(ais: Ais, bck: str, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    ais("put", "empty", bck)
    ais("put", "-", f"{bck}/nothing", input="")
    assert ais("get", f"{bck}/empty", "-").stdout == ""
    ais("get", f"{bck}/nothing", "file")
    assert (tmp_path / "file").read_bytes() == b""


def test_a_large_file_there_and_back(ais: Ais, bck: str, tmp_path: Path) -> None:
    body = os.urandom(7_654_321)
    (tmp_path / "large").write_bytes(body)
    ais("put", "large", bck)
    ais("get", f"{bck}/large", "copy")
    assert (tmp_path / "copy").read_bytes() == body
    ais("get", f"{bck}/large", "part", "--offset", "1MiB", "--length", "2MiB")
    assert (tmp_path / "part").read_bytes() == body[1 << 20 : 3 << 20]
    ais("get", f"{bck}/large", "tail", "--offset", "7654000")
    assert (tmp_path / "tail").read_bytes() == body[7654000:]


@pytest.mark.parametrize("name", ["a b", "a+b%2F", "a//b", "..", "é😀", "--x", "tab\t", "q?x=1#y"])
def test_any_name(ais: Ais, bck: str, tmp_path: Path, name: str) -> None:
    (tmp_path / "source").write_text(name)
    ais("put", "source", f"{bck}/{name}")
    assert ais("get", f"{bck}/{name}", "-").stdout == name
    ais("object", "rm", f"{bck}/{name}")
    assert ais("ls", bck).stdout == ""


def test_a_directory_needs_the_option_and_keeps_its_names(
    ais: Ais, bck: str, tmp_path: Path
) -> None:
    (tmp_path / "top" / "deep").mkdir(parents=True)
    (tmp_path / "top" / "a").write_text("1")
    (tmp_path / "top" / "deep" / "b").write_text("22")
    os.mkfifo(tmp_path / "top" / "pipe")
    assert "--recursive" in ais("put", "top", bck, code=1).stderr
    done = ais("put", "-r", "top", f"{bck}/pre")
    assert done.stdout == "PUT 2 files (3B) => ais://abc/pre\n"
    assert "pipe is not a regular file" in done.stderr
    assert ais("ls", bck, "-H").stdout.split()[::2] == ["pre/a", "pre/deep/b"]


def test_get_writes_where_it_is_told(ais: Ais, bck: str, tmp_path: Path) -> None:
    ais("put", "-", f"{bck}/dir/name", input="x")
    (tmp_path / "below").mkdir()
    (tmp_path / "old").write_text("old")
    (tmp_path / "old").chmod(0o640)
    (tmp_path / "link").symlink_to("old")
    ais("get", f"{bck}/dir/name")
    ais("get", f"{bck}/dir/name", "below")
    ais("get", f"{bck}/dir/name", "link")
    ais("get", f"{bck}/dir/name", "/dev/null")
    assert (tmp_path / "name").read_text() == "x"
    assert (tmp_path / "below" / "name").read_text() == "x"
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "old").read_text() == "x"
    assert (tmp_path / "old").stat().st_mode & 0o777 == 0o640
    assert not Path("/dev/null").is_file()


def test_a_name_that_is_no_file_name_has_to_be_given_one(ais: Ais, bck: str) -> None:
    for name in ("dir/", "a/.."):
        assert "give one" in ais("get", f"{bck}/{name}", code=1).stderr


def test_a_failed_get_leaves_what_was_there(ais: Ais, bck: str, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("as it was")
    error = ais("get", f"{bck}/nothing", "kept", code=1).stderr
    assert error == 'Error: object "ais://abc/nothing" does not exist\n'
    assert (tmp_path / "kept").read_text() == "as it was"
    ais("put", "-", f"{bck}/x", input="123")
    assert "outside" in ais("get", f"{bck}/x", "kept", "--offset", "3", code=1).stderr
    assert ais("get", f"{bck}/x", "no/such/file", code=1).stderr
    assert "at least 1" in ais("get", f"{bck}/x", "--length", "0", code=1).stderr
    assert "--offset" in ais("get", f"{bck}/x", "--offset", "-1", code=1).stderr
    assert os.listdir(tmp_path) == ["kept"]


def test_show_tells_what_is_known(ais: Ais, bck: str) -> None:
    ais("bucket", "props", bck, "checksum.type=md5")
    ais("put", "-", f"{bck}/x.txt", input="hello")
    digest = hashlib.md5(b"hello").hexdigest()
    lines = ais("object", "show", f"{bck}/x.txt", "--all").stdout.splitlines()
    rows = dict(line.split(None, 1) for line in lines)
    assert lines[0] == "PROPERTY         VALUE"
    assert rows.pop("atime").endswith(" UTC")
    assert rows.pop("location").startswith("t[t")
    assert rows == {
        "PROPERTY": "VALUE",
        "cached": "yes",
        "checksum": f"md5[{digest[:16]}...]",
        "copies": "1",
        "custom": f"map[ETag:{digest}]",
        "ec": "-",
        "name": "ais://abc/x.txt",
        "size": "5B",
        "version": "1",
    }
    brief = ais("show", "object", f"{bck}/x.txt", "-H").stdout.splitlines()
    names = [line.split()[0] for line in brief]
    assert names == ["atime", "checksum", "name", "size", "version"]


def test_remove_tells_what_went(ais: Ais, bck: str) -> None:
    for name in ("a", "b"):
        ais("put", "-", f"{bck}/{name}", input=name)
    done = ais("rmo", f"{bck}/a", f"{bck}/b")
    assert done.stdout == 'deleted "a" from ais://abc\ndeleted "b" from ais://abc\n'
    error = ais("object", "rm", f"{bck}/a", code=1).stderr
    assert error == 'Error: object "ais://abc/a" does not exist\n'


def test_the_kind_of_a_file_is_told_by_its_name(ais: Ais, bck: str, own: Node) -> None:
    ais("put", "-", f"{bck}/page.html", input="<p>")
    ais("put", "-", f"{bck}/page.html.gz", input="x")
    kinds = [
        own.send("HEAD", f"/s3/abc/{key}").headers["content-type"]
        for key in ("page.html", "page.html.gz")
    ]
    assert kinds == ["text/html", "binary/octet-stream"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_get_leaves_no_file(
    ais: Ais, bck: str, own: Node, tmp_path: Path, number: int, code: int
) -> None:
    # Large enough to be still on its way when its temporary file shows up.
    (tmp_path / "large").write_bytes(bytes(64 << 20))
    ais("put", "large", bck)
    os.mkdir(tmp_path / "out")
    stopped = subprocess.Popen(
        [str(BIN / "ais"), "get", f"{bck}/large", "out/file"],
        cwd=tmp_path,
        env=environment(own),
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 60
    while not os.listdir(tmp_path / "out"):
        assert time.monotonic() < deadline
        time.sleep(0.001)
    stopped.send_signal(number)
    _, error = stopped.communicate(timeout=60)
    if stopped.returncode == 0:  # it was done first: then the file is whole
        assert (tmp_path / "out" / "file").stat().st_size == 64 << 20
        return
    assert (stopped.returncode, error) == (code, b"")
    assert os.listdir(tmp_path / "out") == []
