"""Making rows of an inventory that Amazon's S3 has written: its files, one after the other.

A file is fetched whole into a temporary file and held to its MD5 before anything is read of it;
then `reading` reads it. What is not as the manifest says ends it all, and nothing becomes visible.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import IO, Final

from aisle.backend.base import Backend, RemoteBody
from aisle.core.errors import (
    InventoryDamaged,
    NotSupported,
    OutOfSpace,
    RemoteObjectNotFound,
)
from aisle.namespace.window.inventory import finding, reading
from aisle.namespace.window.inventory import manifest as manifests
from aisle.namespace.window.inventory.finding import Found
from aisle.namespace.window.inventory.manifest import CHECKSUM, MANIFEST, File, Manifest
from aisle.store.base import Row

_PIECE: Final = 1 << 20


async def manifest_of(backend: Backend, found: Found, bucket: str) -> Manifest:
    """The manifest of an inventory of the remote bucket `bucket`, in which it was not necessarily
    found. Raises `InventoryDamaged`, `RemoteError`s."""
    try:
        checksum = await finding.fetch(backend, found.date + CHECKSUM, manifests.CHECKSUM_LIMIT)
        data = await finding.fetch(backend, found.date + MANIFEST, manifests.MANIFEST_LIMIT)
    except RemoteObjectNotFound:
        raise InventoryDamaged("it has no manifest") from None
    manifests.verify(data, checksum)
    return manifests.parse(data, bucket=bucket, folder=found.folder)


async def rows(backend: Backend, manifest: Manifest, file: File) -> AsyncGenerator[list[Row], None]:
    """The rows of one file, batch by batch. Raises `InventoryDamaged`, `NotSupported`,
    `OutOfSpace`, `RemoteError`s."""
    async with _fetched(backend, file) as spool:
        batches = reading.read(spool, manifest.format, manifest.columns, manifest.bucket)
        try:
            async for batch in batches:
                yield batch
        except InventoryDamaged as error:
            raise InventoryDamaged(f"{file.key}: {error}") from None
        except NotSupported as error:
            raise NotSupported(f"inventories of format {error}") from None
        finally:
            await batches.aclose()


@asynccontextmanager
async def _fetched(backend: Backend, file: File) -> AsyncIterator[IO[bytes]]:
    """A file of an inventory, verified, as one that is gone with its last user."""
    try:
        body = await backend.get(file.key)
    except RemoteObjectNotFound:
        raise InventoryDamaged(f"{file.key} is not there") from None
    with tempfile.TemporaryFile() as spool:
        try:
            await _copy(body, spool, file)
        finally:
            await body.close()
        yield spool


async def _copy(body: RemoteBody, spool: IO[bytes], file: File) -> None:
    digest = hashlib.md5(usedforsecurity=False)
    waiting = list[bytes]()
    size = kept = 0

    def write() -> None:
        data = b"".join(waiting)
        waiting.clear()
        digest.update(data)
        spool.write(data)

    try:
        while True:
            piece = await body.read()
            size += len(piece)
            kept += len(piece)
            if size > file.size or (not piece and size < file.size):
                raise InventoryDamaged(f"{file.key} has not the size that its manifest says")
            waiting.append(piece)
            if kept >= _PIECE or not piece:
                await asyncio.to_thread(write)
                kept = 0
            if not piece:
                break
        await asyncio.to_thread(spool.seek, 0)
    except OSError as error:
        raise OutOfSpace(f"{file.key} cannot be kept for reading: {error.strerror}") from error
    if digest.hexdigest() != file.md5:
        raise InventoryDamaged(f"{file.key} has not the MD5 that its manifest says")
