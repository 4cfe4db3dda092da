"""The servers that are measured: how each is started, stopped and reached.

An adapter says its command, its environment and what it can be spared (a listing over a million
keys, say); `Server` does the rest. A server runs in a session of its own, so that Ctrl-C reaches
the tool alone and the tool stops the server. Nothing here knows what is measured.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from bench import process
from bench.signing import Credentials, Signer

HOST = "127.0.0.1"
_START_SECONDS = 30.0
_STOP_SECONDS = 10.0


class ServerFailed(Exception):
    """The server did not start, or is gone."""


class Server(ABC):
    """One server process tree with its own port, credentials and directory."""

    name: ClassVar[str]
    health: ClassVar[str] = "/"
    list_cap: ClassVar[int | None] = None
    """Keys at most in the measures over many keys; None: as many as were asked for."""
    slow_cap: ClassVar[int | None] = None
    """Slow clients at most."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.credentials = Credentials("AKBENCH" + secrets.token_hex(6), secrets.token_hex(20))
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    # What an adapter says.

    @abstractmethod
    def command(self) -> list[str]:
        """The command line that starts the server in the foreground."""

    def environment(self) -> dict[str, str]:
        return {}

    def place(self, bucket: str, keys: Iterable[str], body: bytes) -> bool:
        """Put objects where the server finds them without asking it; False: it must be asked."""
        return False

    # What every server does.

    @property
    def host(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        if self._process is None or self._process.poll() is not None:
            raise ServerFailed(f"{self.name} is not running: {self._log_tail()}")
        return self._process.pid

    def signer(self) -> Signer:
        return Signer(self.host, self.credentials)

    def twin(self, name: str) -> Self:
        """Another one of the same kind, with a directory of its own beside this one's."""
        return type(self)(self.directory.with_name(f"{self.directory.name}-{name}"))

    def start(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = _free_port()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment()},
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._ready():
            if time.monotonic() > deadline:
                raise ServerFailed(f"{self.name} is not ready: {self._log_tail()}")
            time.sleep(0.05)

    def stop(self) -> None:
        if self._process is None:
            return
        pids = process.tree(self._process.pid)
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pid in pids[1:]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def _log(self) -> Path:
        return self.directory.parent / f"{self.directory.name}.log"

    def _log_tail(self) -> str:
        return self._log.read_text(errors="replace")[-800:].strip() if self._log.exists() else ""

    def _ready(self) -> bool:
        _ = self.pid
        connection = http.client.HTTPConnection(HOST, self.port, timeout=5)
        try:
            connection.request("GET", self.health)
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


class Aisle(Server):
    """Auth on, strict durability: the defaults that a user of two keys gets."""

    name = "aisle"
    health = "/v1/health"

    def command(self) -> list[str]:
        return [
            *(program("aisnode"), "--data", str(self.directory)),
            *("--host", HOST, "--port", str(self.port), "--workers", "2"),
        ]

    def environment(self) -> dict[str, str]:
        return {
            "AISLE_ROOT_ACCESS_KEY": self.credentials.access_key,
            "AISLE_ROOT_SECRET_KEY": self.credentials.secret_key,
        }


class Rclone(Server):
    """`rclone serve s3` over a local directory, auth on.

    The VFS cache stays off (its default: bodies stream to their file) and directories are
    remembered for the whole run, since nobody else changes them. A page reads every name of the
    bucket before it is cut, so a bucket of exactly one page is what it lists best.
    """

    name = "rclone"
    list_cap = 1_000

    def command(self) -> list[str]:
        return [
            *(program("rclone"), "serve", "s3", str(self.directory)),
            *("--addr", self.host, "--auth-key", ",".join(self.credentials[:2])),
            *("--vfs-cache-mode", "off", "--dir-cache-time", "24h", "--poll-interval", "0"),
            *("--log-level", "ERROR", "--config", os.devnull),
        ]

    def place(self, bucket: str, keys: Iterable[str], body: bytes) -> bool:
        self.stop()
        for key in keys:
            path = self.directory / bucket / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        self.start()
        return True


class Moto(Server):
    """`moto_server`, which keeps everything in memory and checks no signature.

    A GET holds a copy of its object: 128 slow readers of 64 MiB would take 8 GiB.
    """

    name = "moto"
    health = "/moto-api/"
    list_cap = 1_000
    slow_cap = 32

    def command(self) -> list[str]:
        return [program("moto_server"), "-H", HOST, "-p", str(self.port)]


SERVERS: dict[str, type[Server]] = {server.name: server for server in (Aisle, Rclone, Moto)}


def program(name: str) -> str:
    """The command of the environment that runs the tool, else the one on the PATH."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        raise ServerFailed(f"{name} is not installed (pip install 'aisle[bench]')")
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
