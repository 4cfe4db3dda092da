"""Making an archive of local files (or of anything else) as a stream, to be sent as it is made."""

from __future__ import annotations

import io
import tarfile
import time
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal, NamedTuple

import lz4.frame

from aisle.cli.failure import Failure
from aisle.cli.transfer import ARCHIVES

Form = Literal[0, 1, 2]
# How the headers of a TAR may be made; `pax` is that where nothing is said.
FORMS: Final[Mapping[str, Form]] = {
    "ustar": tarfile.USTAR_FORMAT,
    "pax": tarfile.PAX_FORMAT,
    "gnu": tarfile.GNU_FORMAT,
    "unknown": tarfile.PAX_FORMAT,
}
_BLOCK: Final = 512
_LARGE: Final = 0x7FFFFFFF  # from here on, sizes in a ZIP are written as those of ZIP64
_EARLIEST: Final = 315_532_800  # 1980, when the time of ZIP begins


class Packed(NamedTuple):
    """A file for an archive: `data` gives exactly `size` bytes."""

    name: str
    size: int
    mtime: int
    data: Iterable[bytes]


def kind_of(key: str) -> str:
    """What the name of an archive ends in. Raises `Failure` if it is not that of one."""
    kind = next((kind for kind in ARCHIVES if key.endswith(kind)), None)
    if kind is None:
        raise Failure(f'"{key}" is not the name of an archive (there are: {", ".join(ARCHIVES)})')
    return kind


def pack(kind: str, files: Iterable[Packed], form: Form = tarfile.PAX_FORMAT) -> Iterator[bytes]:
    """The bytes of an archive, a piece at a time; `form` is that of the headers of a TAR."""
    if kind == ".zip":
        yield from _zip(files)
        return
    pieces = _tar(files, form)
    if kind == ".tar":
        yield from pieces
        return
    if kind == ".tar.lz4":
        lz = lz4.frame.LZ4FrameCompressor()
        yield lz.begin()
        for piece in pieces:
            yield lz.compress(piece)
        yield lz.flush()
        return
    gz = zlib.compressobj(wbits=31)
    for piece in pieces:
        yield gz.compress(piece)
    yield gz.flush()


def _tar(files: Iterable[Packed], form: Form) -> Iterator[bytes]:
    for file in files:
        info = tarfile.TarInfo(file.name)
        info.size, info.mtime = file.size, file.mtime
        try:
            yield info.tobuf(form)
        except ValueError as error:  # ustar has little room
            raise Failure(f"{file.name}: {error}") from None
        yield from file.data
        yield bytes(-file.size % _BLOCK)
    yield bytes(2 * _BLOCK)


class _Sink(io.RawIOBase):
    """What `zipfile` writes to: what it was given is taken away in between."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        self._pieces.append(piece)
        return len(piece)

    def taken(self) -> bytes:
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data


def _zip(files: Iterable[Packed]) -> Iterator[bytes]:
    sink = _Sink()
    with zipfile.ZipFile(sink, "w") as archive:
        for file in files:
            info = zipfile.ZipInfo(file.name, time.gmtime(max(file.mtime, _EARLIEST))[:6])
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            # The same name may occur twice; `zipfile` would warn of it.
            archive.NameToInfo.clear()
            with archive.open(info, "w", force_zip64=file.size > _LARGE) as member:
                for piece in file.data:
                    member.write(piece)
                    yield sink.taken()
            yield sink.taken()
    yield sink.taken()
