"""Granian is what serves; nothing may depend on it. The same application under uvicorn."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import boto3
import pytest
import uvicorn
from botocore.config import Config

from aisle.namespace.store import Store
from aisle.store.memory import MemoryBlobs, MemoryIndex
from tests.app.driver import app_over
from tests.namespace.support import pattern


@pytest.fixture
def served() -> Iterator[tuple[int, Store]]:
    """The port of the application under uvicorn, and its store."""
    store = Store(MemoryIndex(), MemoryBlobs())
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app_over(store), log_level="error", lifespan="on", server_header=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    assert server.started
    yield listener.getsockname()[1], store
    server.should_exit = True
    thread.join(10)
    listener.close()
    assert not thread.is_alive()


def test_boto3_stores_and_reads_through_uvicorn(served: tuple[int, Store]) -> None:
    port, _ = served
    client: Any = boto3.client(
        "s3",
        endpoint_url=f"http://localhost:{port}",
        region_name="us-east-1",
        aws_access_key_id="any",
        aws_secret_access_key="any",
        config=Config(s3={"addressing_style": "path"}),
    )
    try:
        client.create_bucket(Bucket="bucket")
        for key, size in (("a b+c%/ü", 5), ("//large", 5_000_000)):
            client.put_object(Bucket="bucket", Key=key, Body=pattern(size))
            assert client.get_object(Bucket="bucket", Key=key)["Body"].read() == pattern(size)
        listed = client.list_objects_v2(Bucket="bucket")
        assert [entry["Key"] for entry in listed["Contents"]] == ["//large", "a b+c%/ü"]
        with pytest.raises(client.exceptions.NoSuchKey):
            client.get_object(Bucket="bucket", Key="absent")
    finally:
        client.close()


def test_a_client_that_leaves_a_download_frees_it(served: tuple[int, Store]) -> None:
    port, store = served
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("PUT", "/bucket")
    connection.getresponse().read()
    connection.request("PUT", "/bucket/key", pattern(1 << 20) * 64)
    assert connection.getresponse().read() == b""
    connection.request("GET", "/bucket/key")
    assert connection.getresponse().read(1000) == pattern(1 << 20)[:1000]
    assert store.outgoing.active == 1
    connection.close()
    deadline = time.monotonic() + 60
    while store.outgoing.active and time.monotonic() < deadline:
        time.sleep(0.01)
    assert store.outgoing.active == 0


def test_an_upload_that_is_cut_off_stores_nothing(served: tuple[int, Store]) -> None:
    port, store = served
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("PUT", "/bucket")
    connection.getresponse().read()
    connection.putrequest("PUT", "/bucket/key")
    connection.putheader("Content-Length", "10000000")
    connection.endheaders(pattern(1 << 20))
    deadline = time.monotonic() + 60
    while not store.incoming.active and time.monotonic() < deadline:
        time.sleep(0.01)
    assert store.incoming.active == 1
    connection.close()
    while store.incoming.active and time.monotonic() < deadline:
        time.sleep(0.01)
    connection.request("GET", "/bucket/key")
    assert connection.getresponse().status == 404
    connection.close()
