"""A node, clients of it, and a bucket of each test's own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from aisle.client import Bucket, Client, Keys
from tests.harness import ACCESS_KEY, SECRET_KEY, Node

_numbers = itertools.count(1)


@pytest.fixture(scope="package")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node with authorisation on that only these tests use."""
    running = Node(tmp_path_factory.mktemp("client") / "data", workers=2).start()
    yield running
    assert running.stop() == 0, running.log_tail()


@pytest.fixture
def client(own: Node) -> Iterator[Client]:
    with Client(own.root, keys=Keys(ACCESS_KEY, SECRET_KEY)) as made:
        yield made


@pytest.fixture
def bucket(client: Client) -> Iterator[Bucket]:
    """A fresh bucket, destroyed in the end."""
    made = client.bucket(f"client-{next(_numbers)}").create()
    yield made
    made.destroy(missing_ok=True)
