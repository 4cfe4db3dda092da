"""A server that answers as it is told, once for each line of its script."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
DROP = b""  # the connection is closed instead of an answer


@dataclass
class Script:
    """Answers to give, one for each request; `None` keeps the connection but says nothing more.

    A connection is closed after `DROP`, and after an answer that is followed by another
    `connection` in the script.
    """

    connections: Sequence[Sequence[bytes]]
    root: str = ""
    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """The request line of every request that came."""
        return [head.partition(b"\r\n")[0].decode() for head in self.heads]


@contextmanager
def scripted(
    *connections: Sequence[bytes], context: ssl.SSLContext | None = None
) -> Iterator[Script]:
    """Serve one connection after the other, each with its own answers."""
    script = Script(connections)
    with socket.create_server(("127.0.0.1", 0)) as server:
        scheme = "http" if context is None else "https"
        script.root = f"{scheme}://127.0.0.1:{server.getsockname()[1]}"
        thread = threading.Thread(target=_serve, args=(server, script, context))
        thread.start()
        try:
            yield script
        finally:
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(server: socket.socket, script: Script, context: ssl.SSLContext | None) -> None:
    for answers in script.connections:
        try:
            connection, _ = server.accept()
        except OSError:
            return  # the test is over
        with suppress(OSError):
            if context is not None:
                connection = context.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as incoming:
                for answer in answers:
                    head = _head(incoming)
                    if not head:
                        break
                    script.heads.append(head)
                    script.bodies.append(_body(incoming, head))
                    connection.sendall(answer.replace(b"ROOT", script.root.encode()))


def _head(incoming: object) -> bytes:
    lines = []
    while (line := incoming.readline()) not in (b"", b"\r\n"):  # type: ignore[attr-defined]
        lines.append(line)
    return b"".join(lines)


def _body(incoming: object, head: bytes) -> bytes:
    fields = dict(
        line.lower().partition(b":")[::2] for line in head.split(b"\r\n")[1:] if b":" in line
    )
    read = incoming.read  # type: ignore[attr-defined]
    if b"content-length" in fields:
        return bytes(read(int(fields[b"content-length"])))
    if b"transfer-encoding" not in fields:
        return b""
    body = b""
    while size := int(incoming.readline(), 16):  # type: ignore[attr-defined]
        body += read(size + 2)[:-2]
    incoming.readline()  # type: ignore[attr-defined]
    return body
