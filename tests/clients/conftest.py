"""Fixtures of the client tests: a node with and one without authorisation, and shells."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.tools import Shell, aws_environment, rclone_environment
from tests.clients.walkthrough import LICENSE, README, Walk
from tests.conftest import empty_and_remove
from tests.harness import Node


@pytest.fixture(params=["auth on", "auth off"])
def any_node(request: pytest.FixtureRequest) -> Node:
    """Both kinds of node, one after the other: valid keys with the one, fake with the other."""
    name = "node" if request.param == "auth on" else "open_node"
    found: Node = request.getfixturevalue(name)
    return found


@pytest.fixture
def name(any_node: Node) -> Iterator[str]:
    """A bucket name that nobody has; what a test leaves under it is removed."""
    chosen = f"tool-{uuid.uuid4().hex[:12]}"
    yield chosen
    client = any_node.client()
    empty_and_remove(client, chosen)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def aws(tmp_path: Path, any_node: Node) -> Shell:
    """A shell in which `aws` has keys, but no endpoint."""
    return Shell(tmp_path, aws_environment(any_node))


@pytest.fixture
def rclone(tmp_path: Path, any_node: Node) -> Shell:
    """A shell in which rclone knows the node as `ais:`."""
    return Shell(tmp_path, rclone_environment(any_node))


@pytest.fixture
def walk(tmp_path: Path) -> Iterator[Walk]:
    """A node without authentication, and the reader's files."""
    node = Node(tmp_path / "data", auth=False, workers=1).start()
    walk = Walk(node, tmp_path / "home")
    walk.file("README.md", README)
    walk.file("LICENSE", LICENSE)
    yield walk
    assert node.stop() == 0, node.log_tail()
