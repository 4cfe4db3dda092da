"""The digests of a body on its way from the remote: computed once, beside the event loop.

Computed are what the remote tells, to compare with, and the bucket's `checksum.type`, which the row
of a copy holds. Of several that it tells one is enough. A remote that tells none is believed: its
size is all there is to go by.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from aisle.backend.base import RemoteObject
from aisle.core import checksums
from aisle.core.errors import RemoteBroken
from aisle.namespace.bodies import DIGEST_OF
from aisle.namespace.window.copies import digests_of

# Less is hashed at once: handing it to a thread would take longer.
_SMALL: Final = 16 << 10
_THREADS: Final = ThreadPoolExecutor(max_workers=4, thread_name_prefix="aisle-cold")
# Which of several tells whether the bytes are right at the least cost: MD5 takes many times as long
# as the first of them.
_CHEAPEST: Final = (
    "XXHASH3",
    "XXHASH128",
    "XXHASH64",
    "CRC64NVME",
    "CRC32C",
    "CRC32",
    "SHA256",
    "SHA1",
    "MD5",
    "SHA512",
)


def _one_of(told: Mapping[str, bytes], own: str) -> Mapping[str, bytes]:
    for name in (own, *_CHEAPEST):
        if name in told:
            return {name: told[name]}
    return {}


class Sums:
    """See the module. `name` is the remote bucket, and `kind` AIStore's type of checksum."""

    def __init__(self, about: RemoteObject, name: str, kind: str, *, verify: bool = True) -> None:
        self._about = about
        self._name = name
        self._kind = kind
        self._expected = _one_of(digests_of(about), DIGEST_OF[kind]) if verify else {}
        wanted = {*self._expected, DIGEST_OF[kind]} - {""}
        self._hashers = {one: checksums.ALGORITHMS[one].new() for one in sorted(wanted)}
        self._size = 0

    async def update(self, *pieces: bytes) -> None:
        """Take the next bytes in; only one such call may run at a time."""
        size = sum(map(len, pieces))
        self._size += size
        if not self._hashers:
            return
        if size <= _SMALL:
            self._hash(pieces)
        else:
            await asyncio.get_running_loop().run_in_executor(_THREADS, self._hash, pieces)

    @property
    def needed(self) -> bool:
        """Whether there is anything to compute."""
        return bool(self._hashers)

    def skip(self, size: int) -> None:
        """As many bytes have come; only where nothing is computed."""
        self._size += size

    def _hash(self, pieces: tuple[bytes, ...]) -> None:
        for piece in pieces:
            for hasher in self._hashers.values():
                hasher.update(piece)

    def check(self) -> tuple[str, str]:
        """Compare all that came with what the remote says of it; the digest for the row. Raises
        `RemoteBroken`."""
        key, size = self._about.key, self._about.size
        if self._size != size:
            raise RemoteBroken(self._name, f'"{key}" has {self._size} bytes instead of {size}')
        for name, expected in self._expected.items():
            if self._hashers[name].digest() != expected:
                raise RemoteBroken(self._name, f'the {name} of "{key}" is not what it should be')
        own = DIGEST_OF[self._kind]
        return (self._kind, self._hashers[own].digest().hex()) if own else ("none", "")
