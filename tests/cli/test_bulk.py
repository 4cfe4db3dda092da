"""Copies, removals and the like of many objects, as users type them."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Ais, environment
from tests.cli.consoles import DOCS, replay
from tests.harness import BIN, Node
from tests.native.support import names, put

STARTED = r"{}\[(\w{{9}})\]: {}\. To monitor the progress, run 'ais show job \1'\n"


def fill(own: Node, *names: str) -> None:
    """Objects of ais://abc that hold their names."""
    for name in names:
        assert put(own, "abc", name, name.encode()).status == 200


def body(own: Node, bucket: str, name: str) -> str:
    return own.send("GET", f"/v1/objects/{bucket}/{name}").body.decode()


def test_a_bucket_is_copied(ais: Ais, own: Node, bck: str) -> None:
    fill(own, "a", "b/1", "b/2")
    done = ais("cp", bck, "ais://new", "--wait").stdout.splitlines()
    assert re.fullmatch(r"copy-bucket\[\w{9}\]: copy ais://abc to ais://new \.\.\.", done[0])
    assert done[1:] == ["Done: 3 objects (7B)."]
    assert names(own, "new") == ["a", "b/1", "b/2"]
    assert body(own, "new", "b/1") == "b/1"


def test_without_waiting_the_job_is_told(ais: Ais, own: Node, bck: str) -> None:
    fill(own, "a")
    text = ais("cp", bck, "ais://new").stdout
    assert re.fullmatch(STARTED.format("copy-bucket", "copy ais://abc to ais://new"), text)
    text = ais("cp", bck, "ais://new", "--list", "a").stdout
    expected = "copy 1 object from ais://abc to ais://new"
    assert re.fullmatch(STARTED.format("copy-objects", expected), text)
    text = ais("object", "rm", bck, "--template", "x{1..2}", "--yes").stdout
    expected = re.escape('delete template "x{1..2}" from ais://abc')
    assert re.fullmatch(STARTED.format("delete-objects", expected), text)
    assert re.fullmatch(r"\w{9}\n", ais("bucket", "cp", bck, "ais://new", "--nv").stdout)


def test_what_is_copied_can_be_chosen_and_renamed(ais: Ais, own: Node, bck: str) -> None:
    fill(own, "a", "b1", "b2", "b{1,2}")
    for words, expected in (
        (["--list", "a, b1"], ["a", "b1"]),
        (["--template", "b{1..2}", "--prepend", "x/"], ["a", "b1", "x/b1", "x/b2"]),
        (["--prefix", "b{", "--sync"], ["a", "b1", "b{1,2}", "x/b1", "x/b2"]),
        (["--sync", "--force", "--latest", "--all", "--num-workers", "2", "--cont-on-err"],
         ["a", "b1", "b2", "b{1,2}"]),
    ):  # fmt: skip
        ais("cp", bck, "ais://new", "--wait", *words)
        assert names(own, "new") == expected


def test_what_was_passed_over_is_told(ais: Ais, own: Node, bck: str) -> None:
    fill(own, "a", "b")
    words = ["cp", bck, "ais://new", "--list", "a,none,b", "--cont-on-err", "--wait"]
    done = ais(*words, code=1)
    assert done.stdout.endswith("Done: 2 objects (2B).\n")
    expected = 'Error: 1 errors: ais://abc/none: object "abc/none" does not exist\n'
    assert done.stderr == expected
    assert names(own, "new") == ["a", "b"]


def test_a_bucket_of_a_namespace_and_a_progress_bar(ais: Ais, own: Node, bck: str) -> None:
    fill(own, "a", "b")
    ais("create", "ais://#ns/new")
    try:
        ais("cp", bck, "ais://#ns/new", "--list", "a", "--wait")
        done = ais("cp", bck, "ais://#ns/new", "--progress")
        assert "copy-bucket: 2.00B" in done.stderr
        assert "b " in ais("ls", "ais://#ns/new").stdout
    finally:
        ais("bucket", "rm", "ais://#ns/new", "--yes")


