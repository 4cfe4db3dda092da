"""Which storage account to use, and how: read from the environment, as Azure's own tools name it.

AZURE_STORAGE_CONNECTION_STRING tells all at once. Otherwise AZURE_STORAGE_ACCOUNT is the account,
AZURE_STORAGE_KEY its key or AZURE_STORAGE_SAS_TOKEN a shared access signature, and
AZURE_STORAGE_URL (AIStore's AIS_AZURE_URL) an endpoint other than Azure's own. Without key and
signature, AZURE_STORAGE_AUTH_MODE=login or a service principal (AZURE_TENANT_ID, AZURE_CLIENT_ID)
has tokens fetched by azure-identity; else requests are anonymous, which is enough for public
containers.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from aisle.core.errors import BackendDisabled

_SUFFIX: Final = "core.windows.net"
# The account that emulators have, as their documentation publishes it.
_EMULATED: Final = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
    "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;"
    "BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;"
)


@dataclass(frozen=True, slots=True)
class Account:
    """`endpoint` without a slash at its end; of `key`, `sas` and `login` one at most is set."""

    name: str
    endpoint: str
    key: bytes = field(default=b"", repr=False)
    sas: str = field(default="", repr=False)  # a query string
    login: bool = False


def account_of(environment: Mapping[str, str]) -> Account:
    """Raises `BackendDisabled` if no account is named, or not in a way that can be used."""
    text = environment.get("AZURE_STORAGE_CONNECTION_STRING", "")
    if text:
        return _connected(text)
    endpoint = environment.get("AZURE_STORAGE_URL") or environment.get("AIS_AZURE_URL") or ""
    name = environment.get("AZURE_STORAGE_ACCOUNT") or _name_in(endpoint)
    if not name:
        raise BackendDisabled(
            "Azure is not configured: set AZURE_STORAGE_ACCOUNT or AZURE_STORAGE_CONNECTION_STRING"
        )
    endpoint = _endpoint(endpoint or f"https://{name}.blob.{_SUFFIX}")
    mode = environment.get("AZURE_STORAGE_AUTH_MODE", "")
    if mode != "login" and environment.get("AZURE_STORAGE_KEY"):
        return Account(name, endpoint, key=_key(environment["AZURE_STORAGE_KEY"]))
    if mode != "login" and environment.get("AZURE_STORAGE_SAS_TOKEN"):
        return Account(name, endpoint, sas=_query(environment["AZURE_STORAGE_SAS_TOKEN"]))
    principal = environment.get("AZURE_TENANT_ID") and environment.get("AZURE_CLIENT_ID")
    return Account(name, endpoint, login=mode == "login" or bool(principal))


def _connected(text: str) -> Account:
    """An account by its connection string."""
    pairs = _pairs(text)
    if pairs.get("usedevelopmentstorage", "").lower() == "true":
        pairs = _pairs(_EMULATED)
    endpoint = pairs.get("blobendpoint", "")
    name = pairs.get("accountname") or _name_in(endpoint)
    if not name:
        raise BackendDisabled("AZURE_STORAGE_CONNECTION_STRING names no account")
    if not endpoint:
        scheme = pairs.get("defaultendpointsprotocol", "https")
        endpoint = f"{scheme}://{name}.blob.{pairs.get('endpointsuffix', _SUFFIX)}"
    return Account(
        name,
        _endpoint(endpoint),
        key=_key(pairs["accountkey"]) if pairs.get("accountkey") else b"",
        sas=_query(pairs.get("sharedaccesssignature", "")) if "accountkey" not in pairs else "",
    )


def _pairs(text: str) -> dict[str, str]:
    parts = (part.partition("=") for part in text.split(";") if part.strip())
    return {name.strip().lower(): value.strip() for name, _, value in parts}


def _name_in(endpoint: str) -> str:
    """The account in an address of Azure's own."""
    host = urlsplit(endpoint).hostname or ""
    return host.partition(".")[0] if ".blob." in host else ""


def _endpoint(text: str) -> str:
    parts = urlsplit(text if text.isascii() else "")
    if parts.scheme not in ("http", "https") or not parts.netloc or "@" in parts.netloc:
        raise BackendDisabled("the endpoint of the Azure account is no address")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _key(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BackendDisabled("the key of the Azure account is not base64") from None


def _query(text: str) -> str:
    if not text.isascii() or not text.isprintable() or " " in text:
        raise BackendDisabled("the shared access signature of the Azure account cannot be used")
    return text.removeprefix("?")
