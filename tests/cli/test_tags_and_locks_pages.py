"""docs/tagging.md and docs/object-lock.md hold: their commands show what they show."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.consoles import DOCS, aws_of, replay
from tests.harness import Node


@pytest.mark.parametrize(("page", "commands"), [("tagging.md", 12), ("object-lock.md", 13)])
def test_the_page_runs_as_it_is_written(tmp_path: Path, page: str, commands: int) -> None:
    node = Node(tmp_path / "data", workers=1).start()
    try:
        assert replay(DOCS / page, node, tmp_path, **aws_of(node)) == commands
        assert node.stop() == 0, node.log_tail()
    finally:
        if node.running:
            node.kill()
