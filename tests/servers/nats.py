"""nats-server, with JetStream."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence

from tests.servers.program import KEPT, Program

VERSION = "v2.15.2"


class NatsServer(Program):
    def __init__(self, *options: str) -> None:
        super().__init__()
        self._options = options
        self._store = tempfile.mkdtemp(prefix="aisle-nats-")

    def command(self) -> Sequence[str]:
        return (
            str(KEPT / f"nats-server-{VERSION}"), "-a", "127.0.0.1", "-p", str(self.port),
            "-js", "-sd", self._store, *self._options,
        )  # fmt: skip

    @property
    def root(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self._store)
