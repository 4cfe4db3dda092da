"""docs/users.md holds: its commands and examples run, one after the other, as they are written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.cli.consoles import DOCS, replay
from tests.harness import Node

PAGE = DOCS / "users.md"
_PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Node]:
    running = Node(tmp_path / "data", workers=1).start()
    yield running
    assert running.stop() == 0, running.log_tail()


def test_the_page_runs_as_it_is_written(
    fresh: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = PAGE.read_text().replace("localhost:8080", fresh.host)
    made: list[Any] = []
    client = boto3.client

    def kept(*words: Any, **options: Any) -> Any:
        made.append(client(*words, **options))
        return made[-1]

    monkeypatch.setattr(boto3, "client", kept)
    scope: dict[str, Any] = {}
    count = 0
    # Consoles and programs in turn: each goes on from what the one before has left.
    pieces = _PYTHON.split(text)
    page = tmp_path / "page.md"
    for console, program in zip(pieces[::2], [*pieces[1::2], ""], strict=True):
        page.write_text(console)
        count += replay(page, fresh, tmp_path)
        exec(compile(program, str(PAGE), "exec"), scope)
    assert count > 25
    for one in made:
        one.close()
