"""The types of condition values, and how their text is read: numbers, dates, addresses, bytes.

All readers answer `None` for text that is no such value. What comes with requests is hostile, so
lengths are limited before anything is parsed, and what is slow to parse is remembered.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple

Number = int | float

_NUMBER = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?", re.ASCII).fullmatch
_PARTIAL_DATE = re.compile(r"[0-9]{4}(-[0-9]{2})?", re.ASCII).fullmatch
_LONGEST_DATE: Final = 40
_LONGEST_ADDRESS: Final = 64
_BOOLEANS: Final = {"true": True, "false": False}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Network(NamedTuple):
    """Addresses that have these leading bits: `version` 4 or 6, both numbers of its width."""

    version: int
    address: int
    mask: int
    prefix: int


def number(text: str) -> Number | None:
    match = _NUMBER(text)
    if match is None:
        return None
    return float(text) if match[1] else int(text)


@lru_cache(maxsize=512)
def date(text: str) -> Number | None:
    """Seconds since 1970, of ISO 8601 text or of the number itself."""
    if len(text) > _LONGEST_DATE or not text.isascii():
        return None
    if _PARTIAL_DATE(text):
        text = f"{text}-01-01" if len(text) == 4 else f"{text}-01"
    seconds = number(text)
    if seconds is not None:
        return seconds
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    try:
        return (time - _EPOCH).total_seconds()
    except OverflowError:
        return None


def boolean(text: str) -> bool | None:
    return _BOOLEANS.get(text.lower())


@lru_cache(maxsize=4096)
def address(text: str) -> tuple[int, int] | None:
    """IP version and number; an IPv4 address that is mapped into IPv6 is the one of IPv4."""
    if len(text) > _LONGEST_ADDRESS or "%" in text:
        return None
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return found.version, int(found)


def network(text: str) -> Network | None:
    """An address, or a range in CIDR notation; bits beyond the prefix do not count."""
    if len(text) > _LONGEST_ADDRESS or "%" in text:
        return None
    try:
        found = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    if "/" in text and not text.rpartition("/")[2].isdigit():
        return None
    return Network(found.version, int(found.network_address), int(found.netmask), found.prefixlen)


def binary(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None
