"""Who may speak the native API: with authorisation on who signs; nobody else is told anything."""

import hashlib
import json

import pytest

from tests.harness import Node
from tests.native.support import act, message, put

REQUESTS = [
    ("GET", "/v1/daemon?what=smap"),
    ("GET", "/v1/cluster?what=cluster_config"),
    ("PUT", "/v1/cluster/set-config?checksum.type=none"),
    ("GET", "/v1/buckets"),
    ("POST", "/v1/buckets/stranger"),
    ("GET", "/v1/objects/stranger/x"),
    ("PUT", "/v1/objects/stranger/x"),
    ("GET", "/v1/does-not-exist"),
]


def test_health_is_open_and_says_nothing(node: Node) -> None:
    reply = node.send("GET", "/v1/health", signed=False)
    assert (reply.status, reply.body) == (200, b"")
    assert not [name for name in reply.headers if name.startswith("ais")]
    assert node.send("HEAD", "/v1/health", signed=False).status == 200


@pytest.mark.parametrize(("method", "target"), REQUESTS)
def test_a_stranger_hears_the_same_of_everything(node: Node, method: str, target: str) -> None:
    reply = node.send(method, target, signed=False)
    assert reply.status == 401
    assert reply.headers["www-authenticate"] == "AWS4-HMAC-SHA256"
    assert message(reply) == "this node wants to know who asks: log in, or sign with an access key"


@pytest.mark.parametrize(("method", "target"), REQUESTS)
def test_a_wrong_key_is_refused(node: Node, method: str, target: str) -> None:
    assert node.send(method, target, secret_key="wrong").status == 401
    assert node.send(method, target, access_key="NOBODY").status == 401


def test_a_bearer_token_is_refused(node: Node) -> None:
    fields = {"Authorization": "Bearer abc.def.ghi"}
    reply = node.send("GET", "/v1/buckets", headers=fields, signed=False)
    assert reply.status == 401


def test_a_head_is_refused_without_a_body(node: Node) -> None:
    reply = node.send("HEAD", "/v1/objects/stranger/x", signed=False)
    assert (reply.status, reply.body) == (401, b"")
    assert "who asks" in message(reply)


def test_with_authorisation_off_nothing_need_be_signed(open_node: Node, open_bucket: str) -> None:
    reply = put(open_node, open_bucket, "x", b"1", signed=False)
    assert reply.status == 200
    assert act(open_node, "GET", f"/v1/buckets/{open_bucket}", "list", signed=False).status == 200


def test_with_authorisation_off_any_key_will_do(open_node: Node) -> None:
    reply = open_node.send("GET", "/v1/buckets", access_key="ANY", secret_key="any")
    assert reply.status == 200


def test_a_message_is_held_to_its_signed_digest(node: Node, bucket: str) -> None:
    right = json.dumps({"action": "set-bprops", "value": {"etag.type": "opaque"}}).encode()
    wrong = right.replace(b"opaque", b"md5   ")
    digest = hashlib.sha256(right).hexdigest()
    target = f"/v1/buckets/{bucket}"
    refused = node.send("PATCH", target, body=wrong, payload=digest, unsigned_headers=_size(wrong))
    assert refused.status == 400
    assert "checksum" in message(refused)
    done = node.send("PATCH", target, body=right, payload=digest, unsigned_headers=_size(right))
    assert done.status == 200


def test_an_object_is_held_to_its_signed_digest(node: Node, bucket: str) -> None:
    digest = hashlib.sha256(b"right").hexdigest()
    assert put(node, bucket, "x", b"wrong", payload=digest).status == 400
    assert node.send("HEAD", f"/v1/objects/{bucket}/x").status == 404
    assert put(node, bucket, "x", b"right", payload=digest).status == 200


def _size(body: bytes) -> dict[str, str]:
    return {"Content-Length": str(len(body))}
