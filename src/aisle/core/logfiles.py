"""The log files of a node: what its processes log, kept in its directory up to a size.

    DATA/log/aisle.log                     what is written now
    DATA/log/aisle.20260131-120000.123456.log    what was before, oldest first

Every process of the node appends whole lines to the same file, which the system does not tear. The
one that finds it full renames it under a lock; the others see that the name stands for another
file and open that. What is beyond the size for all files is removed, oldest first. The audit log is
kept in files of the same kind.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import tarfile
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

CURRENT: Final = "aisle.log"
_LOCK: Final = "lock"
_MOMENT: Final = r"\d{8}-\d{6}\.\d{6}"
# The level as the second word of a line; lines without one belong to the line before.
_LEVEL: Final = re.compile(rb"\d{4}-\d\d-\d\dT\S+ ([A-Z]+) ")
_RANKS: Final = {b"DEBUG": 0, b"INFO": 1, b"WARNING": 2, b"ERROR": 3, b"CRITICAL": 3}
SEVERITIES: Final = {"info": 0, "warning": 2, "error": 3}
_PIECE: Final = 64 << 10
_LINE: Final = 1 << 20


class RotatingFile:
    """A file that processes append to, put away when it is full, with what was put away before.

    `max_size` is of one file and `max_total` of all; both may be set at any time.
    """

    def __init__(self, path: Path, *, max_size: int, max_total: int) -> None:
        self.path = path
        self.max_size = max_size
        self.max_total = max_total
        self._old = re.compile(rf"{re.escape(path.stem)}\.{_MOMENT}{re.escape(path.suffix)}")
        self._fd = -1
        self._inode = -1

    def append(self, data: bytes) -> int:
        """Write whole lines; returns how many bytes were written. Raises `OSError`. Blocks."""
        if self._open() + len(data) > self.max_size:
            self.rotate(self._inode)
            self._open()
        return os.write(self._fd, data)

    def shut(self) -> None:
        """Close the file; what is written after that opens it again."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def rotate(self, inode: int | None = None) -> None:
        """Put the current file away, unless it is not the one with `inode` any more."""
        lock = os.open(self.path.with_name(_LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                found = os.stat(self.path)
                if found.st_size and inode in (None, found.st_ino):
                    moment = datetime.fromtimestamp(time.time(), UTC)
                    name = f"{self.path.stem}.{moment:%Y%m%d-%H%M%S.%f}{self.path.suffix}"
                    self.path.rename(self.path.with_name(name))
            self._prune()
        finally:
            os.close(lock)

    def old(self) -> list[Path]:
        """The files that were put away, oldest first."""
        return sorted(p for p in self.path.parent.iterdir() if self._old.fullmatch(p.name))

    def _open(self) -> int:
        """Have the current file open; returns its size."""
        with suppress(FileNotFoundError):
            found = os.stat(self.path)
            if found.st_ino == self._inode and self._fd >= 0:
                return found.st_size
        self.shut()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._fd = os.open(self.path, flags, 0o600)
        found = os.fstat(self._fd)
        self._inode = found.st_ino
        return found.st_size

    def _prune(self) -> None:
        room = self.max_total - self.max_size
        for path in reversed(self.old()):
            room -= path.stat().st_size
            if room < 0:
                path.unlink(missing_ok=True)


class LogFiles(logging.Handler, RotatingFile):
    """A handler that writes to the files, and what reads them. `limits` may be set at any time."""

    def __init__(
        self, directory: Path, *, max_size: int = 4 << 20, max_total: int = 128 << 20
    ) -> None:
        logging.Handler.__init__(self)
        RotatingFile.__init__(self, directory / CURRENT, max_size=max_size, max_total=max_total)
        directory.mkdir(mode=0o700, exist_ok=True)
        self.directory = directory

    def emit(self, record: logging.LogRecord) -> None:
        line = (self.format(record) + "\n").encode("utf-8", "backslashreplace")[:_LINE]
        # A full disk must not end what is being logged; standard error has the line as well.
        with suppress(OSError):
            self.append(line)

    def close(self) -> None:
        self.shut()
        super().close()

    def lines(self, severity: str) -> Iterator[bytes]:
        """The current file in pieces, without what is less severe. Blocks."""
        least = SEVERITIES[severity]
        with suppress(FileNotFoundError), self.path.open("rb") as file:
            pieces: list[bytes] = []
            size = 0
            shown = least == 0
            for line in file:
                level = _LEVEL.match(line)
                if level is not None:
                    shown = _RANKS.get(level[1], 1) >= least
                if shown:
                    pieces.append(line)
                    size += len(line)
                if size > _PIECE:
                    yield b"".join(pieces)
                    pieces, size = [], 0
            yield b"".join(pieces)

    def archive(self, file: IO[bytes]) -> None:
        """Write every file into a TAR.GZ. Blocks."""
        with tarfile.open(fileobj=file, mode="w|gz") as archive:
            for path in [*self.old(), self.path]:
                with suppress(FileNotFoundError), path.open("rb") as source:
                    entry = tarfile.TarInfo(path.name)
                    found = os.fstat(source.fileno())
                    # Lines may be added meanwhile: the size that is told is the one that is taken.
                    entry.size, entry.mtime, entry.mode = found.st_size, int(found.st_mtime), 0o600
                    archive.addfile(entry, source)
