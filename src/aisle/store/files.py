"""`FileBlobs`: the embedded `Blobs`, one file a blob over one or more mountpaths.

* An id is 16 random bytes. A file's path is made of its hex digits: no name that a client chose
  ever reaches the file system.
* A blob is written under its final name, because nothing points at it before the index does; the
  trailer (`blobfile`) tells a sealed one from one that was cut off.
* `strict`: when `seal` returns, data and name survive power loss. `relaxed` skips both syncs.
* A new blob goes to the first mountpath in weight order that takes it; a read tries all of them.
* All file work runs in the engine's own threads. One event loop uses one engine.
"""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Final, Literal, TypeVar

from aisle.core.errors import BlobMissing, StoreError
from aisle.store.base import BlobInfo, Space
from aisle.store.blobfile import (
    ID_SIZE,
    MAX_OWNER,
    FileBody,
    FileWriter,
    new_scratch,
    open_range,
    read_trailer,
    submit,
)
from aisle.store.disk import has_room, store_error
from aisle.store.mountpaths import FAN_OUT, Mountpath, open_mountpaths, ranked

Durability = Literal["strict", "relaxed"]

THREADS: Final = 8
THREADS_A_MOUNTPATH: Final = 4
SCAN_BATCH: Final = 256

_Result = TypeVar("_Result")


class FileBlobs:
    """See the module. `mount` it; the constructor is for `mount`."""

    def __init__(self, mountpaths: tuple[Mountpath, ...], durability: Durability) -> None:
        self.mountpaths = mountpaths
        self._durable = durability == "strict"
        self._scratch = new_scratch()
        self._pool = ThreadPoolExecutor(
            max(THREADS, THREADS_A_MOUNTPATH * len(mountpaths)), thread_name_prefix="aisle-files"
        )

    @classmethod
    def mount(
        cls, mountpaths: Sequence[Path], *, store: str, durability: Durability = "strict"
    ) -> FileBlobs:
        """Use `mountpaths` for the store of that name, marking new directories. Blocks.

        Raises `ConfigError` for a directory that is missing, not writable, of another store, of a
        newer format, or somebody else's.
        """
        return cls(open_mountpaths(mountpaths, store=store), durability)

    async def _in_thread(
        self, work: Callable[[], _Result], undo: Callable[[_Result], None] | None = None
    ) -> _Result:
        """What `work` returns; `undo` gets it instead if the caller was cancelled meanwhile."""
        job = submit(self._pool, work)
        try:
            return await asyncio.wrap_future(job)
        except asyncio.CancelledError:
            if undo is not None:
                job.add_done_callback(lambda done: _undo(done, undo))
            raise

    # --- writing ----------------------------------------------------------------------------

    async def create(self, owner: bytes, *, size_hint: int = 0) -> FileWriter:
        if len(owner) > MAX_OWNER:
            raise ValueError(f"an owner of {len(owner)} bytes")
        return await self._in_thread(lambda: self._create(owner, size_hint), FileWriter.discard)

    def _create(self, owner: bytes, size_hint: int) -> FileWriter:
        blob = os.urandom(ID_SIZE)
        failure: StoreError | None = None
        for mountpath in ranked(blob, self.mountpaths):
            path = mountpath.place(blob.hex())
            try:
                if not has_room(mountpath.path, size_hint):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            except OSError as error:
                failure = failure or store_error(error, f"mountpath {mountpath.path}")
                continue
            return FileWriter(
                self._pool,
                fd,
                path,
                blob,
                owner,
                expected=size_hint,
                durable=self._durable,
                open_source=self._open_range,
            )
        assert failure is not None, "there is at least one mountpath"
        raise failure

    async def delete(self, blob: bytes) -> None:
        if len(blob) == ID_SIZE:
            await self._in_thread(lambda: self._delete(blob))

    def _delete(self, blob: bytes) -> None:
        # The directory is not synced: a blob that comes back after a power loss is an orphan
        # that the sweep finds, and deletions stay cheap.
        for mountpath in ranked(blob, self.mountpaths):
            try:
                mountpath.place(blob.hex()).unlink()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise store_error(error, f"blob {blob.hex()}") from error
            return

    # --- reading ----------------------------------------------------------------------------

    async def open(self, blob: bytes, offset: int, length: int) -> FileBody:
        fd = await self._in_thread(lambda: self._open_range(blob, offset, length), os.close)
        return FileBody(self._pool, fd, blob, offset, length, self._scratch)

    def _open_range(self, blob: bytes, offset: int, length: int) -> int:
        if len(blob) != ID_SIZE:
            raise BlobMissing(blob.hex(), "not an id of this store")
        for mountpath in ranked(blob, self.mountpaths):
            try:
                return open_range(mountpath.place(blob.hex()), blob, offset, length)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise store_error(error, f"blob {blob.hex()}") from error
        raise BlobMissing(blob.hex())

    async def scan(self) -> AsyncIterator[BlobInfo]:
        found = self._walk()
        while batch := await self._in_thread(lambda: list(islice(found, SCAN_BATCH))):
            for info in batch:
                yield info

    def _walk(self) -> Iterator[BlobInfo]:
        for mountpath in self.mountpaths:
            for number in range(FAN_OUT):
                directory = mountpath.path / "blobs" / f"{number:02x}"
                try:
                    names = os.listdir(directory)
                    for name in names:
                        info = _look_at(directory / name)
                        if info is not None:
                            yield info
                except OSError as error:
                    raise store_error(error, f"mountpath {mountpath.path}") from error

    async def place(self, blob: bytes) -> str:
        return await self._in_thread(lambda: self._place(blob)) if len(blob) == ID_SIZE else ""

    def _place(self, blob: bytes) -> str:
        for mountpath in ranked(blob, self.mountpaths):
            if mountpath.place(blob.hex()).exists():
                return str(mountpath.path)
        return ""

    async def space(self) -> Space:
        return await self._in_thread(self._space)

    def _space(self) -> Space:
        # Several mountpaths may share a disk; its bytes count once.
        disks: dict[int, os.statvfs_result] = {}
        for mountpath in self.mountpaths:
            try:
                disks[os.stat(mountpath.path).st_dev] = os.statvfs(mountpath.path)
            except OSError as error:
                raise store_error(error, f"mountpath {mountpath.path}") from error
        total = sum(disk.f_blocks * disk.f_frsize for disk in disks.values())
        unused = sum(disk.f_bfree * disk.f_frsize for disk in disks.values())
        free = sum(disk.f_bavail * disk.f_frsize for disk in disks.values())
        return Space(total, total - unused, free)

    async def close(self) -> None:
        await asyncio.to_thread(self._pool.shutdown)


def _undo(job: Future[_Result], undo: Callable[[_Result], None]) -> None:
    if not job.cancelled() and job.exception() is None:
        undo(job.result())


def _look_at(path: Path) -> BlobInfo | None:
    """The blob at `path`; `None` if the name is none of ours, or the file has just gone."""
    try:
        blob = bytes.fromhex(path.name)
    except ValueError:
        return None
    if blob.hex() != path.name or len(blob) != ID_SIZE:
        return None
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        stat = os.fstat(fd)
        trailer = read_trailer(fd, blob)
    finally:
        os.close(fd)
    age = max(0.0, time.time() - stat.st_mtime)
    if trailer is None:
        return BlobInfo(blob, None, age, stat.st_size)
    return BlobInfo(blob, trailer.owner, age, trailer.length)
