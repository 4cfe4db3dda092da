"""What must not be read by others, taken out of text: the one place that knows what a secret looks
like.

Logs, the audit log and whatever else keeps text of strangers go through `redact`: signatures,
credentials and tokens in queries, headers, JSON, XML and forms, and anything that has the form of a
JSON Web Token wherever it stands. Ids of access keys are no secrets, but what stands in the place
of one may be: they are hidden as well where a request names them.
"""

from __future__ import annotations

import re
from typing import Final

HIDDEN: Final = "[redacted]"
# The beginning of every JSON Web Token: `{"` in base64.
TOKEN_MARK: Final = "eyJ"  # noqa: S105 - no password
_NAMES: Final = (
    r"X-Amz-Signature|X-Amz-Credential|X-Amz-Security-Token|X-Auth-Token|Signature|Credential"
    r"|AWSAccessKeyId|access_token|id_token|refresh_token|session[_-]?token|SecurityToken|WebIdentityToken|token"
    r"|password|old[_-]?password|new[_-]?password|passwd|pass|TokenCode"
    r"|secret[_-]?(?:access[_-]?)?key|secret"
    r"|x-amz-(?:copy-source-)?server-side-encryption-customer-key(?:-md5)?"
)
# The name, then its separator, then the value up to what ends it in a query, a header or JSON.
_SECRET_FIELD: Final = re.compile(
    rf"(?i)(?<![A-Za-z0-9-])({_NAMES})"
    r"([\"']?\s*[=:]\s*b?[\"']?|%3D)(?!\[redacted\])([^&\s,\"';}]+)"
)
_SECRET_ELEMENT: Final = re.compile(
    r"(?i)<(SecretAccessKey|SessionToken|Password|Token|Signature)(>)([^<]+)"
)
_SECRET_HEADER: Final = re.compile(
    r"(?i)\b(Authorization|Set-Cookie|Cookie)([\"']?\s*[=:,]\s*b?[\"']?)([^\"'\r\n]+)"
)
_BEARER: Final = re.compile(r"(?i)\b(Bearer|AWS)(\s+)([A-Za-z0-9._~+/=:-]{8,})")
_TOKEN: Final = re.compile(r"eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*)*")
_SESSION_TOKEN: Final = re.compile(
    r"(?i)(x-amz-security-token[:=]"
    r"|x-amz-(?:copy-source-)?server-side-encryption-customer-key(?:-md5)?[:=])[^&\n]+"
)
_PATTERNS: Final = (_SECRET_HEADER, _BEARER, _SECRET_FIELD)


def redact(text: str) -> str:
    """`text` without values that would let its reader act as someone else."""
    for pattern in _PATTERNS:
        text = pattern.sub(rf"\1\2{HIDDEN}", text)
    if "<" in text:
        text = _SECRET_ELEMENT.sub(rf"<\1\2{HIDDEN}", text)
    return redact_tokens(text)


def redact_tokens(text: str) -> str:
    """`text` without JSON Web Tokens: enough for names and paths, which have no fields."""
    return _TOKEN.sub(HIDDEN, text) if TOKEN_MARK in text else text


def redact_canonical(text: str) -> str:
    """A canonical request without the session token and keys of clients: the rest is what they
    compare."""
    return _SESSION_TOKEN.sub(rf"\1{HIDDEN}", text)


def redact_query(query: str) -> str:
    """A query as logs show it: without what signs it, and redacted.

    Most presigned requests have nothing else, and are spared the search for secrets.
    """
    if "X-Amz-" in query:
        query = "&".join([part for part in query.split("&") if not part.startswith("X-Amz-")])
    return redact(query) if query else ""
