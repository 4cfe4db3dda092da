"""A directory of this machine whose files may be promoted, and nothing outside of it.

Every path is opened name by name from the directory down, and a symbolic link is never followed:
neither one that was there when a path was checked nor one put there since. Functions block; work
calls them in threads.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Final

from aisle.core.errors import AccessDenied, InvalidArgument

Parts = tuple[str, ...]

DEEPEST: Final = 200
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK to open a pipe would wait for its other end.
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Tree:
    """What lies below `root`, which itself may be reached through links: its owner named it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def parts(self, path: str) -> Parts:
        """The names that lead from the root to an absolute path.

        Raises `AccessDenied` for what is not below the root, and `InvalidArgument`.
        """
        if "\0" in path or not path.startswith("/"):
            raise InvalidArgument(f'"{shown(path)}" is not an absolute path', name="src")
        pure = PurePosixPath(path)
        if ".." in pure.parts or not pure.is_relative_to(self._root):
            raise AccessDenied(
                f'"{shown(path)}" cannot be promoted: this node promotes what is in {self._root}'
            )
        return pure.relative_to(self._root).parts

    def is_file(self, parts: Parts) -> bool:
        """Whether it is a regular file; if not, it is a directory. Raises `InvalidArgument`."""
        with self._reported(parts):
            if not parts:
                os.close(self._enter(()))
                return False
            fd = self._enter(parts[:-1])
            try:
                mode = os.stat(parts[-1], dir_fd=fd, follow_symlinks=False).st_mode
            finally:
                os.close(fd)
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise _irregular(parts)
        return stat.S_ISREG(mode)

    def open(self, parts: Parts) -> int:
        """A descriptor of a regular file. Raises `InvalidArgument`."""
        with self._reported(parts):
            directory = self._enter(parts[:-1])
            try:
                fd = os.open(parts[-1], _FILE, dir_fd=directory)
            finally:
                os.close(directory)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise _irregular(parts)
        return fd

    def remove(self, parts: Parts, known: os.stat_result) -> None:
        """Delete a file, if it still is the one that was `known`. Raises `InvalidArgument`."""
        with self._reported(parts):
            directory = self._enter(parts[:-1])
            try:
                found = os.stat(parts[-1], dir_fd=directory, follow_symlinks=False)
                if _identity(found) != _identity(known):
                    raise InvalidArgument("it has been changed since it was read, and is kept")
                os.unlink(parts[-1], dir_fd=directory)
            finally:
                os.close(directory)

    def below(self, top: Parts, *, recursive: bool, after: Parts, limit: int) -> list[Parts]:
        """The next `limit` names below a directory that are no directories, in order, behind the
        place `after`, all relative to `top`. Raises `InvalidArgument`."""
        found: list[Parts] = []
        with self._reported(top):
            fd = self._enter(top)
            try:
                self._walk(fd, (), after, recursive, limit, found)
            finally:
                os.close(fd)
        return found

    def _walk(
        self, fd: int, above: Parts, after: Parts, recursive: bool, limit: int, found: list[Parts]
    ) -> None:
        if len(above) > DEEPEST:
            raise InvalidArgument(f"directories are nested deeper than {DEEPEST}", name="src")
        for name in sorted(os.listdir(fd)):
            if len(found) >= limit:
                return
            if after and name < after[0]:
                continue
            rest = after[1:] if after and name == after[0] else ()
            try:
                mode = os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode
            except FileNotFoundError:
                continue  # somebody has removed it since the directory was read
            if not stat.S_ISDIR(mode):
                if not (after and name == after[0]):
                    found.append((*above, name))
            elif recursive:
                below = os.open(name, _DIRECTORY, dir_fd=fd)
                try:
                    self._walk(below, (*above, name), rest, recursive, limit, found)
                finally:
                    os.close(below)

    def _enter(self, parts: Parts) -> int:
        fd = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for part in parts:
            try:
                below = os.open(part, _DIRECTORY, dir_fd=fd)
            finally:
                os.close(fd)
            fd = below
        return fd

    @contextmanager
    def _reported(self, parts: Parts) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                raise _irregular(parts) from None
            path = shown(str(self._root.joinpath(*parts)))
            raise InvalidArgument(f'"{path}": {error.strerror}', name="src") from None


def shown(path: str) -> str:
    """A path as text, whatever bytes are in it."""
    return path.encode("utf-8", "backslashreplace").decode()


def _irregular(parts: Parts) -> InvalidArgument:
    return InvalidArgument(
        f'"{shown("/".join(parts))}" is neither a regular file nor a directory, or lies behind a'
        " symbolic link: these are not followed",
        name="src",
    )


def _identity(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
