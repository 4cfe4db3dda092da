"""An HTTP server that is told of events; what it answers is the test's to say."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self
from urllib.parse import unquote_plus

SECONDS = 60.0


class Heard(NamedTuple):
    """One request: its path, headers with lower-case names, and body."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        """The one record that it tells of."""
        (record,) = json.loads(self.body)["Records"]
        found: dict[str, Any] = record
        return found

    @property
    def is_test(self) -> bool:
        return b'"s3:TestEvent"' in self.body

    @property
    def key(self) -> str:
        return unquote_plus(self.event["s3"]["object"]["key"])


class Hook:
    """See the module. `answer` gives a status for what was heard, perhaps after a while; 0 drops
    the connection without a reply."""

    def __init__(self, answer: Callable[[Heard], int] = lambda _: 200, port: int = 0) -> None:
        self.answer = answer
        self.headers: dict[str, str] = {}  # of every reply
        self.all: list[Heard] = []
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        hook = self

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                with hook._lock:
                    hook._open.append(self.connection)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                heard = Heard(self.path, headers, body)
                with hook._lock:
                    hook.all.append(heard)
                status = hook.answer(heard)
                if status == 0:
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in hook.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing: the tests look at what was heard."""

        self._server = Server(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @property
    def events(self) -> list[Heard]:
        """What was heard of objects, in its order."""
        with self._lock:
            return [heard for heard in self.all if not heard.is_test]

    @property
    def tests(self) -> list[dict[str, Any]]:
        with self._lock:
            return [json.loads(heard.body) for heard in self.all if heard.is_test]

    def wait(self, count: int, seconds: float = SECONDS) -> list[Heard]:
        """The first `count` events, or an error that says what came instead."""
        deadline = time.monotonic() + seconds
        while len(self.events) < count:
            told = [(heard.event["eventName"], heard.key) for heard in self.events]
            assert time.monotonic() < deadline, f"{len(told)} of {count} events came: {told[-20:]}"
            time.sleep(0.02)
        return self.events
