"""A node for the SDK, and a client of it with a bucket of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aistore import Client
from aistore.sdk.bucket import Bucket

from tests.harness import Node
from tests.servers.certificates import make

_numbers = itertools.count(1)


@contextmanager
def serving(directory: Path, scheme: str, *, auth: bool) -> Iterator[Node]:
    """A node, and what has the SDK trust it if it serves HTTPS."""
    tls = make(directory / "certificates") if scheme == "https" else None
    with pytest.MonkeyPatch.context() as patch:
        if tls is not None:
            patch.setenv("AIS_CLIENT_CA", str(tls.ca))
            # The library below the SDK prefers this to what its caller says.
            patch.setenv("REQUESTS_CA_BUNDLE", str(tls.ca))
        running = Node(directory / "data", auth=auth, workers=2, tls=tls).start()
        yield running
        assert running.stop() == 0, running.log_tail()


@pytest.fixture(scope="package")
def open_node(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Node]:
    """A node without authentication: the SDK knows tokens only.

    With `--sdk-scheme=https` it serves HTTPS, and every client trusts its authority.
    """
    scheme = request.config.getoption("--sdk-scheme")
    with serving(tmp_path_factory.mktemp("sdk"), scheme, auth=False) as running:
        yield running


@pytest.fixture
def client(open_node: Node) -> Client:
    return Client(open_node.root)


@pytest.fixture
def bucket(client: Client) -> Iterator[Bucket]:
    """A fresh bucket, destroyed in the end."""
    made = client.bucket(f"sdk-{next(_numbers)}").create()
    yield made
    made.delete(missing_ok=True)
