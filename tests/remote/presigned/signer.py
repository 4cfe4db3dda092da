"""Presigned requests for a remote bucket, sent to a node that has no keys for it."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any

from tests.harness import Node, Reply
from tests.remote.windows import Remote

STYLE = "ais-s3-signed-request-style"
DATA = bytes(range(256)) * 400


class Signer:
    """Presigned URLs for the origin's address, as boto3 makes them, sent to the node instead."""

    def __init__(
        self, node: Node, endpoint: str, keys: tuple[str, str], style: str = "path"
    ) -> None:
        self.node = node
        self.style = style
        self.client = node.client(
            endpoint=endpoint,
            access_key=keys[0],
            secret_key=keys[1],
            s3={"addressing_style": "path" if style == "path" else "virtual"},
            signature_version="s3v4",
        )

    def send(
        self,
        operation: str,
        remote: Remote,
        key: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        spoil: Callable[[str], str] = lambda query: query,
        style: str | None = None,
        **params: Any,
    ) -> Reply:
        named = {"Bucket": remote.name, "Key": key, **params}
        url = urllib.parse.urlsplit(self.client.generate_presigned_url(operation, named))
        # What the node is asked: its own address, the path of its own S3 API.
        path = url.path if self.style == "path" else f"/{remote.name}{url.path}"
        method = {
            "get": "GET", "head": "HEAD", "put": "PUT", "create": "POST", "upload": "PUT",
            "complete": "POST", "abort": "DELETE", "delete": "DELETE",
        }[operation.partition("_")[0]]  # fmt: skip
        fields = {STYLE: self.style if style is None else style, **(headers or {})}
        return self.node.send(
            method,
            f"/s3{path}?{spoil(url.query)}",
            headers={name: value for name, value in fields.items() if value},
            body=body,
            signed=False,
        )
