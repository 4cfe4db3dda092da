"""docs/remote-buckets-aws.md holds: its commands show what it shows, on two services at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backend.cases import write_profile
from tests.cli.consoles import DOCS, replay, write_samples
from tests.conftest import empty_and_remove
from tests.harness import ACCESS_KEY, SECRET_KEY, Node
from tests.servers import moto, s3

PAGE = DOCS / "remote-buckets-aws.md"


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Node]:
    """A node whose buckets are moto's unless they say something else."""
    here, there = moto.shared(), s3.shared()
    client, other = here.client(endpoint=here.root), there.client()
    client.create_bucket(Bucket="demo")
    other.create_bucket(Bucket="archive")
    other.put_object(Bucket="archive", Key="plan.txt", Body=b"p" * 100)
    write_profile(tmp_path, profile="archive", access=ACCESS_KEY, secret=SECRET_KEY)
    environment = {"S3_ENDPOINT": here.root, "AIS_S3_CONFIG_DIR": str(tmp_path), **moto.KEYS}
    running = Node(tmp_path / "data", workers=1, auth=False, environment=environment).start()
    yield running
    assert running.stop() == 0, running.log_tail()
    empty_and_remove(client, "demo")
    empty_and_remove(other, "archive")


def test_the_page_runs_as_it_is_written(cache: Node, tmp_path: Path) -> None:
    text = PAGE.read_text().replace("https://s3.example.com", s3.shared().root)
    page = tmp_path / "page.md"
    page.write_text(text)
    write_samples(tmp_path)
    assert replay(page, cache, tmp_path) == 8
