"""What the bytes of an exported row must be: their digests, stretch by stretch.

A body of one piece is held to what its record says of it: the MD5 that its ETag is, else the digest
of its bucket's `checksum.type`, else its S3 checksums. A multipart object is held to the checksums
of its parts. Where a record holds none, the frames' own checks are all there is.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from aisle.core import checksums
from aisle.core.errors import AisleError, DigestMismatch
from aisle.namespace.bodies import DIGEST_OF
from aisle.namespace.records import Bucket, Object, Part, Sealed
from aisle.namespace.transfer.frames import PIECE
from aisle.namespace.transfer.items import (
    BucketItem,
    ItemBody,
    ItemReader,
    NoteItem,
    ObjectItem,
    PartItem,
    Voided,
    shown_item,
    shown_note,
)

_MD5: Final = re.compile("[0-9a-f]{32}").fullmatch


class Unfit(AisleError):
    """A row contradicts itself, or what follows it."""


class Stretch(NamedTuple):
    """So many bytes, and their digests by name of `checksums.ALGORITHMS`."""

    size: int
    digests: Mapping[str, bytes]


def stretches(item: ObjectItem | PartItem) -> list[Stretch]:
    """What a body consists of: one stretch, or one a part. Raises `Unfit`."""
    if isinstance(item, PartItem):
        return [Stretch(item.record.size, _of_part(item.record, item.upload.record.sealed))]
    if not item.parts:
        return [Stretch(item.record.size, _of_object(item.record))]
    if sum(part.size for part in item.parts) != item.record.size:
        raise Unfit("the parts of an object have not as many bytes as it has")
    return [Stretch(part.size, _decoded(part.checksums)) for part in item.parts]


def _of_object(record: Object) -> Mapping[str, bytes]:
    if _MD5(record.etag) and not (record.sealed and record.sealed.opaque):
        return {"MD5": bytes.fromhex(record.etag)}
    kind, value = record.digest
    if value:
        return {DIGEST_OF[kind]: bytes.fromhex(value)}
    return _decoded(record.checksums) if record.checksum_type == checksums.FULL_OBJECT else {}


def _of_part(record: Part, sealed: Sealed | None) -> Mapping[str, bytes]:
    if _MD5(record.etag) and not (sealed and sealed.opaque):
        return {"MD5": bytes.fromhex(record.etag)}
    return _decoded(record.checksums)


def _decoded(values: Mapping[str, str]) -> Mapping[str, bytes]:
    return {name: b64decode(value) for name, value in values.items()}


class StretchBody:
    """A stretch of a body as an `Incoming` of the namespace, held to its digests."""

    def __init__(self, body: ItemBody, stretch: Stretch) -> None:
        self.size: int | None = stretch.size
        self._body = body
        self._left = stretch.size
        self._stretch = stretch

    async def read(self) -> bytes:
        piece = await self._body.read(min(self._left, PIECE))
        self._left -= len(piece)
        return piece

    def verify(self, digests: Mapping[str, bytes], size: int) -> None:
        if size != self._stretch.size:
            raise Unfit("a body has not as many bytes as its row says")
        compare(digests, self._stretch.digests)


def compare(computed: Mapping[str, bytes], expected: Mapping[str, bytes]) -> None:
    """Raise `DigestMismatch` unless every expected digest was computed."""
    for name, value in expected.items():
        if computed[name] != value:
            raise DigestMismatch(name, expected=value.hex(), computed=computed[name].hex())


def check_note(item: NoteItem) -> None:
    """Hold the text of an annotation to its row. Raises `Unfit` and `DigestMismatch`."""
    row = item.record
    if len(item.text) != row.size:
        raise Unfit("an annotation has not as many bytes as its row says")
    found = hashlib.md5(item.text, usedforsecurity=False).hexdigest()
    if found != row.etag:
        raise DigestMismatch("MD5", expected=row.etag, computed=found)


async def check_body(item: ObjectItem | PartItem) -> None:
    """Read and hash a body, and keep nothing. Raises `DigestMismatch` and what reading raises."""
    for stretch in stretches(item):
        incoming = StretchBody(item.body, stretch)
        hashers = {name: checksums.ALGORITHMS[name].new() for name in stretch.digests}
        size = 0
        while piece := await incoming.read():
            size += len(piece)
            await asyncio.to_thread(_update, hashers.values(), piece)
        incoming.verify({name: hasher.digest() for name, hasher in hashers.items()}, size)


def _update(hashers: Iterable[checksums.Hasher], piece: bytes) -> None:
    for hasher in hashers:
        hasher.update(piece)


async def check_stream(reader: ItemReader, tell: Callable[[str], None]) -> int:
    """Verify every body of a stream; returns how many are refused, each told in one line.

    Raises `StreamDamaged` and `StreamCut`.
    """
    refused = 0
    bucket: Bucket | None = None
    async for item in reader.items():
        if isinstance(item, BucketItem):
            bucket = item.bucket
        if isinstance(item, NoteItem) and reader.start.bodies:
            assert bucket is not None
            try:
                check_note(item)
            except (DigestMismatch, Unfit) as error:
                refused += 1
                tell(f"refused {shown_note(bucket, item)}: {error}")
        if not isinstance(item, ObjectItem | PartItem):
            continue
        assert bucket is not None
        try:
            await check_body(item)
        except Voided as void:
            reason = f"it could not be read at the source ({void})" if str(void) else ""
        except (DigestMismatch, Unfit) as error:
            reason = str(error)
        else:
            continue
        if reason:
            refused += 1
            tell(f"refused {shown_item(bucket, item)}: {reason}")
    return refused
