"""The engines that the two contract suites run on. A new engine is one more row here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from aisle.store.base import Blobs, Index
from aisle.store.files import FileBlobs
from aisle.store.memory import MemoryBlobs, MemoryIndex
from aisle.store.sqlite import SqliteIndex


class IndexEngine(NamedTuple):
    """`open` makes the index under a directory; `durable` engines find their rows again there."""

    name: str
    open: Callable[[Path], Index]
    durable: bool


class BlobsEngine(NamedTuple):
    """As `IndexEngine`, for the other port."""

    name: str
    open: Callable[[Path], Blobs]
    durable: bool


def _files(directory: Path, count: int) -> FileBlobs:
    paths = [directory / f"disk{number}" for number in range(count)]
    for path in paths:
        path.mkdir(exist_ok=True)
    return FileBlobs.mount(paths, store="test")


INDEXES = (
    IndexEngine("memory", lambda directory: MemoryIndex(), durable=False),
    IndexEngine("sqlite", lambda directory: SqliteIndex.open(directory / "index.db"), durable=True),
    IndexEngine(
        "sqlite-relaxed",
        lambda directory: SqliteIndex.open(directory / "index.db", durability="relaxed"),
        durable=True,
    ),
)

BLOBS = (
    BlobsEngine("memory", lambda directory: MemoryBlobs(), durable=False),
    BlobsEngine("files", lambda directory: _files(directory, 1), durable=True),
    BlobsEngine("files-3", lambda directory: _files(directory, 3), durable=True),
)
