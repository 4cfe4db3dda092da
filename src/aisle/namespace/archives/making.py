"""Making archives: a new object of many files, or files appended to an archive that is there.

An archive that grows is a new object of the old bytes without their end and the new ones: visible
in one moment, or not at all. Of a TAR and a ZIP the old members stay as they are; a TAR that is
compressed as a whole is compressed again. Whoever loses against another writer of the same archive
begins anew, over what that one has made.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from enum import Enum
from typing import Final

from aisle.core.errors import ArchiveError, ObjectNotFound, PreconditionFailed, WriteConflict
from aisle.namespace import bodies, objects
from aisle.namespace.archives import formats, limits
from aisle.namespace.archives.formats import Format
from aisle.namespace.archives.reading import Archive, open_archive
from aisle.namespace.archives.streams import Plain
from aisle.namespace.archives.tars import TarReader
from aisle.namespace.archives.writing import NewMember, Writer, ZipWriter, writer_of, written
from aisle.namespace.archives.zips import read_directory
from aisle.namespace.bodies import Incoming, Stored
from aisle.namespace.conditions import WriteConditions
from aisle.namespace.objects import Description
from aisle.namespace.records import Object
from aisle.namespace.sealing import wishes
from aisle.namespace.sealing.frames import DataKey, Opened, open_whole
from aisle.namespace.store import BucketRow, Store

SECOND: Final = 1_000_000_000
_ATTEMPTS: Final = 32

Members = Callable[[], AsyncIterator[NewMember]]


class Mode(Enum):
    """What becomes of an archive that is there."""

    PUT = "it is replaced"
    APPEND = "it must be there, and grows"
    APPEND_OR_PUT = "it grows"


class _Pieces:
    """A stream of bytes as the namespace takes bodies in."""

    size: int | None = None

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces

    async def read(self) -> bytes:
        async for piece in self._pieces:
            if piece:
                return piece
        return b""

    def verify(self, digests: Mapping[str, bytes], size: int) -> None:
        pass


async def make(
    store: Store,
    bucket: BucketRow,
    key: bytes,
    members: Members,
    *,
    mode: Mode,
    mime: str = "",
    owner: str = "",
) -> Object:
    """Make an archive of `members`, or append them; `members` is called again for each attempt.

    Raises `InvalidArgument`, `ObjectNotFound`, `ArchiveError`, what `members` raises, and
    `WriteConflict` if other writers were always faster.
    """
    for _ in range(_ATTEMPTS):
        try:
            return await _attempt(store, bucket, key, members, mode, mime, owner)
        except PreconditionFailed:
            continue
    raise WriteConflict("too many writers are changing this archive at once")


async def _attempt(
    store: Store,
    bucket: BucketRow,
    key: bytes,
    members: Members,
    mode: Mode,
    mime: str,
    owner: str,
) -> Object:
    old: Archive | None = None
    if mode is not Mode.PUT:
        try:
            old = await open_archive(store, bucket, key, mime=mime)
        except ObjectNotFound:
            if mode is Mode.APPEND:
                raise
    if old is None:
        form = formats.to_write(mime, key.decode())
        pieces = written(writer_of(form), members())
        conditions = WriteConditions(if_none_match="" if mode is Mode.PUT else "*")
        description = Description(owner=owner)
    else:
        pieces = _grown(old, members())
        conditions = WriteConditions(if_match=old.record.etag)
        description = _described(old.record)
    try:
        return await objects.put(
            store, bucket, key, _Pieces(pieces), description, conditions=conditions
        )
    except ObjectNotFound as error:
        if old is None or (error.bucket, error.key) != (bucket.record.name, key.decode()):
            raise
        raise PreconditionFailed("If-Match") from None  # it was deleted meanwhile


async def _grown(old: Archive, members: AsyncIterator[NewMember]) -> AsyncIterator[bytes]:
    with old.told():
        if old.form is Format.ZIP:
            directory = await read_directory(old.stored)
            writer: Writer = ZipWriter(directory)
            before = _copied(old, directory.start, None)
        else:
            writer = writer_of(old.form)
            before = _copied(old, await _end_of_tar(old), writer)
        async for piece in written(writer, members, before=before):
            yield piece


async def _end_of_tar(old: Archive) -> int:
    reader = TarReader(old.stream())
    while await reader.next():
        pass
    return reader.end


async def _copied(old: Archive, size: int, writer: Writer | None) -> AsyncIterator[bytes]:
    """The first bytes of an archive: as they are, or through the `writer` that compresses them."""
    stream = old.stream() if writer is not None else Plain(old.stored)
    while size:
        piece = await stream.some(min(size, limits.PIECE))
        if not piece:
            raise ArchiveError("it ends in the middle of a file")
        size -= len(piece)
        yield await writer.data(piece) if writer is not None else piece


def _described(record: Object) -> Description:
    return Description(
        headers=record.headers,
        meta=record.meta,
        storage_class=record.storage_class,
        owner=record.owner,
        checksum_algorithm=next(iter(record.checksums), ""),
        acl=record.acl,
        keeps_access=True,
        wish=wishes.wish_of(record.sealed),
    )


async def put_file(
    store: Store,
    bucket: BucketRow,
    key: bytes,
    name: str,
    incoming: Incoming,
    *,
    algorithms: frozenset[str],
    mode: Mode,
    mime: str = "",
    owner: str = "",
) -> Object:
    """Put one file into an archive. It is taken in whole first (to a row or a blob), so that its
    size is known and a second attempt has it. Raises what `make` and `incoming` do."""
    if mode is Mode.APPEND:
        await objects.head(store, bucket, key)
    if mode is Mode.PUT:
        formats.to_write(mime, key.decode())
    secret = DataKey.fresh() if store.ring is not None else None
    body = await bodies.ingest(
        store, incoming, owner=bucket.record.id + key, algorithms=sorted(algorithms), key=secret
    )

    async def members() -> AsyncIterator[NewMember]:
        yield NewMember(name, body.size, store.now() // SECOND, _held(store, body, secret))

    try:
        return await make(store, bucket, key, members, mode=mode, mime=mime, owner=owner)
    finally:
        await bodies.discard(store, body)


async def _held(store: Store, body: Stored, secret: DataKey | None) -> AsyncIterator[bytes]:
    if body.inline is not None:
        sealed = secret is not None and body.extents
        yield open_whole(secret, body.extents[0], body.inline) if sealed else body.inline
        return
    extents = body.extents if secret is None else Opened(body.extents, secret)
    async for piece in bodies.read_extents(store, extents, 0, body.size):
        yield piece
