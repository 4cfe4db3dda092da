"""Files and pipes that a stream of frames is written to or read from.

All of it blocks, and so runs in threads. A file that is written is new, or one whose good part is
kept and whose torn end is cut off; it is on disk when `close` returns.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from pathlib import Path
from typing import Final

from aisle.core.errors import ConfigError, OutOfSpace, StoreUnavailable
from aisle.namespace.transfer.frames import MAGIC
from aisle.node.transfer.options import PIPE

_STDIN: Final = 0
_STDOUT: Final = 1
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


class Carrier:
    """An open file or pipe. `name` is what messages call it."""

    def __init__(self, fd: int, name: str, *, owned: bool) -> None:
        self._fd = fd
        self._owned = owned
        self.name = name

    async def read(self, size: int) -> bytes:
        """Up to `size` bytes, `b""` at the end. Raises `StoreUnavailable`."""
        try:
            return await asyncio.to_thread(os.read, self._fd, size)
        except OSError as error:
            raise StoreUnavailable(f"{self.name} cannot be read: {error.strerror}") from None

    async def write(self, data: bytes) -> None:
        """Raises `OutOfSpace` and `StoreUnavailable`."""
        await asyncio.to_thread(self._write, data)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except BrokenPipeError:
            raise StoreUnavailable(f"nobody reads {self.name} any more") from None
        except OSError as error:
            kind = OutOfSpace if error.errno in _FULL else StoreUnavailable
            raise kind(f"{self.name} cannot be written: {error.strerror}") from None

    async def cut(self, size: int) -> int:
        """Keep the first `size` bytes and go on behind them; returns how many were cut off."""
        return await asyncio.to_thread(self._cut, size)

    def _cut(self, size: int) -> int:
        whole = os.fstat(self._fd).st_size
        os.ftruncate(self._fd, size)
        os.lseek(self._fd, size, os.SEEK_SET)
        return whole - size

    async def close(self) -> None:
        """Make what was written durable. Raises `StoreUnavailable`."""
        if self._owned:
            await asyncio.to_thread(self._close)

    def _close(self) -> None:
        try:
            if stat.S_ISREG(os.fstat(self._fd).st_mode):
                os.fsync(self._fd)
        except OSError as error:
            raise StoreUnavailable(f"{self.name} cannot be written: {error.strerror}") from None
        finally:
            os.close(self._fd)


def exists(target: str) -> bool:
    return target == PIPE or os.path.lexists(target)


def open_input(source: str) -> Carrier:
    """A file, or the standard input, to read from. Raises `ConfigError`."""
    if source == PIPE:
        return Carrier(_STDIN, "the standard input", owned=False)
    return Carrier(_open(source, os.O_RDONLY), source, owned=True)


def open_output(target: str) -> Carrier:
    """A new file, or the standard output, to write to. Raises `ConfigError`."""
    if target == PIPE:
        if os.isatty(_STDOUT):
            raise ConfigError("an export is not for a terminal: name a file, or pipe it on")
        return Carrier(_STDOUT, "the standard output", owned=False)
    fd = _open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    _sync_directory(Path(target).absolute().parent)
    return Carrier(fd, target, owned=True)


def open_again(target: str) -> Carrier:
    """A file that an export was broken off in. Raises `ConfigError`, also if it is no export."""
    if target == PIPE:
        raise ConfigError("--resume goes with a file: a pipe cannot be read again")
    fd = _open(target, os.O_RDWR)
    begun = os.pread(fd, len(MAGIC), 0)
    if not MAGIC.startswith(begun):
        os.close(fd)
        raise ConfigError(f"{target} is not an export of Aisle")
    return Carrier(fd, target, owned=True)


def _open(path: str, flags: int) -> int:
    try:
        return os.open(path, flags | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise ConfigError(
            f"{path} exists: go on with it by --resume, or name another file"
        ) from None
    except OSError as error:
        raise ConfigError(f"cannot open {path}: {error.strerror}") from None


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
