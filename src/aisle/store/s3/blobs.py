"""`S3Blobs`: blobs as objects of one S3-compatible bucket, for many gateways without Ceph.

* The objects of a store lie below `PREFIX/STORE/`, so that stores share a bucket unseen by each
  other. The bucket is never made, emptied or configured by the engine.
* A blob is durable when the server has answered 200 to PutObject or CompleteMultipartUpload. What
  was not completed is an upload, which `scan` shows as unsealed and `delete` gives up.
* Nothing here knows how large a bucket may grow: see `space`.
* One event loop uses one engine. docs/decisions/006 has the reasons and the measurements.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Final

from aisle.core.errors import BlobMissing, ConfigError, StoreError, StoreUnavailable
from aisle.store.base import BlobInfo, Space
from aisle.store.s3.client import S3Client, S3Refusal
from aisle.store.s3.listing import Listed, Upload, abort_uploads, objects, progress, uploads
from aisle.store.s3.memory import PartMemory
from aisle.store.s3.object import (
    ID_SIZE,
    MAX_OWNER,
    S3Body,
    blob_of,
    head,
    is_multipart,
    key_of,
    mint,
)
from aisle.store.s3.url import parse_location
from aisle.store.s3.writer import S3Writer

LOOKUPS: Final = 16  # requests of one scan at a time
# A bucket has no size that it would tell. So much, and nothing of it used: what goes by per cent
# never takes it for full, and what is full is what the server refuses (`OutOfSpace`).
BOUNDLESS: Final = 1 << 60

_log = logging.getLogger("aisle.store")


class S3Blobs:
    """See the module. `connect` to a bucket; the constructor is for `connect`."""

    def __init__(self, client: S3Client) -> None:
        self._client = client
        self._prefix = client.location.prefix
        self._memory = PartMemory()
        self._writing: set[S3Writer] = set()
        self._closed = False

    @classmethod
    async def connect(
        cls, url: str, *, store: str, access_key: str = "", secret_key: str = ""
    ) -> S3Blobs:
        """Use the bucket of `url` (see `s3.url`) for the store of that name.

        Raises `ConfigError` for a URL, an endpoint, a bucket or keys that do not work.
        """
        location = parse_location(url, store=store)
        if bool(access_key) != bool(secret_key):
            raise ConfigError(f"{location} needs an access key and a secret key, or neither")
        if not f"{access_key}{secret_key}".isascii():
            raise ConfigError(f"the keys of {location} are not ASCII text")
        client = S3Client(location, access_key=access_key, secret_key=secret_key)
        try:
            query = {"list-type": "2", "max-keys": "1", "prefix": location.prefix}
            await client.call("GET", query=query, attempts=2)
        except BaseException as error:
            await client.close()
            if isinstance(error, StoreError):
                raise _unusable(error) from None
            raise
        return cls(client)

    def _key(self, blob: bytes) -> str:
        return key_of(self._prefix, blob)

    def _check(self) -> None:
        if self._closed:
            raise StoreUnavailable("the blob store is closed")

    # --- writing ----------------------------------------------------------------------------

    async def create(self, owner: bytes, *, size_hint: int = 0) -> S3Writer:
        self._check()
        if len(owner) > MAX_OWNER:
            raise ValueError(f"an owner of {len(owner)} bytes")
        return S3Writer(
            self._client,
            self._memory,
            self._writing,
            mint(),
            owner,
            size_hint=size_hint,
            open_source=self.open,
        )

    async def delete(self, blob: bytes) -> None:
        self._check()
        if len(blob) != ID_SIZE:
            return
        key = self._key(blob)
        try:
            await self._client.call("DELETE", key)
        except S3Refusal as refusal:
            if refusal.code != "NoSuchKey":
                raise
        if is_multipart(blob):
            await abort_uploads(self._client, key)

    # --- reading ----------------------------------------------------------------------------

    async def open(self, blob: bytes, offset: int, length: int) -> S3Body:
        self._check()
        if len(blob) != ID_SIZE:
            raise BlobMissing(blob.hex(), "not an id of this store")
        body = S3Body(self._client, blob, self._key(blob), offset, length)
        if length > 0:
            await body.begin()
        elif offset > (await head(self._client, blob, self._key(blob))).size:
            raise BlobMissing(blob.hex(), "truncated")
        return body

    async def scan(self) -> AsyncIterator[BlobInfo]:
        """As the port has it. A blob being written is not to be seen before its first part is."""
        self._check()
        async for page in objects(self._client, self._prefix):
            for start in range(0, len(page), LOOKUPS):
                batch = page[start : start + LOOKUPS]
                for info in await asyncio.gather(*map(self._sealed, batch)):
                    if info is not None:
                        yield info
        async for begun in uploads(self._client, self._prefix):
            for start in range(0, len(begun), LOOKUPS):
                group = begun[start : start + LOOKUPS]
                for info in await asyncio.gather(*map(self._unsealed, group)):
                    if info is not None:
                        yield info

    async def _sealed(self, listed: Listed) -> BlobInfo | None:
        blob = blob_of(self._prefix, listed.key)
        if blob is None:
            return None
        try:
            facts = await head(self._client, blob, listed.key)
            owner = facts.owner
            if facts.trailer:
                owner = await self._trailer(blob, facts.size, facts.trailer)
        except BlobMissing:
            return None  # deleted meanwhile
        if owner is None:
            # Not `None` to the caller: that would say that it was never sealed and may go.
            _log.warning("object %s has lost its metadata and is left alone", listed.key)
            return None
        return BlobInfo(blob, owner, listed.age, facts.size)

    async def _trailer(self, blob: bytes, offset: int, length: int) -> bytes:
        body = S3Body(self._client, blob, self._key(blob), offset, length, whole=True)
        try:
            pieces = []
            while piece := await body.read(length):
                pieces.append(piece)
            return b"".join(pieces)
        finally:
            body.close()

    async def _unsealed(self, upload: Upload) -> BlobInfo | None:
        blob = blob_of(self._prefix, upload.key)
        if blob is None:
            return None
        found = await progress(self._client, upload)
        if found is None:
            return None
        try:
            await head(self._client, blob, upload.key)
        except BlobMissing:
            age = upload.age if found.age is None else found.age
            return BlobInfo(blob, None, age, found.size)
        # A second upload, from a request whose answer was lost. `delete` will find it.
        return None

    async def place(self, blob: bytes) -> str:
        return f"s3://{self._client.location.bucket}"

    async def space(self) -> Space:
        return Space(BOUNDLESS, 0, BOUNDLESS)

    async def close(self) -> None:
        self._closed = True
        for writer in list(self._writing):
            await writer.stop()
        await self._client.close()


def _unusable(error: StoreError) -> ConfigError:
    """Why a bucket cannot be used, in one sentence."""
    if not isinstance(error, S3Refusal):
        return ConfigError(f"the blobs cannot be reached: {error}")
    if error.code == "NoSuchBucket":
        return ConfigError(f"there is no such bucket, and none is made: {error}")
    if error.status == 403:
        return ConfigError(f"the keys are refused: {error}")
    if error.status in (301, 302, 307, 308) or error.code == "AuthorizationHeaderMalformed":
        return ConfigError(f"the bucket is at another endpoint or region: {error}")
    return ConfigError(f"the blobs cannot be used: {error}")
