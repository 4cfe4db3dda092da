"""One blob as one object: its key, what its metadata says, and the `Body` that reads it.

* A key is made of the id's hex digits. Ids are 16 random bytes; the first bit is set in those that
  were sent as multipart uploads, so that deleting the others needs no look at uploads.
* The owner is base64 in the object's metadata. S3 allows 2 KiB of that, so a longer owner follows
  the data, and the metadata says how many of the last bytes it is.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from aisle.core.errors import BlobMissing, StoreError, StoreUnavailable
from aisle.outgoing.request import TransportError
from aisle.outgoing.stream import Stream
from aisle.store.s3.client import ATTEMPTS, S3Client, S3Refusal

ID_SIZE: Final = 16
MAX_OWNER: Final = 4096
MAX_METADATA: Final = 1900  # characters of base64, beside the name and other metadata

_OWNER: Final = "x-amz-meta-aisle-owner"
_OWNER_SIZE: Final = "x-amz-meta-aisle-owner-size"
_MULTIPART: Final = 0x80
_NAME: Final = re.compile(r"([0-9a-f]{2})/([0-9a-f]{32})")
_TOTAL: Final = re.compile(r"bytes \d+-\d+/(\d+)")


def mint() -> bytes:
    """An id for a blob that may be sent as one object."""
    random = os.urandom(ID_SIZE)
    return bytes((random[0] & ~_MULTIPART,)) + random[1:]


def as_multipart(blob: bytes) -> bytes:
    """The id of the same blob, sent in parts."""
    return bytes((blob[0] | _MULTIPART,)) + blob[1:]


def is_multipart(blob: bytes) -> bool:
    return bool(blob[0] & _MULTIPART)


def key_of(prefix: str, blob: bytes) -> str:
    name = blob.hex()
    return f"{prefix}{name[:2]}/{name}"


def blob_of(prefix: str, key: str) -> bytes | None:
    """The id that a key belongs to; `None` if the name is none of ours."""
    match = _NAME.fullmatch(key, len(prefix)) if key.startswith(prefix) else None
    return bytes.fromhex(match[2]) if match and match[2].startswith(match[1]) else None


def owner_headers(owner: bytes) -> tuple[dict[str, str], bytes]:
    """The metadata that tells of `owner`, and what is to be stored after the data."""
    text = base64.b64encode(owner).decode()
    if len(text) <= MAX_METADATA:
        return {_OWNER: text}, b""
    return {_OWNER_SIZE: str(len(owner))}, owner


def owner_size(headers: Mapping[str, str]) -> int:
    """How many of the object's last bytes are the owner."""
    text = headers.get(_OWNER_SIZE, "0")
    return int(text) if text.isdecimal() and text.isascii() else 0


class Facts(NamedTuple):
    """What a stored object says of itself; `owner` is `None` if it has to be read from the end,
    or (with `trailer` 0) if the object has lost its metadata."""

    size: int  # of the data
    owner: bytes | None
    trailer: int


def facts_of(headers: Mapping[str, str]) -> Facts:
    """From the reply to HEAD."""
    trailer = owner_size(headers)
    owner: bytes | None = None
    if _OWNER in headers:
        try:
            owner = base64.b64decode(headers[_OWNER], validate=True)
        except binascii.Error:
            owner = None
    return Facts(int(headers.get("Content-Length", "0")) - trailer, owner, trailer)


def missing(blob: bytes, refusal: S3Refusal) -> StoreError:
    """A refused read as callers hear it: only a missing key, never a missing bucket or a 404 of
    some proxy, is a missing blob."""
    if refusal.status == 416:
        return BlobMissing(blob.hex(), "truncated")
    if refusal.code == "NoSuchKey":
        return BlobMissing(blob.hex())
    return refusal


async def head(client: S3Client, blob: bytes, key: str) -> Facts:
    """What is stored under `key`. Raises `BlobMissing`."""
    try:
        try:
            reply = await client.call("HEAD", key)
        except S3Refusal as refusal:
            if refusal.status != 404:
                raise
            # The reply to HEAD has no body, so it cannot tell what is missing.
            await client.call("GET", key, headers={"range": "bytes=0-0"})
            reply = await client.call("HEAD", key)
    except S3Refusal as refusal:
        raise missing(blob, refusal) from None
    return facts_of(reply.headers)


class S3Body:
    """The `Body` of a range. It asks again from where it was when a connection is lost, and holds
    no more than the client's read buffer however slowly it is read."""

    def __init__(
        self,
        client: S3Client,
        blob: bytes,
        key: str,
        offset: int,
        length: int,
        *,
        whole: bool = False,
    ) -> None:
        """`whole` reads what lies behind the data too."""
        self._client = client
        self._blob = blob
        self._key = key
        self._position = offset
        self._end = offset + length
        self._response: Stream | None = None
        self._whole = whole
        self._closed = False

    async def begin(self) -> None:
        """Ask for what is left. Raises `BlobMissing` if it is not all there."""
        left = self._end - self._position
        try:
            response = await self._client.get(self._key, self._position, left)
        except S3Refusal as refusal:
            raise missing(self._blob, refusal) from None
        total = _TOTAL.fullmatch(response.headers.get("Content-Range", ""))
        behind = 0 if self._whole else owner_size(response.headers)
        if total is None or int(total[1]) - behind < self._end:
            response.abandon()
            raise BlobMissing(self._blob.hex(), "truncated")
        if self._closed:
            response.abandon()
        self._response = response

    async def read(self, size: int) -> bytes:
        want = min(size, self._end - self._position)
        for _ in range(2 * ATTEMPTS):
            if self._closed:
                raise StoreUnavailable("this body is closed")
            if want <= 0:
                return b""
            if self._response is None:
                await self.begin()
            elif piece := await self._next(want):
                self._position += len(piece)
                return piece
        raise StoreUnavailable(f"reads from {self._client.location} break off again and again")

    async def _next(self, want: int) -> bytes:
        """Some of the bytes that were asked for; none if the connection was lost."""
        assert self._response is not None
        try:
            piece = await self._response.read(want)
        except TransportError:
            piece = b""
        if not piece:
            self._response.abandon()
            self._response = None
        return piece

    def close(self) -> None:
        self._closed = True
        if self._response is not None:
            self._response.abandon()
