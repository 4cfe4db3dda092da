"""Where blobs in a bucket lie, as an operator writes it: one URL.

    s3://BUCKET[/PREFIX][?endpoint=http://HOST:PORT[/PATH]][&region=REGION][&checksum=crc32c|none]

`endpoint` is AWS in that region unless given; buckets are addressed by path. Keys are never part
of a URL, because URLs end up in logs and process lists. Pure functions over text live here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from aisle.core.errors import ConfigError

DEFAULT_REGION: Final = "us-east-1"

_OPTIONS: Final = frozenset({"endpoint", "region", "checksum"})
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_REGION: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_STORE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAX_PREFIX: Final = 512  # of the 1,024 bytes of a key


@dataclass(frozen=True, slots=True)
class Location:
    """A bucket behind an endpoint, and the prefix of every key in it."""

    endpoint: str  # scheme, host and port, perhaps a path; no slash at its end
    region: str
    bucket: str
    prefix: str  # "" or text that ends with a slash
    checksums: bool  # whether the server is told a CRC32C of what it is sent

    def __str__(self) -> str:
        return f"bucket {self.bucket} at {self.endpoint}"

    def url(self, key: str = "") -> str:
        """The address of the bucket, or of a key in it, percent-encoded as it is sent."""
        base = f"{self.endpoint}/{self.bucket}"
        return f"{base}/{quote(key, safe='/-._~')}" if key else base

    def copy_source(self, key: str) -> str:
        """A key as `x-amz-copy-source` names it."""
        return quote(f"/{self.bucket}/{key}", safe="/-._~")


def parse_location(url: str, *, store: str) -> Location:
    """The place of the store of that name. Raises `ConfigError`."""
    try:
        parts = urlsplit(url)
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise ConfigError("the options of an s3:// URL are name=value, joined by &") from None
    options = dict(pairs)
    bucket = parts.netloc
    if "@" in bucket:
        raise ConfigError("an s3:// URL holds no keys: they are settings of their own")
    if parts.scheme != "s3" or not _BUCKET.fullmatch(bucket):
        raise ConfigError("blobs in a bucket are named s3://BUCKET[/PREFIX]?endpoint=URL")
    if unknown := sorted(options.keys() - _OPTIONS):
        raise ConfigError(
            f"s3://{bucket} has no option {unknown[0]!r}; there are {', '.join(sorted(_OPTIONS))}"
        )
    region = options.get("region") or DEFAULT_REGION
    if not _REGION.fullmatch(region):
        raise ConfigError(f"the region of s3://{bucket} is not a name of letters and digits")
    if options.get("checksum", "crc32c") not in ("crc32c", "none"):
        raise ConfigError(f"the checksum of s3://{bucket} is crc32c or none")
    if not _STORE.fullmatch(store):
        raise ConfigError(f"{store!r} is not the identity of a store")
    return Location(
        endpoint=_endpoint(options.get("endpoint") or f"https://s3.{region}.amazonaws.com", bucket),
        region=region,
        bucket=bucket,
        prefix=f"{_prefix(parts.path, bucket)}{store}/",
        checksums=options.get("checksum", "crc32c") == "crc32c",
    )


def _endpoint(text: str, bucket: str) -> str:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"the endpoint of s3://{bucket} is not http://HOST[:PORT] or https://")
    if parts.username is not None or parts.query or parts.fragment or port == 0:
        raise ConfigError(f"the endpoint of s3://{bucket} is a scheme, a host, a port and a path")
    return f"{parts.scheme}://{parts.netloc}{quote(parts.path, safe='/-._~%').rstrip('/')}"


def _prefix(path: str, bucket: str) -> str:
    text = unquote(path).strip("/")
    if not text:
        return ""
    segments = text.split("/")
    if "" in segments or "." in segments or ".." in segments or not text.isprintable():
        raise ConfigError(f"the prefix of s3://{bucket} has an empty, . or .. part")
    if len(text.encode()) > _MAX_PREFIX:
        raise ConfigError(f"the prefix of s3://{bucket} is longer than {_MAX_PREFIX} bytes")
    return text + "/"
