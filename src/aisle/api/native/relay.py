"""Asking another node of the cluster for whoever asked this one, and may have what it asks for.

A request is signed anew with a key that the nodes of a cluster share, since callers may have come
with a token, or with a signature that says nothing elsewhere: it is authorised here, before it is
passed on. If the other node does not answer, the error names its address. Bodies are streamed
in pieces; each blocking step has a thread, since no more than a few such requests run at a time.
"""

from __future__ import annotations

import asyncio
import http.client
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import Final, NamedTuple
from urllib.parse import urlencode, urlsplit

from aisle.api.base import Context, Headers, Response, Service
from aisle.api.native.errors import NodeUnreachable
from aisle.api.native.smap import NODE_HEADER, Peer
from aisle.core.sigv4 import EMPTY_SHA256, sign

SECONDS: Final = 10.0
_PIECE: Final = 64 << 10
_WHOLE: Final = 8 << 20
_KEPT: Final = frozenset({"content-type", "retry-after", "content-disposition"})


class _Exchange(NamedTuple):
    connection: http.client.HTTPConnection
    response: http.client.HTTPResponse


async def ask(
    svc: Service, ctx: Context, peer: Peer, path: str, query: Mapping[str, str]
) -> Response:
    """What `peer` answers to GET `path`, whatever it is. Raises `NodeUnreachable`."""
    target = f"{path}?{urlencode(query)}"
    if not peer.alive:
        raise NodeUnreachable(peer.id, peer.url, "it has not been heard of")
    fields = await _signed(svc, ctx, peer, target)
    verify = not await svc.store.setting("net.http.skip_verify")
    try:
        exchange = await asyncio.to_thread(_get, peer.url, target, fields, verify)
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise NodeUnreachable(peer.id, peer.url, reason) from None
    headers: Headers = [
        (name.lower().encode(), value.encode("latin-1"))
        for name, value in exchange.response.getheaders()
        if name.lower() in _KEPT
    ]
    return Response(exchange.response.status, headers, _pieces(exchange, peer))


async def read(response: Response) -> bytes:
    """A relayed body that is known to be small."""
    assert not isinstance(response.body, bytes)
    data = b""
    async for piece in response.body:
        data += piece
        if len(data) > _WHOLE:
            break
    return data


async def _signed(svc: Service, ctx: Context, peer: Peer, target: str) -> dict[str, str]:
    url = peer.url + target
    named = ctx.head.header(NODE_HEADER)
    headers = {NODE_HEADER: named} if named else {}
    if not svc.auth_enabled:
        return {**headers, "host": urlsplit(url).netloc}
    known = await svc.principals.internal()
    return sign(
        "GET",
        url,
        headers=headers,
        payload_hash=EMPTY_SHA256,
        access_key=known.access_key,
        secret_key=known.secret_key,
        session_token=known.session_token,
        region=svc.region,
        time=svc.store.now() / 1e9,
    )


def _get(url: str, target: str, fields: Mapping[str, str], verify: bool) -> _Exchange:
    parts = urlsplit(url)
    host = parts.hostname or ""
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context()
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(
            host, parts.port or 443, timeout=SECONDS, context=context
        )
    else:
        connection = http.client.HTTPConnection(host, parts.port or 80, timeout=SECONDS)
    try:
        connection.putrequest("GET", target, skip_host=True, skip_accept_encoding=True)
        for name, value in fields.items():
            connection.putheader(name, value)
        connection.endheaders()
        return _Exchange(connection, connection.getresponse())
    except BaseException:
        connection.close()
        raise


async def _pieces(exchange: _Exchange, peer: Peer) -> AsyncIterator[bytes]:
    try:
        while piece := await asyncio.to_thread(exchange.response.read, _PIECE):
            yield piece
    except (OSError, http.client.HTTPException) as error:
        raise NodeUnreachable(peer.id, peer.url, str(error)) from None
    finally:
        exchange.connection.close()
