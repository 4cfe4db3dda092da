"""The directories of a node: made, checked, and held against a second node.

A lock is `flock` on an open file: it ends with the last process that holds the descriptor, so the
supervisor takes it, its workers inherit it, and a crash of any kind frees it. `DATA/node.lock`
also carries the holder's process id for the message; mountpaths are locked on the directory itself
and keep no file of ours beside the engine's.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import secrets
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from aisle.core.errors import ConfigError
from aisle.node.options import NodeOptions

_LOCK: Final = "node.lock"
_ID: Final = "node.id"
# After a SIGKILL of the supervisor its workers need a moment to be gone as well.
_DEAD_HOLDER_SECONDS: Final = 2.0


def hold(options: NodeOptions) -> list[int]:
    """Make, check and lock every directory of the node.

    The locks last as long as the returned descriptors are open here or in a forked child. Raises
    `ConfigError`.
    """
    _prepare("data", options.data)
    held = [_lock_data(options.data)]
    for path in options.mountpaths:
        _prepare("mountpath", path)
        held.append(_lock_mountpath(path, shared=not options.embedded))
    return held


def identify(options: NodeOptions) -> NodeOptions:
    """The options with the node's id: the one given, else the one made at its first start."""
    if options.node_id:
        return options
    file = options.data / _ID
    try:
        node = file.read_text().strip()
    except FileNotFoundError:
        node = secrets.token_hex(4)
        with file.open("w") as written:
            written.write(f"{node}\n")
            written.flush()
            os.fsync(written.fileno())
        _sync(options.data)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from None
    return replace(options, node_id=node)


def _prepare(role: str, path: Path) -> None:
    what = f"{role} directory {path}"
    try:
        if not path.is_dir():
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            _sync(path.parent)
        owner = path.stat().st_uid
        if owner != os.geteuid():
            raise ConfigError(
                f"{what} belongs to user {_user(owner)}, and this node runs as"
                f" {_user(os.geteuid())}"
            )
        # Only a real write tells: permission bits say nothing of read-only mounts or root.
        with tempfile.TemporaryFile(dir=path):
            pass
    except FileExistsError:
        raise ConfigError(f"{what} is not a directory") from None
    except OSError as error:
        raise ConfigError(f"{what} cannot be written: {error.strerror}") from None


def _sync(path: Path) -> None:
    """Make a name in `path` durable: what is acknowledged in a new directory must be found."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _lock_data(path: Path) -> int:
    fd = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + _DEAD_HOLDER_SECONDS
    while not _try_lock(fd):
        holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
        if _is_alive(holder) or time.monotonic() > deadline:
            os.close(fd)
            raise ConfigError(f"data directory {path} is in use by another node (pid {holder})")
        time.sleep(0.02)
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    return fd


def _lock_mountpath(path: Path, *, shared: bool) -> int:
    """The nodes of a cluster share a mountpath of a shared file system, and nobody else does."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    deadline = time.monotonic() + _DEAD_HOLDER_SECONDS
    while not _try_lock(fd, shared=shared):
        if time.monotonic() > deadline:
            os.close(fd)
            raise ConfigError(f"mountpath directory {path} is in use by another node")
        time.sleep(0.02)
    return fd


def _try_lock(fd: int, *, shared: bool = False) -> bool:
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_alive(holder: str) -> bool:
    if not holder.isdecimal():
        return False  # it has the lock and has not yet written its id: look again
    try:
        os.kill(int(holder), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
