"""A gateway as AIStore has them, in front of a node that plays its target.

It answers for the map and for buckets itself, and redirects every request for an object to the
target without taking its body: 301 for GET, else 307, at once and with the path decoded, as AIStore
does. Nothing of it says that it is Aisle. `target` may be set to send clients astray, `uuid` to be
another cluster.
"""

from __future__ import annotations

import http.client
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import unquote, urlsplit


class Gateway:
    """`with Gateway(port, uuid) as gateway`: `gateway.url` is its address."""

    def __init__(self, port: int, uuid: str) -> None:
        self.port = port
        self.uuid = uuid
        self.target = f"http://127.0.0.1:{port}"  # where requests are sent
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def map(self) -> dict[str, object]:
        return {
            "pmap": {"pone": _node("pone", "proxy", self.url)},
            "tmap": {"tone": _node("tone", "target", f"http://127.0.0.1:{self.port}")},
            "proxy_si": _node("pone", "proxy", self.url),
            "uuid": self.uuid,
            "version": "7",
            "creation_time": "",
        }

    def __enter__(self) -> Gateway:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _node(name: str, kind: str, url: str) -> dict[str, object]:
    parts = urlsplit(url)
    net = {"node_hostname": parts.hostname, "daemon_port": str(parts.port), "direct_url": url}
    return {"daemon_id": name, "daemon_type": kind, "public_net": net, "flags": 0}


def _handler(gateway: Gateway) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            gateway.seen.append((self.command, self.path, headers))
            if self.path.startswith("/v1/daemon?what=smap"):
                self._send(200, {"content-type": "application/json"}, json.dumps(gateway.map()))
            elif self.path.startswith("/v1/objects/"):
                self._redirect(headers)
            else:
                self._pass(headers)

        do_GET = do_HEAD = do_PUT = do_DELETE = do_PATCH = do_POST = _answer

        def _redirect(self, headers: dict[str, str]) -> None:
            path, _, query = self.path.partition("?")
            place = unquote(path, "latin-1")  # its bytes as they are
            self.close_connection = "content-length" in headers
            status = 301 if self.command == "GET" else 307
            location = f"{gateway.target}{place}?{query}&pid=pone&utm=12345"
            self._send(status, {"location": location}, "")

        def _pass(self, headers: dict[str, str]) -> None:
            body = self.rfile.read(int(headers.get("content-length", "0")))
            connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
            kept = {name: value for name, value in headers.items() if name != "ais-via"}
            connection.request(self.command, self.path, body, kept)
            reply = connection.getresponse()
            data = reply.read()
            fields = {name: value for name, value in reply.getheaders() if name.lower() != "date"}
            connection.close()
            self._send(reply.status, fields, data)

        def _send(self, status: int, headers: dict[str, str], body: str | bytes) -> None:
            data = body.encode() if isinstance(body, str) else body
            self.send_response_only(status)
            given = {name.lower() for name in headers}
            for name, value in headers.items():
                self.send_header(name, value)
            if "content-length" not in given:
                self.send_header("content-length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is logged."""

    return Handler
