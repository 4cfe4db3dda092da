"""Addresses of HTTP servers as AIStore makes buckets of them: a directory is a bucket of provider
`ht`, a file in it an object. Pure functions.

The bucket's name is a hash of the address without its scheme: `ht://ZDdhNTYxZTkyMzhkNjk3NA` is
`https://storage.googleapis.com/minikube/`. A hash of 64 bits can be made to collide, so whoever
finds a bucket by it compares its address too.

Source: AIStore's `cmn.OrigURLBck2Name` and `cmn.NewHTTPObj`.
"""

from __future__ import annotations

import base64
from typing import Final, NamedTuple
from urllib.parse import quote, unquote, urlsplit

from awscrt.checksums import XXHash

from aisle.core.errors import InvalidArgument

ORIGINAL_URL: Final = "extra.http.original_url"
SCHEMES: Final = ("http", "https")
_SEED: Final = 1103515245  # AIStore's MLCG32
_LONGEST: Final = 2048


class Located(NamedTuple):
    """A file by its bucket, the address of that, and its name in it."""

    bucket: str
    base: str
    key: str


def locate(url: str) -> Located:
    """The object that a URL stands for; of a URL that ends with a slash the bucket, with the key
    `""`. Raises `InvalidArgument`."""
    try:
        parts = urlsplit(url if len(url) <= _LONGEST and url.isprintable() else "")
        usable = parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or " " in parts.netloc:
        raise _invalid(url, "is not the address of a file on an HTTP server")
    if parts.username is not None or parts.password is not None:
        raise _invalid("", "an address with a user or a password is not accepted")
    if parts.query or parts.fragment:
        raise _invalid(url, "an address with a query or a fragment is not accepted")
    if not parts.netloc.isascii():
        raise _invalid(url, "a host's name has to be ASCII")
    directory, _, last = parts.path.rpartition("/")
    if "%2f" in last.lower() or any(unquote(part) in (".", "..") for part in parts.path.split("/")):
        raise _invalid(url, "the path means another one than it says")
    base = f"{parts.scheme}://{parts.netloc}{quote(directory, safe=SAFE)}/"
    return Located(bucket_name(base), base, unquote(last))


# What a path may hold as it is; `%`, as it is encoded already.
SAFE: Final = "/%~!$&'()*+,;=:@"


def bucket_name(base: str) -> str:
    """The name of the bucket that stands for a directory's address, which ends with a slash."""
    _, _, address = base.partition("://")
    state = XXHash.new_xxhash64(_SEED)
    state.update(unquote(address).encode())
    number = int.from_bytes(bytes(state.finalize()), "big")
    return base64.urlsafe_b64encode(f"{number:x}".encode()).decode().rstrip("=")


def object_url(base: str, key: str) -> str:
    """The address of an object. Raises `InvalidArgument` for a name that would lead elsewhere."""
    if any(part in (".", "..") for part in key.split("/")):
        raise InvalidArgument(
            "a name with a segment of dots alone means another address", name="Key", value=key
        )
    return base + quote(key, safe=SAFE.replace("%", ""))


def base_url(text: str) -> str:
    """A bucket's `extra.http.original_url`, with a slash at its end. Raises `InvalidArgument`."""
    return locate(text if text.endswith("/") else text + "/").base


def _invalid(url: str, why: str) -> InvalidArgument:
    told = f'"{url[:200]}": {why}' if url else why
    return InvalidArgument(told, name=ORIGINAL_URL, value=url[:200])
