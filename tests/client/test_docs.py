"""docs/client.md holds: its examples run, one after the other, as they are written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from aisle import client as package
from tests.harness import ACCESS_KEY, SECRET_KEY, Node

PAGE = Path(__file__).parents[2] / "docs" / "client.md"


def test_the_examples_run(own: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(examples) > 4
    monkeypatch.chdir(tmp_path)
    scope: dict[str, Any] = {}
    keys = f"keys=Keys({ACCESS_KEY!r}, {SECRET_KEY!r})"
    exec("from aisle.client import Keys", scope)
    for example in examples:
        there = example.replace('"http://localhost:8080"', f'"{own.root}", {keys}')
        exec(compile(there, str(PAGE), "exec"), scope)
    with package.Client(own.root, keys=package.Keys(ACCESS_KEY, SECRET_KEY)) as client:
        assert client.buckets() == []


def test_what_is_public_is_there() -> None:
    for name in package.__all__:
        assert getattr(package, name).__doc__
    with pytest.raises(AttributeError, match="nothing"):
        _ = package.nothing
