"""docs/known-mistakes.md names tests that exist, and every target of the fuzzer."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "known-mistakes.md").read_text()


def test_every_row_names_tests_that_exist() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "Held by" not in line]
    assert len(rows) > 50
    for row in rows:
        named = re.findall(r"`(tests/\S+\.py)::(\w+)`", row)
        assert named or "*Not here*" in row, row
        for file, name in named:
            tree = ast.parse((ROOT / file).read_text())
            assert name in {f.name for f in tree.body if isinstance(f, ast.FunctionDef)}, row


def test_every_target_of_the_fuzzer_is_named() -> None:
    for name in TARGETS:
        assert f"`{name}`" in PAGE, name
