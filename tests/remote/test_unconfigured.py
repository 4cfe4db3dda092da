"""A cluster that nobody has told of any cloud asks none, whatever buckets are named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import pytest

from tests.harness import Node


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    running = Node(tmp_path_factory.mktemp("alone") / "data", auth=False, workers=1).start()
    yield running
    assert running.stop() == 0, running.log_tail()
    shutil.rmtree(running.data)


@pytest.mark.parametrize("provider", ["aws", "gcp", "azure"])
def test_a_bucket_of_a_cloud_that_is_not_configured_does_not_exist(
    node: Node, provider: str
) -> None:
    for method, target in (
        ("HEAD", f"/v1/buckets/nobodys?provider={provider}"),
        ("GET", f"/v1/buckets/nobodys?provider={provider}"),
        ("GET", f"/v1/objects/nobodys/key?provider={provider}"),
        ("PUT", f"/v1/objects/nobodys/key?provider={provider}"),
        ("DELETE", f"/v1/objects/nobodys/key?provider={provider}"),
    ):
        reply = node.send(method, target)
        assert reply.status == 404, reply.body
        told = json.loads(reply.headers.get("hdr-error", "") or reply.body)
        assert told["message"] == f'bucket "{provider}://nobodys" does not exist'


def test_a_name_that_no_bucket_has_is_asked_of_nobody(node: Node) -> None:
    reply = node.send("GET", "/s3/nobodys")
    assert (reply.status, reply.code) == (404, "NoSuchBucket")


def test_a_window_can_be_made_without_a_look(node: Node) -> None:
    target = "/v1/buckets/mine?provider=aws&dont_head_remote_bck=true"
    body = json.dumps({"action": "create-bck"}).encode()
    assert node.send("POST", target, body=body).status == 200
    assert node.send("HEAD", "/v1/buckets/mine?provider=aws").status == 200
