"""moto's server: an S3 of other makers, for what Aisle must not agree on with itself alone.

It keeps everything in memory and checks no signature. One is `shared` by all tests of a process;
each of them makes buckets of its own.
"""

from __future__ import annotations

import atexit
import functools
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO

from tests.harness import BIN, Endpoint, free_port

_SECONDS = 60.0
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}


class MotoServer(Endpoint):
    """`moto_server` on a free port, as a child in a process group of its own."""

    def __init__(self) -> None:
        super().__init__(free_port())
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return self.root

    def start(self) -> MotoServer:
        with tempfile.TemporaryFile() as log:
            return self._start(log)

    def _start(self, log: IO[bytes]) -> MotoServer:
        command = [str(BIN / "moto_server"), "-H", self.address, "-p", str(self.port)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "MOTO_S3_CUSTOM_ENDPOINTS": self.root},
            cwd=Path(tempfile.gettempdir()),
            start_new_session=True,
        )
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if self.send("GET", "/moto-api/", signed=False, timeout=5).status == 200:
                    return self
            except OSError:
                time.sleep(0.05)
        self.stop()
        log.seek(0)
        raise AssertionError(f"moto did not come up: {log.read()[-2000:]!r}")

    def stop(self) -> None:
        self.close_clients()
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process = None


@functools.cache
def shared() -> MotoServer:
    """One server for everything that this process tests; it ends with the process."""
    server = MotoServer()
    atexit.register(server.stop)
    return server.start()
