"""What a local disk can say, told as store errors: errno values and free space.

Shared by the engines that live on a mounted file system. No policy but one: a small reserve is
kept free for rows and deletions. A store that is full to the last byte can no longer record that
something is deleted, and then never gets any emptier; so new data is refused a little earlier.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

from aisle.core.errors import OutOfSpace, ReadOnlyStore, StoreError, StoreUnavailable

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_READ_ONLY: Final = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})

RESERVE: Final = 16 << 20
RESERVE_FRACTION: Final = 64  # of a disk so small that RESERVE would be most of it


def store_error(error: OSError, what: str) -> StoreError:
    """`error` as callers of the ports hear it; `what` names the file or directory."""
    message = f"{what}: {error.strerror or error}"
    if error.errno in _FULL:
        return OutOfSpace(message)
    if error.errno in _READ_ONLY:
        return ReadOnlyStore(message)
    return StoreUnavailable(message)


def has_room(path: Path, size: int) -> bool:
    """Whether `size` more bytes of new data fit, beside the reserve, on the disk under `path`."""
    stat = os.statvfs(path)
    reserve = min(RESERVE, stat.f_blocks * stat.f_frsize // RESERVE_FRACTION)
    return stat.f_bavail * stat.f_frsize >= size + reserve


def is_exhausted(path: Path) -> bool:
    """Whether the disk under `path` has no free block to speak of (a hint after an I/O error)."""
    try:
        stat = os.statvfs(path)
    except OSError:
        return False
    return stat.f_bavail * stat.f_frsize < 64 << 10


def sync_directory(path: Path) -> None:
    """Make the names in `path` durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
