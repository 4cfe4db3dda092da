"""docs/cli.md holds: every command is in it, and what its consoles show is what happens."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from aisle.cli.commands import COMMANDS
from tests.cli.conftest import Ais, environment
from tests.harness import Node

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def sessions(text: str) -> Iterator[tuple[str, str]]:
    """Each command of the page's consoles, with the output shown below it."""
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def matches(shown: str, real: str) -> bool:
    """Whether `real` is what is shown; `...` stands for anything within a line."""
    pattern = ".+?".join(re.escape(part) for part in shown.split("..."))
    return re.fullmatch(pattern, real) is not None


def test_every_command_is_on_the_page_by_every_name() -> None:
    text = PAGE.read_text()
    for command in COMMANDS:
        for name in command.names:
            assert f"ais {name}" in text


def test_every_console_shows_what_happens(ais: Ais, own: Node, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(b"r" * 10689)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "cat.png").write_bytes(b"c" * 2048)
    (tmp_path / "images" / "dog.png").write_bytes(b"d" * 1024)
    count = 0
    for command, shown in sessions(PAGE.read_text()):
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env=environment(own),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        assert matches(shown, done.stdout), f"$ {command}\n{done.stdout}"
        count += 1
    assert count > 20
    assert ais("ls").stdout == ""
