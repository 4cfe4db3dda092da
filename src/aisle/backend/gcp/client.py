"""Requests to one bucket of Google Cloud Storage, and what its errors mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar
from urllib.parse import quote

import msgspec

from aisle.backend.exchange import Exchange
from aisle.backend.gcp.credentials import Tokens
from aisle.backend.gcp.objects import ErrorReply, error_of
from aisle.core.errors import (
    PreconditionFailed,
    RemoteBroken,
    RemoteBucketNotFound,
    RemoteDenied,
    RemoteObjectNotFound,
    RemoteRefused,
    RemoteThrottled,
    RemoteUnavailable,
    RemoteUnknown,
)
from aisle.outgoing.request import Refusal, Reply, Request, retry_after
from aisle.outgoing.transport import Transport

ENDPOINT: Final = "https://storage.googleapis.com"
_RATES: Final = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded"})
_BUCKET_GONE: Final = "bucket does not exist"
_OBJECT_GONE: Final = "No such object"
# The code of an absence that is surely an object's: servers of the API do not all tell.
NO_OBJECT: Final = "NoSuchObject"

_Kind = TypeVar("_Kind")


class Client:
    """See the module. `name` is the bucket's full one, or the provider's alone."""

    def __init__(self, transport: Transport, name: str, endpoint: str, tokens: Tokens) -> None:
        self.name = name
        self.endpoint = endpoint
        self.tokens = tokens
        self.exchange = Exchange(transport, name, self.judge, self._sign)

    def url(self, *path: str, root: str = "/storage/v1", **query: str) -> str:
        """The address of a resource; what is empty in `query` is left out."""
        parts = "".join(f"/{quote(part, safe='')}" for part in path)
        pairs = [f"{name}={quote(value, safe='')}" for name, value in query.items() if value]
        return f"{self.endpoint}{root}{parts}{'?' if pairs else ''}{'&'.join(pairs)}"

    async def fetch(self, url: str, kind: type[_Kind]) -> _Kind:
        """A resource. Raises `RemoteError`s."""
        return self.read(await self.exchange.call(Request("GET", url)), kind)

    def read(self, reply: Reply, kind: type[_Kind]) -> _Kind:
        """The resource in a reply. Raises `RemoteBroken` for what is none."""
        try:
            return msgspec.json.decode(reply.body, type=kind)
        except msgspec.DecodeError:
            raise RemoteBroken(self.name, "the service's reply cannot be read") from None

    def judge(self, reply: Reply) -> Refusal | None:
        """See `outgoing.request.Judge`."""
        if reply.status < 300:
            return None
        said = error_of(reply.body)
        status, reason = reply.status, said.reason
        if status in (403, 429) and (status == 429 or reason in _RATES):
            wait = retry_after(reply.headers)
            error = RemoteThrottled(
                self.name, "too many requests", code=reason, retry_after=wait or 1.0
            )
            return Refusal(error, passing=True)
        if status == 401:
            denied = RemoteDenied(self.name, "the service wants other credentials", code=reason)
            return Refusal(denied, passing=self.tokens.refused())
        if status == 403:
            return Refusal(RemoteDenied(self.name, "access is denied", code=reason))
        if status == 404:
            return Refusal(self._absent(said))
        if status == 412:
            if reply.doubtful:
                return Refusal(RemoteUnknown(self.name, "the write may have been carried out"))
            return Refusal(PreconditionFailed("If-Match"))
        if status == 408 or status >= 500:
            text = f"the service answered with status {status}"
            return Refusal(
                RemoteUnavailable(self.name, text, code=reason),
                passing=status not in (501, 505, 507),
                done=status >= 500,
            )
        text = f"the service answered with status {status} {reason}".rstrip()
        return Refusal(RemoteRefused(self.name, text, status=status, code=reason))

    def _absent(self, said: ErrorReply) -> RemoteBucketNotFound | RemoteObjectNotFound:
        if _BUCKET_GONE in said.error.message:
            return RemoteBucketNotFound(self.name, "there is no such bucket", code=said.reason)
        code = NO_OBJECT if _OBJECT_GONE in said.error.message else said.reason
        return RemoteObjectNotFound(self.name, "there is no such object", code=code)

    async def _sign(self, request: Request, now: float) -> Mapping[str, str]:
        return {**request.headers, **await self.tokens.header(self.name)}