def test_a_dry_run_copies_nothing(ais: Ais, own: Node, bck: str) -> None:
    fill(own, "a", "b", "bb")
    told = ais("cp", bck, "ais://new", "--dry-run").stdout
    assert told == "[DRY RUN] 3 objects (4B) would be copied: ais://abc to ais://new\n"
    told = ais("cp", f"{bck}/a", "ais://new", "--dry-run").stdout
    assert told == "[DRY RUN] copy ais://abc/a => ais://new/a\n"
    assert "ais://new" not in ais("ls", "ais:").stdout


def test_one_object_is_copied_by_its_name(ais: Ais, own: Node, bck: str) -> None:
    fill(own, "dir/a")
    ais("create", "ais://new")
    for to, key in (("ais://new", "dir/a"), ("ais://new/x/", "x/a"), ("ais://new/y", "y")):
        told = ais("cp", f"{bck}/dir/a", to).stdout
        assert told == f"copied ais://abc/dir/a => ais://new/{key}\n"
        assert body(own, "new", key) == "dir/a"
    error = ais("cp", f"{bck}/none", "ais://new", code=1).stderr
    assert error == 'Error: object "ais://abc/none" does not exist\n'


def test_a_name_that_may_be_a_prefix_too_has_to_be_made_clear(
    ais: Ais, own: Node, bck: str
) -> None:
    fill(own, "aa", "aab", "c/1", "c/2")
    for words in (["object", "rm", f"{bck}/aa"], ["cp", f"{bck}/aa", "ais://new"]):
        error = ais(*words, code=1).stderr
        assert error.endswith("(tip: to disambiguate, use either --nr or --prefix)\n")
    assert ais("rmo", f"{bck}/aa", "--nr").stdout == 'deleted "aa" from ais://abc\n'
    assert ais("rmo", f"{bck}/aab").stdout == 'deleted "aab" from ais://abc\n'
    ais("cp", f"{bck}/c/", "ais://new", "--wait")
    assert names(own, "new") == ["c/1", "c/2"]
    ais("rmo", f"{bck}/c/", "--yes", "--wait")
    assert names(own, "abc") == []


def test_many_are_removed(ais: Ais, own: Node, bck: str) -> None:
    fill(own, "a", "b1", "b2", "c", "d")
    for words, left in (
        (["--list", "a,none"], ["b1", "b2", "c", "d"]),
        (["--template", "b{1..9}"], ["c", "d"]),
        (["--prefix", "c"], ["d"]),
        (["--all"], []),
    ):
        ais("object", "rm", bck, *words, "--yes", "--wait")
        assert names(own, "abc") == left


