"""The handler of get-batch: many objects, files in archives and ranges of them in one reply.

The reply is an archive with the entries in the order they were asked for. With `strm` that is all;
without it there are two parts, the first of which tells of each entry what came of it. Entries are
read one after the other while the reply is sent, so a batch of any size is held nowhere. What goes
wrong after the first entry breaks the reply off, unless the batch is to go on (`coer`).

Spec: AIStore's get-batch (`api/apc/ml.go`).
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Final, NamedTuple

import msgspec

from aisle.api.access import authorise, count, may, refused
from aisle.api.base import Context, Response, Service
from aisle.api.native import windows
from aisle.api.native.errors import said
from aisle.api.native.message import (
    Message,
    bucket_name,
    parse_provider,
    parse_uname,
    read_struct,
)
from aisle.api.native.needs import GET_OBJECT, LIST_OBJECTS
from aisle.api.native.route import Route
from aisle.core.errors import (
    AisleError,
    InvalidArgument,
    ObjectNotFound,
    StoreUnavailable,
    WriteConflict,
)
from aisle.core.names import BucketName, check_native_bucket_name, encode_key
from aisle.namespace import objects
from aisle.namespace.archives import formats
from aisle.namespace.archives.formats import Format
from aisle.namespace.archives.picking import TO_END, Entry, pick
from aisle.namespace.archives.writing import NewMember, writer_of, written
from aisle.namespace.store import BucketRow

# Below which the archive has an empty file for each entry that could not be had.
MISSING: Final = "__404__/"
LIMIT: Final = 4 << 20  # bytes of a message
_GATHERED: Final = 64 << 10  # bytes that are sent at once, at least
_AT_ONCE: Final = 256
_TYPES: Final = {
    Format.TAR: b"application/x-tar",
    Format.TGZ: b"application/gzip",
    Format.LZ4: b"application/x-lz4",
    Format.ZIP: b"application/zip",
}


class Wanted(msgspec.Struct, frozen=True):
    """An entry of a batch (AIStore's MossIn)."""

    objname: str = ""
    bucket: str = ""
    provider: str = ""
    uname: str = ""
    archpath: str = ""
    opaque: str = ""
    start: int = 0
    length: int = 0


class Batch(msgspec.Struct, frozen=True):
    """A batch (AIStore's MossReq); `coloc` is about targets, of which any has everything here."""

    wanted: list[Wanted] = msgspec.field(default_factory=list, name="in")
    mime: str = ""
    coer: bool = False
    onob: bool = False
    strm: bool = False
    coloc: int = 0


class Outcome(msgspec.Struct, omit_defaults=True):
    """What came of an entry (AIStore's MossOut)."""

    objname: str
    bucket: str
    provider: str
    archpath: str = ""
    opaque: str = ""
    err_msg: str = ""
    size: int = 0


class Place(NamedTuple):
    """An entry, its name in the archive, and why it cannot be had, if that is known already."""

    entry: Entry
    name: str
    error: AisleError | None = None


async def get_batch(svc: Service, ctx: Context, message: Message) -> Response:
    """Many objects in one reply: an archive of the entries of `in`, in their order."""
    batch = await read_struct(ctx, Batch, LIMIT)
    if not batch.wanted:
        raise InvalidArgument("a batch needs entries: in", name="in")
    form = formats.by_type(batch.mime or Format.TAR.value)
    places = await _places(svc, ctx, batch)
    if form is Format.ZIP and any(place.name.endswith("/") for place in places):
        raise InvalidArgument(
            "a ZIP takes a name that ends in a slash for a directory: get it as a TAR", name="in"
        )
    if batch.strm:
        if not batch.coer:
            await _all_there(svc, ctx, places)
        data = _archive(svc, ctx, batch, form, places)
        first = await anext(data)  # what is wrong with the first entry can be told yet
        return Response(200, [(b"content-type", _TYPES[form])], _after(first, data))
    outcomes, places = await _sized(svc, ctx, batch, places)
    told = {"out": outcomes, "uuid": ctx.request_id}
    boundary = uuid.uuid4().hex.encode()
    sizes = [outcome.size for outcome in outcomes]
    archive = _archive(svc, ctx, batch, form, places, sizes)
    body = _parts(boundary, msgspec.json.encode(told), _TYPES[form], archive)
    kind = b"multipart/mixed; boundary=" + boundary
    return Response(200, [(b"content-type", kind)], body)


# --- what is asked for ----------------------------------------------------------------------


async def _places(svc: Service, ctx: Context, batch: Batch) -> list[Place]:
    """Every entry, once it is known that the caller may read it. Raises `AccessDenied`,
    `BucketNotFound`, `InvalidArgument`."""
    default = bucket_name(ctx) if ctx.bucket else None
    rows: dict[BucketName, BucketRow] = {}
    readable: set[BucketName] = set()
    places: list[Place] = []
    for number, wanted in enumerate(batch.wanted):
        await _turn(number)
        name, key = _named(wanted, default, number)
        row = rows.get(name)
        if row is None:
            row = rows[name] = await windows.open_named(svc, ctx, name, recent=True)
            if await may(svc, ctx, GET_OBJECT, row, whole=True):
                readable.add(name)
                if not ctx.counted:
                    count(svc, ctx, row)
        shown = key if batch.onob else f"{name.name}/{key}"
        entry = Entry(row, key, wanted.archpath, *_span(wanted, number))
        place = Place(entry, f"{shown}/{wanted.archpath}" if wanted.archpath else shown)
        if name not in readable:
            try:
                await authorise(svc, ctx, GET_OBJECT, row, key)
            except ObjectNotFound as error:
                if not batch.coer:
                    raise
                place = place._replace(error=error)
        places.append(place)
    return places


def _named(wanted: Wanted, default: BucketName | None, number: int) -> tuple[BucketName, str]:
    """The bucket and the key of an entry, which may leave out what the path of the request says."""
    if wanted.uname:
        name, key = parse_uname(wanted.uname)
    else:
        key = wanted.objname
        if wanted.bucket:
            check_native_bucket_name(wanted.bucket)
            provider = parse_provider(wanted.provider or "ais")
            name = BucketName(wanted.bucket, provider)
            if default is not None and default[:2] == name[:2]:
                name = default  # with its namespace, which an entry has no field for
        elif default is not None:
            name = default
        else:
            raise InvalidArgument(f"entry {number} of the batch names no bucket", name="bucket")
    if not key:
        raise InvalidArgument(f"entry {number} of the batch names no object", name="objname")
    return name, key


def _span(wanted: Wanted, number: int) -> tuple[int, int]:
    """Where an entry begins and how long it is. Raises `InvalidArgument`."""
    start, length = wanted.start, wanted.length
    if start < 0 or length < TO_END or (start and not length):
        raise InvalidArgument(
            f"entry {number} of the batch has a bad range: start {start}, length {length} (bytes,"
            f" or {TO_END} for all that follow)",
            name="length",
        )
    return start, length or TO_END


async def _all_there(svc: Service, ctx: Context, places: Sequence[Place]) -> None:
    """Raise `ObjectNotFound` now for an object that is missing, rather than break the reply off
    when it is its turn. What is remote is not asked for twice for that."""
    looked: set[tuple[bytes, str]] = set()
    for number, (bucket, key, *_) in enumerate(place.entry for place in places):
        await _turn(number)
        if bucket.record.behind is None and (bucket.record.id, key) not in looked:
            looked.add((bucket.record.id, key))
            ctx.row = bucket
            await objects.head(svc.store, bucket, encode_key(key))


# --- what comes of it -----------------------------------------------------------------------


async def _members(
    svc: Service,
    ctx: Context,
    batch: Batch,
    places: Sequence[Place],
    sizes: Sequence[int] | None,
) -> AsyncIterator[NewMember]:
    """The files of the archive, each opened when it is its turn; `sizes` are those that were told
    of them already."""
    for number, place in enumerate(places):
        try:
            if place.error is not None:
                raise place.error
            picked = await pick(svc.store, place.entry)
        except StoreUnavailable:
            raise
        except AisleError:
            # What was told to be there and is not any more breaks the reply off.
            if batch.coer and (sizes is None or place.error is not None):
                yield NewMember(MISSING + place.name, 0, _now(svc), _nothing())
                continue
            ctx.row = place.entry.bucket  # of which the reply tells, if it has not begun
            raise
        if sizes is not None and sizes[number] != picked.size:
            raise WriteConflict(f'"{place.name}" changed its size while it was read')
        yield NewMember(place.name, picked.size, picked.mtime, picked.data)


async def _archive(
    svc: Service,
    ctx: Context,
    batch: Batch,
    form: Format,
    places: Sequence[Place],
    sizes: Sequence[int] | None = None,
) -> AsyncIterator[bytes]:
    """The bytes of the archive, those of small files together. The first come as soon as there are
    any, so that it is known whether there is a beginning."""
    held: list[bytes] = []
    size, least = 0, 1
    members = _members(svc, ctx, batch, places, sizes)
    async for piece in written(writer_of(form), members):
        held.append(piece)
        size += len(piece)
        if size >= least:
            yield b"".join(held)
            held.clear()
            size, least = 0, _GATHERED
    yield b"".join(held)


async def _sized(
    svc: Service, ctx: Context, batch: Batch, places: Sequence[Place]
) -> tuple[list[Outcome], list[Place]]:
    """What is to be told of each entry before the archive begins: each is looked up, and its first
    bytes are read, for that. Raises what keeps an entry from being had, unless that is told."""
    outcomes: list[Outcome] = []
    known: list[Place] = []
    for number, (wanted, place) in enumerate(zip(batch.wanted, places, strict=True)):
        await _turn(number)
        row = place.entry.bucket
        outcome = Outcome(
            place.entry.key,
            row.record.name,
            row.record.provider,
            wanted.archpath,
            wanted.opaque,
        )
        try:
            if place.error is not None:
                raise place.error
            picked = await pick(svc.store, place.entry)
            outcome.size = picked.size
            await _closed(picked.data)
        except StoreUnavailable:
            raise
        except AisleError as error:
            ctx.row = row
            if not batch.coer:
                raise
            outcome.err_msg = await _told(svc, ctx, row, error)
            place = place._replace(error=error)
        outcomes.append(outcome)
        known.append(place)
    return outcomes, known


async def _told(svc: Service, ctx: Context, row: BucketRow, error: AisleError) -> str:
    """The text of an error; that an object is missing is for those who may list its bucket."""
    if isinstance(error, ObjectNotFound) and not await may(svc, ctx, LIST_OBJECTS, row):
        error = refused(ctx, LIST_OBJECTS, row)
    return said(ctx, error)[1]


async def _parts(
    boundary: bytes, told: bytes, kind: bytes, archive: AsyncIterator[bytes]
) -> AsyncIterator[bytes]:
    start = b"--" + boundary
    yield (
        start
        + b'\r\nContent-Disposition: form-data; name="metadata"'
        + b"\r\nContent-Type: application/json\r\n\r\n"
        + told
        + b"\r\n"
        + start
        + b'\r\nContent-Disposition: form-data; name="archive"'
        + b"\r\nContent-Type: "
        + kind
        + b"\r\n\r\n"
    )
    async with aclosing(archive):  # type: ignore[type-var]
        async for piece in archive:
            yield piece
    yield b"\r\n" + start + b"--\r\n"


async def _after(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async with aclosing(rest):  # type: ignore[type-var]
        yield first
        async for piece in rest:
            yield piece


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""


async def _turn(number: int) -> None:
    """Let others have theirs now and then: it may be a long list."""
    if number % _AT_ONCE == _AT_ONCE - 1:
        await asyncio.sleep(0)


async def _closed(data: AsyncIterator[bytes]) -> None:
    close = getattr(data, "aclose", None)
    if close is not None:
        await close()


def _now(svc: Service) -> int:
    return svc.store.now() // 1_000_000_000


ROUTES: Final = (
    Route("GET", "ml/moss", "", (), "get-batch", get_batch),
    Route("GET", "ml/moss/B", "", (), "get-batch", get_batch),
)
