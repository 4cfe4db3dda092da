"""The client's side of the native API: one connection, requests signed if there are keys.

Bodies are streamed both ways: nothing here holds an object. Every failure of the network or of the
node is raised as `Failure` with one line for the user. No command is known here.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import select
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPMessage
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from aisle import __version__
from aisle.cli.failure import Failure, Refused, printable
from aisle.core.sigv4 import UNSIGNED_PAYLOAD, sign

DEFAULT_ENDPOINT: Final = "http://localhost:8080"
CONNECT_SECONDS: Final = 10
IDLE_SECONDS: Final = 300  # destroying a large bucket is one request
PIECE: Final = 1 << 20
_ERROR_LIMIT: Final = 64 << 10
_PORTS: Final = {"http": 80, "https": 443}


class Keys(NamedTuple):
    """An access key, as the environment gives it."""

    access: str
    secret: str
    token: str
    region: str


def keys_from(environ: Mapping[str, str]) -> Keys | None:
    """The root key, or else that of the AWS tools; `None` leaves requests unsigned."""
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    access, secret = environ.get("AISLE_ROOT_ACCESS_KEY"), environ.get("AISLE_ROOT_SECRET_KEY")
    if access and secret:
        return Keys(access, secret, "", region)
    access, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    if access and secret:
        return Keys(access, secret, environ.get("AWS_SESSION_TOKEN", ""), region)
    return None


class Reply(NamedTuple):
    """A reply that was read whole."""

    headers: HTTPMessage
    body: bytes


class Client:
    """A connection to one node, made when it is needed and kept for the next request."""

    def __init__(self, endpoint: str, keys: Keys | None) -> None:
        if "://" not in endpoint:
            endpoint = f"http://{endpoint}"
        parts = urlsplit(endpoint)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in _PORTS or not parts.hostname or port == -1:
            raise Failure(
                f'AIS_ENDPOINT is not an address such as {DEFAULT_ENDPOINT}: "{endpoint}"'
            )
        if parts.path.strip("/") or parts.query:
            raise Failure(f'AIS_ENDPOINT must be an address without a path: "{endpoint}"')
        self.endpoint = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._host, self._port = parts.hostname, port or _PORTS[parts.scheme]
        self._secure = parts.scheme == "https"
        self._keys = keys
        self._connection: http.client.HTTPConnection | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Client:
        return cls(environ.get("AIS_ENDPOINT") or DEFAULT_ENDPOINT, keys_from(environ))

    def act(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        action: str = "",
        value: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send a request with an action message (none for `""`) and read the reply whole."""
        body = b""
        fields = dict(headers or {})
        if action:
            body = json.dumps({"action": action, "name": "", "value": value}).encode()
            fields["content-type"] = "application/json"
        digest = hashlib.sha256(body).hexdigest()
        with self._exchange(method, path, query, fields, [body], len(body), digest) as response:
            return Reply(response.headers, response.read())

    def upload(
        self,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        pieces: Iterable[bytes],
        size: int | None,
    ) -> Reply:
        """PUT a body piece by piece; one of unknown size (`None`) goes in chunks."""
        with self._exchange("PUT", path, query, headers, pieces, size, UNSIGNED_PAYLOAD) as reply:
            return Reply(reply.headers, reply.read())

    @contextmanager
    def download(
        self, path: str, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> Iterator[http.client.HTTPResponse]:
        """GET a body that the caller reads."""
        digest = hashlib.sha256(b"").hexdigest()
        with self._exchange("GET", path, query, headers, [], 0, digest) as response:
            yield response

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def _exchange(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        pieces: Iterable[bytes],
        size: int | None,
        digest: str,
    ) -> Iterator[http.client.HTTPResponse]:
        """Send a request and give its response once it is a success. Raises `Failure`."""
        target = path + ("?" + urlencode(query, quote_via=quote, safe="") if query else "")
        fields = self._signed(method, target, headers, digest)
        connection = self._connected()
        whole = False
        try:
            response = self._send(connection, method, target, fields, pieces, size)
            if not 200 <= response.status < 300:
                raise _refused(method, response)
            yield response
            whole = response.isclosed()
        except TimeoutError:
            raise Failure(f"{self.endpoint} did not answer in {IDLE_SECONDS} seconds") from None
        except http.client.HTTPException as error:
            reason = printable(str(error)) or type(error).__name__
            raise Failure(f"{self.endpoint} broke off the connection: {reason}") from None
        except (ConnectionResetError, ConnectionAbortedError):
            raise Failure(f"{self.endpoint} broke off the connection") from None
        finally:
            if not whole:
                self.close()

    def _signed(
        self, method: str, target: str, headers: Mapping[str, str], digest: str
    ) -> dict[str, str]:
        url = self.endpoint + target
        if self._keys is None:
            return {**headers, "host": urlsplit(url).netloc}
        return sign(
            method,
            url,
            headers=headers,
            payload_hash=digest,
            access_key=self._keys.access,
            secret_key=self._keys.secret,
            session_token=self._keys.token,
            region=self._keys.region,
            time=time.time(),
        )

    def _connected(self) -> http.client.HTTPConnection:
        connection = self._connection
        if connection is not None and connection.sock is not None:
            # Something to read before anything was asked: the node has closed it meanwhile.
            if not select.select([connection.sock], [], [], 0)[0]:
                return connection
            connection.close()
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=CONNECT_SECONDS)
        try:
            connection.connect()
        except OSError as error:
            reason = error.strerror or str(error) or type(error).__name__
            raise Failure(
                f"cannot connect to {self.endpoint}: {reason}"
                " (is aisnode running there? AIS_ENDPOINT says where to look)"
            ) from None
        connection.sock.settimeout(IDLE_SECONDS)
        self._connection = connection
        return connection

    def _send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        target: str,
        fields: Mapping[str, str],
        pieces: Iterable[bytes],
        size: int | None,
    ) -> http.client.HTTPResponse:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in fields.items():
            connection.putheader(name, value)
        connection.putheader("user-agent", f"ais/{__version__}")
        if size is None:
            connection.putheader("transfer-encoding", "chunked")
        elif size or method in ("PUT", "POST", "PATCH"):
            connection.putheader("content-length", str(size))
        # A node that refuses a body answers without waiting for all of it: read that answer.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.endheaders()
            for data in pieces:
                if data:
                    connection.send(b"%x\r\n%b\r\n" % (len(data), data) if size is None else data)
            if size is None:
                connection.send(b"0\r\n\r\n")
        return connection.getresponse()


def _refused(method: str, response: http.client.HTTPResponse) -> Refused:
    """The error that a reply tells, in AIStore's JSON or at least by its status."""
    raw = response.headers.get("hdr-error", "") if method == "HEAD" else response.read(_ERROR_LIMIT)
    told: Any = None
    with suppress(ValueError, RecursionError):
        told = json.loads(raw)
    message = told.get("message") if isinstance(told, dict) else None
    if not isinstance(message, str) or not message:
        message = f"the node answered {response.status} {response.reason}"
    return Refused(response.status, printable(message))
