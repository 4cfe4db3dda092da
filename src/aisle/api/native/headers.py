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
        *version_headers(record),
        (b"ais-present", b"true"),
        (b"ais-mirror-copies", b"1"),
    ]
    return headers + custom_headers(record) if record.meta or record.origin else headers


def entity_tag(record: Object) -> bytes:
    return b'"%b"' % record.etag.encode()


def custom_headers(record: Object) -> Headers:
    """Custom metadata, a header each; of a copy also what the remote bucket says of it. The SDK
    joins them with commas and splits there again, so a value with a comma does not reach it whole.
    """
    pairs = [*_told_by_remote(record), *record.meta.items()]
    return [(b"ais-custom-md", field_value(f"{name}={text}")) for name, text in pairs]


def _told_by_remote(record: Object) -> list[tuple[str, str]]:
    """By the names that AIStore keeps it under."""
    origin = record.origin
    if origin is None:
        return []
    told = {
        "source": origin.source,
        "version": origin.version,
        "ETag": origin.etag,
        **{name: origin.checksums.get(name, "") for name in ("md5", "crc32c")},
        "LastModified": full_date(origin.modified) if origin.modified else "",
    }
    return [(name, text) for name, text in told.items() if text]


def version_of(record: Object) -> str:
    """The version of an object; of a copy that of the remote bucket, `""` if it keeps none."""
    return str(record.seq) if record.origin is None else record.origin.version


def version_headers(record: Object) -> Headers:
    version = version_of(record)
    return [(b"ais-version", field_value(version))] if version else []


def checksum_headers(kind: str, value: str) -> Headers:
    """The checksum that the bucket asked for; none, where there is none."""
    if not value:
        return []
    return [(b"ais-checksum-type", kind.encode()), (b"ais-checksum-value", value.encode())]


@lru_cache(maxsize=4096)
def short_date(minutes: int) -> str:
    """Minutes since the epoch as listings show access times: RFC 822, which Go calls so too."""
    return datetime.fromtimestamp(minutes * 60, UTC).strftime("%d %b %y %H:%M UTC")


def full_date(nanoseconds: int) -> str:
    """A time to the second as AIStore keeps that of remote objects: RFC 3339."""
    return datetime.fromtimestamp(nanoseconds // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
