"""Tokens for Google Cloud, by google-auth: which credentials there are, and keeping a token fresh.

Credentials are looked for in this order: the file that the bucket's `extra.gcp.application_creds`
names, that of GOOGLE_APPLICATION_CREDENTIALS, what `gcloud auth application-default login` wrote,
and the metadata server if GCE_METADATA_HOST names one. Without any of them requests are anonymous,
which is enough for public buckets. With an emulator (STORAGE_EMULATOR_HOST) they always are.

Files are read and tokens fetched in a thread. No error repeats what is in a file.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import google.auth.exceptions
import msgspec
import requests
from google.auth import compute_engine, identity_pool, impersonated_credentials
from google.auth.credentials import Credentials
from google.auth.transport.requests import Request
from google.oauth2 import credentials as user_credentials
from google.oauth2 import service_account

from aisle.core.errors import RemoteDenied, RemoteUnavailable

SCOPE: Final = "https://www.googleapis.com/auth/devstorage.read_write"
# A token that is refused and younger than this, in seconds, is not fetched anew.
_YOUNG: Final = 60.0
_LARGEST: Final = 1 << 20

# What the library raises for a file that it cannot make sense of.
_WRONG: Final = (AttributeError, KeyError, TypeError, ValueError)

Load = Callable[[dict[str, Any]], Credentials]

# `type` of a credentials file -> how it is read. Others could run programs, or are of the past.
_KINDS: Final[Mapping[str, Load]] = {
    "service_account": lambda info: service_account.Credentials.from_service_account_info(
        info, scopes=[SCOPE]
    ),
    "authorized_user": lambda info: user_credentials.Credentials.from_authorized_user_info(
        info, scopes=[SCOPE]
    ),
    "external_account": lambda info: identity_pool.Credentials.from_info(info, scopes=[SCOPE]),
    "impersonated_service_account": lambda info: (
        impersonated_credentials.Credentials.from_impersonated_service_account_info(
            info, scopes=[SCOPE]
        )
    ),
}


def path_of(setting: str, environment: Mapping[str, str]) -> Path | None:
    """The credentials file to use, if any is named; that of gcloud only if it is there."""
    named = setting or environment.get("GOOGLE_APPLICATION_CREDENTIALS", "")
    if named:
        return Path(named)
    config = environment.get("CLOUDSDK_CONFIG") or str(
        Path(environment.get("HOME", "/nonexistent")) / ".config/gcloud"
    )
    known = Path(config) / "application_default_credentials.json"
    return known if known.is_file() else None


def load(path: Path) -> tuple[Credentials, str]:
    """The credentials in a file, and their project. Raises `ValueError` with a plain sentence."""
    try:
        with path.open("rb") as file:
            info = msgspec.json.decode(file.read(_LARGEST), type=dict[str, Any])
    except OSError as error:
        raise ValueError(f"the credentials file cannot be read: {error.strerror}") from None
    except msgspec.DecodeError:
        raise ValueError("the credentials file is not JSON") from None
    kind = str(info.get("type", ""))
    if kind not in _KINDS:
        raise ValueError(f"the credentials file is of no type that is supported: {kind[:40]!r}")
    try:
        return _KINDS[kind](info), str(info.get("project_id", ""))
    except (google.auth.exceptions.GoogleAuthError, *_WRONG):
        raise ValueError(f"the credentials file is no valid {kind}") from None


class Tokens:
    """The token of one identity, shared by all buckets that use it."""

    def __init__(self, path: Path | None, *, metadata: str = "") -> None:
        self._path = path
        self._metadata = metadata
        self._held: Credentials | None = None
        self._project = ""
        self._fetched = 0.0
        self._lock = asyncio.Lock()

    @property
    def anonymous(self) -> bool:
        return self._path is None and not self._metadata

    async def header(self, name: str) -> Mapping[str, str]:
        """What a request is authorised with; nothing if anonymous. Raises `RemoteDenied`,
        `RemoteUnavailable` about the bucket called `name`."""
        if self.anonymous:
            return {}
        if self._held is None or not self._held.valid:
            async with self._lock:
                await self._refresh(name)
        assert self._held is not None
        return {"authorization": f"Bearer {self._held.token}"}

    async def project(self, name: str) -> str:
        """The project of the credentials, `""` if they do not tell."""
        await self.header(name)
        return self._project

    def refused(self) -> bool:
        """The service does not take the token. Whether another one is worth a try."""
        worth = not self.anonymous and time.monotonic() - self._fetched > _YOUNG
        if worth and self._held is not None:
            self._held.token = None
        return worth

    async def _refresh(self, name: str) -> None:
        try:
            if self._held is None:
                held, self._project = await asyncio.to_thread(self._load)
            else:
                held = self._held
            if not held.valid:
                await asyncio.to_thread(_fetch, held)
                self._fetched = time.monotonic()
            self._held = held
        except ValueError as error:
            raise RemoteDenied(name, str(error)) from None
        except google.auth.exceptions.TransportError:
            raise RemoteUnavailable(name, "the token service does not answer") from None
        except google.auth.exceptions.GoogleAuthError as error:
            if error.retryable:
                raise RemoteUnavailable(name, "the token service cannot answer now") from None
            raise RemoteDenied(name, "the token service refused the credentials") from None

    def _load(self) -> tuple[Credentials, str]:
        if self._path is not None:
            return load(self._path)
        return compute_engine.Credentials(scopes=[SCOPE]), ""


def _fetch(credentials: Credentials) -> None:
    with requests.Session() as session:
        session.trust_env = False
        credentials.refresh(Request(session=session))
