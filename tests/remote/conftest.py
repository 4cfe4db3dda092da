"""A node with windows on real remote buckets: a second Aisle node, and moto's server.

`origin` is the second node, with authorisation on; `faults` is a proxy in front of it through which
`cache`, the node under test, reaches it, so that requests can be counted and go wrong. `window`
makes a bucket at the origin and a window of the same name on it.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import empty_and_remove
from tests.harness import ACCESS_KEY, SECRET_KEY, Node
from tests.remote.windows import Remote, make_window
from tests.servers.faults import FaultProxy
from tests.servers.moto import MotoServer
from tests.servers.moto import shared as shared_moto

CREDENTIALS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}


@pytest.fixture(scope="package")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """The node that has the remote buckets."""
    running = Node(tmp_path_factory.mktemp("origin") / "data").start()
    yield running
    assert running.stop() == 0, running.log_tail()
    shutil.rmtree(running.data)


@pytest.fixture(scope="package")
def faults_of_package(origin: Node) -> Iterator[FaultProxy]:
    with FaultProxy(origin.port) as proxy:
        yield proxy


@pytest.fixture
def faults(faults_of_package: FaultProxy) -> Iterator[FaultProxy]:
    """The proxy in front of the origin, as new."""
    faults_of_package.reset()
    yield faults_of_package
    faults_of_package.reset()


@pytest.fixture(scope="package")
def cache(
    faults_of_package: FaultProxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Node]:
    """The node under test, with authorisation off; its aws buckets are the origin's."""
    environment = {**CREDENTIALS, "S3_ENDPOINT": faults_of_package.endpoint}
    data: Path = tmp_path_factory.mktemp("cache") / "data"
    running = Node(data, auth=False, environment=environment).start()
    yield running
    assert running.stop() == 0, running.log_tail()
    shutil.rmtree(running.data)


@pytest.fixture(scope="session")
def moto() -> MotoServer:
    """moto's server, whose keys are `tests.servers.moto.KEYS`."""
    return shared_moto()


@pytest.fixture(scope="package")
def there(origin: Node) -> Any:
    """A boto3 client of the origin."""
    return origin.client()


@pytest.fixture(scope="package")
def here(cache: Node) -> Any:
    """A boto3 client of the node under test."""
    return cache.client()


@pytest.fixture
def window(cache: Node, there: Any, faults: FaultProxy) -> Iterator[Callable[..., Remote]]:
    """A function that makes a bucket at the origin and a window on it, for one test."""
    made: list[Remote] = []

    def make(prefix: str = "remote", **props: object) -> Remote:
        name = f"{prefix}-{uuid.uuid4().hex[:12]}"
        there.create_bucket(Bucket=name)
        remote = make_window(cache, there, name, props)
        made.append(remote)
        faults.reset()
        return remote

    yield make
    faults.reset()
    for remote in made:
        remote.remove()
        empty_and_remove(there, remote.name)
