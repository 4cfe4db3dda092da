"""Stored bytes from several places, one behind the other: as one body that comes in, for appends
that cannot leave what there is where it is, and held to the digest that a client claims. Which
bytes those are, and whose, is up to `appends` and `offsets`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from aisle.core.errors import BlobMissing, DigestMismatch
from aisle.namespace import bodies
from aisle.namespace.bodies import Stored
from aisle.namespace.records import Extent
from aisle.namespace.sealing.frames import DataKey, Opened
from aisle.namespace.store import BucketRow, Store


class Claim(NamedTuple):
    """What the whole object must have for a digest: AIStore's name, the algorithm, the value."""

    kind: str
    algorithm: str
    value: bytes


class Chain:
    """An `Incoming` of sources that each may be sealed with a key of its own (`with_key`)."""

    def __init__(self, store: Store, sources: Sequence[Sequence[Extent]]) -> None:
        sizes = [sum(extent.length for extent in extents) for extents in sources]
        self.size: int | None = sum(sizes)
        self._stretches = [
            bodies.Stretch(store, extents, 0, size)
            for extents, size in zip(sources, sizes, strict=True)
        ]

    async def read(self) -> bytes:
        while self._stretches:
            if piece := await self._stretches[0].read():
                return piece
            self._stretches.pop(0)
        return b""

    def verify(self, digests: Mapping[str, bytes], size: int) -> None:
        if size != self.size:
            raise BlobMissing("pieces of an append", "truncated")


def with_key(extents: list[Extent], secret: DataKey | None) -> list[Extent]:
    """Extents that can be read, with the key that opens them if they are sealed."""
    return extents if secret is None else Opened(extents, secret)


async def copied(
    store: Store,
    bucket: BucketRow,
    key: bytes,
    sources: Sequence[Sequence[Extent]],
    claim: Claim | None,
    secret: DataKey | None,
) -> tuple[Stored, tuple[str, str]]:
    """All of it as one body, and the digest to keep with it. Raises `DigestMismatch`."""
    algorithms = {"MD5", *((claim.algorithm,) if claim is not None else ())}
    stored = await bodies.ingest(
        store,
        Chain(store, sources),
        owner=bucket.record.id + key,
        algorithms=sorted(algorithms),
        key=secret,
    )
    if claim is None:
        return stored, ("none", "")
    value = stored.digests[claim.algorithm]
    if value != claim.value:
        await bodies.discard(store, stored)
        raise DigestMismatch(claim.kind, expected=claim.value.hex(), computed=value.hex())
    return stored, (claim.kind, value.hex())


async def digest_of(
    store: Store, extents: Sequence[Extent], size: int, claim: Claim | None
) -> tuple[str, str]:
    """The digest to keep with the object: the one that was claimed and found right, if any."""
    if claim is None:
        return ("none", "")
    found = await bodies.digest_of(store, extents, 0, size, claim.algorithm)
    if found != claim.value:
        raise DigestMismatch(claim.kind, expected=claim.value.hex(), computed=found.hex())
    return (claim.kind, found.hex())
