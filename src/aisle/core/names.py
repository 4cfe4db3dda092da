"""Names: buckets, keys, and the order in which they sort.

Rules of S3 (user guide, "General purpose bucket naming rules" and "Naming Amazon S3 objects") and
of AIStore's looser native buckets. Pure functions; nothing here touches a store.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address
from typing import Final, NamedTuple

from aisle.core.errors import InvalidArgument, InvalidName, KeyTooLong

MAX_KEY_BYTES: Final = 1024

_S3_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_NATIVE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_RESERVED_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


class BucketName(NamedTuple):
    """A bucket's full name; `str()` gives AIStore's URI form."""

    name: str
    provider: str = "ais"
    namespace: str = ""

    def __str__(self) -> str:
        mark = "" if self.namespace.startswith("@") else "#"
        space = f"{mark}{self.namespace}/" if self.namespace else ""
        return f"{self.provider}://{space}{self.name}"


def parse_bucket_name(text: str) -> BucketName:
    """A bucket from `str(BucketName)`, such as `aws://name` or `ais://@cluster#space/name`, with
    its provider as AIStore calls it. Raises `InvalidArgument`."""
    provider, separator, rest = text.partition("://")
    namespace, slash, name = rest.rpartition("/")
    if not (separator and provider and name) or (slash and namespace[:1] not in ("#", "@")):
        raise InvalidArgument(f'"{text}" is not the name of a bucket', name="bucket", value=text)
    return BucketName(name, provider, namespace.removeprefix("#"))


def check_s3_bucket_name(name: str) -> None:
    """Raise `InvalidName` unless `name` obeys the rules for S3 general purpose buckets."""
    if not is_s3_bucket_name(name):
        raise InvalidName("the bucket name is not valid", name=name)


def is_s3_bucket_name(name: str) -> bool:
    """Whether `name` obeys those rules."""
    return not (
        _S3_NAME.fullmatch(name) is None
        or ".." in name
        or name.startswith(_RESERVED_PREFIXES)
        or name.endswith(_RESERVED_SUFFIXES)
        or _is_ipv4(name)
    )


def check_native_bucket_name(name: str) -> None:
    """Raise `InvalidName` unless `name` is one AIStore accepts (letters, digits, `-`, `_`, `.`)."""
    if _NATIVE_NAME.fullmatch(name) is None or ".." in name or name in ("s3", "v1"):
        raise InvalidName(
            "a bucket name has letters, digits, dashes, underscores and dots only", name=name
        )


def encode_key(key: str) -> bytes:
    """The bytes a key is kept and sorted by. Raises `InvalidArgument` or `KeyTooLong`."""
    try:
        data = key.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidArgument("an object key must be valid UTF-8", name="Key") from None
    if len(data) > MAX_KEY_BYTES:
        raise KeyTooLong(len(data), MAX_KEY_BYTES)
    if not data:
        raise InvalidArgument("an object key cannot be empty", name="Key")
    return data


def _is_ipv4(name: str) -> bool:
    try:
        IPv4Address(name)
    except AddressValueError:
        return False
    return True
