"""`GcpProvider`: buckets of Google Cloud Storage by what props and environment say of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from aisle.backend.gcp.backend import GcpBackend
from aisle.backend.gcp.client import ENDPOINT, Client
from aisle.backend.gcp.credentials import Tokens, path_of
from aisle.backend.gcp.objects import BucketList
from aisle.core.errors import InvalidArgument, NotSupported, RemoteBroken
from aisle.outgoing.persist import LIMITS, Limits
from aisle.outgoing.transport import Transport

_CREDENTIALS: Final = "extra.gcp.application_creds"
_PAGES: Final = 1000  # of names of buckets, after which a server is not believed any more


class GcpProvider:
    """See `Provider`. `environment` is looked at when a bucket is opened."""

    name = "gcp"

    def __init__(
        self, environment: Mapping[str, str] = os.environ, limits: Limits = LIMITS
    ) -> None:
        self._environment = environment
        self._transport = Transport(limits)
        self._tokens: dict[tuple[Path | None, str], Tokens] = {}

    def open(self, bucket: str, settings: Mapping[str, Any], *, namespace: str = "") -> GcpBackend:
        return GcpBackend(self._client(f"gcp://{bucket}", settings), bucket)

    async def buckets(self, settings: Mapping[str, Any], *, namespace: str = "") -> list[str]:
        client = self._client("gcp://", settings)
        project = self._environment.get("GOOGLE_CLOUD_PROJECT", "")
        if not project:
            project = await client.tokens.project(client.name)
        if not project:
            raise NotSupported(
                "the buckets of a project can be listed only if GOOGLE_CLOUD_PROJECT or the"
                " credentials say which"
            )
        names: list[str] = []
        token = ""
        for _ in range(_PAGES):
            url = client.url("b", project=project, pageToken=token)
            page = await client.fetch(url, BucketList)
            names += [bucket.name for bucket in page.items]
            token = page.next_page_token
            if not token:
                return sorted(set(names))
        raise RemoteBroken(client.name, "the service's list of buckets has no end")

    async def close(self) -> None:
        await self._transport.close()

    def _client(self, name: str, settings: Mapping[str, Any]) -> Client:
        emulator = self._environment.get("STORAGE_EMULATOR_HOST", "")
        if emulator:
            return Client(self._transport, name, _endpoint(emulator), self._known(None, ""))
        path = path_of(str(settings.get(_CREDENTIALS, "")), self._environment)
        metadata = "" if path else self._environment.get("GCE_METADATA_HOST", "")
        return Client(self._transport, name, ENDPOINT, self._known(path, metadata))

    def _known(self, path: Path | None, metadata: str) -> Tokens:
        key = (path, metadata)
        if key not in self._tokens:
            self._tokens[key] = Tokens(path, metadata=metadata)
        return self._tokens[key]


def _endpoint(text: str) -> str:
    """STORAGE_EMULATOR_HOST as an address, with or without a scheme."""
    address = text if "://" in text else f"http://{text}"
    if not address.startswith(("http://", "https://")) or not address.isascii() or " " in address:
        raise InvalidArgument("STORAGE_EMULATOR_HOST is no address", name="STORAGE_EMULATOR_HOST")
    return address.rstrip("/").removesuffix("/storage/v1")
