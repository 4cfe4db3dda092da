"""Tokens for Azure, by azure-identity if that is installed. They are fetched in a thread."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from aisle.core.errors import BackendDisabled, RemoteDenied, RemoteUnavailable

try:
    import azure.core.exceptions as azure_errors
    import azure.identity as azure_identity
except ModuleNotFoundError:  # only accounts without a key need it
    azure_identity = None  # type: ignore[assignment]

SCOPE: Final = "https://storage.azure.com/.default"
_EARLY: Final = 300.0  # seconds before its end that a token is replaced
# A token that is refused and younger than this, in seconds, is not fetched anew.
_YOUNG: Final = 60.0
_RETRIES: Final = 2


class Tokens:
    """The token of the identity that the environment gives this process, made when first used."""

    def __init__(self) -> None:
        if azure_identity is None:
            raise BackendDisabled("Azure without an account's key needs the extra aisle[azure]")
        self._credential: Any = None
        self._token = ""
        self._until = 0.0
        self._fetched = 0.0
        self._lock = asyncio.Lock()

    async def header(self, name: str) -> str:
        """The value of `Authorization`. Raises `RemoteDenied`, `RemoteUnavailable`."""
        if time.time() > self._until - _EARLY:
            async with self._lock:
                if time.time() > self._until - _EARLY:
                    await self._fetch(name)
        return f"Bearer {self._token}"

    def refused(self) -> bool:
        """The service does not take the token. Whether another one is worth a try."""
        worth = time.monotonic() - self._fetched > _YOUNG
        if worth:
            self._until = 0.0
        return worth

    async def _fetch(self, name: str) -> None:
        try:
            token = await asyncio.to_thread(self._ask)
        except azure_errors.ClientAuthenticationError:
            raise RemoteDenied(name, "no identity of this machine is accepted") from None
        except (azure_errors.AzureError, ValueError):
            raise RemoteUnavailable(name, "the token service does not answer") from None
        self._token, self._until = token.token, float(token.expires_on)
        self._fetched = time.monotonic()

    def _ask(self) -> Any:
        if self._credential is None:
            self._credential = azure_identity.DefaultAzureCredential(retry_total=_RETRIES)
        return self._credential.get_token(SCOPE)

    async def close(self) -> None:
        if self._credential is not None:
            await asyncio.to_thread(self._credential.close)
