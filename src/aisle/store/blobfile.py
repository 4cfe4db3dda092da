"""One blob as one file: its format, the writer and the reader.

    data | owner | footer        footer: digest (16) owner length (u32) data length (u64)
                                         version (u32) magic (8), little-endian

The footer is last, so a file cut short anywhere has none and is known to be unsealed. The digest
covers owner and lengths and is keyed with the blob's id, which no client ever sees: bytes
uploaded to look like a footer are not taken for one.

Everything here blocks and runs in the engine's threads, but for one thing: bytes that are in the
page cache are read inline with RWF_NOWAIT, which the kernel answers without waiting for a disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import struct
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from aisle.core.errors import BlobMissing, StoreUnavailable
from aisle.store.disk import store_error, sync_directory

ID_SIZE: Final = 16
MAX_OWNER: Final = 4096

_FOOTER: Final = struct.Struct("<16sIQI8s")
_MAGIC: Final = b"AisleBlb"
_VERSION: Final = 1
_COPY_STEP: Final = 16 << 20  # between two looks at whether the writer was aborted
_FALLBACK_STEP: Final = 1 << 20
_SCRATCH: Final = 1 << 20
# A file system that cannot copy this pair inside the kernel says one of these.
_NO_KERNEL_COPY: Final = frozenset(
    {errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF}
)
_NO_NOWAIT: Final = frozenset({errno.EAGAIN, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})

_Result = TypeVar("_Result")


class Trailer(NamedTuple):
    """What a sealed file says of itself."""

    owner: bytes
    length: int


def _digest(blob: bytes, owner: bytes, length: int) -> bytes:
    text = struct.pack("<IQI", len(owner), length, _VERSION) + owner
    return hashlib.blake2b(text, key=blob, digest_size=16).digest()


def encode_trailer(blob: bytes, owner: bytes, length: int) -> bytes:
    """What follows `length` bytes of data in the file of `blob`."""
    digest = _digest(blob, owner, length)
    return owner + _FOOTER.pack(digest, len(owner), length, _VERSION, _MAGIC)


def read_trailer(fd: int, blob: bytes) -> Trailer | None:
    """The trailer of the open file of `blob`; `None` if it was not sealed or is damaged."""
    size = os.fstat(fd).st_size
    # One read for nearly every owner; a second one for the longest.
    tail = os.pread(fd, 512, max(0, size - 512))
    if len(tail) < _FOOTER.size:
        return None
    digest, owner_size, length, version, magic = _FOOTER.unpack_from(tail, len(tail) - _FOOTER.size)
    if magic != _MAGIC or version != _VERSION or length + owner_size + _FOOTER.size != size:
        return None
    if owner_size > MAX_OWNER:
        return None
    if owner_size + _FOOTER.size > len(tail):
        tail = os.pread(fd, owner_size + _FOOTER.size, length)
    owner = tail[len(tail) - _FOOTER.size - owner_size : len(tail) - _FOOTER.size]
    return Trailer(owner, length) if digest == _digest(blob, owner, length) else None


def open_range(path: Path, blob: bytes, offset: int, length: int) -> int:
    """A descriptor of the file of `blob`, which is sealed and holds the range. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        trailer = read_trailer(fd, blob)
        if trailer is None or offset + length > trailer.length:
            raise BlobMissing(blob.hex(), "truncated")
    except BaseException:
        os.close(fd)
        raise
    return fd


