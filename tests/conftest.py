"""Fixtures shared by the tests that speak to a running node.

`node` (authorisation on) and `open_node` (off) live for the whole session; a bucket lives for one
test and is removed with all that is in it. With `--deployment` both are clusters of two gateways,
and requests alternate between these.
"""

from __future__ import annotations

import os
import shutil
import signal
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import settings

from tests.cluster.cluster import Cluster
from tests.cluster.deployments import EMBEDDED, NAMES, Deployment
from tests.harness import Node
from tests.servers.postgres import Postgres

# How long an example takes says more of the machine than of the code. The same examples come each
# time, so that a run tells of the change it is for; with AISLE_EXPLORE=1 there are new ones.
settings.register_profile("aisle", deadline=None, derandomize="AISLE_EXPLORE" not in os.environ)
settings.load_profile("aisle")

# What a shell starts in the background has Ctrl-C ignored, and so has all that it starts in turn.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def empty_and_remove(client: Any, bucket: str) -> None:
    """Remove `bucket`, its objects and its unfinished uploads; an absent bucket is fine."""
    try:
        for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
            for upload in page.get("Uploads", []):
                client.abort_multipart_upload(
                    Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                )
        # One by one: a key with control characters cannot be named in DeleteObjects' XML.
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for entry in page.get("Contents", []):
                client.delete_object(Bucket=bucket, Key=entry["Key"])
        try:
            client.delete_bucket(Bucket=bucket)
        except client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != "BucketNotEmpty":
                raise
            remove_versions(client, bucket)
            client.delete_bucket(Bucket=bucket)
    except client.exceptions.NoSuchBucket:
        pass


def remove_versions(client: Any, bucket: str) -> None:
    """Remove all versions and delete markers that are in a bucket."""
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            client.delete_object(Bucket=bucket, Key=entry["Key"], VersionId=entry["VersionId"])


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--deployment",
        choices=NAMES,
        default=EMBEDDED,
        help="what `node` and `open_node` are: one node, or two gateways over these engines",
    )
    parser.addoption(
        "--sdk-scheme",
        choices=("http", "https"),
        default="http",
        help="what tests/sdk speaks to its node; over HTTPS the SDK sends every body in two steps",
    )


@pytest.fixture(scope="session")
def deployment(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """Where `node` and `open_node` come from."""
    chosen = Deployment(request.config.getoption("deployment"), tmp_path_factory.mktemp("engines"))
    yield chosen
    chosen.close()


@pytest.fixture(scope="session")
def node(
    deployment: Deployment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Node | Cluster]:
    """A node with authorisation on."""
    running = deployment.start(tmp_path_factory.mktemp("node") / "data")
    yield running
    assert running.stop() == 0, running.log_tail()
    shutil.rmtree(running.data)  # pytest keeps the directories of three runs


@pytest.fixture(scope="session")
def open_node(
    deployment: Deployment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Node | Cluster]:
    """A node with authorisation off: any credentials, or none, are accepted."""
    running = deployment.start(tmp_path_factory.mktemp("open") / "data", auth=False)
    yield running
    assert running.stop() == 0, running.log_tail()
    shutil.rmtree(running.data)  # pytest keeps the directories of three runs


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL of a module's own."""
    server = Postgres().start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def s3(node: Node) -> Any:
    """A boto3 client of `node`, path style under `/s3`."""
    return node.client(s3={"addressing_style": "path"})


@pytest.fixture(scope="session")
def open_s3(open_node: Node) -> Any:
    """A boto3 client of `open_node` with keys that nobody knows."""
    return open_node.client(access_key="FAKEKEY", secret_key="FAKESECRET")


@pytest.fixture
def make_bucket(s3: Any) -> Iterator[Callable[..., str]]:
    """A function that makes a fresh bucket on `node`; all of them are removed afterwards."""
    made: list[str] = []

    def make(prefix: str = "test", **parameters: Any) -> str:
        name = f"{prefix}-{uuid.uuid4().hex[:12]}"
        s3.create_bucket(Bucket=name, **parameters)
        made.append(name)
        return name

    yield make
    for name in made:
        empty_and_remove(s3, name)


@pytest.fixture
def bucket(make_bucket: Callable[..., str]) -> str:
    """A fresh bucket on `node`."""
    return make_bucket()


@pytest.fixture
def open_bucket(open_s3: Any) -> Iterator[str]:
    """A fresh bucket on `open_node`."""
    name = f"open-{uuid.uuid4().hex[:12]}"
    open_s3.create_bucket(Bucket=name)
    yield name
    empty_and_remove(open_s3, name)
