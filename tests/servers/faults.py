"""An HTTP proxy in front of a server: counts its requests, and goes wrong where a test says so.

It runs in threads of the test's process. Heads and bodies go through unchanged but for what a
`Fault` does, so signatures hold; every connection carries one request. `requests` has all that
came, in order.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType

PIECE = 64 << 10
_SECONDS = 60.0
_SETTLES = 2.0  # seconds


@dataclass
class Fault:
    """What goes wrong with the next `times` requests of `method` (any if empty) whose target has
    `text` in it. Counts of bytes are of the reply's body."""

    method: str = ""
    text: str = ""
    times: int = 1
    status: int = 0  # answered by the proxy itself; the server never hears of the request
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    lose: bool = False  # the server does what it is asked, and its reply is lost
    hang: bool = False  # no reply, until `release` is called
    cut: int | None = None  # the connection ends after so many bytes
    longer: int = 0  # the head announces so many bytes more than come (fewer if negative)
    corrupt: int | None = None  # the byte at this place is another one
    hold: int | None = None  # the reply stops after so many bytes, until `release` is called
    rate: int = 0  # bytes a second
    delay: float = 0.0  # seconds before the request is passed on
    meanwhile: Callable[[], None] | None = None  # called where the reply is held, or before it
    drop: tuple[str, ...] = ()  # headers that the reply loses

    def fits(self, method: str, target: str) -> bool:
        return self.times > 0 and self.method in ("", method) and self.text in target


@dataclass(frozen=True)
class Seen:
    """A request that came to the proxy."""

    method: str
    target: str
    headers: dict[str, str]


