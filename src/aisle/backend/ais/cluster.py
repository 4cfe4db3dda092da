"""One attached cluster as this process reaches it: its gateways, its map, and requests to it.

* Requests go to the URLs that it was attached with, then to other gateways of its map: the one that
  answered last is asked first, and the next when one does not answer.
* Before a URL is relied on, and again every `KNOWN_SECONDS`, the map behind it must have the uuid
  that the cluster was attached with: what is another cluster by now is neither read nor written.
* A redirect is followed to a node of the cluster's map alone, never to a lesser scheme, with the
  same path. AIStore's gateways send each request for an object on to a target.
* A request names the clusters that it has come through, and is not sent at all if this one is among
  them: windows that form a circle end there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import urljoin, urlsplit

from aisle.backend.ais.refusals import REDIRECTS, Judgement
from aisle.backend.ais.replies import read_map
from aisle.backend.ais.tokens import Token
from aisle.backend.base import ClusterSeen
from aisle.backend.exchange import doubting, told
from aisle.core.clusters import MAX_HOPS, VIA, VIA_HEADER, Attached, check_uuid, show_via
from aisle.core.errors import (
    InvalidArgument,
    RemoteError,
    RemoteLoop,
    RemoteRefused,
    RemoteUnavailable,
    RemoteUnknown,
)
from aisle.outgoing.request import Body, Judge, Reply, Request, TransportError
from aisle.outgoing.stream import Stream
from aisle.outgoing.transport import Transport

MAP: Final = "/v1/daemon?what=smap"
# How long a URL is known to lead to the right cluster.
KNOWN_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 10.0
LOOKS: Final = 3
# Gateways of its map that are asked when no URL of a cluster's own answers.
OTHERS: Final = 4
_NODES: Final = 4096
_REDIRECTS: Final = 3

_Result = TypeVar("_Result", Reply, Stream)
_Any = TypeVar("_Any")


class Ask(NamedTuple):
    """A request to a cluster, wherever it goes: `target` is path and query, percent-encoded."""

    method: str
    target: str
    headers: Mapping[str, str] = {}
    body: Body | None = None
    judge: Judgement | None = None
    writes: bool = False
    again: bool = True  # whether it may be repeated if it may have been carried out
    moves: bool = False  # whether AIStore is first asked where to send the body
    limit: int | None = None  # bytes of the reply


class Cluster:
    """See the module. `own` is this cluster's uuid, `""` if nobody has told it."""

    def __init__(self, transport: Transport, known: Attached, token: Token, own: str) -> None:
        self.known = known
        self.aisle = False  # whether it is one of ours, which knows more than AIStore does
        self._transport = transport
        self._token = token
        self._own = own
        self._good = known.urls[0] if known.urls else ""
        self._others: tuple[str, ...] = ()
        self._nodes: frozenset[str] = frozenset()
        self._trusted: dict[str, float] = {}  # URLs, and until when
        self._locks: dict[str, asyncio.Lock] = {}

    # --- requests ---------------------------------------------------------------------------

    async def call(self, name: str, ask: Ask) -> Reply:
        """One operation on the bucket `name` and its whole reply. Raises `RemoteError`s."""

        async def send(request: Request, attempts: int | None) -> Reply:
            judge: Judge = ask.judge or Judgement(name)
            return await self._transport.call(
                request,
                doubting(name, judge) if ask.writes else judge,
                limit=ask.limit,
                attempts=attempts,
                repeat_sent=ask.again,
            )

        headers = await self._headers(name, ask.headers)

        async def work(url: str, attempts: int | None) -> Reply:
            request = Request(ask.method, url + ask.target, headers, ask.body)
            return await self._sent(name, request, ask, send, attempts)

        return await self._anywhere(name, work, again=ask.again)

    async def open(self, name: str, ask: Ask) -> Stream:
        """One operation whose reply is a body, which the caller closes."""

        async def send(request: Request, attempts: int | None) -> Stream:
            return await self._transport.open(
                request, ask.judge or Judgement(name), attempts=attempts
            )

        headers = await self._headers(name, ask.headers)

        async def work(url: str, attempts: int | None) -> Stream:
            request = Request(ask.method, url + ask.target, headers, ask.body)
            return await self._sent(name, request, ask, send, attempts)

        return await self._anywhere(name, work)

    async def prepare(self, name: str) -> None:
        """Have looked at the cluster's map."""

        async def nothing(url: str, attempts: int | None) -> None:
            del url, attempts

        await self._anywhere(name, nothing)

    async def _anywhere(
        self,
        name: str,
        work: Callable[[str, int | None], Awaitable[_Any]],
        *,
        again: bool = True,
    ) -> _Any:
        """What `work` makes of the first gateway that answers."""
        failure: RemoteError | None = None
        order = self._order()
        for number, url in enumerate(order):
            # Where there are others to ask, one is not waited for as long.
            attempts = None if len(order) == 1 else 2 if number + 1 == len(order) else 1
            try:
                await self._trust(name, url, attempts)
                return await work(url, attempts)
            except RemoteUnknown as error:
                if not again:
                    raise
                failure = error
            except RemoteUnavailable as error:
                failure = failure if isinstance(failure, RemoteUnknown) else error
            self._trusted.pop(url, None)
        raise failure or RemoteUnavailable(name, "the cluster has no address")

    async def _sent(
        self,
        name: str,
        request: Request,
        ask: Ask,
        send: Callable[[Request, int | None], Awaitable[_Result]],
        attempts: int | None,
    ) -> _Result:
        """The reply of whoever a request is redirected to in the end."""
        # A gateway of AIStore's answers at once, and does not take the body: that is sent to where
        # the reply says. Aisle's take it.
        asks, gateway = ask.moves and not self.aisle, _origin(request.url)
        for number in range(_REDIRECTS + 1):
            first = _without_body(request) if asks and not number else request
            try:
                result = await send(first, attempts)
            except TransportError as error:
                raise told(name, error, writes=ask.writes) from None
            if result.status not in REDIRECTS:
                if first is not request:
                    raise RemoteRefused(
                        name, "the cluster does not say where to send a body", status=502
                    )
                self._good = gateway
                return result
            if isinstance(result, Stream):
                await result.close()
            target = await self._redirected(name, request, result.headers.get("location", ""))
            request = Request(ask.method, target, request.headers, ask.body)
        raise RemoteRefused(name, "the cluster redirects in a circle", status=502)

    def _order(self) -> list[str]:
        """The gateways to ask, best first."""
        order = dict.fromkeys((self._good, *self.known.urls, *self._others))
        return [url for url in order if url]

    async def _headers(self, name: str, given: Mapping[str, str]) -> dict[str, str]:
        """Raises `RemoteLoop`, and `RemoteDenied` where there should be a token and is none."""
        via = VIA.get()
        if self._own in via:
            raise RemoteLoop(name)
        if len(via) >= MAX_HOPS:
            raise RemoteRefused(
                name, f"the request has come through {MAX_HOPS} clusters already", status=508
            )
        headers = {"user-agent": "Aisle", **given}
        if self._own:
            headers[VIA_HEADER] = show_via(via, self._own)
        token = await self._token.read(name)
        if token:
            headers["authorization"] = f"Bearer {token}"
        return headers

    # --- the map ----------------------------------------------------------------------------

    async def look(self, name: str, url: str) -> ClusterSeen:
        """The map behind `url`, whichever cluster's it is. Raises `RemoteError`s."""
        found = await self._map(name, url, 1)
        return ClusterSeen(_uuid(name, found), url, found)

    async def _map(self, name: str, url: str, attempts: int | None) -> dict[str, Any]:
        headers = await self._headers(name, {})
        try:
            reply = await self._transport.call(
                Request("GET", url + MAP, headers),
                Judgement(name),
                seconds=LOOK_SECONDS,
                attempts=min(LOOKS, attempts or LOOKS),
            )
        except TransportError as error:
            raise told(name, error) from None
        if reply.status in REDIRECTS:
            raise RemoteRefused(name, f"{url} redirects, and is no gateway", status=502)
        try:
            return read_map(reply.body)
        except ValueError as error:
            raise RemoteRefused(
                name, f"{url} does not answer as a cluster does: {error}", status=502
            ) from None

    async def _trust(self, name: str, url: str, attempts: int | None) -> None:
        """Make sure that `url` leads to the cluster that was attached."""
        if self._trusted.get(url, 0.0) > time.monotonic():
            return
        async with self._locks.setdefault(url, asyncio.Lock()):
            if self._trusted.get(url, 0.0) > time.monotonic():
                return
            await self._learn(name, url, attempts)

    async def _learn(self, name: str, url: str, attempts: int | None) -> None:
        found = await self._map(name, url, attempts)
        uuid = _uuid(name, found)
        if uuid != self.known.uuid:
            raise RemoteUnavailable(name, f'{url} is another cluster by now: its uuid is "{uuid}"')
        gateways = [one for one in map(_address, found["pmap"].values()) if one]
        targets = [one for one in map(_address, found["tmap"].values()) if one]
        own = set(self.known.urls)
        self._others = tuple([one for one in gateways if one not in own][:OTHERS])
        self._nodes = frozenset([*own, *gateways, *targets][:_NODES])
        ext = found.get("ext")
        self.aisle = isinstance(ext, dict) and "aisle" in ext
        self._trusted[url] = time.monotonic() + KNOWN_SECONDS

    async def _redirected(self, name: str, request: Request, location: str) -> str:
        """Where a reply sends a request, if that is a node of the cluster. A node that has joined
        since the map was read is looked for."""
        origin = _origin(urljoin(request.url, location))
        if origin not in self._nodes:
            await self._learn(name, self._good, None)
        # The path stays as it is: AIStore does not always encode it.
        query = location.rpartition("?")[2].partition("#")[0]
        sane = query.isascii() and query.isprintable() and " " not in query
        lesser = request.url.startswith("https:") and not origin.startswith("https:")
        if not sane or lesser or origin not in self._nodes:
            raise RemoteRefused(
                name, "the cluster redirects to a place that is not in its map", status=502
            )
        return f"{origin}{urlsplit(request.url).path}?{query}"


def _without_body(request: Request) -> Request:
    """The same, whose body is announced and does not come: this is how AIStore's clients ask."""
    size = request.body.size if request.body is not None else 0
    return Request(
        request.method,
        request.url,
        {**request.headers, "connection": "close"},
        Body(size, _nothing),
    )


async def _nothing() -> AsyncIterator[bytes]:
    pieces: tuple[bytes, ...] = ()
    for piece in pieces:
        yield piece


def _uuid(name: str, found: Mapping[str, Any]) -> str:
    try:
        return check_uuid(found.get("uuid"))
    except InvalidArgument as error:
        raise RemoteRefused(name, str(error), status=502) from None


def _address(node: object) -> str:
    """Where a node of a map is reached; `""` if it says nothing that could be it."""
    net = node.get("public_net") if isinstance(node, dict) else None
    url = net.get("direct_url") if isinstance(net, dict) else None
    return _origin(url) if isinstance(url, str) and url.isascii() else ""


def _origin(url: str) -> str:
    """Scheme, host and port of a URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")
