"""docs/versioning.md holds: its commands show what they show."""

from __future__ import annotations

from pathlib import Path

from tests.cli.consoles import DOCS, aws_of, replay
from tests.harness import ACCESS_KEY, SECRET_KEY, Node


def test_the_page_runs_as_it_is_written(tmp_path: Path) -> None:
    node = Node(tmp_path / "data", workers=1).start()
    try:
        configuration = (
            f"[default]\naccess_key = {ACCESS_KEY}\nsecret_key = {SECRET_KEY}\nuse_https = False\n"
            f"host_base = {node.host}\nhost_bucket = {node.host}/%(bucket)s\n"
        )
        (tmp_path / "s3cfg").write_text(configuration)
        more = {**aws_of(node), "S3CMD_CONFIG": str(tmp_path / "s3cfg")}
        assert replay(DOCS / "versioning.md", node, tmp_path, **more) == 12
        assert node.stop() == 0, node.log_tail()
    finally:
        if node.running:
            node.kill()
