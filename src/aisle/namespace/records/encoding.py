"""Between rows and bytes: the version byte, MessagePack, and the way from an older version.

Nothing here knows what a field means. `encode` and `decode` run for every row that is written or
read, so that no step is added to them without its number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import msgspec

from aisle.core.errors import StoreUnavailable
from aisle.namespace.records.base import Record
from aisle.namespace.records.buckets import Listed, Object

VERSION: Final = 1
_VERSION_BYTE: Final = bytes([VERSION])

R = TypeVar("R", bound=Record)
T = TypeVar("T")

# (record type, version found) -> function from that version's payload to the next version's.
# A `Listed` or `Owned` is read from an `Object` row, and so goes by that one's entries.
MIGRATIONS: Final[dict[tuple[type[Record], int], Callable[[bytes], bytes]]] = {}

_encode: Final = msgspec.msgpack.Encoder().encode
_DECODERS: dict[type[Record], Callable[[Any], Any]] = {}


def encode(record: Record) -> bytes:
    return _VERSION_BYTE + _encode(record)


def decoder(kind: type[R]) -> Callable[[Any], R]:
    """A function from the payload after the version byte to a record."""
    found = _DECODERS.get(kind)
    if found is None:
        found = _DECODERS[kind] = msgspec.msgpack.Decoder(kind).decode
    return found


def decode(kind: type[R], row: bytes) -> R:
    """The record in `row`, brought up to this version. Raises `StoreUnavailable` if it cannot."""
    if row[:1] != _VERSION_BYTE:
        row = _migrate(kind, row)
    try:
        return decoder(kind)(memoryview(row)[1:])
    except msgspec.MsgspecError as error:
        raise StoreUnavailable(f"a {kind.__name__} row cannot be read: {error}") from error


def reader(kind: type[T], name: str) -> Callable[[bytes], T]:
    """A function that reads what has no version byte, a bucket's documents: MessagePack of a
    `kind`. It raises `StoreUnavailable` for what this release cannot read."""
    found = msgspec.msgpack.Decoder(kind).decode

    def read(raw: bytes) -> T:
        try:
            return found(raw)
        except msgspec.MsgspecError as error:
            raise StoreUnavailable(f"{name} cannot be read: {error}") from error

    return read


class _Sized(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The first field of `Listed`."""

    size: int


def sizes(rows: Iterable[bytes]) -> list[int]:
    """The sizes in rows of objects, or of entries of inventories: a fifth of what `decode` costs,
    for pages of ten thousand. Raises `StoreUnavailable`."""
    read = _read_size
    try:
        return [
            read(row[1:]).size if row[0] == VERSION else decode(Listed, row).size for row in rows
        ]
    except (msgspec.MsgspecError, IndexError) as error:
        raise StoreUnavailable(f"a row of a listing cannot be read: {error}") from error


_read_size: Final = msgspec.msgpack.Decoder(_Sized).decode


def _migrate(kind: type[Record], row: bytes) -> bytes:
    written = Object if issubclass(kind, Listed) else kind
    version, payload = (row[0], row[1:]) if row else (0, b"")
    if version > VERSION:
        raise StoreUnavailable(
            f"a {kind.__name__} row has version {version}; this release reads up to {VERSION}"
        )
    while version < VERSION:
        step = MIGRATIONS.get((written, version))
        if step is None:
            raise StoreUnavailable(f"a {kind.__name__} row has the unknown version {version}")
        payload, version = step(payload), version + 1
    return _VERSION_BYTE + payload
