"""`ais` on a terminal: prompts, progress bars and Ctrl-C, through a pseudo-terminal."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from tests.cli.conftest import Ais, environment
from tests.harness import BIN, Node

Terminal = Callable[..., "pexpect.spawn[str]"]
SECONDS = 60
MANY = 120


@pytest.fixture
def terminal(own: Node, tmp_path: Path) -> Iterator[Terminal]:
    """Run `ais` on a terminal of its own."""
    running: list[pexpect.spawn[str]] = []

    def run(*words: str) -> pexpect.spawn[str]:
        child = pexpect.spawn(
            str(BIN / "ais"),
            list(words),
            cwd=str(tmp_path),
            env=environment(own, TERM="xterm"),
            encoding="utf-8",
            timeout=SECONDS,
            dimensions=(24, 100),
        )
        running.append(child)
        return child

    yield run
    for child in running:
        child.close(force=True)


def ended(child: pexpect.spawn[str]) -> tuple[int | None, str]:
    """The exit code of what has run to its end, and the rest of what it printed."""
    child.expect(pexpect.EOF)
    rest = child.before or ""
    child.close()
    return child.exitstatus, rest


@pytest.fixture
def many(tmp_path: Path) -> int:
    """Enough small files in `many` for a progress bar."""
    (tmp_path / "many").mkdir()
    for number in range(MANY):
        (tmp_path / "many" / f"{number:03}").write_bytes(b"x" * 1000)
    return MANY


def test_many_files_show_a_bar_on_a_terminal(
    terminal: Terminal, bck: str, tmp_path: Path, many: int
) -> None:
    code, shown = ended(terminal("put", "-r", "many", bck))
    assert code == 0
    assert "PUT: 100%" in shown
    assert "B/s" in shown
    assert f"{many}/{many} files" in shown
    assert shown.splitlines()[-1] == "PUT 120 files (117.19KiB) => ais://abc"
    code, shown = ended(terminal("get", bck, "out", "--all"))
    assert (code, "GET: 100%" in shown) == (0, True)
    assert len(os.listdir(tmp_path / "out")) == many


def test_a_bar_is_shown_or_not_as_it_is_asked_for(
    ais: Ais, terminal: Terminal, bck: str, many: int, tmp_path: Path
) -> None:
    _, shown = ended(terminal("put", "many/000", bck))
    assert shown == ""
    _, shown = ended(terminal("put", "many/000", bck, "--progress", "--refresh", "10ms"))
    assert "PUT: 100%" in shown
    _, shown = ended(terminal("put", "-r", "many", bck, "--no-progress"))
    assert shown.splitlines() == ["PUT 120 files (117.19KiB) => ais://abc"]
    assert ais("get", bck, "out", "--all").stderr == ""
    assert "GET: 100%" in ais("get", bck, "out", "--all", "--progress").stderr
    assert "--refresh" in ais("put", "many/000", bck, "--refresh", "soon", code=1).stderr


def test_names_are_printed_above_the_bar(terminal: Terminal, bck: str, many: int) -> None:
    code, shown = ended(terminal("put", "-r", "many", bck, "-v"))
    assert code == 0
    assert shown.count('PUT "many/') == many
    assert "PUT: 100%" in shown


def test_an_overwrite_is_asked_for(ais: Ais, terminal: Terminal, bck: str, tmp_path: Path) -> None:
    ais("put", "-", f"{bck}/a", input="new")
    ais("put", "-", f"{bck}/b", input="new")
    (tmp_path / "a").write_text("old")
    child = terminal("get", f"{bck}/a")
    child.expect(r'Overwrite "\./a"\? \[Y/N\]: |Overwrite "a"\? \[Y/N\]: ')
    child.sendline("n")
    code, shown = ended(child)
    assert code == 1
    assert "left as before" in shown
    assert (tmp_path / "a").read_text() == "old"
    (tmp_path / "b").write_text("old")
    child = terminal("get", bck, "--all")
    child.expect(r"Overwrite 2 files\? \[Y/N\]: ")
    child.sendline("y")
    assert ended(child)[0] == 0
    assert (tmp_path / "a").read_text() == (tmp_path / "b").read_text() == "new"
    (tmp_path / "a").write_text("old")
    assert ended(terminal("get", f"{bck}/a", "--yes")) == (0, "")
    assert (tmp_path / "a").read_text() == "new"


def test_what_destroys_asks(ais: Ais, terminal: Terminal, bck: str) -> None:
    ais("put", "-", f"{bck}/a", input="x")
    child = terminal("bucket", "rm", bck)
    child.expect(r"\? \[[yY]/[nN]\]:? ")
    child.sendline("")
    code, _ = ended(child)
    assert code == 1
    assert bck in ais("ls", "ais:").stdout
    child = terminal("bucket", "rm", bck)
    child.expect(r"\? \[[yY]/[nN]\]:? ")
    child.sendline("y")
    assert ended(child)[0] == 0
    assert bck not in ais("ls", "ais:").stdout


@pytest.mark.parametrize("words", [["put", "-"], ["get", "ais://abc/large", "out"]])
def test_ctrl_c_ends_a_transfer(
    ais: Ais, terminal: Terminal, bck: str, tmp_path: Path, words: list[str]
) -> None:
    if words[0] == "put":  # waits for what is typed
        child = terminal("put", "-", f"{bck}/typed", "--progress")
        child.sendline("some text")
        child.expect("PUT: ")
    else:
        with (tmp_path / "large").open("wb") as file:
            file.truncate(96 << 20)
        ais("put", "large", bck)
        child = terminal(*words)
        child.expect("GET: ")
    child.sendintr()
    code, shown = ended(child)
    if code != 0:  # 0: the get was done first
        assert code == 130
        assert "Traceback" not in shown
        assert ais("ls", bck, "-H", "--name-only").stdout.split() == (
            [] if words[0] == "put" else ["large"]
        )
        assert sorted(os.listdir(tmp_path)) == ([] if words[0] == "put" else ["large"])
