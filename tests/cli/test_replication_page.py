"""The page on replication shows what happens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.consoles import DOCS, aws_of, replay, write_samples
from tests.harness import Node


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Node]:
    """A node whose buckets are those of the page alone."""
    node = Node(tmp_path / "data", auth=False).start()
    yield node
    assert node.stop() == 0, node.log_tail()


def test_the_page_shows_what_happens(own: Node, tmp_path: Path) -> None:
    write_samples(tmp_path)
    assert replay(DOCS / "replication.md", own, tmp_path, **aws_of(own)) == 10
