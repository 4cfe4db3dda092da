"""Sending an object: in one request if it is small and came in one piece, else in a session, which
goes on after failures.

Nothing is visible before the last byte was taken, and then only if the MD5 is what was announced.
A body is never held: each request streams a stretch of it, which is read again if need be.

Spec: Cloud Storage JSON API, "Resumable uploads", "Upload an object with metadata (multipart)".
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import uuid
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import parse_qs, urlsplit

from aisle.backend.base import Outgoing
from aisle.backend.gcp.client import Client
from aisle.backend.gcp.objects import Resource, hex_of, resource_of
from aisle.backend.sending import Sender
from aisle.core.errors import (
    RemoteBroken,
    RemoteError,
    RemoteThrottled,
    RemoteUnavailable,
    RemoteUnknown,
)
from aisle.outgoing.request import Body, Refusal, Reply, Request, whole

# Up to here an upload is one request.
SMALL: Final = 8 << 20
# A request of a session takes so much: a multiple of 256 KiB. A failure costs as much again.
CHUNK: Final = 32 << 20

_ROOT: Final = "/upload/storage/v1"
_TAKEN: Final = re.compile(r"bytes=0-([0-9]{1,19})")
_CONTINUE: Final = 308
# What the service answers to the end of a session.
_CANCELLED: Final = frozenset({404, 410, 499})


class Upload:
    """One object on its way. `generation` is the one to be replaced, `"0"` for none, `""` for
    whichever there is."""

    def __init__(
        self, client: Client, bucket: str, key: str, body: Outgoing, generation: str
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._body = body
        self._generation = generation
        self._about = resource_of(key, body)
        self._sender = Sender(client.name, body)
        self._limits = client.exchange.transport.limits

    async def run(self) -> Resource:
        """The object as it is there now. Raises what `Backend.put` does."""
        small = self._body.size <= SMALL and len(self._body.parts) <= 1
        reply = await (self._at_once() if small else self._in_session())
        resource = self._client.read(reply, Resource)
        try:
            size = int(resource.size)
            self._sender.check(md5=hex_of(resource.md5_hash), size=size)
        except (ValueError, RemoteBroken):
            await self._undo(resource)
            raise RemoteBroken(self._client.name, "the service stored something else") from None
        return resource

    async def _at_once(self) -> Reply:
        boundary = uuid.uuid4().hex
        kind = self._body.headers.get("content-type", "application/octet-stream")
        head = (
            f"--{boundary}\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n".encode()
            + self._about
            + f"\r\n--{boundary}\r\ncontent-type: {_plain(kind)}\r\n\r\n".encode()
        )
        tail = f"\r\n--{boundary}--\r\n".encode()
        inner = self._sender.stretch(0, self._body.size)

        async def pour() -> AsyncIterator[bytes]:
            yield head
            async for piece in inner.open():
                yield piece
            yield tail

        request = Request(
            "POST",
            self._url(uploadType="multipart", ifGenerationMatch=self._generation),
            {"content-type": f"multipart/related; boundary={boundary}"},
            Body(len(head) + self._body.size + len(tail), pour),
        )
        return await self._client.exchange.call(request, writes=True)

    async def _in_session(self) -> Reply:
        request = Request(
            "POST",
            self._url(uploadType="resumable", ifGenerationMatch=self._generation),
            {
                "content-type": "application/json; charset=UTF-8",
                "x-upload-content-length": str(self._body.size),
                "x-upload-content-type": _plain(self._body.headers.get("content-type", "")),
            },
            whole(self._about),
        )
        reply = await self._client.exchange.call(request)
        # The address in the reply is not used but for the id: a server cannot send us elsewhere.
        query = parse_qs(urlsplit(reply.headers.get("location", "")).query)
        upload = query.get("upload_id", [""])[0]
        if not upload:
            raise RemoteBroken(self._client.name, "the service began no upload")
        try:
            if self._body.started is not None:
                await self._body.started(upload)
            return await self._send(self._url(uploadType="resumable", upload_id=upload))
        except RemoteUnknown:
            raise  # it may be the end of it that was lost
        except BaseException:
            with contextlib.suppress(RemoteError):
                await cancel(self._client, self._bucket, upload)
            raise

    async def _send(self, url: str) -> Reply:
        """All of the body, from where the service says it is."""
        size, place, failures = self._body.size, 0, 0
        while True:
            length = min(CHUNK, size - place)
            at = f"bytes {place}-{place + length - 1}/{size}"
            failure: RemoteError | None = None
            try:
                reply = await self._step(url, at, self._sender.stretch(place, length), attempts=1)
            except (RemoteUnavailable, RemoteThrottled, RemoteBroken) as error:
                failure = error
            if failure is not None:
                failures += 1
                reply = await self._asked(url, size, failure, failures)
            if reply.status != _CONTINUE:
                return reply
            after = self._taken(reply, place + length)
            if after > place:
                failures = 0
            elif failure is None:
                failures += 1
                if failures >= self._limits.attempts:
                    raise RemoteUnavailable(self._client.name, "the service takes no more bytes")
            place = after

    async def _asked(self, url: str, size: int, failure: RemoteError, failures: int) -> Reply:
        """How far the service has come, after a while. Raises `failure` if that was the last, or
        if nobody can tell."""
        if failures >= self._limits.attempts:
            raise failure
        await asyncio.sleep(self._pause(failures, failure))
        try:
            return await self._step(url, f"bytes */{size}", None)
        except (RemoteUnavailable, RemoteThrottled):
            raise failure from None

    def _taken(self, reply: Reply, most: int) -> int:
        """The bytes that the service has, as it says. Raises `RemoteBroken` if it cannot have as
        many."""
        told = _TAKEN.fullmatch(reply.headers.get("range", ""))
        taken = int(told[1]) + 1 if told else 0
        if taken > most or taken >= self._body.size:
            raise RemoteBroken(self._client.name, "the service took more than it was sent")
        return taken

    async def _step(
        self, url: str, at: str, body: Body | None, *, attempts: int | None = None
    ) -> Reply:
        request = Request("PUT", url, {"content-range": at}, body)
        return await self._client.exchange.call(
            request, judge=self._judge, writes=True, attempts=attempts
        )

    def _pause(self, failures: int, error: RemoteError) -> float:
        asked = error.retry_after if isinstance(error, RemoteThrottled) else 0.0
        grown: float = self._limits.backoff * 2 ** (failures - 1)
        wait = max(asked, grown * random.uniform(0.5, 1.0))  # noqa: S311
        return min(self._limits.pause, wait)

    def _judge(self, reply: Reply) -> Refusal | None:
        if reply.status == _CONTINUE:
            return None
        if reply.status in (404, 410):
            lost = RemoteUnavailable(self._client.name, "the service has lost the upload")
            return Refusal(lost)
        return self._client.judge(reply)

    async def _undo(self, resource: Resource) -> None:
        """Remove what should not have become visible."""
        url = self._client.url(
            "b", self._bucket, "o", resource.name, generation=resource.generation
        )
        with contextlib.suppress(RemoteError):
            await self._client.exchange.call(Request("DELETE", url))

    def _url(self, **query: str) -> str:
        return self._client.url("b", self._bucket, "o", root=_ROOT, **query)


async def cancel(client: Client, bucket: str, upload: str) -> None:
    """End a session. That there is none, or that it is over, is no error."""

    def judge(reply: Reply) -> Refusal | None:
        return None if reply.status in _CANCELLED else client.judge(reply)

    url = client.url("b", bucket, "o", root=_ROOT, uploadType="resumable", upload_id=upload)
    await client.exchange.call(Request("DELETE", url, {"content-length": "0"}), judge=judge)


def _plain(value: str) -> str:
    """A content type as a header may carry it."""
    fits = value.isascii() and value.isprintable()
    return value if fits and value else "application/octet-stream"
