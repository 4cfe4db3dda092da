"""boto3 beyond its plain calls: the transfer manager and the resource interface.

The examples of the documents are run as written in `test_walkthrough_boto3`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from boto3.s3.transfer import TransferConfig

from tests.clients.tools import MIB, credentials, digest
from tests.conftest import empty_and_remove
from tests.harness import Node


@pytest.fixture
def client(any_node: Node) -> Iterator[Any]:
    """The client of the section "Client Initialization"."""
    access, secret = credentials(any_node)
    client = boto3.client(
        "s3",
        region_name="us-east-1",  # Any valid region will work
        endpoint_url=f"http://localhost:{any_node.port}/s3",  # Your AIStore endpoint
        aws_access_key_id=access,  # Can be dummy values when
        aws_secret_access_key=secret,  # AIS auth is disabled
    )
    yield client
    empty_and_remove(client, "my-bucket")
    client.close()


def test_the_transfer_manager_moves_a_file_in_threads(client: Any, tmp_path: Path) -> None:
    client.create_bucket(Bucket="my-bucket")
    source, back = tmp_path / "source", tmp_path / "back"
    source.write_bytes(os.urandom(MIB) * 41 + b"tail")
    config = TransferConfig(
        multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB, max_concurrency=10
    )
    seen, lock = [0], threading.Lock()

    def progress(count: int) -> None:
        with lock:
            seen[0] += count

    client.upload_file(
        str(source), "my-bucket", "k", Config=config, Callback=progress,
        ExtraArgs={"Metadata": {"a": "1"}, "ContentType": "a/b"},
    )  # fmt: skip
    assert seen[0] == source.stat().st_size
    head = client.head_object(Bucket="my-bucket", Key="k")
    assert (head["Metadata"], head["ContentType"]) == ({"a": "1"}, "a/b")
    assert head["ETag"].endswith('-9"')
    client.download_file("my-bucket", "k", str(back), Config=config)
    assert digest(back) == digest(source)
    client.copy({"Bucket": "my-bucket", "Key": "k"}, "my-bucket", "copy", Config=config)
    with back.open("wb") as file:
        client.download_fileobj("my-bucket", "copy", file, Config=config)
    assert digest(back) == digest(source)


def test_the_resource_interface_works(any_node: Node, client: Any) -> None:
    access, secret = credentials(any_node)
    resource = boto3.resource(
        "s3",
        endpoint_url=any_node.endpoint,
        region_name="us-east-1",
        aws_access_key_id=access,
        aws_secret_access_key=secret,
    )
    bucket = resource.Bucket("my-bucket")
    bucket.create()
    for number in range(3):
        bucket.put_object(Key=f"k{number}", Body=b"x")
    assert [entry.key for entry in bucket.objects.all()] == ["k0", "k1", "k2"]
    bucket.objects.all().delete()
    bucket.delete()
    resource.meta.client.close()
