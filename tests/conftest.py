"""Fixtures shared by the tests that speak to a running node.

`node` (authorisation on) and `open_node` (off) live for the whole session; a bucket lives for one
test and is removed with all that is in it.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.harness import Node


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
        client.delete_bucket(Bucket=bucket)
    except client.exceptions.NoSuchBucket:
        pass


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node with authorisation on."""
    running = Node(tmp_path_factory.mktemp("node") / "data").start()
    yield running
    assert running.stop() == 0, running.log_tail()
    shutil.rmtree(running.data)  # pytest keeps the directories of three runs


@pytest.fixture(scope="session")
def open_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node with authorisation off: any credentials, or none, are accepted."""
    running = Node(tmp_path_factory.mktemp("open") / "data", auth=False).start()
    yield running
    assert running.stop() == 0, running.log_tail()
    shutil.rmtree(running.data)  # pytest keeps the directories of three runs


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
