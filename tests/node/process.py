"""A node of `tests.node.tiny` as a child process."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.harness import children, free_port

ROOT = Path(__file__).parents[2]


class TinyNode:
    """Start `aisnode` around the tiny application; `with` waits for its banner."""

    def __init__(self, data: Path, *options: str, port: int = 0, **environ: str) -> None:
        self.port = port or free_port()
        self.err = data.with_suffix(".err")
        command = [sys.executable, "-m", "tests.node.tiny", "--data", str(data)]
        command += ["--port", str(self.port), "--workers", "2", *options]
        with self.err.open("ab") as err:
            self.process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=err,
                env=clean(environ),
                cwd=ROOT,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        assert self.process.stdout is not None
        first = self.process.stdout.readline()
        assert first.endswith(b"is ready\n"), self.log()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End whatever is left of it."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def log(self) -> str:
        return self.err.read_text()

    def connect(self, host: str = "127.0.0.1") -> HTTPConnection:
        return HTTPConnection(host, self.port, timeout=10)

    def get(self, path: str = "/") -> tuple[int, str]:
        """Status and body of one request on a connection of its own."""
        connection = self.connect()
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def workers(self) -> list[int]:
        """Process ids of the workers."""
        return children(self.process.pid)

    def stop(self, number: int = signal.SIGTERM, seconds: float = 60) -> int:
        self.process.send_signal(number)
        return self.process.wait(seconds)


def clean(environ: dict[str, str]) -> dict[str, str]:
    """This environment without what would configure a node, and with `environ`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AISLE_")}
    return kept | environ


def attempt(data: Path, *options: str, **environ: str) -> tuple[int, list[str]]:
    """Exit code and standard error of a node that is expected to end by itself."""
    command = [sys.executable, "-m", "tests.node.tiny", "--data", str(data), *options]
    result = subprocess.run(
        command, capture_output=True, text=True, env=clean(environ), cwd=ROOT, timeout=20
    )
    assert result.stdout == ""
    return result.returncode, result.stderr.splitlines()


def refuse(data: Path, *options: str, **environ: str) -> str:
    """The one line of a node that must not start."""
    code, lines = attempt(data, *options, **environ)
    assert code == 1
    assert len(lines) == 1, lines
    return lines[0].removeprefix("aisnode: error: ")


def eventually(seconds: float, condition: Callable[[], bool]) -> bool:
    """Whether `condition` comes true within `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return condition()
