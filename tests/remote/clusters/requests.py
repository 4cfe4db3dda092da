"""What tests of other clusters ask of a node: to attach one, and for the objects of its buckets."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

from tests.harness import Node, Reply

JSON = {"content-type": "application/json"}


def act(node: Node, method: str, target: str, action: str, value: object = None) -> Reply:
    body = json.dumps({"action": action, "value": value}).encode()
    return node.send(method, target, body=body, headers=JSON)


def attach(node: Node, alias: str, url: str) -> Reply:
    return node.send("PUT", f"/v1/cluster/attach?what=remote&{alias}={quote(url, safe='')}")


def detach(node: Node, alias: str) -> None:
    reply = node.send("PUT", f"/v1/cluster/detach?what=remote&{alias}=")
    assert reply.status == 200, reply.body


def message(reply: Reply) -> str:
    return str(json.loads(reply.body)["message"])


def headers_form(node: Node, alias: str, url: str) -> Reply:
    headers = {"Ais-Remote-Ais-Alias": alias, "Ais-Remote-Ais-Url": url}
    return node.send("PUT", "/v1/cluster/attach?what=remote", headers=headers)


class Space:
    """The bucket `name` of a cluster as `node` sees it, by an alias or the uuid."""

    def __init__(self, node: Node, name: str, cluster: str = "east") -> None:
        self.node = node
        self.name = name
        self.query = urlencode({"provider": "ais", "namespace": f"@{cluster}"})

    def bucket(self, method: str, action: str = "", value: object = None) -> Reply:
        return act(self.node, method, f"/v1/buckets/{self.name}?{self.query}", action, value)

    def object(self, method: str, key: str, body: bytes = b"", **headers: str) -> Reply:
        target = f"/v1/objects/{self.name}/{quote(key)}?{self.query}"
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.node.send(method, target, body=body, headers=fields)

    def names(self, **value: Any) -> list[str]:
        reply = self.bucket("GET", "list", {"props": "name,size,cached", **value})
        assert reply.status == 200, reply.body
        return [entry["name"] for entry in json.loads(reply.body)["entries"] or ()]

    def cached(self) -> list[str]:
        return self.names(flags="1")
