"""HAProxy in front of several gateways, as transparent to S3 as it can be configured.

Every request goes to the next gateway that is ready, also on a kept-alive connection. Nothing is
added to a request and Host is passed on, or signatures would break; paths and headers that a
browser would not send are let through; bodies stream in both directions.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.harness import free_port

HAPROXY = "/usr/sbin/haproxy"
_SECONDS = 15.0

_CONFIG = """\
global
    nbthread 1
    maxconn 2000
    tune.bufsize 65536
    tune.maxrewrite 1024
    tune.http.maxhdr 500
    log stderr format raw local0 info

defaults
    mode http
    timeout connect 5s
    timeout client 5m
    timeout server 5m
    timeout http-keep-alive 60s
    timeout http-request 60s
    http-reuse safe
    option redispatch 1
    retries 3

frontend s3
    bind 127.0.0.1:{port}
    option accept-invalid-http-request
    log global
    log-format "%s %ST %ts %HM %HP"
    # boto3 asks with Expect whether to send a body; told no, it sends its next request on the same
    # connection, where HAProxy still waits for that body. So that connection has to end.
    http-request set-var(txn.expect) req.hdr(expect)
    acl expected var(txn.expect) -m found
    http-after-response set-header Connection close if expected {{ status 300:599 }}
    default_backend gateways

backend gateways
    balance roundrobin
    option accept-invalid-http-response
    option httpchk
    http-check send meth GET uri /v1/health?readiness=true ver HTTP/1.1 hdr Host localhost
    http-check expect status 200
    default-server check inter 500ms fastinter 200ms fall 2 rise 1
{servers}
"""


class Backend(NamedTuple):
    """A gateway: the name by which `HAProxy` knows it, and where it listens."""

    name: str
    address: str
    port: int


class HAProxy:
    """One HAProxy on a free loopback port."""

    def __init__(self, directory: Path, backends: Sequence[Backend]):
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._config = directory / "haproxy.cfg"
        self.log = directory / "haproxy.log"
        servers = "\n".join(f"    server {name} {at}:{port}" for name, at, port in backends)
        self._config.write_text(_CONFIG.format(port=self.port, servers=servers))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> HAProxy:
        """Start and return once it listens."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [HAPROXY, "-db", "-f", str(self._config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + _SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return self
            time.sleep(0.02)
        self.stop()
        raise AssertionError(f"HAProxy did not come up:\n{self.log.read_text()}")

    def stop(self) -> None:
        """End it at once: requests under way are cut off."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(_SECONDS)
            self._process = None

    def served(self) -> list[str]:
        """The gateway of each request so far, in the order in which they ended."""
        lines = [line.split() for line in self.log.read_text().splitlines()]
        return [words[0] for words in lines if len(words) == 5]
