"""A raw HTTP/1.1 client connection that costs almost nothing per byte.

Bodies go out with sendfile from memory and come in with MSG_TRUNC, by which the kernel drops what
it received without copying it (tcp(7)): on a machine shared with the server, a client that copied
64 MiB objects would take the CPU that is being measured. It knows the little of HTTP that S3
servers answer with: Content-Length, chunked, and connections that close.
"""

from __future__ import annotations

import os
import socket
from typing import NamedTuple

_HEAD = 65_536
_TIMEOUT = 60.0
_SLICE = 1 << 20


class Reply(NamedTuple):
    """A status, lower-cased headers, the body's length, and the body if it was asked for."""

    status: int
    headers: dict[str, str]
    length: int
    body: bytes


class WireError(Exception):
    """The server closed the connection, or answered what this client cannot read."""


class Connection:
    """One keep-alive connection, opened at need."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._socket: socket.socket | None = None
        self._scratch = bytearray(_SLICE)

    def exchange(
        self,
        method: str,
        target: str,
        *,
        body: bytes = b"",
        file: int = -1,
        size: int = 0,
        keep: bool = False,
    ) -> Reply:
        """Send one request, with `body` or the first `size` bytes of `file`; read its reply."""
        length = size if file >= 0 else len(body)
        head = f"{method} {target} HTTP/1.1\r\nHost: {self._address[0]}:{self._address[1]}\r\n"
        if method in ("PUT", "POST"):
            head += f"Content-Length: {length}\r\n"
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=_TIMEOUT)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._socket.sendall(head.encode() + b"\r\n" + (b"" if file >= 0 else body))
            if file >= 0:
                self._send_file(self._socket, file, size)
            return self._reply(self._socket, keep=keep or method == "POST")
        except (OSError, WireError):
            self.close()
            raise

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    @staticmethod
    def _send_file(sock: socket.socket, file: int, size: int) -> None:
        sock.settimeout(None)  # sendfile on a socket with a timeout would have to poll
        offset = 0
        while offset < size:
            offset += os.sendfile(sock.fileno(), file, offset, size - offset)
        sock.settimeout(_TIMEOUT)

    def _reply(self, sock: socket.socket, *, keep: bool) -> Reply:
        received = b""
        while b"\r\n\r\n" not in received:
            more = sock.recv(_HEAD)
            if not more:
                raise WireError("the server closed the connection")
            received += more
        head, _, rest = received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        version, status, *_ = first.split(" ", 2)
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        code = int(status)
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = self._chunked(sock, rest)
            length = len(body)
        elif code == 204:
            body, length = b"", 0
        elif "content-length" in headers:
            length = int(headers["content-length"])
            body = rest + self._read(sock, length - len(rest), keep=keep or code >= 300)
        else:
            raise WireError("a reply without a length")
        closing = headers.get("connection", "").lower()
        if closing == "close" or (version == "HTTP/1.0" and closing != "keep-alive"):
            self.close()
        return Reply(code, headers, length, body)

    def _read(self, sock: socket.socket, remaining: int, *, keep: bool) -> bytes:
        """Read to the end; return the bytes only if they are to be kept."""
        kept = bytearray()
        flags = socket.MSG_WAITALL | (0 if keep else socket.MSG_TRUNC)
        while remaining > 0:
            count = sock.recv_into(self._scratch, min(remaining, _SLICE), flags)
            if not count:
                raise WireError(f"the reply ended {remaining} bytes early")
            if keep:
                kept += self._scratch[:count]
            remaining -= count
        return bytes(kept)

    @staticmethod
    def _chunked(sock: socket.socket, buffered: bytes) -> bytes:
        def more() -> bytes:
            data = sock.recv(_HEAD)
            if not data:
                raise WireError("the chunked reply ended early")
            return data

        body = b""
        while True:
            while b"\r\n" not in buffered:
                buffered += more()
            line, _, buffered = buffered.partition(b"\r\n")
            size = int(line.partition(b";")[0], 16)
            while len(buffered) < size + 2:
                buffered += more()
            body, buffered = body + buffered[:size], buffered[size + 2 :]
            if size == 0:
                return body
