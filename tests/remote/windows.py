"""A window and the bucket behind it, as tests see them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from tests.harness import Endpoint, Reply, encode_key


class Remote:
    """The bucket `name`: `there` at the origin, and at `node` a window of that name on it."""

    def __init__(self, node: Endpoint, there: Any, name: str, provider: str = "aws") -> None:
        self.node = node
        self.there = there
        self.name = name
        self.provider = provider

    def put_there(self, key: str, body: bytes, **more: Any) -> str:
        """Store an object at the origin behind the node's back; its ETag."""
        reply = self.there.put_object(Bucket=self.name, Key=key, Body=body, **more)
        return str(reply["ETag"]).strip('"')

    def get_there(self, key: str) -> bytes:
        return bytes(self.there.get_object(Bucket=self.name, Key=key)["Body"].read())

    def native(
        self,
        method: str,
        key: str = "",
        *,
        action: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        **params: str,
    ) -> Reply:
        """A request of the native API for the window, or for an object in it."""
        kind = "objects" if key else "buckets"
        path = f"/v1/{kind}/{self.name}" + (f"/{encode_key(key)}" if key else "")
        query = {"provider": self.provider, **params}
        pairs = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
        data = json.dumps(action).encode() if action is not None else body
        return self.node.send(method, f"{path}?{pairs}", body=data, headers=headers or {})

    def get(self, key: str, **headers: str) -> Reply:
        """GET of an object through the S3 API of the node."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.node.send("GET", f"/s3/{self.name}/{encode_key(key)}", headers=fields)

    def cached(self) -> list[str]:
        """The keys whose objects are in the cluster, without a request to the origin."""
        value = {"flags": "1", "props": "name,size"}  # cached only
        reply = self.native("GET", action={"action": "list", "value": value})
        assert reply.status == 200, reply.body
        return [entry["name"] for entry in json.loads(reply.body)["entries"] or ()]

    def is_cached(self, key: str) -> bool:
        return key in self.cached()

    def set_props(self, **props: object) -> None:
        reply = self.native("PATCH", action={"action": "set-bprops", "value": props})
        assert reply.status == 200, reply.body

    def remove(self) -> None:
        """Take the window away, with what is kept of it; the origin's bucket stays."""
        reply = self.native("DELETE", action={"action": "evict-remote-bck"}, keep_bck_md="false")
        assert reply.status in (200, 404), reply.body


def make_window(
    node: Endpoint, there: Any, name: str, props: Mapping[str, object] | None = None
) -> Remote:
    """A window of `node` on the origin's bucket of that name."""
    remote = Remote(node, there, name)
    value = dict(props) if props else None
    reply = remote.native("POST", action={"action": "create-bck", "value": value})
    assert reply.status == 200, reply.body
    return remote
