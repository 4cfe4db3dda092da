"""fake-gcs-server: Google Cloud Storage's JSON API, with generations, preconditions and sessions.

One is `shared` by all tests of a process; each of them makes buckets of its own.
"""

from __future__ import annotations

import atexit
import functools
import json
import urllib.request
from collections.abc import Sequence

from tests.servers.program import KEPT, Program

VERSION = "v1.56.1"
PROJECT = "project"


class FakeGcs(Program):
    def command(self) -> Sequence[str]:
        return (
            str(KEPT / f"fake-gcs-server-{VERSION}"), "-backend", "memory", "-scheme", "http",
            "-host", "127.0.0.1", "-port", str(self.port), "-log-level", "error",
            "-external-url", self.root,
        )  # fmt: skip

    def make(self, bucket: str) -> None:
        """Make a bucket."""
        request = urllib.request.Request(
            f"{self.root}/storage/v1/b?project={PROJECT}",
            json.dumps({"name": bucket}).encode(),
            {"content-type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=30).close()

    @property
    def environment(self) -> dict[str, str]:
        """What a provider is told to find it."""
        return {"STORAGE_EMULATOR_HOST": self.root, "GOOGLE_CLOUD_PROJECT": PROJECT}


@functools.cache
def shared() -> FakeGcs:
    """One server for everything that this process tests; it ends with the process."""
    server = FakeGcs()
    atexit.register(server.stop)
    return server.start()
