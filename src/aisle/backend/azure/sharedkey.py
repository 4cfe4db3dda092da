"""Shared Key: how a request to Azure Blob storage is signed with an account's key. Pure functions.

Spec: Azure Storage REST API, "Authorize with Shared Key", version 2015-02-21 and later.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_plus, urlsplit

_SIGNED: Final = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)


def authorization(
    method: str, url: str, headers: Mapping[str, str], *, account: str, key: bytes
) -> str:
    """The value of `Authorization`; `headers` have lower-case names, `content-length` among them
    if there is a body."""
    text = string_to_sign(method, url, headers, account)
    signature = base64.b64encode(hmac.digest(key, text.encode(), hashlib.sha256)).decode()
    return f"SharedKey {account}:{signature}"


def string_to_sign(method: str, url: str, headers: Mapping[str, str], account: str) -> str:
    """What the signature is made of."""
    values = [headers.get(name, "") for name in _SIGNED]
    if values[2] == "0":
        values[2] = ""
    own = sorted(name for name in headers if name.startswith("x-ms-"))
    lines = [method, *values, *(f"{name}:{headers[name].strip()}" for name in own)]
    return "\n".join(lines) + "\n" + _resource(url, account)


def _resource(url: str, account: str) -> str:
    parts = urlsplit(url)
    values: dict[str, list[str]] = {}
    for pair in parts.query.split("&") if parts.query else ():
        name, _, value = pair.partition("=")
        values.setdefault(unquote_plus(name).lower(), []).append(unquote_plus(value))
    lines = [f"\n{name}:{','.join(sorted(values[name]))}" for name in sorted(values)]
    return f"/{account}{parts.path or '/'}{''.join(lines)}"
