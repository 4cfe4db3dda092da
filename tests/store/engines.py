"""The engines that the two contract suites run on. A new engine is one more row here."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from aisle.store.base import Blobs, Index
from aisle.store.epoch import Epoch
from aisle.store.files import FileBlobs
from aisle.store.memory import MemoryBlobs, MemoryIndex
from aisle.store.postgres.index import PostgresIndex
from aisle.store.rados.blobs import RadosBlobs
from aisle.store.s3.blobs import S3Blobs
from aisle.store.sqlite import SqliteIndex
from aisle.store.sqlitefile import Durability
from tests.servers import postgres, s3
from tests.servers.ceph import shared, shared_pool


class IndexEngine(NamedTuple):
    """`open` makes the index under a directory; `durable` engines find their rows again there."""

    name: str
    open: Callable[[Path], Awaitable[Index]]
    durable: bool


class BlobsEngine(NamedTuple):
    """As `IndexEngine`, for the other port."""

    name: str
    open: Callable[[Path], Awaitable[Blobs]]
    durable: bool


async def _index() -> MemoryIndex:
    return MemoryIndex()


async def _sqlite(directory: Path, durability: Durability) -> SqliteIndex:
    return SqliteIndex.open(directory / "index.db", durability=durability)


async def _shared(directory: Path) -> SqliteIndex:
    # As the workers of a node have it; so few bytes that rows are pushed out all the time.
    epoch, recent = _epoch(directory), {"row": 2000, "body": 2000}
    watched = frozenset({"row", "bucket"})
    path = directory / "index.db"
    return SqliteIndex.open(path, epoch=epoch, watched=watched, recent=recent)


@functools.cache
def _epoch(directory: Path) -> Epoch:
    return Epoch()


async def _postgres(directory: Path) -> PostgresIndex:
    # A busy machine may take its time for values of 16 MiB.
    watched = frozenset({"row", "bucket"})
    return await PostgresIndex.open(_database(directory), watched=watched, patience=60)


@functools.cache
def _database(directory: Path) -> str:
    """The database of a directory: as new as that one."""
    return postgres.shared().create_database()


async def _memory() -> MemoryBlobs:
    return MemoryBlobs()


async def _rados(directory: Path, *, ec: bool) -> RadosBlobs:
    store = hashlib.sha256(bytes(directory)).hexdigest()[:32]
    url = f"rados://{shared_pool(ec=ec)}?conf={shared().conf}&stripe=1MiB"
    return await RadosBlobs.connect(url, store=store)


async def _s3(directory: Path) -> S3Blobs:
    store = hashlib.sha256(bytes(directory)).hexdigest()[:32]
    return await S3Blobs.connect(s3.shared().url("contract"), store=store, **s3.KEYS)


async def _files(directory: Path, count: int) -> FileBlobs:
    paths = [directory / f"disk{number}" for number in range(count)]
    for path in paths:
        path.mkdir(exist_ok=True)
    return FileBlobs.mount(paths, store="test")


INDEXES = (
    IndexEngine("memory", lambda directory: _index(), durable=False),
    IndexEngine("sqlite", lambda directory: _sqlite(directory, "strict"), durable=True),
    IndexEngine("sqlite-relaxed", lambda directory: _sqlite(directory, "relaxed"), durable=True),
    IndexEngine("sqlite-shared", _shared, durable=True),
    IndexEngine("postgres", _postgres, durable=True),
)

BLOBS = (
    BlobsEngine("memory", lambda directory: _memory(), durable=False),
    BlobsEngine("files", lambda directory: _files(directory, 1), durable=True),
    BlobsEngine("files-3", lambda directory: _files(directory, 3), durable=True),
    BlobsEngine("rados", lambda directory: _rados(directory, ec=False), durable=True),
    BlobsEngine("rados-ec", lambda directory: _rados(directory, ec=True), durable=True),
    BlobsEngine("s3", _s3, durable=True),
)
