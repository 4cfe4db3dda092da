"""`AzureProvider`: containers of the storage account that the environment names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from aisle.backend.azure import blobs
from aisle.backend.azure.account import Account, account_of
from aisle.backend.azure.backend import AzureBackend
from aisle.backend.azure.client import Client
from aisle.backend.azure.tokens import Tokens
from aisle.core.errors import RemoteBroken
from aisle.outgoing.persist import LIMITS, Limits
from aisle.outgoing.request import Request
from aisle.outgoing.transport import Transport

_PAGES: Final = 1000  # of names of containers, after which a server is not believed any more


class AzureProvider:
    """See `Provider`. `environment` is looked at when a bucket is opened."""

    name = "azure"

    def __init__(
        self, environment: Mapping[str, str] = os.environ, limits: Limits = LIMITS
    ) -> None:
        self._environment = environment
        self._transport = Transport(limits)
        self._tokens: Tokens | None = None

    def open(
        self, bucket: str, settings: Mapping[str, Any], *, namespace: str = ""
    ) -> AzureBackend:
        return AzureBackend(self._client(f"azure://{bucket}"), bucket)

    async def buckets(self, settings: Mapping[str, Any], *, namespace: str = "") -> list[str]:
        client = self._client("azure://")
        names: list[str] = []
        marker = ""
        for _ in range(_PAGES):
            url = client.url(comp="list", marker=marker)
            reply = await client.exchange.call(Request("GET", url))
            found, marker = blobs.containers(client.name, reply.body)
            names += found
            if not marker:
                return sorted(set(names))
        raise RemoteBroken(client.name, "the service's list of containers has no end")

    async def close(self) -> None:
        await self._transport.close()
        if self._tokens is not None:
            await self._tokens.close()

    def _client(self, name: str) -> Client:
        account = account_of(self._environment)
        return Client(self._transport, name, account, self._known(account))

    def _known(self, account: Account) -> Tokens | None:
        if account.login and self._tokens is None:
            self._tokens = Tokens()
        return self._tokens if account.login else None
