"""Checksums as two tables: S3's ten ChecksumAlgorithm values and AIStore's seven checksum types.

A row says everything that differs from one algorithm to the next: its header, the size of its
digest, how to compute it in one go or step by step, and what a multipart upload may make of it.
Digests are raw bytes inside the house; S3 shows them as base64, AIStore as lower-case hex. Both
write numbers with the most significant byte first. Hashers take `bytes` (awscrt's xxHash refuses
a memoryview) and compute off the table only: no I/O, no headers are read here.

Sources: the S3 API model (`ChecksumAlgorithm`, `ChecksumType`), botocore's `httpchecksum` for the
byte order, AIStore's `cmn/cos/cksum.go` for its types.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Final, Protocol

from awscrt import checksums as crt

from aisle.core.errors import InvalidArgument

# hashlib gives the interpreter lock away for 2,048 bytes or more. On an event loop beside a busy
# commit thread that costs more than hashing a small body does, so it is fed less at a time.
_GIL_KEPT: Final = 31 * 64

FULL_OBJECT: Final = "FULL_OBJECT"
COMPOSITE: Final = "COMPOSITE"


class Hasher(Protocol):
    """A digest in the making. `digest` may be asked for more than once."""

    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc:
    """A running CRC of `size` bytes; `step(data, previous) -> next`."""

    __slots__ = ("_size", "_step", "_value")

    def __init__(self, step: Callable[[bytes, int], int], size: int) -> None:
        self._step = step
        self._size = size
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = self._step(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


class _XxHash:
    """awscrt's streaming xxHash, seed 0, spoken to like hashlib."""

    __slots__ = ("_state",)

    def __init__(self, new: Callable[[], crt.XXHash]) -> None:
        self._state = new()

    def update(self, data: bytes, /) -> None:
        self._state.update(data)

    def digest(self) -> bytes:
        return bytes(self._state.finalize())


class _Nothing:
    """The hasher of AIStore's type `none`."""

    __slots__ = ()

    def update(self, data: bytes, /) -> None:
        del data

    def digest(self) -> bytes:
        return b""


