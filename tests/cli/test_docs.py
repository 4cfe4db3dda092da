"""docs/cli.md holds: what its consoles show is what happens; and every command is documented."""

import re
from pathlib import Path

from aisle.cli.commands import COMMANDS
from tests.cli.conftest import Ais
from tests.cli.consoles import DOCS, replay, write_samples
from tests.harness import Node

REFERENCE = DOCS / "reference" / "commands.md"


def test_every_command_is_in_the_reference_by_every_name() -> None:
    text = REFERENCE.read_text()
    for command in COMMANDS:
        for name in command.names:
            assert re.search(rf"^## ais {name}$|`ais {name}`", text, re.MULTILINE), name


def test_every_console_shows_what_happens(ais: Ais, own: Node, tmp_path: Path) -> None:
    write_samples(tmp_path)
    assert replay(DOCS / "cli.md", own, tmp_path) > 20
    assert ais("ls").stdout == ""