def test_a_dry_run_removes_nothing(ais: Ais, own: Node, bck: str) -> None:
    fill(own, "a", "b")
    for words, told in (
        (["--all"], ["a", "b"]),
        (["--prefix", "b"], ["b"]),
        (["--list", "a,c"], ["a", "c"]),
        (["--template", "{a..c}"], ["a", "b", "c"]),
    ):
        text = ais("object", "rm", bck, *words, "--dry-run").stdout
        assert text.splitlines() == [f"[DRY RUN] remove ais://abc/{name}" for name in told]
    assert names(own, "abc") == ["a", "b"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["object", "rm", "ais://abc"], "which objects? --all removes all of them"),
        (["object", "rm", "ais://abc", "--all"], "There is nobody to ask; --yes says so"),
        (["object", "rm", "ais://abc", "--all", "--list", "a", "-y"], "either all"),
        (["object", "rm", "ais://abc/a", "--all", "-y"], "either all"),
        (["object", "rm", "ais://abc/a", "--list", "b"], "both ais://abc/a and --list"),
        (["object", "rm", "ais://abc", "--list", "a", "--prefix", "b"], "not allowed with"),
        (["object", "rm", "ais://abc", "--list", ","], "--list names no object"),
        (["object", "rm", "ais://abc", "--prefix", "*", "-y"], "say --all"),
        (["object", "rm", "ais://abc", "--template", "{1..2", "-y"], "bad template"),
        (["object", "rm", "ais://abc", "--template", "{1..2", "--dry-run"], "bad template"),
        (["object", "rm", "ais://abc/none"], '"ais://abc/none" does not exist'),
        (["object", "rm", "ais:"], "names no bucket"),
        (["cp", "ais://abc", "ais://abc"], "cannot copy ais://abc onto itself"),
        (["cp", "ais://abc", "ais://new/x"], "many objects go to a bucket"),
        (["cp", "ais://abc", "ais:"], "names no bucket"),
        (["cp", "ais://none", "ais://new"], '"ais://none" does not exist'),
        (["cp", "ais://abc", "ais://new", "--list", "a,none", "--wait"], "ais://abc/none: object"),
        (["prefetch", "ais://abc", "--prefix", "a"], "ais://abc: it is not a remote bucket"),
        (["prefetch", "ais://abc/a"], "ais://abc: it is not a remote bucket"),
        (["evict", "ais://abc"], "evict ais://abc: it is not a remote bucket"),
        (["evict", "ais://abc", "--list", "a"], "ais://abc: it is not a remote bucket"),
        (["blob-download", "ais://abc/a"], "ais://abc: it is not a remote bucket"),
        (["promote", "dir", "ais://abc"], "not an absolute path"),
        (["promote", "/etc/passwd", "ais://abc"], "this node promotes no files"),
        (["promote", "/etc", "ais://abc", "--delete-src"], "There is nobody to ask"),
    ],
)
def test_what_cannot_be_is_told(ais: Ais, own: Node, bck: str, words: list[str], text: str) -> None:
    fill(own, "a")
    error = ais(*words, code=1).stderr
    assert text in error
    assert names(own, "abc") == ["a"]


@pytest.mark.parametrize(("answer", "left"), [(b"y\n", []), (b"n\n", ["a", "ab"])])
def test_on_a_terminal_removing_many_asks(
    ais: Ais, bck: str, own: Node, answer: bytes, left: list[str]
) -> None:
    fill(own, "a", "ab")
    mine, its = pty.openpty()
    child = subprocess.Popen(
        [str(BIN / "ais"), "object", "rm", bck, "--prefix", "a", "--wait"],
        stdin=its, stdout=its, stderr=its, env=environment(own),
    )  # fmt: skip
    os.close(its)
    shown = b""
    try:
        deadline = time.monotonic() + 90
        while b"[Y/N]: " not in shown and time.monotonic() < deadline:
            shown += os.read(mine, 1000)
        assert b'Remove prefix "a" from ais://abc?' in shown
        os.write(mine, answer)
        assert child.wait(30) == (0 if not left else 1)
    finally:
        child.kill()
        os.close(mine)
    assert names(own, "abc") == left


def test_files_are_promoted(tmp_path: Path) -> None:
    top = tmp_path / "in"
    (top / "sub").mkdir(parents=True)
    (top / "a").write_text("1")
    (top / "sub" / "b").write_text("22")
    node = Node(tmp_path / "data", workers=1, options=["--promote-dir", str(top)]).start()
    try:

        def ais(*words: str) -> str:
            return subprocess.run(
                [str(BIN / "ais"), *words], env=environment(node), check=True,
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
            ).stdout  # fmt: skip

        ais("create", "ais://abc")
        told = ais("promote", str(top), "ais://abc/x/", "-r", "--delete-src", "--yes", "--wait")
        assert told.endswith(" ...\nDone: 2 objects (3B).\n")
        assert told.startswith("promote-files[")
        assert ais("get", "ais://abc/x/sub/b", "-") == "22"
        assert sorted(path.name for path in top.rglob("*")) == ["sub"]
    finally:
        assert node.stop() == 0, node.log_tail()


def test_the_page_shows_what_happens(ais: Ais, own: Node, tmp_path: Path) -> None:
    assert replay(DOCS / "bulk.md", own, tmp_path) > 5
    assert ais("ls", "ais://xyz").stdout == ""
