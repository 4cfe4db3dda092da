"""Requests to an HTTP server and to where it redirects: which addresses they may reach.

* The server that the bucket is configured with may have a private address if the configuration
  says so itself, as an address or as `localhost`. A name that leads to a private address does not:
  who runs the name could have it lead anywhere. Nor does a link-local address, where clouds have
  their metadata service. Feature `Dload-Allow-Private-Egress` allows all.
* Five redirects are followed, each to a public address, or to the configured server.
* No credentials are sent to anybody.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import urlsplit

from aisle.backend.exchange import FORBIDDEN, Exchange
from aisle.backend.ht import replies
from aisle.core.errors import (
    RemoteBroken,
    RemoteChanged,
    RemoteDenied,
    RemoteObjectNotFound,
    RemoteRefused,
    RemoteThrottled,
    RemoteUnavailable,
)
from aisle.outgoing.addresses import is_link_local, is_public, literal
from aisle.outgoing.request import Refusal, Reply, Request, retry_after
from aisle.outgoing.stream import Stream
from aisle.outgoing.transport import Transport

REDIRECTS: Final = 5


class Transports(NamedTuple):
    """Requests to any address, and to public ones alone."""

    any: Transport
    public: Transport

    async def close(self) -> None:
        await self.any.close()
        await self.public.close()


class Origin:
    """The server behind the bucket called `name`; `private` if it may redirect to any address."""

    def __init__(self, transports: Transports, name: str, base: str, *, private: bool) -> None:
        self.name = name
        self._private = private
        self._own = urlsplit(base).hostname or ""
        self._any = Exchange(transports.any, name, self._judge, None)
        self._public = Exchange(transports.public, name, self._judge, None)

    async def open(self, request: Request) -> Stream:
        """A reply that is no redirect, whose body the caller takes and closes. Raises
        `RemoteError`s."""
        for _ in range(REDIRECTS + 1):
            stream = await self._exchange(request.url).open(request)
            if stream.status not in replies.REDIRECTS:
                return stream
            await stream.close()
            there = replies.target(request.url, stream.headers.get("location", ""))
            if not there:
                raise RemoteRefused(
                    self.name, "the server redirects to where nobody follows", status=502
                )
            request = Request(request.method, there, request.headers)
        raise RemoteRefused(self.name, "the server redirects too often", status=502)

    def _exchange(self, url: str) -> Exchange:
        """How to reach an address. Raises `RemoteDenied`."""
        host = urlsplit(url).hostname or ""
        if self._private:
            return self._any
        address = literal(host)
        if address is None:
            own = host == self._own and host.rstrip(".") == "localhost"
        else:
            own = host == self._own and not is_link_local(address)
            if not own and not is_public(address):
                raise RemoteDenied(self.name, "its address is not a public one", code=FORBIDDEN)
        return self._any if own else self._public

    def _judge(self, reply: Reply) -> Refusal | None:
        """See `outgoing.request.Judge`."""
        status = reply.status
        if status < 300 or status in replies.REDIRECTS:
            return None
        text = f"the server answered with status {status}"
        if status in (404, 410):
            return Refusal(RemoteObjectNotFound(self.name, "there is no such file"))
        if status in (401, 403, 407):
            return Refusal(RemoteDenied(self.name, text))
        if status == 412:
            return Refusal(RemoteChanged(self.name, "the file is another one by now"))
        if status == 416 and replies.size_of(status, reply.headers) == 0:
            return None
        if status == 429:
            wait = retry_after(reply.headers) or 1.0
            return Refusal(RemoteThrottled(self.name, text, retry_after=wait), passing=True)
        if status == 408 or status >= 500:
            passing = status not in (501, 505, 507)
            return Refusal(RemoteUnavailable(self.name, text, code=str(status)), passing=passing)
        if status < 400:
            return Refusal(RemoteBroken(self.name, text))
        return Refusal(RemoteRefused(self.name, text, status=status))
