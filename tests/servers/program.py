"""A server program on a free loopback port: started, waited for, ended, its log at hand."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tests.harness import free_port

_SECONDS = 60.0
# Where scripts/emulators keeps what it installs.
KEPT = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aisle"


class Program:
    """What runs `command()`, in a process group of its own, and listens on `port`."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> Sequence[str]:
        raise AssertionError("a program has a command")

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Start and return once it listens."""
        with tempfile.TemporaryFile() as log:
            self._process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=tempfile.gettempdir(),
                start_new_session=True,
            )
            deadline = time.monotonic() + _SECONDS
            while time.monotonic() < deadline and self._process.poll() is None:
                try:
                    with socket.create_connection(("127.0.0.1", self.port)):
                        return self
                except OSError:
                    time.sleep(0.02)
            self.stop()
            log.seek(0)
            tail = log.read()[-2000:]
        raise AssertionError(f"{self.command()[0]} did not come up: {tail!r}")

    def stop(self) -> None:
        """End it at once."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
