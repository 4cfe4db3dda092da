"""What a running node says to who attaches its cluster: the uuid, and a token."""

from __future__ import annotations

import json

from tests.harness import SECRET_KEY, Node


def uuid_of(node: Node) -> str:
    return str(json.loads(node.send("GET", "/v1/daemon?what=smap").body)["uuid"])


def token_of(node: Node) -> str:
    """The token of its administrator."""
    body = json.dumps({"password": SECRET_KEY}).encode()
    return str(json.loads(node.send("POST", "/v1/users/root", body=body).body)["token"])
