"""A serving node as the source of a pull: the client's side of `export-heads` and `export`.

The standard library's HTTP in threads; a connection is kept for the next request. Requests are
signed if there are keys. What may go away by itself is `SourceLost`, a refusal a `ConfigError`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import http.client
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final, TypeVar, cast
from urllib.parse import urlsplit

from aisle import __version__
from aisle.core.errors import AisleError, ConfigError
from aisle.core.sigv4 import sign
from aisle.namespace.transfer.frames import Read
from aisle.namespace.transfer.source import SourceLost

CONNECT_SECONDS: Final = 10
IDLE_SECONDS: Final = 120
_ERROR_LIMIT: Final = 64 << 10
_REFUSALS: Final = {
    400: "does not understand the request: is its release older than this one?",
    401: "wants the keys of its administrator",
    403: "does not accept these keys: they have to be its administrator's",
    404: "cannot be pulled from: is it a node of Aisle, of a release that can export?",
    405: "cannot be pulled from: is it a node of Aisle, of a release that can export?",
    501: "cannot be pulled from: is it a node of Aisle, of a release that can export?",
}
T = TypeVar("T")


class Remote:
    """A node at `endpoint` (`http://NAME:PORT`), as a `Source`."""

    def __init__(self, endpoint: str, access_key: str, secret_key: str) -> None:
        parts = urlsplit(endpoint)
        self._endpoint = f"{parts.scheme}://{parts.netloc}"
        self._host = parts.hostname or ""
        self._secure = parts.scheme == "https"
        self._port = parts.port or (443 if self._secure else 80)
        self._access_key = access_key
        self._secret_key = secret_key
        self._idle: http.client.HTTPConnection | None = None

    @asynccontextmanager
    async def heads(self, after: bytes) -> AsyncIterator[Read]:
        token = base64.urlsafe_b64encode(after).decode().rstrip("=")
        async with self._ask("GET", "/v1/export" + (f"?after={token}" if token else "")) as read:
            yield read

    @asynccontextmanager
    async def bodies(self, asked: bytes) -> AsyncIterator[Read]:
        body = b'{"action":"export","value":' + asked + b"}"
        async with self._ask("POST", "/v1/export", body) as read:
            yield read

    def close(self) -> None:
        if self._idle is not None:
            self._idle.close()

    @asynccontextmanager
    async def _ask(self, method: str, target: str, body: bytes = b"") -> AsyncIterator[Read]:
        """Send a request and read its reply; the connection is kept if that was read whole."""
        connection, self._idle = self._idle or self._new(), None
        whole = False
        try:
            response = await self._call(self._send, connection, method, target, body)
            if response.status != 200:
                told = await self._call(response.read, _ERROR_LIMIT)
                raise self._failure(response.status, told)

            async def read(size: int) -> bytes:
                return await self._call(response.read1, size)

            yield read
            # The connection may be used again once what ends the body has been read, too.
            with suppress(SourceLost):
                whole = not await read(1)
        finally:
            if whole:
                self._idle = connection
            else:
                connection.close()

    def _new(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        return kind(self._host, self._port, timeout=CONNECT_SECONDS)

    async def _call(self, work: Callable[..., T], *arguments: object) -> T:
        """Do blocking work in a thread. Raises `SourceLost`."""
        try:
            return await asyncio.to_thread(work, *arguments)
        except http.client.HTTPException as error:
            reason = type(error).__name__
        except OSError as error:
            reason = error.strerror or str(error) or type(error).__name__
        raise SourceLost(f"{self._endpoint} cannot be reached, or broke off: {reason}")

    def _send(
        self, connection: http.client.HTTPConnection, method: str, target: str, body: bytes
    ) -> http.client.HTTPResponse:
        if connection.sock is None:
            connection.connect()
            cast("socket.socket", connection.sock).settimeout(IDLE_SECONDS)
        fields = {"user-agent": f"aisnode/{__version__}"}
        if body:
            fields["content-type"] = "application/json"
        if self._access_key:
            fields = sign(
                method,
                self._endpoint + target,
                headers=fields,
                payload_hash=hashlib.sha256(body).hexdigest(),
                access_key=self._access_key,
                secret_key=self._secret_key,
                time=time.time(),
            )
        connection.request(method, target, body or None, fields)
        return connection.getresponse()

    def _failure(self, status: int, told: bytes) -> AisleError:
        """What a reply other than 200 means: of these, only an overload goes away by itself."""
        message = ""
        with suppress(ValueError, RecursionError):
            said = json.loads(told)
            if isinstance(said, dict):
                message = str(said.get("message", ""))
        shown = "".join(c for c in message if c.isprintable()) or f"it answered {status}"
        if status >= 500 and status != 501:
            return SourceLost(f"{self._endpoint} cannot answer now: {shown}")
        reason = _REFUSALS.get(status, "refuses")
        return ConfigError(f"{self._endpoint} {reason} ({shown})")
