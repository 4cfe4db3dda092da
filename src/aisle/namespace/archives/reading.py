"""Reading archives: listing their members, finding one, streaming one or those that match.

An `Archive` is an object that was found and whose format is known. While one is open, the bytes it
may still need are announced as being read, so they outlive a replacement of the object.
"""

from __future__ import annotations

import heapq
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from aisle.core.errors import ArchiveError, InvalidArgument, MemberNotFound
from aisle.namespace import objects
from aisle.namespace.archives import formats, limits, tars
from aisle.namespace.archives.formats import Format
from aisle.namespace.archives.matching import Match
from aisle.namespace.archives.members import Kind, Member, Reader, same_name
from aisle.namespace.archives.streams import (
    Expanded,
    Gunzip,
    Plain,
    Stored,
    Stream,
    Unlz4,
)
from aisle.namespace.archives.tars import TarReader
from aisle.namespace.archives.zips import Wanted, ZipReader
from aisle.namespace.objects import Found
from aisle.namespace.records import Object
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.windows import READ, How


def uri(bucket: BucketRow) -> str:
    """A bucket as errors name it, in which clients look for exactly this form."""
    return f"{bucket.record.provider}://{bucket.record.name}"


class Archive(NamedTuple):
    """An object that is read as an archive; `bucket` and `key` are how errors name it."""

    store: Store
    bucket: str
    key: str
    found: Found
    stored: Stored
    form: Format

    @property
    def record(self) -> Object:
        return self.found.record

    @contextmanager
    def told(self) -> Iterator[None]:
        """Announce a read, and name the archive in what goes wrong with it."""
        try:
            with self.store.reading():
                yield
        except ArchiveError as error:
            raise error.of(self.bucket, self.key) from None

    def stream(self, end: int | None = None) -> Stream:
        """Its bytes, expanded if they are compressed as a whole."""
        plain = Plain(self.stored, 0, end)
        if self.form is Format.TGZ:
            return Expanded(plain, Gunzip())
        return Expanded(plain, Unlz4()) if self.form is Format.LZ4 else plain

    def reader(self, wanted: Wanted) -> Reader:
        """Its members; those that are not `wanted` may be left out."""
        if self.form is Format.ZIP:
            return ZipReader(self.stored, wanted)
        return TarReader(self.stream())


async def open_archive(
    store: Store, bucket: BucketRow, key: bytes, *, mime: str = "", how: How = READ
) -> Archive:
    """The object as an archive: of the type `mime`, or of what its name or else its first bytes
    tell. Raises `ObjectNotFound`, `InvalidArgument` and `ArchiveError`."""
    found, small = await objects.find_small(store, bucket, key, how)
    stored = Stored(store, found, small)
    shown, text = uri(bucket), key.decode()
    form = formats.by_type(mime) if mime else formats.by_name(text)
    if form is None:
        form = formats.by_magic(await stored.read(0, formats.MAGIC_SIZE))
    if form is None:
        raise ArchiveError(f"it is none of {formats.SHOWN}").of(shown, text)
    return Archive(store, shown, text, found, stored, form)


class Listed(NamedTuple):
    """A member in a listing. Names may occur twice: `number` is its place in the archive."""

    name: str
    number: int
    size: int


async def list_members(
    archive: Archive, limit: int, *, prefix: str = "", after: tuple[str, int] = ("", -1)
) -> list[Listed]:
    """The first `limit` members in the order of their names that begin with `prefix` and come
    after a name and number. Directories are left out; links and devices have no size.

    Holds no more than `limit` members, whatever is in the archive.
    """
    with archive.told():
        reader = archive.reader(lambda member: member.name.startswith(prefix))
        kept: list[_Last] = []
        number = -1
        while member := await reader.next():
            number += 1
            if member.kind is Kind.DIRECTORY or not member.name.startswith(prefix):
                continue
            if (member.name, number) <= after:
                continue
            last = _Last(Listed(member.name, number, member.size))
            if len(kept) < limit:
                heapq.heappush(kept, last)
            elif last > kept[0]:
                heapq.heapreplace(kept, last)
        return sorted(item.member for item in kept)


class _Last(NamedTuple):
    """A member that sorts the other way round, so that a heap gives the last of those kept."""

    member: Listed

    def __lt__(self, other: tuple[object, ...]) -> bool:
        return isinstance(other, _Last) and self.member > other.member

    def __gt__(self, other: tuple[object, ...]) -> bool:
        return isinstance(other, _Last) and self.member < other.member


class Opened(NamedTuple):
    """A member that was found, and its bytes."""

    member: Member
    data: AsyncIterator[bytes]


async def find_member(archive: Archive, name: str) -> Opened:
    """The first member of that name. Raises `MemberNotFound` and `ArchiveError`."""
    told: list[Member] = []
    data = _one(archive, name, told)
    await anext(data)
    return Opened(told[0], data)


async def _one(archive: Archive, name: str, told: list[Member]) -> AsyncIterator[bytes]:
    """Yields nothing once the member is found and can be read, and then its bytes."""
    reader = archive.reader(lambda member: same_name(member.name, name))
    with archive.told():
        while member := await reader.next():
            if same_name(member.name, name) and member.kind is not Kind.DIRECTORY:
                break
        else:
            raise MemberNotFound(archive.bucket, archive.key, f'file "{name}"')
        if member.kind is not Kind.FILE:
            raise ArchiveError(f'"{name}" in it is {member.kind.value}')
        piece = await reader.read()
        told.append(member)
        yield b""
        while piece:
            yield piece
            piece = await reader.read()


async def matching_members(archive: Archive, match: Match, what: str) -> AsyncIterator[bytes]:
    """A TAR of all files whose names match. Raises `MemberNotFound` if there are none, and
    `ArchiveError`; links and the like are left out."""
    data = _as_tar(archive, match, what)
    await anext(data)
    return data


async def _as_tar(archive: Archive, match: Match, what: str) -> AsyncIterator[bytes]:
    """Yields nothing once a member is found, and then the bytes of the TAR."""
    reader = archive.reader(lambda member: member.kind is Kind.FILE and match(member.name))
    count = 0
    with archive.told():
        while member := await reader.next():
            if member.kind is not Kind.FILE or not match(member.name):
                continue
            if not count:
                yield b""
            count += 1
            yield tars.header(member.name, member.size, member.mtime)
            while piece := await reader.read():
                yield piece
            yield tars.padding(member.size)
        if not count:
            raise MemberNotFound(archive.bucket, archive.key, f"file that matches {what}")
        yield tars.END


def member_name(text: str, key: str) -> str:
    """The name that a client gives a member; one that begins with the archive's own goes on from
    there, as AIStore has it. Raises `InvalidArgument`."""
    name = text.removeprefix(f"{key}/")
    fits = name.isprintable() and len(name.encode()) <= limits.NAME
    if not name or name.endswith("/") or not fits:
        raise InvalidArgument(
            f'"{text}" cannot name a file in an archive', name="archpath", value=text
        )
    return name
