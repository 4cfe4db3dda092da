"""Pre-signed S3 URLs, made before the clock starts.

One signer per server and day; a URL costs two hashes, so that a million can be signed while a
server loads them. Written apart from `aisle.auth` on purpose: the tool must not check the
product's signatures with the product's own code. Specification: AWS Signature Version 4,
"Authenticating Requests: Using Query Parameters", with the payload unsigned.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote

_DAY = 86_400


class Credentials(NamedTuple):
    """An access key pair and the region that signatures name."""

    access_key: str
    secret_key: str
    region: str = "us-east-1"


class Signer:
    """Signs request targets (`/bucket/key?query`) for one host."""

    def __init__(self, host: str, credentials: Credentials) -> None:
        now = datetime.now(UTC)
        date = now.strftime("%Y%m%d")
        self.host = host
        scope = f"{date}/{credentials.region}/s3/aws4_request"
        key = b"AWS4" + credentials.secret_key.encode()
        for word in (date, credentials.region, "s3", "aws4_request"):
            key = hmac.digest(key, word.encode(), "sha256")
        self._key = key
        stamp = now.strftime("%Y%m%dT%H%M%SZ")
        self._to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n"
        self._parameters = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{credentials.access_key}/{scope}",
            "X-Amz-Date": stamp,
            "X-Amz-Expires": str(_DAY),
            "X-Amz-SignedHeaders": "host",
        }
        self._plain_query = _canonical(self._parameters)

    def target(
        self, method: str, bucket: str, key: str = "", query: Mapping[str, str] | None = None
    ) -> str:
        """The signed path and query of one S3 request."""
        path = f"/{bucket}/{quote(key, safe='/-_.~')}" if key else f"/{bucket}"
        return self.signed(method, path, query)

    def signed(self, method: str, path: str, query: Mapping[str, str] | None = None) -> str:
        """The path, which is encoded already, and the query with the signature."""
        canonical = _canonical({**self._parameters, **query}) if query else self._plain_query
        request = (
            f"{method}\n{path}\n{canonical}\nhost:{self.host}\n\nhost\nUNSIGNED-PAYLOAD"
        ).encode()
        text = self._to_sign + hashlib.sha256(request).hexdigest()
        signature = hmac.new(self._key, text.encode(), "sha256").hexdigest()
        return f"{path}?{canonical}&X-Amz-Signature={signature}"


def _canonical(parameters: Mapping[str, str]) -> str:
    encoded = sorted((quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in parameters.items())
    return "&".join(f"{k}={v}" for k, v in encoded)
