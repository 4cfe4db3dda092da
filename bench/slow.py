"""Many clients that are slow on purpose: half read large objects, half write them.

Every quarter of a second each of them moves one kibibyte, so that the server has to hold 256
requests open at once while nobody hurries. What is measured is what that makes it hold in memory,
and whether it still answers others meanwhile.
"""

from __future__ import annotations

import http.client
import socket
import time
from dataclasses import dataclass

from bench.servers import HOST, Server

SIZE = 64 << 20
_STEP = 1024
_TICK = 0.25
_WINDOW = 16_384


@dataclass(slots=True)
class Slow:
    """How many were open at the end, and the longest that a small request waited meanwhile."""

    alive: int = 0
    started: int = 0
    worst_probe: float = 0.0
    first_error: str = ""


def run(server: Server, bucket: str, key: str, probe: str, *, clients: int, seconds: float) -> Slow:
    """Hold `clients` open for `seconds`; `key` has `SIZE` bytes, `probe` is a small object."""
    signer, result = server.signer(), Slow(started=clients)
    readers: list[socket.socket] = []
    writers: list[socket.socket] = []
    try:
        for number in range(clients // 2):
            target = signer.target("GET", bucket, key)
            readers.append(_open(server, f"GET {target} HTTP/1.1\r\nHost: {signer.host}\r\n"))
            target = signer.target("PUT", bucket, f"slow/{number}")
            head = f"PUT {target} HTTP/1.1\r\nHost: {signer.host}\r\nContent-Length: {SIZE}\r\n"
            writers.append(_open(server, head))
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            turn = time.monotonic()
            for group, step in ((readers, _read), (writers, _write)):
                for client in group.copy():
                    error = step(client)
                    if error:
                        group.remove(client)
                        client.close()
                        result.first_error = result.first_error or error
            result.worst_probe = max(result.worst_probe, _probe(server, bucket, probe))
            time.sleep(max(0.0, turn + _TICK - time.monotonic()))
        result.alive = len(readers) + len(writers)
    finally:
        for client in (*readers, *writers):
            client.close()
    return result


def _open(server: Server, head: str) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _WINDOW)
    client.settimeout(10)
    client.connect((HOST, server.port))
    client.sendall(head.encode() + b"\r\n")
    client.setblocking(False)
    return client


def _read(client: socket.socket) -> str:
    try:
        return "" if client.recv(_STEP) else "a reader was cut off"
    except BlockingIOError:
        return ""
    except OSError as error:
        return f"a reader: {error}"


def _write(client: socket.socket) -> str:
    try:
        client.send(b"x" * _STEP)
        return ""
    except BlockingIOError:
        return ""
    except OSError as error:
        return f"a writer: {error}"


def _probe(server: Server, bucket: str, key: str) -> float:
    began = time.perf_counter()
    connection = http.client.HTTPConnection(HOST, server.port, timeout=30)
    try:
        connection.request("GET", server.signer().target("GET", bucket, key))
        connection.getresponse().read()
    finally:
        connection.close()
    return time.perf_counter() - began