# Extends a CRC over a first run of bytes by the CRC and length of a second run.
_Combine = Callable[[int, int, int], int]


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One value of S3's ChecksumAlgorithm.

    `types` are the ChecksumTypes that a multipart upload may ask for, the default first. A
    single PUT is always FULL_OBJECT.
    """

    name: str
    header: str
    size: int
    new: Callable[[], Hasher]
    compute: Callable[[bytes], bytes]
    types: tuple[str, ...]
    _combine: _Combine | None = None

    @property
    def default_type(self) -> str:
        return self.types[0]

    @property
    def combines(self) -> bool:
        return self._combine is not None

    def combine(self, left: bytes, right: bytes, right_length: int) -> bytes:
        """The digest of two runs of bytes from the digest of each; only FULL_OBJECT rows can."""
        if self._combine is None:
            raise InvalidArgument(f"{self.name} digests cannot be combined", name=self.header)
        value = self._combine(
            int.from_bytes(left, "big"), int.from_bytes(right, "big"), right_length
        )
        return value.to_bytes(self.size, "big")

    def parse(self, value: str) -> bytes:
        """The digest in a header or element value. Raises `InvalidArgument`."""
        return parse_base64(value, self.size, name=self.header)

    def composite(self, digests: Iterable[bytes]) -> str:
        """The COMPOSITE value of parts: base64 of the digest of their digests, and their count."""
        parts = list(digests)
        return f"{to_base64(self.compute(b''.join(parts)))}-{len(parts)}"

    def parse_composite(self, value: str) -> tuple[bytes, int]:
        """The digest and number of parts in `<base64>-<count>`. Raises `InvalidArgument`."""
        text, dash, count = value.rpartition("-")
        if not (dash and count.isascii() and count.isdigit() and len(count) <= 5):
            raise InvalidArgument("not a composite checksum", name=self.header, value=value)
        return self.parse(text), int(count)


def to_base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode("ascii")


def parse_base64(value: str, size: int, *, name: str) -> bytes:
    """Decode strict base64 (full padding, no white space, canonical) of exactly `size` bytes.

    Also serves Content-MD5. Raises `InvalidArgument` naming the header `name`.
    """
    try:
        digest = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    # Comparing back refuses stray bits in the last character, which b64decode lets pass.
    if len(digest) != size or to_base64(digest) != value:
        raise InvalidArgument(f"value for {name} header is invalid", name=name, value=value)
    return digest


def _crc(
    name: str,
    step: Callable[[bytes, int], int],
    size: int,
    types: tuple[str, ...],
    combine: _Combine,
) -> Algorithm:
    def compute(data: bytes) -> bytes:
        return step(data, 0).to_bytes(size, "big")

    header = f"x-amz-checksum-{name.lower()}"
    return Algorithm(name, header, size, partial(_Crc, step, size), compute, types, combine)


def _digest(name: str, kind: str, size: int) -> Algorithm:
    make = getattr(hashlib, kind)
    new = partial(make, usedforsecurity=False)

    def compute(data: bytes) -> bytes:
        hasher, view = new(), memoryview(data)
        for start in range(0, len(data), _GIL_KEPT):
            hasher.update(view[start : start + _GIL_KEPT])
        digest: bytes = hasher.digest()
        return digest

    return Algorithm(name, f"x-amz-checksum-{name.lower()}", size, new, compute, (COMPOSITE,))


def _xxhash(
    name: str, new: Callable[[], crt.XXHash], compute: Callable[[bytes], bytes], size: int
) -> Algorithm:
    header = f"x-amz-checksum-{name.lower()}"
    return Algorithm(name, header, size, partial(_XxHash, new), compute, (COMPOSITE,))


# Multipart: a CRC of the whole follows from the CRCs of its parts, a hash does not. So S3 gives
# CRC64NVME as FULL_OBJECT only ("always a full object checksum", model of CompleteMultipartUpload),
# CRC32 and CRC32C as either, COMPOSITE unless asked otherwise, SHA1 and SHA256 as COMPOSITE only
# (user guide, "Checking object integrity"). The model lets MD5, SHA512 and the xxHashes be named
# for an upload and its parts but does not say their type: COMPOSITE is what can be computed
# without reading every part again, so it is the only one here.
# CRC32 comes from zlib: 3.7 GiB/s against awscrt's 2.2 where this was measured.
ALGORITHMS: Final[Mapping[str, Algorithm]] = MappingProxyType(
    {
        row.name: row
        for row in (
            _crc("CRC32", zlib.crc32, 4, (COMPOSITE, FULL_OBJECT), crt.combine_crc32),
            _crc("CRC32C", crt.crc32c, 4, (COMPOSITE, FULL_OBJECT), crt.combine_crc32c),
            _crc("CRC64NVME", crt.crc64nvme, 8, (FULL_OBJECT,), crt.combine_crc64nvme),
            _digest("SHA1", "sha1", 20),
            _digest("SHA256", "sha256", 32),
            _digest("SHA512", "sha512", 64),
            _digest("MD5", "md5", 16),
            _xxhash("XXHASH64", crt.XXHash.new_xxhash64, crt.XXHash.compute_xxhash64, 8),
            _xxhash("XXHASH3", crt.XXHash.new_xxhash3_64, crt.XXHash.compute_xxhash3_64, 8),
            _xxhash("XXHASH128", crt.XXHash.new_xxhash3_128, crt.XXHash.compute_xxhash3_128, 16),
        )
    }
)
BY_HEADER: Final[Mapping[str, Algorithm]] = MappingProxyType(
    {row.header: row for row in ALGORITHMS.values()}
)


@dataclass(frozen=True, slots=True)
class AisType:
    """One of AIStore's checksum types (bucket property `checksum.type`)."""

    name: str
    size: int
    new: Callable[[], Hasher]
    compute: Callable[[bytes], bytes]

    def parse(self, value: str) -> bytes:
        """The digest in a hex value. Raises `InvalidArgument`."""
        try:
            digest = bytes.fromhex(value)
        except ValueError:
            digest = b""
        if len(value) != 2 * self.size or len(digest) != self.size:
            raise InvalidArgument(
                f"checksum: {self.name} must be {2 * self.size} hex chars",
                name="ais-checksum-value",
                value=value,
            )
        return digest


def _ais(name: str, like: str) -> AisType:
    row = ALGORITHMS[like]
    return AisType(name, row.size, row.new, row.compute)


# `xxhash` and `xxhash2` are the same XXH64 with seed 0, from two Go packages: AIStore keeps both
# names because a type is compared together with its value.
AIS_TYPES: Final[Mapping[str, AisType]] = MappingProxyType(
    {
        row.name: row
        for row in (
            AisType("none", 0, _Nothing, lambda _: b""),
            _ais("xxhash", "XXHASH64"),
            _ais("xxhash2", "XXHASH64"),
            _ais("md5", "MD5"),
            _ais("crc32c", "CRC32C"),
            _ais("sha256", "SHA256"),
            _ais("sha512", "SHA512"),
        )
    }
)
