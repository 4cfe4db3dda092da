"""Requests and replies over kept-alive connections, shared by any number of threads.

A thread takes an idle connection or makes one, and gives it back once the reply was read whole. A
request is signed (or carries a bearer token) anew each time it is sent. It is sent again where
that can do no harm: after a kept connection turned out to be dropped (GET, HEAD and uploads), after
`503` with `Retry-After`, and after a redirect; a body only if it can be iterated again, which a
list can and a generator cannot. Bodies are streamed both ways: nothing here holds an object.

Every failure of the network or of the node is raised as `ClientError`. No endpoint is known here.
"""

from __future__ import annotations

import http.client
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple
from urllib.parse import quote, urlencode, urljoin, urlsplit

from aisle import __version__
from aisle.client.environment import DEFAULT_ENDPOINT, Keys
from aisle.client.errors import ClientError, refused
from aisle.core.sigv4 import sign

CONNECT_SECONDS: Final = 10.0
IDLE_SECONDS: Final = 300.0  # destroying a large bucket is one request
_PORTS: Final = {"http": 80, "https": 443}
_HOPS: Final = 5
_RETRIES: Final = 3
_LONGEST_WAIT: Final = 5.0
_IDLE_CONNECTIONS: Final = 64


class Origin(NamedTuple):
    """Scheme, host and port of a node."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin:
        """Raises `ClientError`."""
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in _PORTS or not parts.hostname or port == -1:
            raise ClientError(
                f'not the address of a node, such as {DEFAULT_ENDPOINT}: "{url}"'
                " (see AIS_ENDPOINT or --endpoint)"
            )
        return cls(parts.scheme, parts.hostname, port or _PORTS[parts.scheme])


class Request(NamedTuple):
    """A request to send, as often as it takes; `size` is `None` for a body in chunks."""

    method: str
    url: str
    headers: Mapping[str, str]
    pieces: Iterable[bytes]
    size: int | None
    digest: str
    repeatable: bool  # it does no harm if the node gets it twice

    @property
    def body_again(self) -> bool:
        return iter(self.pieces) is not self.pieces


class Transport:
    """The connections of one client, by what they lead to."""

    def __init__(
        self,
        endpoint: str,
        *,
        keys: Keys | None = None,
        token: str = "",
        ca_file: str = "",
        verify: bool = True,
        client_cert: tuple[str, str] | None = None,
        timeout: float = IDLE_SECONDS,
    ) -> None:
        if "://" not in endpoint:
            endpoint = f"http://{endpoint}"
        Origin.of(endpoint)
        parts = urlsplit(endpoint)
        if parts.path.strip("/") or parts.query:
            raise ClientError(f'AIS_ENDPOINT must be an address without a path: "{endpoint}"')
        self.endpoint = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._keys, self._token = keys, token
        self._ca_file, self._verify, self._client_cert = ca_file, verify, client_cert
        self._timeout = timeout
        self._lock = threading.Lock()
        self._idle: dict[Origin, list[http.client.HTTPConnection]] = {}
        self._busy: set[http.client.HTTPConnection] = set()
        self._tls: ssl.SSLContext | None = None

    def close(self) -> None:
        """Close every connection; requests that other threads are in the middle of fail."""
        with self._lock:
            idle = [one for several in self._idle.values() for one in several]
            self._idle.clear()
            for connection in self._busy:
                if connection.sock is not None:
                    with suppress(OSError):
                        connection.sock.shutdown(socket.SHUT_RDWR)
        for connection in idle:
            connection.close()

    @contextmanager
    def exchange(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        pieces: Iterable[bytes],
        size: int | None,
        digest: str,
        *,
        repeatable: bool,
    ) -> Iterator[http.client.HTTPResponse]:
        """Send a request and give its response once it is a success. Raises `ClientError`."""
        target = path + ("?" + urlencode(query, quote_via=quote, safe="") if query else "")
        url = self.endpoint + target
        request = Request(method, url, headers, pieces, size, digest, repeatable)
        origin, connection, response = self._answered(request)
        whole = False
        try:
            yield response
            whole = response.isclosed() and not response.will_close
        except (OSError, http.client.HTTPException) as error:
            if not isinstance(error, _NETWORK):
                raise
            raise self._broken(error) from None
        finally:
            self._give(origin, connection, keep=whole)

    def _answered(
        self, request: Request
    ) -> tuple[Origin, http.client.HTTPConnection, http.client.HTTPResponse]:
        """The success that answers a request, after redirects and what it is sent again for."""
        hops = retries = 0
        while True:
            origin = Origin.of(request.url)
            connection, kept = self._take(origin)
            keep = False
            try:
                response = self._send(connection, request)
                if 200 <= response.status < 300:
                    keep = True
                    return origin, connection, response
                location = response.headers.get("location", "")
                if response.status in (301, 302, 307, 308) and location and hops < _HOPS:
                    hops += 1
                    request = _redirected(request, location)
                elif wait := _wait(request, response, retries):
                    retries += 1
                    time.sleep(wait)
                else:
                    raise refused(request.method, response)
            except _NETWORK as error:
                if not (kept and _dropped(error) and request.repeatable and request.body_again):
                    raise self._broken(error) from None
            finally:
                if not keep:
                    self._give(origin, connection, keep=False)

    def _broken(self, error: Exception) -> ClientError:
        if isinstance(error, TimeoutError):
            return ClientError(f"{self.endpoint} did not answer in {self._timeout:g} seconds")
        if isinstance(error, OSError) and not isinstance(error, http.client.HTTPException):
            return ClientError(f"{self.endpoint} broke off the connection")
        reason = str(error) or type(error).__name__
        return ClientError(f"{self.endpoint} broke off the connection: {reason}")

    def _take(self, origin: Origin) -> tuple[http.client.HTTPConnection, bool]:
        """A connection for this thread alone, and whether it has served before."""
        while True:
            with self._lock:
                idle = self._idle.get(origin)
                connection = idle.pop() if idle else None
                if connection is not None:
                    self._busy.add(connection)
            if connection is None:
                return self._connect(origin), False
            # Something to read before anything was asked: the node has closed it meanwhile.
            if connection.sock is not None and not _readable(connection.sock):
                return connection, True
            self._give(origin, connection, keep=False)

    def _give(self, origin: Origin, connection: http.client.HTTPConnection, *, keep: bool) -> None:
        with self._lock:
            if connection not in self._busy:
                return
            self._busy.discard(connection)
            idle = self._idle.setdefault(origin, [])
            if keep and connection.sock is not None and len(idle) < _IDLE_CONNECTIONS:
                idle.append(connection)
                return
        connection.close()

    def _connect(self, origin: Origin) -> http.client.HTTPConnection:
        seconds = min(CONNECT_SECONDS, self._timeout)
        try:
            connection: http.client.HTTPConnection
            if origin.scheme == "https":
                connection = http.client.HTTPSConnection(
                    origin.host, origin.port, timeout=seconds, context=self._context()
                )
            else:
                connection = http.client.HTTPConnection(origin.host, origin.port, timeout=seconds)
            connection.connect()
        except OSError as error:
            raise _unreachable(origin, error) from None
        connection.sock.settimeout(self._timeout)
        with self._lock:
            self._busy.add(connection)
        return connection

    def _context(self) -> ssl.SSLContext:
        with self._lock:
            if self._tls is None:
                try:
                    made = ssl.create_default_context(cafile=self._ca_file or None)
                    if self._client_cert is not None:
                        certificate, key = self._client_cert
                        made.load_cert_chain(certificate, key or None)
                except OSError as error:
                    file = self._ca_file or (self._client_cert or ("",))[0]
                    raise ClientError(f"cannot read certificates of {file}: {error}") from None
                if not self._verify:
                    made.check_hostname = False
                    made.verify_mode = ssl.CERT_NONE
                self._tls = made
            return self._tls

    def _signed(self, request: Request) -> dict[str, str]:
        if self._token:
            headers = {**request.headers, "authorization": f"Bearer {self._token}"}
            return {**headers, "host": urlsplit(request.url).netloc}
        if self._keys is None:
            return {**request.headers, "host": urlsplit(request.url).netloc}
        return sign(
            request.method,
            request.url,
            headers=request.headers,
            payload_hash=request.digest,
            access_key=self._keys.access,
            secret_key=self._keys.secret,
            session_token=self._keys.token,
            region=self._keys.region,
            time=time.time(),
        )

    def _send(
        self, connection: http.client.HTTPConnection, request: Request
    ) -> http.client.HTTPResponse:
        parts = urlsplit(request.url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        size = request.size
        connection.putrequest(request.method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in self._signed(request).items():
            connection.putheader(name, value)
        connection.putheader("user-agent", f"ais/{__version__}")
        if size is None:
            connection.putheader("transfer-encoding", "chunked")
        elif size or request.method in ("PUT", "POST", "PATCH"):
            connection.putheader("content-length", str(size))
        # A node that refuses a body answers without waiting for all of it: read that answer.
        with suppress(BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
            connection.endheaders()
            for data in request.pieces:
                if data:
                    connection.send(b"%x\r\n%b\r\n" % (len(data), data) if size is None else data)
            if size is None:
                connection.send(b"0\r\n\r\n")
        return connection.getresponse()


_NETWORK: Final = (
    TimeoutError,
    http.client.HTTPException,
    ConnectionResetError,
    ConnectionAbortedError,
    ssl.SSLError,
)


def _dropped(error: Exception) -> bool:
    """Whether the node had gone before it answered anything."""
    return isinstance(error, http.client.RemoteDisconnected | ConnectionError)


def _readable(sock: socket.socket) -> bool:
    if hasattr(select, "poll"):  # select() has no room for descriptors over 1023
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([sock], [], [], 0)[0])


def _redirected(request: Request, location: str) -> Request:
    """The request as it goes to where the node sent it. Raises `ClientError`."""
    url = urljoin(request.url, location)
    if request.url.startswith("https:") and not url.startswith("https:"):
        raise ClientError(f"{request.url} redirects to {url}, which is not safe")
    if request.size != 0 and not request.body_again:
        raise ClientError(f"{request.url} redirects to {url} what can be sent only once")
    return request._replace(url=url)


def _wait(request: Request, response: http.client.HTTPResponse, retries: int) -> float:
    """How long to wait before a busy node is asked again; 0 if it is not to be asked."""
    after = response.headers.get("retry-after", "")
    if response.status != 503 or not after.isdecimal() or retries >= _RETRIES:
        return 0.0
    if request.size != 0 and not request.body_again:
        return 0.0
    return min(max(float(after), 0.1), _LONGEST_WAIT)


def _unreachable(origin: Origin, error: OSError) -> ClientError:
    address = f"{origin.scheme}://{origin.host}:{origin.port}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return ClientError(
            f"the certificate of {address} does not hold: {error.verify_message}"
            " (AIS_CLIENT_CA names the authority, AIS_SKIP_VERIFY_CRT=true asks for none)"
        )
    if isinstance(error, ssl.SSLError):
        reason = error.reason or str(error)
        return ClientError(f"cannot speak TLS with {address}: {reason}")
    reason = error.strerror or str(error) or type(error).__name__
    return ClientError(
        f"cannot connect to {address}: {reason}"
        " (is aisnode running there? AIS_ENDPOINT says where to look)"
    )
