"""docs/caching.md holds: its commands run, one after the other, as they are written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.cli.consoles import DOCS, replay
from tests.conftest import empty_and_remove
from tests.harness import Node
from tests.remote.windows import make_window

PAGE = DOCS / "caching.md"


def test_the_page_runs_as_it_is_written(cache: Node, there: Any, tmp_path: Path) -> None:
    there.create_bucket(Bucket="photos")
    bodies = {"a.jpg": os.urandom(300 << 10), "b.jpg": os.urandom(20 << 20)}
    for key, body in bodies.items():
        there.put_object(Bucket="photos", Key=key, Body=body)
    remote = make_window(cache, there, "photos")
    try:
        text = PAGE.read_text().replace("localhost:8080", cache.host)
        page = tmp_path / "page.md"
        first, second = text.split("## Ranges")
        page.write_text(first)
        count = replay(page, cache, tmp_path)
        there.put_object(Bucket="photos", Key="big.bin", Body=b"0123456789" * 5_000_000)
        page.write_text(second)
        count += replay(page, cache, tmp_path)
        assert count > 6
        assert (tmp_path / "b.jpg").read_bytes() == bodies["b.jpg"]
    finally:
        remote.remove()
        empty_and_remove(there, "photos")
