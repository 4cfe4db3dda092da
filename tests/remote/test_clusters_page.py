"""docs/remote-clusters.md holds: its commands run, one after the other, as they are written."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.consoles import DOCS, replay
from tests.harness import Node

PAGE = DOCS / "remote-clusters.md"
_PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[Node, Node]]:
    running = [Node(tmp_path / name, workers=1, auth=False).start() for name in ("here", "there")]
    yield running[0], running[1]
    for one in running:
        assert one.stop() == 0, one.log_tail()


def test_the_page_runs_as_it_is_written(nodes: tuple[Node, Node], tmp_path: Path) -> None:
    here, there = nodes
    client = there.client()
    client.create_bucket(Bucket="demo")
    for key, body in (("a", b"first\n"), ("dir/b", b"other\n")):
        client.put_object(Bucket="demo", Key=key, Body=body)
    text = PAGE.read_text()
    for written, real in (
        ("10.0.0.1:8080", there.host),
        ("10.0.0.2:8080", f"127.0.0.1:{there.port}"),
        ("localhost:8080", here.host),
    ):
        text = text.replace(written, real)
    consoles, program, rest = _PYTHON.split(text)
    page = tmp_path / "page.md"
    page.write_text(consoles)
    count = replay(page, here, tmp_path)
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        exec(compile(program, str(PAGE), "exec"), {})
    assert told.getvalue() == "b'first\\n'\n"
    page.write_text(rest)
    assert count + replay(page, here, tmp_path) > 12
