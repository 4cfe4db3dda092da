"""What one Aisle cluster is told by another beyond AIStore's API, and conditions of a PUT."""

from __future__ import annotations

import base64
import json

import pytest

from tests.harness import Node
from tests.native.support import act, message

VIA = {"Ais-Via": "some-other-cluster"}
SENT = {
    "Content-Type": "application/json",
    "Cache-Control": "no-store",
    "Content-Encoding": "gzip",
    "Content-Language": "de",
    "Content-Disposition": "inline",
    "Expires": "Tue, 01 Jan 2030 00:00:00 GMT",
}


def metadata(value: object) -> dict[str, str]:
    return {"Ais-Set-Custom-Md": base64.b64encode(json.dumps(value).encode()).decode()}


def test_a_peer_brings_and_is_told_everything(node: Node, bucket: str) -> None:
    target = f"/v1/objects/{bucket}/key"
    node.send("PUT", target, body=b"old")
    patch = json.dumps({"action": "", "value": {"old": "1"}}).encode()
    assert node.send("PATCH", target, body=patch).status == 200
    meta = metadata({"new": "2, and 3"})
    put = node.send("PUT", target, body=b"body", headers={**VIA, **SENT, **meta})
    assert put.status == 200, put.body
    for method in ("GET", "HEAD"):
        told = node.send(method, target, headers=VIA).headers
        assert {name: told[name.lower()] for name in SENT} == SENT
        assert told["ais-custom-md"] == "new=2, and 3"
        assert told["last-modified"] == put.headers["last-modified"]
    value = {"props": "name,custom"}
    headers = {**VIA, "content-type": "application/json"}
    body = json.dumps({"action": "list", "value": value}).encode()
    (entry,) = json.loads(
        node.send("GET", f"/v1/buckets/{bucket}", body=body, headers=headers).body
    )["entries"]
    assert "LastModified:20" in entry["custom-md"]


def test_others_are_told_what_aistore_tells(node: Node, bucket: str) -> None:
    target = f"/v1/objects/{bucket}/key"
    node.send("PUT", target, body=b"body", headers={**VIA, **SENT})
    told = node.send("GET", target).headers
    assert told["content-type"] == SENT["Content-Type"]
    assert "content-encoding" not in told
    put = node.send("PUT", target, body=b"body", headers={**SENT, **metadata({"a": "b"})})
    assert "last-modified" not in put.headers
    told = node.send("GET", target, headers=VIA).headers
    assert "content-encoding" not in told
    assert "ais-custom-md" not in told
    reply = act(node, "GET", f"/v1/buckets/{bucket}", "list", {"props": "name,custom"})
    assert b"LastModified" not in reply.body


@pytest.mark.parametrize(
    "text", ["x", "WzFd", "bnVsbA==", "eyJhIGIiOiAiYyJ9", "eyJhIjogMX0=", "eyJhIjoiXHVkODAwIn0="]
)
def test_metadata_that_is_none_is_refused(node: Node, bucket: str, text: str) -> None:
    headers = {**VIA, "Ais-Set-Custom-Md": text}
    reply = node.send("PUT", f"/v1/objects/{bucket}/key", body=b"x", headers=headers)
    assert (reply.status, "metadata" in message(reply)) == (400, True)
    assert node.send("GET", f"/v1/objects/{bucket}/key").status == 404


def test_metadata_that_is_too_much_is_refused(node: Node, bucket: str) -> None:
    for much in ({"a": "x" * 2048}, {f"n{number}": "" for number in range(65)}):
        headers = {**VIA, **metadata(much)}
        reply = node.send("PUT", f"/v1/objects/{bucket}/key", body=b"x", headers=headers)
        assert (reply.status, "may have 64 entries" in message(reply)) == (400, True)


def test_conditions_of_a_put_hold(node: Node, bucket: str) -> None:
    target = f"/v1/objects/{bucket}/key"
    none = {"If-None-Match": "*"}
    first = node.send("PUT", target, body=b"first", headers=none)
    assert first.status == 200
    assert node.send("PUT", target, body=b"again", headers=none).status == 412
    match = {"If-Match": first.headers["etag"]}
    assert node.send("PUT", target, body=b"second", headers=match).status == 200
    assert node.send("PUT", target, body=b"third", headers=match).status == 412
    reply = node.send("PUT", f"{target}-absent", body=b"x", headers=match)
    assert (reply.status, "does not exist" in message(reply)) == (404, True)
    reply = node.send("PUT", target, body=b"x", headers={"If-None-Match": '"0"'})
    assert (reply.status, "which is *" in message(reply)) == (501, True)
    assert node.send("GET", target).body == b"second"


def test_the_map_says_whose_it_is(node: Node) -> None:
    assert "aisle" in json.loads(node.send("GET", "/v1/daemon?what=smap").body)["ext"]
