"""Writing the members of an archive as files: only regular ones, and none outside of a directory.

Archives are read as streams, a member at a time, so no size is too large; a ZIP, whose directory is
at its end, from a file without a name.
"""

from __future__ import annotations

import os
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO

import lz4.frame

from aisle.cli.failure import Failure, printable
from aisle.cli.notes import note
from aisle.cli.transfer import ARCHIVES, below
from aisle.client.bodies import PIECE, write_file


@contextmanager
def temporary() -> Iterator[BinaryIO]:
    """A file without a name, for what has to be whole before it can be unpacked."""
    with tempfile.TemporaryFile() as file:
        yield file


def unpack(file: BinaryIO, kind: str, directory: str) -> int:
    """Write the members of an archive below a directory; returns how many.

    `kind` is the archive's name, or what names of its kind end in. Raises `Failure`.
    """
    file.seek(0)
    try:
        if kind.endswith("zip"):
            return _all(_zip(file), directory)
        if kind.endswith("lz4"):
            with lz4.frame.open(file) as plain:
                return _all(_tar(plain, "r|"), directory)
        if kind.endswith(("tar", "tgz", "tar.gz")):
            return _all(_tar(file, "r|" if kind.endswith("tar") else "r|gz"), directory)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise Failure(f"the archive {kind} cannot be read: {error}") from None
    raise Failure(f"{kind} is not an archive (there are: {', '.join(ARCHIVES)})")


def _all(members: Iterator[tuple[str, IO[bytes]]], directory: str) -> int:
    count = 0
    for name, body in members:
        path = below(directory, name.removeprefix("./"))
        if path is None:
            note(f'the member "{printable(name)}" cannot be a file below {directory}')
            continue
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with write_file(path) as target:
            while data := body.read(PIECE):
                target.write(data)
        count += 1
    return count


def _tar(file: IO[bytes], mode: str) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload]
        for member in archive:
            if member.isreg() and (body := archive.extractfile(member)) is not None:
                yield member.name, body


def _zip(file: BinaryIO) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            if not member.is_dir():
                with archive.open(member) as body:
                    yield member.filename, body