class FileWriter:
    """The `BlobWriter` of one new file. One task uses it; `abort` may follow a cancelled call,
    whose thread may still be at work: a lock keeps the descriptor alive until that is over.

    As soon as all bytes that are `expected` have come, they are synced with the trailer, while
    the caller may still be hashing them, and `seal` finds nothing left to do. What is never
    sealed after that is an orphan like any other whose row was not committed.
    """

    def __init__(
        self,
        pool: Executor,
        fd: int,
        path: Path,
        blob: bytes,
        owner: bytes,
        *,
        expected: int,
        durable: bool,
        open_source: Callable[[bytes, int, int], int],
    ) -> None:
        self._pool = pool
        self._fd = fd
        self._path = path
        self._blob = blob
        self._owner = owner
        self._expected = expected
        self._durable = durable
        self._open_source = open_source
        self._length = 0
        self._lock = threading.Lock()
        self._aborted = False
        self._finished = False  # the trailer is written and everything synced
        self._sealed = False

    async def write(self, chunk: bytes) -> None:
        await self._in_thread(lambda: self._write(chunk))

    async def copy(self, blob: bytes, offset: int, length: int) -> None:
        await self._in_thread(lambda: self._copy(blob, offset, length))

    async def seal(self) -> bytes:
        if not self._finished or self._fd < 0:
            await self._in_thread(self._finish)
        fd, self._fd = self._fd, -1
        os.close(fd)  # synced, if it has to be: nothing is left that could fail or wait
        # Set here and not in the thread: a cancelled caller never learns the id, and aborts.
        self._sealed = True
        return self._blob

    async def abort(self) -> None:
        if self._sealed:
            return
        self._aborted = True
        # Shielded, because a cancelled job that still waits in the pool would never run.
        with contextlib.suppress(StoreUnavailable):
            await asyncio.shield(asyncio.wrap_future(submit(self._pool, self.discard)))

    async def _in_thread(self, work: Callable[[], None]) -> None:
        def locked() -> None:
            with self._lock:
                if self._fd < 0 or self._aborted:
                    raise StoreUnavailable("this blob is no longer being written")
                try:
                    work()
                    if self._length == self._expected > 0 and not self._finished:
                        self._finish()
                except OSError as error:
                    raise store_error(error, f"blob {self._blob.hex()}") from error

        await asyncio.wrap_future(submit(self._pool, locked))

    def _write(self, chunk: bytes) -> None:
        self._reopen()
        _write_at(self._fd, chunk, self._length)
        self._length += len(chunk)

    def _reopen(self) -> None:
        """Take the trailer away: more comes than was expected."""
        if self._finished:
            self._finished = False
            os.ftruncate(self._fd, self._length)

    def _copy(self, blob: bytes, offset: int, length: int) -> None:
        self._reopen()
        source = self._open_source(blob, offset, length)
        try:
            self._copy_range(source, blob, offset, offset + length)
        finally:
            os.close(source)

    def _copy_range(self, source: int, blob: bytes, offset: int, end: int) -> None:
        in_kernel = True
        while offset < end:
            if self._aborted:
                raise StoreUnavailable("this blob is no longer being written")
            if in_kernel:
                want = min(end - offset, _COPY_STEP)
                try:
                    count = os.copy_file_range(source, self._fd, want, offset, self._length)
                except OSError as error:
                    if error.errno not in _NO_KERNEL_COPY:
                        raise
                    in_kernel = False
                    continue
                self._length += count
            else:
                piece = os.pread(source, min(end - offset, _FALLBACK_STEP), offset)
                count = len(piece)
                self._write(piece)
            if count == 0:
                raise BlobMissing(blob.hex(), "truncated")
            offset += count

    def _finish(self) -> None:
        trailer = encode_trailer(self._blob, self._owner, self._length)
        _write_at(self._fd, trailer, self._length)
        if self._durable:
            os.fdatasync(self._fd)
            sync_directory(self._path.parent)
        self._finished = True

    def discard(self) -> None:
        """Drop the file. Blocks; never raises."""
        with self._lock:
            if self._fd >= 0:
                fd, self._fd = self._fd, -1
                with contextlib.suppress(OSError):
                    os.close(fd)
            with contextlib.suppress(OSError):
                self._path.unlink()


def _write_at(fd: int, data: bytes, offset: int) -> None:
    rest = memoryview(data)
    while rest:
        count = os.pwrite(fd, rest, offset)
        offset += count
        rest = rest[count:]


class FileBody:
    """The `Body` of a range of one file. One task reads; `close` may come at any time."""

    def __init__(
        self, pool: Executor, fd: int, blob: bytes, offset: int, length: int, scratch: bytearray
    ) -> None:
        self._pool = pool
        self._fd = fd
        self._blob = blob
        self._position = offset
        self._end = offset + length
        self._scratch = scratch
        self._job: Future[bytes] | None = None

    async def read(self, size: int) -> bytes:
        if self._fd < 0:
            raise StoreUnavailable("this body is closed")
        want = min(size, self._end - self._position, len(self._scratch))
        if want <= 0:
            return b""
        piece = self._read_cached(want)
        if len(piece) < want:
            fd, position, missing = self._fd, self._position + len(piece), want - len(piece)
            job = self._job = submit(self._pool, lambda: os.pread(fd, missing, position))
            try:
                rest = await asyncio.wrap_future(job)
            except OSError as error:
                raise store_error(error, f"blob {self._blob.hex()}") from error
            piece += rest
        if not piece:
            raise BlobMissing(self._blob.hex(), "truncated")
        self._position += len(piece)
        return piece

    def _read_cached(self, want: int) -> bytes:
        """The part of the next `want` bytes that needs no disk, perhaps none."""
        # Into a buffer that stays warm, and out of it once: 210 us a MiB, against 760 us with a
        # new buffer each time and 140 us for a read that may block.
        view = memoryview(self._scratch)[:want]
        try:
            count = os.preadv(self._fd, [view], self._position, os.RWF_NOWAIT)
        except OSError as error:
            if error.errno in _NO_NOWAIT:
                return b""
            raise store_error(error, f"blob {self._blob.hex()}") from error
        return bytes(view[:count])

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        # A cancelled read may still be running in its thread: the descriptor outlives it, or its
        # number could be another file's by the time the thread reads.
        if self._job is None:
            os.close(fd)
        else:
            self._job.add_done_callback(lambda _: os.close(fd))


def new_scratch() -> bytearray:
    """The buffer that the bodies of one engine (one event loop) read through."""
    return bytearray(_SCRATCH)


def submit(pool: Executor, work: Callable[[], _Result]) -> Future[_Result]:
    """`work` queued on `pool`; a pool that was shut down is a closed store."""
    try:
        return pool.submit(work)
    except RuntimeError as error:
        raise StoreUnavailable("the blob store is closed") from error
