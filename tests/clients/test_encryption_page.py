"""docs/encryption.md holds: its commands run, one after the other, as they are written."""

from __future__ import annotations

from pathlib import Path

from tests.cli.consoles import DOCS, aws_of, replay
from tests.harness import Node

PAGE = DOCS / "encryption.md"


def test_the_page_runs_as_it_is_written(tmp_path: Path) -> None:
    file, page = tmp_path / "keys", tmp_path / "page.md"
    options = ["--key-ring-file", str(file)]
    node = Node(tmp_path / "data", workers=1, options=options)
    text = PAGE.read_text().replace("/etc/aisle/keys", str(file))
    assert f"--key-ring-file {file}" in text
    making, using = text.split("## The default")
    (tmp_path / "report.csv").write_bytes(b"a,b\n" * 50_000)
    page.write_text(making)
    count = replay(page, node, tmp_path)
    with node:
        page.write_text(using)
        count += replay(page, node, tmp_path, **aws_of(node))
    assert count == 14
