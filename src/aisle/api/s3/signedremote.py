"""A remote bucket as somebody reaches it who has signed one request for it.

`SignedRemote` is a `Backend` of that one request: everything it is asked for it asks of the remote
with the request as it was signed, so that reading and writing a window works as with the cluster's
own credentials, and the remote alone decides whether it may. It has no credentials of its own, and
can do nothing that the request does not say.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Final

from aisle.api.s3.forwarding import document_of, refusal
from aisle.api.s3.headers import http_seconds
from aisle.backend.base import (
    Backend,
    Forwarded,
    Forwarding,
    Outgoing,
    RawRequest,
    RemoteBody,
    RemoteFacts,
    RemoteObject,
    RemotePage,
)
from aisle.core.errors import (
    PreconditionFailed,
    RemoteChanged,
    RemoteError,
    RemoteObjectNotFound,
    RemoteRefused,
)
from aisle.core.ranges import Span

_PAGE: Final = 1000
_SECOND: Final = 1_000_000_000
_MISMATCH: Final = "SignatureDoesNotMatch"


class SignedRemote:
    """The remote bucket of `backend`, by a request that was signed for it."""

    lists = False
    writes = True
    in_order = True
    ranges_by_etag = True

    def __init__(self, backend: Backend, forwarding: Forwarding, request: RawRequest) -> None:
        self.provider = backend.provider
        self.name = backend.name
        self.forwarding = forwarding
        self.request = request

    async def facts(self) -> RemoteFacts:
        raise self._other("a lookup of the bucket")

    async def head(self, key: str, *, version: str = "") -> RemoteObject:
        """By the first byte of a signed GET, since what was signed is its method too."""
        body = await self.get(key, span=Span(0, 1))
        await body.close()
        return body.about

    async def get(
        self, key: str, *, span: Span | None = None, etag: str = "", version: str = ""
    ) -> RemoteBody:
        headers = dict(self.request.headers)
        if span is not None:
            headers["range"] = f"bytes={span.start}-{span.last}"
        if etag:
            headers["if-match"] = f'"{etag}"'
        wanted = (200, 206, 416) if span == Span(0, 1) else (200, 206)
        reply = await self._ask(replace(self.request, headers=headers), key, wanted)
        if reply.status == 416:  # it is empty: there is no first byte
            await reply.close()
            reply = await self._ask(self.request, key)
        if reply.status == 200 and span is not None and span.start:
            await reply.close()
            raise RemoteRefused(self.name, "the range was passed over", status=400)
        return _Body(reply, self.forwarding.described(key, reply.headers))

    async def put(self, key: str, body: Outgoing) -> RemoteObject:
        request = replace(self.request, size=body.size)
        reply = await self._ask(request, key, send=lambda: body.open(0, body.size))
        about = self._written(key, reply, body)
        await reply.close()
        return about

    def _written(self, key: str, reply: Forwarded, body: Outgoing) -> RemoteObject:
        """What is known of an object that was just written. When that was only a look would tell,
        which was not signed: the remote's clock at its answer comes as near as can be."""
        about = self.forwarding.described(key, reply.headers)
        now = (http_seconds(reply.headers.get("date", "")) or 0) * _SECOND
        return replace(
            about,
            size=body.size,
            mtime=about.mtime or now,
            headers=body.headers,
            meta=body.meta,
        )

    async def _ask(
        self,
        request: RawRequest,
        key: str,
        wanted: tuple[int, ...] = (200,),
        send: Callable[[], AsyncIterator[bytes]] | None = None,
    ) -> Forwarded:
        """The reply to a request, whose body `send` opens; a success. Where the bucket has two
        hosts it may have been signed for the other one."""
        while True:
            sent = request if send is None else replace(request, body=send())
            reply = await self.forwarding.forward(sent)
            if reply.status in wanted:
                return reply
            failure = await self._failed(reply, key)
            other = self.forwarding.other_style(request.style)
            if not (other and isinstance(failure, RemoteError) and failure.code == _MISMATCH):
                raise failure
            request = replace(request, style=other)

    async def delete(self, key: str) -> None:
        raise self._other("a delete")

    async def give_up(self, key: str, upload: str) -> None:
        raise self._other("an abort")

    async def list(
        self,
        *,
        prefix: str = "",
        delimiter: str = "",
        after: str = "",
        token: str = "",
        limit: int = _PAGE,
    ) -> RemotePage:
        raise self._other("a listing")

    async def close(self) -> None:
        """The backend under it stays open."""

    def _other(self, what: str) -> RemoteRefused:
        return RemoteRefused(self.name, f"{what} is not what was signed", status=403)

    async def _failed(self, reply: Forwarded, key: str) -> RemoteError | PreconditionFailed:
        if reply.status == 412 and "if-match" in self.request.headers:
            await reply.close()
            return PreconditionFailed("If-Match")
        if reply.status == 412:
            await reply.close()
            if "if-none-match" in self.request.headers:
                return PreconditionFailed("If-None-Match")
            return RemoteChanged(self.name, f'"{key}" was replaced while it was read')
        error = await refusal(self.name, reply)
        if reply.status == 404 and error.code in ("", "NoSuchKey"):
            return RemoteObjectNotFound(self.name, f'there is no "{key}"', code=error.code)
        return error


class _Body:
    """The body of a reply that is a success."""

    def __init__(self, reply: Forwarded, about: RemoteObject) -> None:
        self._reply = reply
        self.about = about

    async def read(self) -> bytes:
        return await self._reply.read()

    async def close(self) -> None:
        await self._reply.close()


class SignedCompletion(SignedRemote):
    """The same for the request that completes an upload, whose parts are at the remote already."""

    def __init__(
        self, backend: Backend, forwarding: Forwarding, request: RawRequest, document: bytes
    ) -> None:
        super().__init__(backend, forwarding, replace(request, body=document, size=len(document)))

    async def put(self, key: str, body: Outgoing) -> RemoteObject:
        reply = await self._ask(self.request, key)
        found = await completion(self.name, reply)
        return replace(self._written(key, reply, body), etag=found["ETag"])


async def completion(name: str, reply: Forwarded) -> Mapping[str, str]:
    """The elements of a CompleteMultipartUploadResult, which may be an error behind a 200."""
    tree = await document_of(name, reply)
    if tree.name == "Error":
        code = tree.value("Code")[:64]
        raise RemoteRefused(name, f"the upload was not completed: {code}", status=400, code=code)
    return {"ETag": tree.value("ETag").strip().strip('"')}
