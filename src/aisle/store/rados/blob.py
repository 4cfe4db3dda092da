"""A blob as RADOS objects: its id, the names and order of the objects, their removal.

    object N of a blob      <unique, 32 hex digits>.<N in hex>      bytes N*stripe to (N+1)*stripe
    id of a blob            unique (16) stripe (u32) size (u64), big-endian
    xattr of object 0       version (1) stripe (u32) size (u64) owner

* The id tells where every byte is, so a read asks no object for anything but data. Only `seal`,
  and a scan that has seen the xattr, make ids with a stripe: an id without one is of a blob that
  was never sealed, which can be deleted and nothing else.
* Objects are only ever appended to, at offsets the pool's alignment divides: that is all that an
  erasure-coded pool takes. The xattr is set when every other operation has been acknowledged.
* Object 0 is there before any other, and is removed after all others.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from aisle.store.rados.aio import Aio
from aisle.store.rados.lib import new_write_op, store_error

UNIQUE_SIZE: Final = 16
MAX_OWNER: Final = 4096
SEAL: Final = "aisle"  # the xattr

PIECE: Final = 1 << 20  # the most that one operation carries
REMOVALS: Final = 32  # of one blob in flight
PROBES: Final = 64  # absent objects in a row that end a blob: more than REMOVALS, or any writer

_ID: Final = struct.Struct(">16sIQ")
_SEAL: Final = struct.Struct(">BIQ")
_VERSION: Final = 1


class BlobId(NamedTuple):
    """See the module. `stripe` is 0 for a blob that was never sealed; then `size` is the number
    of an object that is known to exist."""

    unique: bytes
    stripe: int
    size: int

    @classmethod
    def decode(cls, blob: bytes) -> BlobId | None:
        return cls(*_ID.unpack(blob)) if len(blob) == _ID.size else None

    def encode(self) -> bytes:
        return _ID.pack(*self)

    @property
    def last(self) -> int:
        """The number of the last object of a sealed blob."""
        return max(0, self.size - 1) // self.stripe

    def pieces(self, offset: int, length: int, most: int) -> Iterator[tuple[int, int, int]]:
        """The range as (object, offset in it, length), each of at most `most` bytes."""
        end = offset + length
        while offset < end:
            number, start = divmod(offset, self.stripe)
            size = min(end - offset, self.stripe - start, most)
            yield number, start, size
            offset += size


def object_name(unique: bytes, number: int) -> str:
    return f"{unique.hex()}.{number:x}"


def parse_name(name: str) -> tuple[bytes, int] | None:
    """The blob and number in an object's name; `None` for a name that is none of ours."""
    head, _, tail = name.partition(".")
    try:
        unique, number = bytes.fromhex(head), int(tail, 16)
    except ValueError:
        return None
    if len(unique) != UNIQUE_SIZE or name != object_name(unique, number):
        return None
    return unique, number


def encode_seal(blob: BlobId, owner: bytes) -> bytes:
    return _SEAL.pack(_VERSION, blob.stripe, blob.size) + owner


def decode_seal(unique: bytes, value: bytes) -> tuple[BlobId, bytes] | None:
    """Id and owner from an xattr; `None` if it is damaged or of another version."""
    if len(value) < _SEAL.size:
        return None
    version, stripe, size = _SEAL.unpack_from(value)
    if version != _VERSION or stripe == 0:
        return None
    return BlobId(unique, stripe, size), value[_SEAL.size :]


async def remove_objects(aio: Aio, unique: bytes, last: int) -> None:
    """Remove objects `last` to 0, those that are absent too, object 0 after all others.

    From the end, so that what an interrupted removal leaves has no gap as wide as `PROBES`.
    Raises `StoreError`.
    """
    number = last
    while number >= 0:
        stop = max(number - REMOVALS, 0) if number > 0 else -1
        removals = []
        for some in range(number, stop, -1):
            op = new_write_op()
            op.remove()
            removals.append(await aio.change(object_name(unique, some), op, 0))
        for removal in removals:
            code = (await removal).code
            if code < 0 and code != -errno.ENOENT:
                raise store_error(code, f"blob {unique.hex()}")
        number = stop
