"""Two real nodes. `east` has the buckets, with authorisation on; `west` is attached to it through a
proxy, has a token of its own in a file, and has windows on them.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import empty_and_remove
from tests.harness import Node
from tests.remote.clusters.requests import Space, attach
from tests.servers.clusters import token_of
from tests.servers.faults import FaultProxy


@pytest.fixture(scope="package")
def east(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    running = Node(tmp_path_factory.mktemp("east") / "data", workers=1).start()
    yield running
    assert running.stop() == 0, running.log_tail()


@pytest.fixture(scope="package")
def proxy(east: Node) -> Iterator[FaultProxy]:
    with FaultProxy(east.port) as running:
        yield running


@pytest.fixture(scope="package")
def token_file(east: Node, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("token") / "auth.token"
    path.write_text(json.dumps({"token": token_of(east)}))
    return path


@pytest.fixture(scope="package")
def attached_west(
    proxy: FaultProxy, token_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Node]:
    environment = {"AIS_REMOTE_TOKEN_FILE_EAST": str(token_file)}
    data = tmp_path_factory.mktemp("west") / "data"
    running = Node(data, auth=False, environment=environment).start()
    reply = attach(running, "east", proxy.endpoint)
    assert reply.status == 200, reply.body
    yield running
    assert running.stop() == 0, running.log_tail()


@pytest.fixture
def west(attached_west: Node, proxy: FaultProxy) -> Iterator[Node]:
    proxy.reset()
    yield attached_west
    proxy.reset()


@pytest.fixture(scope="package")
def third(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """One more cluster, that a test attaches and detaches."""
    running = Node(tmp_path_factory.mktemp("third") / "data", workers=1, auth=False).start()
    yield running
    assert running.stop() == 0, running.log_tail()


@pytest.fixture
def bucket(east: Node, west: Node) -> Iterator[str]:
    """A bucket of the east; a window on it comes with its first use."""
    name = f"far-{uuid.uuid4().hex[:12]}"
    client = east.client()
    client.create_bucket(Bucket=name)
    yield name
    Space(west, name).bucket("DELETE", "evict-remote-bck")
    empty_and_remove(client, name)
