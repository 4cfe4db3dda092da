"""Speaking the native API by hand: signed, with action messages, as no SDK is installed here."""

from __future__ import annotations

import json
from typing import Any

from tests.harness import Node, Reply, encode_key

MSGPACK = {"Accept": "application/msgpack"}


def act(
    node: Node, method: str, target: str, action: str = "", value: Any = None, **send: Any
) -> Reply:
    """Send an action message (none for `""`)."""
    body = json.dumps({"action": action, "name": "", "value": value}).encode() if action else b""
    fields = {"Content-Type": "application/json", **send.pop("headers", {})}
    if body:
        send["unsigned_headers"] = {"Content-Length": str(len(body))}
    return node.send(method, target, headers=fields, body=body, **send)


def put(node: Node, bucket: str, key: str, body: bytes, **send: Any) -> Reply:
    return node.send("PUT", f"/v1/objects/{bucket}/{encode_key(key)}", body=body, **send)


def props(node: Node, bucket: str) -> dict[str, Any]:
    reply = act(node, "HEAD", f"/v1/buckets/{bucket}?provider=ais")
    assert reply.status == 200
    found: dict[str, Any] = json.loads(reply.headers["ais-bucket-props"])
    return found


def listed(node: Node, bucket: str, **value: Any) -> dict[str, Any]:
    reply = act(node, "GET", f"/v1/buckets/{bucket}?provider=ais", "list", value)
    assert reply.status == 200, reply.body
    page: dict[str, Any] = json.loads(reply.body)
    return page


def message(reply: Reply) -> str:
    """The text of an error; the reply must be one in AIStore's form."""
    told = json.loads(reply.body or reply.headers["hdr-error"])
    assert told["status"] == reply.status
    keys = {"status", "message", "method", "url_path", "remote_addr", "caller", "node", "tcode"}
    assert set(told) == keys
    return str(told["message"])
