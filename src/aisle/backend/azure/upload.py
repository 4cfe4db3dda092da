"""Sending a blob: in one request if it is small, else in blocks that a last request puts together.

Blocks that were not put together are seen by nobody, and Azure drops them after a week or with the
next write. But a write also drops the blocks of others that are under way for the same blob: who
finds its own gone begins again, a few times.

Spec: Azure Storage REST API, "Put Blob", "Put Block", "Put Block List".
"""

from __future__ import annotations

import base64
import contextlib
import uuid
from typing import Final

from aisle.backend.azure import blobs
from aisle.backend.azure.client import Client
from aisle.backend.base import Outgoing, RemoteObject
from aisle.backend.sending import Sender
from aisle.core.errors import RemoteBroken, RemoteError, RemoteRefused, RemoteUnavailable
from aisle.outgoing.request import Reply, Request, whole

# Up to here an upload is one request.
SMALL: Final = 16 << 20
# A block is as large, or larger if there would be more than the service allows.
BLOCK: Final = 16 << 20
BLOCKS: Final = 50_000
_ROUNDS: Final = 3


class Upload:
    """One blob on its way. `path` is that of its container and its name."""

    def __init__(self, client: Client, path: str, key: str, body: Outgoing) -> None:
        self._client = client
        self._path = path
        self._key = key
        self._body = body
        self._sender = Sender(client.name, body)

    async def run(self) -> RemoteObject:
        """The blob as it is there now. Raises what `Backend.put` does."""
        if self._body.size <= SMALL:
            reply = await self._at_once()
        else:
            reply = await self._in_blocks()
        headers = reply.headers
        content = dict(self._body.headers)
        content.setdefault("content-type", "application/octet-stream")
        return RemoteObject(
            key=self._key,
            size=self._body.size,
            etag=blobs.plain_etag(headers.get("etag", "")),
            mtime=blobs.nanoseconds(headers.get("last-modified", "")),
            version=headers.get("x-ms-version-id", ""),
            checksums={"md5": self._sender.md5},
            headers=content,
            meta=dict(self._body.meta),
            storage_class=self._body.storage_class,
        )

    async def _at_once(self) -> Reply:
        headers = blobs.headers_of(self._body, self._body.md5)
        headers["x-ms-blob-type"] = "BlockBlob"
        if self._body.md5:
            headers["content-md5"] = blobs.base64_of(self._body.md5)
        body = self._sender.stretch(0, self._body.size)
        request = Request("PUT", self._client.url(self._path), headers, body)
        reply = await self._client.exchange.call(request, writes=True)
        stored = blobs.hex_of(reply.headers.get("content-md5", ""))
        try:
            self._sender.check(md5=stored, size=self._body.size)
        except RemoteBroken:
            await self._undo(reply)
            raise
        return reply

    async def _in_blocks(self) -> Reply:
        block = max(BLOCK, -(-self._body.size // BLOCKS))
        for _ in range(_ROUNDS):
            names = await self._blocks(block)
            request = Request(
                "PUT",
                self._client.url(self._path, comp="blocklist"),
                blobs.headers_of(self._body, self._sender.md5),
                whole(_block_list(names)),
            )
            try:
                return await self._client.exchange.call(request, writes=True)
            except RemoteRefused as refused:
                if refused.code != "InvalidBlockList":
                    raise
        raise RemoteUnavailable(self._client.name, f'"{self._key}" is being written by others')

    async def _blocks(self, block: int) -> list[str]:
        """Send all blocks; their names, of which nobody else has one."""
        mine = uuid.uuid4().hex
        names = []
        for number, start in enumerate(range(0, self._body.size, block)):
            name = base64.b64encode(f"{mine}{number:08}".encode()).decode()
            body = self._sender.stretch(start, min(block, self._body.size - start))
            url = self._client.url(self._path, comp="block", blockid=name)
            await self._client.exchange.call(Request("PUT", url, {}, body))
            names.append(name)
        return names

    async def _undo(self, reply: Reply) -> None:
        """Remove what should not have become visible."""
        headers = {"if-match": reply.headers.get("etag", "")}
        with contextlib.suppress(RemoteError):
            await self._client.exchange.call(
                Request("DELETE", self._client.url(self._path), headers)
            )


def _block_list(names: list[str]) -> bytes:
    blocks = "".join(f"<Uncommitted>{name}</Uncommitted>" for name in names)
    return f'<?xml version="1.0" encoding="utf-8"?><BlockList>{blocks}</BlockList>'.encode()
