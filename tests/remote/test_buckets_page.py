"""docs/remote-buckets.md holds: its commands run, one after the other, as they are written."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from tests.cli.consoles import DOCS, replay, write_samples
from tests.conftest import empty_and_remove
from tests.harness import Node
from tests.remote.conftest import CREDENTIALS


def test_the_page_runs_as_it_is_written(tmp_path: Path) -> None:
    origin = Node(tmp_path / "origin", workers=1).start()
    environment = {**CREDENTIALS, "S3_ENDPOINT": origin.root}
    node = Node(tmp_path / "node", auth=False, workers=1, environment=environment).start()
    there: Any = origin.client()
    try:
        for name in ("demo", "other"):
            there.create_bucket(Bucket=name)
        there.put_object(Bucket="demo", Key="images/cat.png", Body=b"c" * 2048)
        directory = tmp_path / "home"
        directory.mkdir()
        write_samples(directory)
        assert replay(DOCS / "remote-buckets.md", node, directory) == 20
        assert there.get_object(Bucket="demo", Key="README.md")["Body"].read() == b"r" * 10689
        for name in ("demo", "other"):
            empty_and_remove(there, name)
    finally:
        for running in (node, origin):
            assert running.stop() == 0, running.log_tail()
    shutil.rmtree(tmp_path)
