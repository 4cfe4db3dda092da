"""`Transport`: requests to servers that settings name, repeated where that may help.

* No redirect is followed unless a caller asks for it, and then to the same scheme, host and port
  alone; no proxy, cookie or credential is taken from the environment.
* Replies are read whole up to a limit, or as a `Stream`, piece by piece: a client that does not
  take them holds the server up, and nothing is kept but what the socket and one buffer hold.
* Nothing is decompressed: a body is the bytes that its headers speak of.
* Failures are `TransportError`s, or what the caller's judge says of a reply.

A transport belongs to the event loop that it is first used in.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Final
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from aisle.outgoing.persist import LIMITS, Budget, Limits, Refused, persist
from aisle.outgoing.request import (
    Judge,
    NoReply,
    OversizeReply,
    Reply,
    Request,
    Sign,
    http_seconds,
    retry_after,
)
from aisle.outgoing.stream import Stream, failure_of

READ_BUFFER: Final = 128 << 10  # reading pauses at twice as much
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_WITH_BODY: Final = frozenset({"PUT", "POST", "PATCH"})
_SERVERS: Final = 1024  # whose clocks and budgets are remembered


class _Server:
    """What is known of a server by its scheme, host and port."""

    __slots__ = ("ahead", "budget")

    def __init__(self, budget: float) -> None:
        self.ahead = 0.0  # seconds by which its clock is ahead of ours
        self.budget = Budget(budget)


class Transport:
    """See the module. `connections` is how many there may be at a time, 0 for as many as asked;
    names are resolved by `resolver`, or else by the system."""

    def __init__(
        self,
        limits: Limits = LIMITS,
        *,
        connections: int = 0,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self.limits = limits
        self._resolver = resolver
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None
        self._servers: dict[str, _Server] = {}

    async def call(
        self,
        request: Request,
        judge: Judge,
        *,
        sign: Sign | None = None,
        limit: int | None = None,
        seconds: float | None = None,
        attempts: int | None = None,
        repeat_sent: bool = True,
        redirects: int = 0,
    ) -> Reply:
        """One operation and its whole reply, of `limit` bytes at most. `seconds` is how long the
        server may take for it beside the time that the body takes; without `repeat_sent` nothing
        is repeated that may have been carried out. The judge is asked of every reply."""
        server = self._server(request.url)

        async def attempt(doubtful: bool) -> Reply:
            exchange = _Exchange(request, again=repeat_sent)
            with exchange.told():
                async with asyncio.timeout(self._allowed(request, seconds)):
                    response = await self._send(exchange, sign, server, redirects)
                    reply = await self._whole(response, limit, doubtful)
            self._check(reply, judge, server)
            return reply

        return await persist(
            attempt, self.limits, server.budget, attempts=attempts, repeat_sent=repeat_sent
        )

    async def open(
        self,
        request: Request,
        judge: Judge,
        *,
        sign: Sign | None = None,
        seconds: float | None = None,
        attempts: int | None = None,
        repeat_sent: bool = True,
        redirects: int = 0,
    ) -> Stream:
        """Begin an operation whose reply is a body: that of a status of 2xx is left to the caller,
        who closes it; of any other it is read, and the judge is asked. It says `None` of a status
        that is good as it is; then the stream is over and has `reply.body`."""
        server = self._server(request.url)

        async def attempt(doubtful: bool) -> Stream:
            exchange = _Exchange(request, again=repeat_sent)
            with exchange.told():
                async with asyncio.timeout(self._allowed(request, seconds)):
                    response = await self._send(exchange, sign, server, redirects)
                    if response.status < 300:
                        return Stream(response, self.limits.idle)
                    reply = await self._whole(response, None, doubtful)
            self._check(reply, judge, server)
            return Stream(response, self.limits.idle, reply.body)

        return await persist(
            attempt, self.limits, server.budget, attempts=attempts, repeat_sent=repeat_sent
        )

    async def once(
        self, request: Request, *, sign: Sign | None = None, seconds: float | None = None
    ) -> Stream:
        """One attempt, whose reply is the caller's whatever its status: for passing requests on.
        Of its body nothing is asked twice."""
        exchange = _Exchange(request, again=False)
        with exchange.told():
            async with asyncio.timeout(self._allowed(request, seconds)):
                server = self._server(request.url)
                response = await self._send(exchange, sign, server, 0)
        return Stream(response, self.limits.idle)

    def clock(self, url: str) -> float:
        """The time at the server of `url`, in seconds, as far as it is known."""
        return time.time() + self._server(url).ahead

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    # --- one attempt ------------------------------------------------------------------------

    def _allowed(self, request: Request, seconds: float | None) -> float | None:
        """The seconds that an exchange may take; no limit to a body of which nobody knows."""
        own = self.limits.reply if seconds is None else seconds
        if request.body is None:
            return own
        if request.body.size is None:
            return None
        return own + request.body.size / self.limits.slowest

    async def _send(
        self, exchange: _Exchange, sign: Sign | None, server: _Server, redirects: int
    ) -> aiohttp.ClientResponse:
        request = exchange.request
        while True:
            headers = dict(request.headers)
            if sign is not None:
                headers = dict(await sign(request, time.time() + server.ahead))
            if request.body is not None and request.body.size is not None:
                headers["content-length"] = str(request.body.size)
            elif request.body is None and request.method in _WITH_BODY:
                headers["content-length"] = "0"
            response = await self._open_session().request(
                request.method,
                URL(request.url, encoded=True),
                headers=headers,
                data=exchange if request.body is not None else None,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.limits.connect),
                allow_redirects=False,
            )
            target = _redirect(request.url, response) if redirects else ""
            if not target:
                return response
            response.close()
            redirects -= 1
            request = Request(request.method, target, request.headers, request.body)

    async def _whole(
        self, response: aiohttp.ClientResponse, limit: int | None, doubtful: bool
    ) -> Reply:
        most = self.limits.whole if limit is None else limit
        pieces: list[bytes] = []
        size = 0
        async with contextlib.aclosing(_pieces(response)) as body:
            async for piece in body:
                size += len(piece)
                if size > most:
                    raise OversizeReply("the reply is too long", sent=True)
                pieces.append(piece)
        return Reply(response.status, response.headers, b"".join(pieces), doubtful)

    def _check(self, reply: Reply, judge: Judge, server: _Server) -> None:
        refusal = judge(reply)
        if refusal is None:
            return
        if refusal.skewed:
            told = http_seconds(reply.headers.get("date", ""))
            if told is not None:
                server.ahead = told - time.time()
        raise Refused(refusal, retry_after(reply.headers))

    # --- what is kept -----------------------------------------------------------------------

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections, resolver=self._resolver),
                cookie_jar=aiohttp.DummyCookieJar(),
                read_bufsize=READ_BUFFER,
                auto_decompress=False,
                trust_env=False,
                skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent", "Content-Type"),
            )
        return self._session

    def _server(self, url: str) -> _Server:
        name = url[: url.find("/", 8)] if url.find("/", 8) > 0 else url
        server = self._servers.get(name)
        if server is None:
            if len(self._servers) >= _SERVERS:
                del self._servers[next(iter(self._servers))]
            server = self._servers[name] = _Server(self.limits.budget)
        return server


class _Exchange:
    """The body of one attempt on its way, from its beginning each time it is asked for: the HTTP
    client repeats a request by itself when a kept connection turns out to be dead. Unless
    `again`: then it is given once."""

    __slots__ = ("_again", "_asked", "_failed", "_given", "request")

    def __init__(self, request: Request, *, again: bool) -> None:
        self.request = request
        self._again = again
        self._asked = False
        self._given = request.body is None
        self._failed: BaseException | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._asked and not self._again:
            raise NoReply("the connection was lost", sent=True)
        self._asked = True
        assert self.request.body is not None
        left = self.request.body.size
        try:
            async for piece in self.request.body.open():
                if left is not None:
                    left -= len(piece)
                    if left <= 0:
                        self._given = True
                yield piece
        except Exception as error:
            self._failed = error
            raise
        self._given = True

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """Failures as `TransportError`s; what the body itself raised goes through as it is."""
        try:
            yield
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            if self._failed is not None:
                raise self._failed from None
            raise failure_of(error, sent=self._given) from None


async def _pieces(response: aiohttp.ClientResponse) -> AsyncGenerator[bytes]:
    """A body as it comes. The connection is used again only if all of it was read."""
    try:
        while piece := await response.content.readany():
            yield piece
        response.release()
    finally:
        response.close()


def _redirect(url: str, response: aiohttp.ClientResponse) -> str:
    """Where a reply sends us, if that is the same server."""
    if response.status not in _REDIRECTS:
        return ""
    target = urljoin(url, response.headers.get("location", ""))
    here, there = urlsplit(url), urlsplit(target)
    same = (here.scheme, here.netloc) == (there.scheme, there.netloc) and target != url
    return target.partition("#")[0] if same and target.isascii() and " " not in target else ""
