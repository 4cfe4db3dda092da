"""Azurite: Microsoft's own emulator of Azure Blob storage, in memory, which checks signatures.

One is `shared` by all tests of a process; each of them makes containers of its own.
"""

from __future__ import annotations

import atexit
import base64
import functools
import time
import urllib.request
from collections.abc import Sequence

from aisle.backend.azure.sharedkey import authorization
from aisle.core.dates import http_date
from tests.servers.program import KEPT, Program

VERSION = "3.37.0"
# The account and key that every Azurite has, as its documentation publishes them.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_PROGRAM = KEPT / f"azurite-{VERSION}/node_modules/azurite/dist/src/blob/main.js"


class Azurite(Program):
    def command(self) -> Sequence[str]:
        return (
            "node", str(_PROGRAM), "--blobHost", "127.0.0.1", "--blobPort", str(self.port),
            "--inMemoryPersistence", "--disableTelemetry", "--silent",
        )  # fmt: skip

    @property
    def endpoint(self) -> str:
        return f"{self.root}/{ACCOUNT}"

    @property
    def connection_string(self) -> str:
        return (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
            f"BlobEndpoint={self.endpoint};"
        )

    def make(self, container: str, *, access: str = "") -> None:
        """Make a container; with an `access` of `container` or `blob` for everybody to read."""
        url = f"{self.endpoint}/{container}?restype=container"
        headers = {
            "x-ms-version": "2023-11-03",
            "x-ms-date": http_date(int(time.time())).decode(),
            **({"x-ms-blob-public-access": access} if access else {}),
        }
        signed = {"content-length": "0", **headers}
        key = base64.b64decode(KEY)
        value = authorization("PUT", url, signed, account=ACCOUNT, key=key)
        headers["authorization"] = value
        request = urllib.request.Request(url, b"", headers, method="PUT")
        request.add_unredirected_header("content-type", "")
        urllib.request.urlopen(request, timeout=30).close()

    @property
    def environment(self) -> dict[str, str]:
        """What a provider is told to find it."""
        return {"AZURE_STORAGE_CONNECTION_STRING": self.connection_string}


@functools.cache
def shared() -> Azurite:
    """One server for everything that this process tests; it ends with the process."""
    server = Azurite()
    atexit.register(server.stop)
    return server.start()