class FaultProxy:
    """`with FaultProxy(port) as proxy`: `proxy.endpoint` is the server at `port`, with faults."""

    def __init__(self, target: int, address: str = "127.0.0.1") -> None:
        self.target = target
        self.requests: list[Seen] = []
        self.sent = 0  # bytes of bodies passed to clients
        self._address = address
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._released = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._passing = 0  # requests that the server is at work on
        self._ended = False
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def endpoint(self) -> str:
        return f"http://localhost:{self.port}"

    def __enter__(self) -> FaultProxy:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended = True
        self._released.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.break_connections()
        self._thread.join(_SECONDS)

    # --- what a test says and asks ----------------------------------------------------------

    def add(self, fault: Fault) -> Fault:
        """Have `fault` happen; those that were added first come first."""
        with self._lock:
            self._faults.append(fault)
        return fault

    def release(self) -> None:
        """Let go on what is held or hangs, now and from now on."""
        self._released.set()

    def reset(self) -> None:
        """As new: no faults, nothing seen; what was made slow or held comes to its end."""
        with self._lock:
            for fault in self._faults:
                fault.rate = 0
            self._released.set()
        deadline = time.monotonic() + _SETTLES
        while self._passing and time.monotonic() < deadline:
            time.sleep(0.005)
        with self._lock:
            self._faults.clear()
            self.requests.clear()
            self.sent = 0
            self._released.set()
            self._released = threading.Event()

    def count(self, method: str = "", text: str = "") -> int:
        """How many requests have come whose target has `text` in it."""
        with self._lock:
            return sum(
                s.method in (method or s.method,) and text in s.target for s in self.requests
            )

    def wait_for(self, number: int, method: str = "", text: str = "") -> None:
        """Return once that many requests have come."""
        deadline = time.monotonic() + _SECONDS
        while self.count(method, text) < number:
            assert time.monotonic() < deadline, f"{self.requests} instead of {number}"
            time.sleep(0.005)

    def break_connections(self) -> None:
        """End every connection at once."""
        with self._lock:
            connections, self._open = self._open, set()
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    # --- one connection ---------------------------------------------------------------------

    def _accept(self) -> None:
        while not self._ended:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with self._lock:
            self._open.add(client)
        try:
            with client, contextlib.suppress(OSError, ConnectionError, ValueError):
                self._exchange(client)
        finally:
            with self._lock:
                self._open.discard(client)

    def _exchange(self, client: socket.socket) -> None:
        head, rest = _read_head(client)
        if not head:
            return
        method, target, _ = head[0].split(" ", 2)
        headers = _headers(head)
        fault = self._meet(Seen(method, target, headers))
        if fault.status:
            _discard(client, headers, rest)
            client.sendall(_reply(fault))
            return
        if fault.delay:
            time.sleep(fault.delay)
        with socket.create_connection((self._address, self.target), _SECONDS) as server:
            with self._lock:
                self._open.add(server)
                self._passing += 1
            try:
                _pass_request(client, server, head, headers, rest)
                self._pass_reply(client, server, method, fault)
            finally:
                with self._lock:
                    self._open.discard(server)
                    self._passing -= 1

    def _meet(self, seen: Seen) -> Fault:
        with self._lock:
            self.requests.append(seen)
            for fault in self._faults:
                if fault.fits(seen.method, seen.target):
                    fault.times -= 1
                    return fault
        return Fault()

    def _pass_reply(
        self, client: socket.socket, server: socket.socket, method: str, fault: Fault
    ) -> None:
        released = self._released
        head, rest = _read_head(server)
        while head and head[0].split(" ")[1] == "100":
            head, rest = _read_head(server, rest)
        if not head or fault.lose:
            return
        if fault.hang:
            released.wait(_SECONDS)
            return
        if fault.meanwhile is not None and fault.hold is None:
            fault.meanwhile()
        headers = _headers(head)
        length = int(headers.get("content-length", "-1"))
        client.sendall(_altered(head, fault, length))
        if method == "HEAD":
            return
        position = 0
        for piece in _body(server, rest, headers):
            for part in self._altered_pieces(piece, position, fault, released):
                with self._lock:
                    self.sent += len(part)  # before whoever gets it can look
                client.sendall(part)
                if rate := fault.rate:
                    time.sleep(len(part) / rate)
            position += len(piece)
            if fault.cut is not None and position >= fault.cut:
                return

    def _altered_pieces(
        self, piece: bytes, position: int, fault: Fault, released: threading.Event
    ) -> Iterator[bytes]:
        if fault.cut is not None:
            piece = piece[: max(0, fault.cut - position)]
        place = -1 if fault.corrupt is None else fault.corrupt - position
        if 0 <= place < len(piece):
            piece = piece[:place] + bytes([piece[place] ^ 0xFF]) + piece[place + 1 :]
        if fault.hold is not None and position <= fault.hold <= position + len(piece):
            yield piece[: fault.hold - position]
            piece = piece[fault.hold - position :]
            fault.hold = None
            if fault.meanwhile is not None:
                fault.meanwhile()
            released.wait(_SECONDS)
        rate = fault.rate
        step = max(1, rate // 50) if rate else PIECE
        for start in range(0, len(piece), step):
            yield piece[start : start + step]


def _read_head(connection: socket.socket, data: bytes = b"") -> tuple[list[str], bytes]:
    """The lines of a head and what came after it; no lines if the connection ended."""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(PIECE)
        if not piece:
            return [], b""
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return head.decode("latin-1").split("\r\n"), rest


def _headers(head: list[str]) -> dict[str, str]:
    pairs = (line.partition(":") for line in head[1:])
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _pass_request(
    client: socket.socket,
    server: socket.socket,
    head: list[str],
    headers: dict[str, str],
    rest: bytes,
) -> None:
    kept = [line for line in head if not line.lower().startswith("connection:")]
    server.sendall("\r\n".join([*kept, "Connection: close", "", ""]).encode("latin-1"))
    if headers.get("expect", "").lower() == "100-continue":
        client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    for piece in _body(client, rest, headers, request=True):
        server.sendall(piece)


def _body(
    connection: socket.socket, rest: bytes, headers: dict[str, str], *, request: bool = False
) -> Iterator[bytes]:
    """The bytes of a body as they are on the wire."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        tail = rest[-5:]
        if rest:
            yield rest
        while not tail.endswith(b"0\r\n\r\n"):
            piece = connection.recv(PIECE)
            if not piece:
                return
            tail = (tail + piece)[-5:]
            yield piece
        return
    left = int(headers.get("content-length", "0" if request else str(1 << 62)))
    if rest:
        yield rest[:left]
        left -= len(rest)
    while left > 0:
        piece = connection.recv(min(PIECE, left))
        if not piece:
            return
        left -= len(piece)
        yield piece


def _discard(client: socket.socket, headers: dict[str, str], rest: bytes) -> None:
    if headers.get("expect", "").lower() != "100-continue":
        for _ in _body(client, rest, headers, request=True):
            pass


def _reply(fault: Fault) -> bytes:
    fields = {"Content-Length": str(len(fault.body)), "Connection": "close", **fault.headers}
    lines = [f"HTTP/1.1 {fault.status} Fault", *(f"{n}: {v}" for n, v in fields.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + fault.body


def _altered(head: list[str], fault: Fault, length: int) -> bytes:
    dropped = {"connection", *(name.lower() for name in fault.drop)}
    lines = [head[0]]
    for line in head[1:]:
        name = line.partition(":")[0].strip().lower()
        if name in dropped:
            continue
        if name == "content-length" and fault.longer:
            line = f"Content-Length: {length + fault.longer}"
        lines.append(line)
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1")
