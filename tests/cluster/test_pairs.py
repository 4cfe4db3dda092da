"""Engines of both kinds together: the rows of one machine, the bytes in Ceph or in a bucket.

PostgreSQL with files on a shared file system is in test_nodes; with Ceph and S3 it is what the
whole suite of the wire runs on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cluster.deployments import BLOBS
from tests.harness import Node

SIZES = (0, 10, 300_000, 9 << 20)


@pytest.fixture(params=["postgres+rados", "postgres+s3"], ids=["rados", "s3"])
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Node]:
    """A node over SQLite whose blobs are where those of that deployment are."""
    with ExitStack() as stack:
        engines = BLOBS[request.param](tmp_path, stack)()
        running = Node(
            tmp_path / "data",
            workers=1,
            options=engines.options,
            environment=engines.environment,
        )
        stack.callback(running.kill)
        yield running.start()


def test_rows_here_and_bytes_there(node: Node) -> None:
    client = node.client()
    client.create_bucket(Bucket="pair")
    bodies = {f"k{size}": bytes([size % 251]) * size for size in SIZES}
    for key, body in bodies.items():
        client.put_object(Bucket="pair", Key=key, Body=body)
    node.restart()
    client = node.client()
    for key, body in bodies.items():
        assert client.get_object(Bucket="pair", Key=key)["Body"].read() == body
    assert not any((node.data / "disk").glob("**/*")), "no byte is kept on this machine"
    client.copy_object(Bucket="pair", Key="copy", CopySource=f"pair/k{SIZES[-1]}")
    client.delete_object(Bucket="pair", Key=f"k{SIZES[-1]}")
    copied = client.get_object(Bucket="pair", Key="copy", Range="bytes=100-199")["Body"].read()
    assert copied == bodies[f"k{SIZES[-1]}"][100:200]
