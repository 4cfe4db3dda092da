"""Requests to one storage account, and what its errors mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from aisle.backend.azure.account import Account
from aisle.backend.azure.blobs import error_code
from aisle.backend.azure.sharedkey import authorization
from aisle.backend.azure.tokens import Tokens
from aisle.backend.exchange import Exchange
from aisle.core.dates import http_date
from aisle.core.errors import (
    PreconditionFailed,
    RemoteBucketNotFound,
    RemoteDenied,
    RemoteError,
    RemoteObjectNotFound,
    RemoteRefused,
    RemoteThrottled,
    RemoteUnavailable,
    RemoteUnknown,
)
from aisle.outgoing.request import Refusal, Reply, Request, retry_after
from aisle.outgoing.transport import Transport

VERSION: Final = "2023-11-03"
_SKEW: Final = 300.0  # seconds by which clocks may differ before that is the likely reason
_BUSY: Final = frozenset({"ServerBusy", "TooManyRequests"})
_NO_CONTAINER: Final = frozenset({"ContainerNotFound", "ContainerBeingDeleted"})
# What cannot be read, as S3 tells of an object in an archive.
_ARCHIVED: Final = frozenset({"BlobArchived", "BlobBeingRehydrated"})
_DENIED: Final = frozenset(
    {"BlobImmutableDueToPolicy", "LeaseIdMissing", "PublicAccessNotPermitted"}
)


class Client:
    """See the module. `name` is the bucket's full one, or the provider's alone."""

    def __init__(
        self, transport: Transport, name: str, account: Account, tokens: Tokens | None
    ) -> None:
        self.name = name
        self._account = account
        self._tokens = tokens
        self._transport = transport
        self.exchange = Exchange(transport, name, self.judge, self._sign)

    def url(self, path: str = "/", **query: str) -> str:
        """The address of a container or, below it, a blob; what is empty in `query` is left out."""
        pairs = [f"{name}={quote(value, safe='')}" for name, value in query.items() if value]
        if self._account.sas:
            pairs.append(self._account.sas)
        return f"{self._account.endpoint}{quote(path)}{'?' if pairs else ''}{'&'.join(pairs)}"

    def judge(self, reply: Reply) -> Refusal | None:
        """See `outgoing.request.Judge`."""
        status = reply.status
        if status < 300:
            return None
        code = error_code(reply.headers, reply.body)
        if status == 429 or code in _BUSY:
            wait = retry_after(reply.headers) or 1.0
            busy = RemoteThrottled(self.name, "too many requests", code=code, retry_after=wait)
            return Refusal(busy, passing=True)
        if status in (401, 403) or code in _DENIED:
            return self._denied(reply, code)
        if status == 404:
            return Refusal(self._absent(code))
        if status in (409, 412) and code in ("BlobAlreadyExists", "ConditionNotMet"):
            if reply.doubtful:
                return Refusal(RemoteUnknown(self.name, "the write may have been carried out"))
            return Refusal(PreconditionFailed("If-Match"))
        if code in _ARCHIVED:
            text = "the blob is archived, and has to be brought back first"
            return Refusal(RemoteRefused(self.name, text, status=403, code="InvalidObjectState"))
        text = f"the service answered with status {status} {code}".rstrip()
        if status == 408 or status >= 500:
            return Refusal(
                RemoteUnavailable(self.name, text, code=code),
                passing=status not in (501, 505, 507),
                done=status >= 500,
            )
        return Refusal(RemoteRefused(self.name, text, status=status, code=code))

    def _denied(self, reply: Reply, code: str) -> Refusal:
        if reply.status == 401 and self._tokens is not None:
            denied = RemoteDenied(self.name, "the service wants another token", code=code)
            return Refusal(denied, passing=self._tokens.refused())
        error = RemoteDenied(self.name, "access is denied", code=code)
        ahead = abs(reply.date - self._transport.clock(self._account.endpoint + "/"))
        skewed = code == "AuthenticationFailed" and bool(self._account.key) and ahead > _SKEW
        return Refusal(error, passing=skewed, skewed=skewed)

    def _absent(self, code: str) -> RemoteError:
        if code in _NO_CONTAINER:
            return RemoteBucketNotFound(self.name, "there is no such container", code=code)
        return RemoteObjectNotFound(self.name, "there is no such blob", code=code)

    async def _sign(self, request: Request, now: float) -> Mapping[str, str]:
        headers = {
            **request.headers,
            "x-ms-date": http_date(int(now)).decode(),
            "x-ms-version": VERSION,
        }
        if self._tokens is not None:
            return headers | {"authorization": await self._tokens.header(self.name)}
        if not self._account.key:
            return headers
        length = str(request.body.size) if request.body is not None else ""
        signed = headers | {"content-length": length}
        value = authorization(
            request.method, request.url, signed, account=self._account.name, key=self._account.key
        )
        return headers | {"authorization": value}
