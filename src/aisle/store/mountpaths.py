"""Mountpaths: the directories (one a disk) that `FileBlobs` spreads its blobs over.

Each holds a marker, `aisle-mountpath.json`, that says which store it belongs to and gives the
mountpath an id of its own; the id, not the path, decides which blobs live there, so disks may be
mounted elsewhere or listed in another order. A directory that holds anything we do not know is
refused: somebody else's files are there.

    <mountpath>/aisle-mountpath.json
    <mountpath>/blobs/<first two hex digits>/<32 hex digits>
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from aisle.core.errors import ConfigError
from aisle.store.disk import sync_directory

MARKER: Final = "aisle-mountpath.json"
FORMAT: Final = 1
FAN_OUT: Final = 256

# What may lie in a directory before it becomes a mountpath: files of ours (the index may share
# the directory), and what mkfs leaves in the root of a new disk.
_OWN_PREFIXES: Final = ("aisle-", "aisle.", "index.db")
_KNOWN_NAMES: Final = frozenset({"lost+found"})


class Marker(msgspec.Struct, frozen=True):
    """The marker file, as JSON."""

    store: str
    mountpath: str
    format: int


class Mountpath(NamedTuple):
    """One directory; `ident` is stable for its life."""

    path: Path
    ident: bytes

    def place(self, name: str) -> Path:
        """Where the blob of hex `name` is if it is here."""
        return self.path / "blobs" / name[:2] / name


def ranked(blob: bytes, mountpaths: Sequence[Mountpath]) -> Sequence[Mountpath]:
    """`mountpaths` in the order in which they are to hold `blob` (highest random weight).

    Adding a disk moves the first place of 1/n of the blobs and no others (Thaler and Ravishankar,
    1998); readers go down the list, so nothing has to be moved.
    """
    if len(mountpaths) == 1:
        return mountpaths
    return sorted(
        mountpaths,
        key=lambda m: hashlib.blake2b(blob, key=m.ident, digest_size=8).digest(),
        reverse=True,
    )


def open_mountpaths(paths: Sequence[Path], *, store: str) -> tuple[Mountpath, ...]:
    """Check every directory and mark the new ones. Raises `ConfigError`. Blocks."""
    if not paths:
        raise ConfigError("a store needs at least one mountpath")
    opened: list[Mountpath] = []
    for path in paths:
        try:
            found = _open(path, store)
        except OSError as error:
            raise ConfigError(f"mountpath {path} cannot be used: {error.strerror}") from error
        for other in opened:
            if other.ident == found.ident:
                raise ConfigError(f"mountpaths {other.path} and {path} are the same directory")
        opened.append(found)
    return tuple(opened)


def _open(path: Path, store: str) -> Mountpath:
    if not path.is_dir():
        raise ConfigError(f"mountpath {path} is not a directory")
    marker = _read(path)
    if marker is None:
        _refuse_foreign(path)
        _mark(path, store)
        marker = _read(path)
        assert marker is not None, "the marker was just linked"
    if marker.store != store:
        raise ConfigError(f'mountpath {path} belongs to the store "{marker.store}", not "{store}"')
    _make_directories(path)
    return Mountpath(path, bytes.fromhex(marker.mountpath))


def _read(path: Path) -> Marker | None:
    try:
        text = (path / MARKER).read_bytes()
    except FileNotFoundError:
        return None
    try:
        marker = msgspec.json.decode(text, type=Marker)
        usable = len(bytes.fromhex(marker.mountpath)) == 16
    except (msgspec.DecodeError, ValueError) as error:
        raise ConfigError(f"{path / MARKER} cannot be read: {error}") from error
    if marker.format > FORMAT:
        raise ConfigError(
            f"mountpath {path} was written by a newer version of Aisle (format {marker.format}, "
            f"this one knows {FORMAT})"
        )
    if not usable:
        raise ConfigError(f"{path / MARKER} names no usable mountpath id")
    return marker


def _refuse_foreign(path: Path) -> None:
    foreign = sorted(
        entry.name
        for entry in os.scandir(path)
        if not entry.name.startswith(_OWN_PREFIXES) and entry.name not in _KNOWN_NAMES
    )
    # Another worker may have marked the directory since we looked.
    if foreign and _read(path) is None:
        raise ConfigError(
            f"mountpath {path} is not empty and not ours (it holds {foreign[0]!r}); "
            "give a directory of its own"
        )


def _mark(path: Path, store: str) -> None:
    """Make the marker appear whole or not at all; of several workers the first one wins."""
    marker = Marker(store, secrets.token_hex(16), FORMAT)
    draft = path / f"aisle-mountpath.{marker.mountpath}.draft"
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            os.write(fd, msgspec.json.encode(marker) + b"\n")
            os.fsync(fd)
        finally:
            os.close(fd)
        with contextlib.suppress(FileExistsError):
            os.link(draft, path / MARKER)
    finally:
        draft.unlink()
    sync_directory(path)


def _make_directories(path: Path) -> None:
    """All directories at once: none is ever made later, so a disk that has gone away while we run
    is an error, and never a new empty directory on the disk below it."""
    blobs = path / "blobs"
    made = 0
    for directory in (blobs, *(blobs / f"{number:02x}" for number in range(FAN_OUT))):
        try:
            directory.mkdir(mode=0o700)
        except FileExistsError:
            continue
        made += 1
    if made:
        sync_directory(blobs)
        sync_directory(path)
    probe = blobs / f"aisle-{secrets.token_hex(8)}"
    os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    probe.unlink()
