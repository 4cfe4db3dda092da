"""Namespaces over the native API: buckets of one name beside each other, and what S3 sees of it."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness import Node
from tests.native.support import act, message

SPACE = "%23ns"  # #ns


@pytest.fixture
def name(node: Node) -> Iterator[str]:
    """A bucket of this name in the namespace `ns`."""
    made = f"native-{uuid.uuid4().hex[:12]}"
    target = f"/v1/buckets/{made}?namespace={SPACE}"
    assert act(node, "POST", target, "create-bck").status == 200
    yield made
    assert act(node, "DELETE", target, "destroy-bck").status in (200, 404)


def buckets(node: Node, query: str) -> list[dict[str, Any]]:
    reply = act(node, "GET", f"/v1/buckets?{query}", "list")
    assert reply.status == 200, reply.body
    found: list[dict[str, Any]] = json.loads(reply.body)
    return found


def spaces(node: Node, name: str, query: str = "provider=ais") -> list[str]:
    return [row["namespace"]["name"] for row in buckets(node, query) if row["name"] == name]


def test_a_name_may_be_in_several_namespaces(node: Node, name: str, s3: Any) -> None:
    other = f"/v1/buckets/{name}?namespace=%40%23other"
    assert act(node, "POST", other, "create-bck").status == 200
    s3.create_bucket(Bucket=name)
    assert spaces(node, name) == ["", "ns", "other"]
    assert spaces(node, name, "namespace=%23other") == ["other"]
    assert spaces(node, name, "provider=ais&namespace=%40%23") == [""]
    assert act(node, "DELETE", other, "destroy-bck").status == 200
    s3.delete_bucket(Bucket=name)
    assert spaces(node, name) == ["ns"]


def test_objects_are_in_their_own_namespace(node: Node, name: str, s3: Any) -> None:
    s3.create_bucket(Bucket=name)
    target = f"/v1/objects/{name}/key"
    assert node.send("PUT", f"{target}?namespace={SPACE}", body=b"in ns").status == 200
    assert node.send("PUT", target, body=b"global").status == 200
    assert node.send("GET", f"{target}?namespace={SPACE}").body == b"in ns"
    assert s3.get_object(Bucket=name, Key="key")["Body"].read() == b"global"
    assert node.send("DELETE", f"{target}?namespace={SPACE}").status == 200
    assert node.send("GET", target).body == b"global"
    s3.delete_object(Bucket=name, Key="key")
    s3.delete_bucket(Bucket=name)


def test_s3_sees_the_global_namespace_alone(node: Node, name: str, s3: Any) -> None:
    assert name not in [row["Name"] for row in s3.list_buckets()["Buckets"]]
    with pytest.raises(s3.exceptions.ClientError, match="404"):
        s3.head_bucket(Bucket=name)


def test_an_error_names_the_namespace_behind_the_bucket(node: Node, name: str) -> None:
    target = f"/v1/buckets/{name}"
    reply = act(node, "POST", f"{target}?namespace={SPACE}", "create-bck")
    text = f'bucket "ais://{name}" already exists in namespace "#ns"'
    assert (reply.status, message(reply)) == (409, text)
    reply = act(node, "HEAD", f"{target}?namespace=%23none")
    text = f'bucket "ais://{name}" does not exist in namespace "#none"'
    assert (reply.status, message(reply)) == (404, text)
    assert act(node, "HEAD", f"{target}?namespace=%40%23").status == 404


@pytest.mark.parametrize(
    ("space", "status", "text"),
    [
        ("%40uuid%23ns", 404, 'remote cluster "uuid" is not attached'),
        ("%40alias", 404, 'remote cluster "alias" is not attached'),
        ("uuid", 400, 'invalid namespace "uuid"'),
        ("%40a%20b", 400, "invalid namespace"),
        ("%23", 400, 'invalid namespace "#"'),
        ("%23a%2Fb", 400, "invalid namespace"),
        ("%23" + "x" * 33, 400, "invalid namespace"),
        ("%23%00", 400, "invalid namespace"),
    ],
)
def test_what_is_no_namespace_of_this_cluster_is_refused(
    node: Node, space: str, status: int, text: str
) -> None:
    for method, target, action in (
        ("POST", "/v1/buckets/abc", "create-bck"),
        ("GET", "/v1/buckets", "list"),
        ("GET", "/v1/buckets/abc", "list"),
    ):
        reply = act(node, method, f"{target}?namespace={space}", action)
        assert (reply.status, text in message(reply)) == (status, True)


def test_no_remote_cluster_has_buckets(node: Node, bucket: str) -> None:
    assert buckets(node, "provider=ais&namespace=%40") == []
    assert bucket in [row["name"] for row in buckets(node, "provider=ais&presence=2")]
    assert buckets(node, "provider=ais&presence=5") == []
    assert act(node, "GET", "/v1/buckets?presence=9", "list").status == 400
