"""What readers of every format give: members one after the other, and the bytes of the current one.

A member's name is as the archive has it, undecodable bytes kept as surrogates; nothing takes it for
a path.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple, Protocol


class Kind(Enum):
    """What a member is; `value` is how errors call it."""

    FILE = "a file"
    DIRECTORY = "a directory"
    LINK = "a link"
    OTHER = "neither a file nor a directory"
    SPARSE = "a sparse file, which is not supported"
    ENCRYPTED = "encrypted"
    PACKED = "compressed by a method that is not supported"


class Member(NamedTuple):
    name: str
    size: int
    mtime: int  # seconds since the epoch, 0 if not known
    kind: Kind = Kind.FILE


class Reader(Protocol):
    """An archive that is being read."""

    async def next(self) -> Member | None:
        """Go on to the next member, `None` at the end. Raises `ArchiveError`."""
        ...

    async def read(self) -> bytes:
        """The next piece of the current member, `b""` at its end. Raises `ArchiveError`."""
        ...


def same_name(one: str, other: str) -> bool:
    """Whether two names mean the same member: a leading slash counts for nothing, as with `tar`."""
    return one.removeprefix("/") == other.removeprefix("/")
