"""Version ids and the keys of rows of `version`. Pure functions.

A version id is opaque to clients: the place in its key's sequence and random bytes, so that the row
of a version is found by its id alone and no id ever comes twice.
"""

from __future__ import annotations

import base64
import os
from typing import Final

from aisle.core.errors import InvalidArgument
from aisle.namespace.records import escape_key

NULL: Final = "null"
ID: Final = 8  # bytes of bucket id before the key in a row's key
PLACE: Final = 8  # bytes of a version's place behind the key
# Newest first. The first byte is never 0xFF, which `escape_key` relies on, and never 0, which is
# the current version's place where versions are listed.
_TOP: Final = (1 << 63) - 1
CURRENT: Final = bytes(PLACE)
_RANDOM: Final = 10
_LENGTH: Final = (8 + _RANDOM) * 4 // 3


def mint(seq: int) -> str:
    """A new version id for this place in a key's sequence."""
    return base64.urlsafe_b64encode(seq.to_bytes(8, "big") + os.urandom(_RANDOM)).decode()


def place_of(version: str, *, name: str = "versionId") -> int:
    """The place in its key's sequence that a version id tells. Raises `InvalidArgument` of the
    parameter `name`."""
    try:
        raw = base64.b64decode(version, altchars=b"-_", validate=True)
    except ValueError:
        raw = b""
    if len(version) != _LENGTH or len(raw) != 8 + _RANDOM or raw[0] & 0x80:
        raise InvalidArgument("Invalid version id specified", name=name, value=version)
    return int.from_bytes(raw[:8], "big")


def scope(bucket: bytes, key: bytes) -> bytes:
    """What the rows of all former versions of a key begin with."""
    return bucket + escape_key(key)


def row_key(bucket: bytes, key: bytes, seq: int) -> bytes:
    """The key of the row of a former version."""
    return bucket + escape_key(key) + (_TOP - seq).to_bytes(PLACE, "big")


def seq_of(row: bytes) -> int:
    """The place in its key's sequence that a row's key tells."""
    return _TOP - int.from_bytes(row[-PLACE:], "big")


def hiding(seq: int) -> bytes:
    """A row of `hidden` that tells of the delete marker at this place, and is like no other."""
    return seq.to_bytes(8, "big") + os.urandom(8)


def hidden_seq(raw: bytes) -> int:
    """The place that a row of `hidden` tells."""
    return int.from_bytes(raw[:8], "big")


def shown(version: str) -> str:
    """A version as clients call it."""
    return version or NULL
