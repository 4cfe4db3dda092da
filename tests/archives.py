"""Archives for tests, made and read by other hands than the code under test: whole, in memory."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Mapping

import lz4.frame

NAMES = ("a.tar", "a.tgz", "a.tar.gz", "a.tar.lz4", "a.zip")
FILES = {
    "dir/one.txt": b"one",
    "dir/one.json": b"{}",
    "dir/two.txt": b"two" * 1000,
    "empty": b"",
    "large.bin": bytes(range(256)) * 2000,
}


def packed(name: str, data: bytes) -> bytes:
    """The bytes of a TAR as an archive of that name has them."""
    if name.endswith((".tgz", ".gz")):
        return gzip.compress(data)
    return bytes(lz4.frame.compress(data)) if name.endswith(".lz4") else data


def tar_of(files: Mapping[str, bytes], *, form: int = tarfile.PAX_FORMAT) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=form) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return made.getvalue()


def zip_of(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


def archive_of(name: str, files: Mapping[str, bytes]) -> bytes:
    """An archive of the kind that `name` tells."""
    return zip_of(files) if name.endswith(".zip") else packed(name, tar_of(files))


def files_of(name: str, data: bytes) -> list[tuple[str, bytes]]:
    """The files of an archive, in its order."""
    if name.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert archive.testzip() is None
            return [(info.filename, archive.read(info)) for info in archive.infolist()]
    if name.endswith((".tgz", ".gz")):
        data = gzip.decompress(data)
    elif name.endswith(".lz4"):
        data = lz4.frame.decompress(data)
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        found = []
        for info in tar:
            opened = tar.extractfile(info)
            found.append((info.name, opened.read() if opened is not None else b""))
        return found
