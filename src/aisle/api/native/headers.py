"""Headers of native object replies, AIStore's `Ais-*`. Pure functions over records."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from aisle.api.base import Headers
from aisle.core.dates import http_date
from aisle.core.http import field_value
from aisle.namespace.records import Object

SECOND: Final = 1_000_000_000
DEFAULT_TYPE: Final = "application/octet-stream"


def object_headers(record: Object) -> Headers:
    """What GET of an object says of it, but for the length and the checksum."""
    headers = [
        (b"etag", entity_tag(record)),
        (b"last-modified", http_date(record.mtime // SECOND)),
        (b"accept-ranges", b"bytes"),
        (b"content-type", record.headers.get("content-type", DEFAULT_TYPE).encode("latin-1")),
        (b"ais-atime", str(record.mtime).encode()),
        (b"ais-version", str(record.seq).encode()),
        (b"ais-present", b"true"),
        (b"ais-mirror-copies", b"1"),
    ]
    return headers + custom_headers(record) if record.meta else headers


def entity_tag(record: Object) -> bytes:
    return b'"%b"' % record.etag.encode()


def custom_headers(record: Object) -> Headers:
    """Custom metadata, a header each. The SDK joins them with commas and splits there again, so a
    value with a comma does not reach it whole."""
    return [(b"ais-custom-md", field_value(f"{name}={text}")) for name, text in record.meta.items()]


def checksum_headers(kind: str, value: str) -> Headers:
    """The checksum that the bucket asked for; none, where there is none."""
    if not value:
        return []
    return [(b"ais-checksum-type", kind.encode()), (b"ais-checksum-value", value.encode())]


@lru_cache(maxsize=4096)
def short_date(minutes: int) -> str:
    """Minutes since the epoch as listings show access times: RFC 822, which Go calls so too."""
    return datetime.fromtimestamp(minutes * 60, UTC).strftime("%d %b %y %H:%M UTC")
