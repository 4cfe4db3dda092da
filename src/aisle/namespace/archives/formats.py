"""The formats of archives: which one an object is, by type, by name, by its first bytes."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final

from aisle.core.errors import InvalidArgument


class Format(Enum):
    """A format, by the extension that AIStore calls it by."""

    TAR = ".tar"
    TGZ = ".tgz"
    LZ4 = ".tar.lz4"
    ZIP = ".zip"


EXTENSIONS: Final[Mapping[str, Format]] = {
    ".tar": Format.TAR,
    ".tgz": Format.TGZ,
    ".tar.gz": Format.TGZ,
    ".tar.lz4": Format.LZ4,
    ".zip": Format.ZIP,
}
SHOWN: Final = ".tar, .tgz or .tar.gz, .zip, .tar.lz4"
_TYPES: Final[Mapping[str, Format]] = {
    **{extension[1:]: form for extension, form in EXTENSIONS.items()},
    "gzip": Format.TGZ,
    "gtar": Format.TGZ,
    "lz4": Format.LZ4,
    "zip-compressed": Format.ZIP,
}
MAGIC_SIZE: Final = 262


def by_name(name: str) -> Format | None:
    """The format that an object's name tells."""
    return next((form for end, form in EXTENSIONS.items() if name.endswith(end)), None)


def by_type(mime: str) -> Format:
    """The format that a client names: an extension, with or without its dot, or a media type.

    Raises `InvalidArgument`.
    """
    word = mime.lower().removeprefix("application/").removeprefix("x-").removeprefix(".")
    if word not in _TYPES:
        raise InvalidArgument(
            f'unknown archive type "{mime}" (there are: {SHOWN})', name="archmime", value=mime
        )
    return _TYPES[word]


def by_magic(first: bytes) -> Format | None:
    """The format that the first `MAGIC_SIZE` bytes tell."""
    if first[257:262] == b"ustar":
        return Format.TAR
    if first.startswith(b"\x1f\x8b"):
        return Format.TGZ
    if first.startswith(b"\x04\x22\x4d\x18"):
        return Format.LZ4
    if first.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return Format.ZIP
    return None


def to_write(mime: str, name: str) -> Format:
    """The format of an archive that is about to be made: by its type, which must not contradict
    its name, else by its name. Raises `InvalidArgument`."""
    named = by_name(name)
    if not mime:
        if named is None:
            raise InvalidArgument(
                f'the name "{name}" tells no archive type (there are: {SHOWN})', name="archname"
            )
        return named
    wanted = by_type(mime)
    if named is not None and named is not wanted:
        raise InvalidArgument(
            f'the archive type "{mime}" contradicts the name "{name}"', name="archmime", value=mime
        )
    return wanted
