"""Speaking the native API by hand: signed, with action messages, as no SDK is installed here."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import quote

import hypothesis
from hypothesis import HealthCheck, Phase

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


def target(bucket: str, key: str, **query: object) -> str:
    """The path of an object, its query written as whoever signs it has to."""
    more = "".join(f"&{name}={quote(str(value), safe='')}" for name, value in query.items())
    return f"/v1/objects/{bucket}/{encode_key(key)}?provider=ais{more}"


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


def names(node: Node, bucket: str) -> list[str]:
    return [entry["name"] for entry in listed(node, bucket)["entries"]]


def message(reply: Reply) -> str:
    """The text of an error; the reply must be one in AIStore's form."""
    told = json.loads(reply.body or reply.headers["hdr-error"])
    assert told["status"] == reply.status
    keys = {"status", "message", "method", "url_path", "remote_addr", "caller", "node", "tcode"}
    assert set(told) == keys
    return str(told["message"])


def ended(node: Node, job: str) -> dict[str, Any]:
    """The status of a job, once it is over."""
    ask = {"ID": job, "Kind": "", "DaemonID": "", "Bck": None, "Buckets": None}
    until = time.monotonic() + 90
    while time.monotonic() < until:
        reply = node.send(
            "GET",
            "/v1/cluster?what=status",
            body=json.dumps(ask).encode(),
            unsigned_headers={"Content-Length": str(len(json.dumps(ask)))},
        )
        assert reply.status == 200, reply.body
        status: dict[str, Any] = json.loads(reply.body)
        if status["end_time"]:
            return status
        time.sleep(0.02)
    raise AssertionError(f"job {job} did not end")


def wait(node: Node, reply: Reply) -> dict[str, Any]:
    """The status of the job that a reply names, once it is over."""
    assert reply.status == 200, reply.body
    assert reply.headers["content-type"] == "text/plain"
    return ended(node, reply.body.decode())


def generated(examples: int) -> hypothesis.settings:
    """How requests are made from a description: so many, and the same ones each time."""
    return hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
