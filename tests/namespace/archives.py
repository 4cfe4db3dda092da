"""Archives as objects of a store in memory, read by the code under test; headers made by hand."""

from __future__ import annotations

import tarfile
from collections.abc import AsyncIterator, Mapping

from aisle.namespace.archives import making, reading
from aisle.namespace.archives.making import Mode
from aisle.namespace.archives.matching import matcher
from aisle.namespace.archives.reading import Archive
from aisle.namespace.archives.writing import NewMember
from aisle.namespace.store import BucketRow, Store
from tests.archives import files_of
from tests.namespace.support import (
    make_bucket,
    memory_store,
    put,
)


async def opened(data: bytes, name: str = "a.tar", *, mime: str = "") -> Archive:
    store = memory_store()
    bucket = await make_bucket(store)
    await put(store, bucket, name.encode(), data)
    return await reading.open_archive(store, bucket, name.encode(), mime=mime)


async def everything(archive: Archive) -> list[tuple[str, bytes]]:
    """The files of an archive, by the reader under test."""
    data = await reading.matching_members(archive, matcher("", ""), "all")
    return files_of("x.tar", b"".join([piece async for piece in data]))


async def member(archive: Archive, name: str) -> bytes:
    found = await reading.find_member(archive, name)
    data = b"".join([piece async for piece in found.data])
    assert len(data) == found.member.size
    return data


async def listed(archive: Archive) -> list[tuple[str, int]]:
    return [(item.name, item.size) for item in await reading.list_members(archive, 10_000)]


def members_of(files: Mapping[str, bytes], step: int = 1 << 16) -> making.Members:
    async def pieces(data: bytes) -> AsyncIterator[bytes]:
        for at in range(0, len(data), step):
            yield data[at : at + step]

    async def members() -> AsyncIterator[NewMember]:
        for name, data in files.items():
            yield NewMember(name, len(data), 1_700_000_000, pieces(data))

    return members


async def make(
    store: Store, bucket: BucketRow, name: str, files: Mapping[str, bytes], mode: Mode = Mode.PUT
) -> None:
    await making.make(store, bucket, name.encode(), members_of(files), mode=mode)


def tar_info(name: str, data: bytes = b"", **fields: object) -> bytes:
    """One member of a TAR, its header and padded data, as `tarfile` writes it in GNU's form."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % 512)


def pax(records: Mapping[str, str], kind: bytes = tarfile.XHDTYPE) -> bytes:
    lines = b""
    for key, value in records.items():
        body = f" {key}={value}\n".encode("utf-8", "surrogateescape")
        length = len(body) + len(str(len(body) + 2))
        lines += str(length).encode() + body
    return tar_info("pax", lines, type=kind)


END = bytes(1024)
