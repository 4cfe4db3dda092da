"""Two gateways over PostgreSQL: a remote bucket that one is told of, the other has as well."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster import Cluster, Engines, Gateway, wait_until
from tests.conftest import empty_and_remove
from tests.harness import ACCESS_KEY, SECRET_KEY, Node, Reply
from tests.native.support import act
from tests.servers.postgres import Postgres


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node with the bucket `remote`, and an object in it."""
    running = Node(tmp_path_factory.mktemp("origin") / "data", workers=1).start()
    client = running.client()
    client.create_bucket(Bucket="remote")
    client.put_object(Bucket="remote", Key="key", Body=b"body")
    yield running
    empty_and_remove(client, "remote")
    assert running.stop() == 0, running.log_tail()


@pytest.fixture(scope="module")
def cluster(
    origin: Node, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    directory: Path = tmp_path_factory.mktemp("windows")
    shared = ("--index", postgres.create_database(), "--mountpath", str(directory / "shared"))
    environment = {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "S3_ENDPOINT": origin.root,
    }
    running = Cluster(directory / "cluster", Engines(shared, environment))
    try:
        yield running.start()
    finally:
        running.kill()


def get(gateway: Gateway, bucket: str) -> Reply:
    return gateway.send("GET", f"/s3/{bucket}/key")


def status(gateway: Gateway, bucket: str, expected: int) -> bool:
    return get(gateway, bucket).status == expected


def await_status(gateway: Gateway, bucket: str, expected: int) -> None:
    wait_until(
        partial(status, gateway, bucket, expected), f"{gateway.name} says {expected} of {bucket}"
    )


def props(gateway: Gateway, bucket: str) -> Any:
    return json.loads(act(gateway, "HEAD", f"/v1/buckets/{bucket}").headers["ais-bucket-props"])


def test_a_bucket_that_one_gateway_adds_is_there_at_the_other(cluster: Cluster) -> None:
    first, second = cluster.gateways
    assert get(first, "remote").body == b"body"
    assert get(second, "remote").body == b"body"
    found = json.loads(act(second, "GET", "/v1/buckets?presence=2", "list").body)
    assert ("remote", "aws") in [(row["name"], row["provider"]) for row in found]


def test_a_backend_is_switched_everywhere(cluster: Cluster) -> None:
    for gateway, other in (cluster.gateways, cluster.gateways[::-1]):
        assert act(gateway, "PUT", "/v1/cluster/disable-bend/aws").status == 200
        assert status(gateway, "remote", 400)
        await_status(other, "remote", 400)
        assert act(gateway, "PUT", "/v1/cluster/enable-bend/aws").status == 200
        assert status(gateway, "remote", 200)
        await_status(other, "remote", 200)


def test_what_is_attached_at_one_gateway_is_behind_the_bucket_at_the_other(
    cluster: Cluster,
) -> None:
    first, second = cluster.gateways
    assert act(first, "POST", "/v1/buckets/front", "create-bck").status == 200
    await_status(second, "front", 404)
    value = {"backend_bck": "aws://remote"}
    assert act(first, "PATCH", "/v1/buckets/front", "set-bprops", value).status == 200
    await_status(second, "front", 200)
    assert props(second, "front")["backend_bck"]["name"] == "remote"
    # Written at the gateway that may not have heard of it, it goes where it belongs.
    assert act(first, "PATCH", "/v1/buckets/front", "set-bprops", {"backend_bck": "none"}).status
    written = second.send("PUT", "/s3/front/mine", body=b"own")
    assert written.status == 200
    assert first.send("GET", "/s3/front/mine").body == b"own"
    assert first.send("GET", "/s3/remote/mine").status == 404
    await_status(second, "front", 404)


def test_tokens_of_one_gateway_go_on_at_the_other(cluster: Cluster, origin: Node) -> None:
    client = origin.client()
    for number in range(7):
        client.put_object(Bucket="remote", Key=f"k{number}", Body=b"")
    found, token = list[str](), ""
    for gateway in cluster.gateways * 2:
        value = {"pagesize": 2, "continuation_token": token}
        reply = act(gateway, "GET", "/v1/buckets/remote?provider=aws", "list", value)
        page = json.loads(reply.body)
        found += [entry["name"] for entry in page["entries"]]
        token = page["continuation_token"]
    assert (found, token) == ([*(f"k{number}" for number in range(7)), "key"], "")
