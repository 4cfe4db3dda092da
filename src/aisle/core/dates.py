"""Times as the dialects write them: HTTP dates, and ISO 8601 in S3's XML. Cached by the second."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(maxsize=4096)
def http_date(seconds: int) -> bytes:
    """Seconds since the epoch as an HTTP date."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT").encode()


@lru_cache(maxsize=4096)
def iso_date(seconds: int) -> str:
    """Seconds since the epoch as S3's XML shows them."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
