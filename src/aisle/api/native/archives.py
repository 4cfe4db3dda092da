"""Handlers of archives: get-member, get-matching-members, append-to-archive, and the job `archive`.

An object is read as an archive when the query names a member (`archpath`) or those to match
(`archregx`, `archmode`). What is in an archive has no checksum and no ranges of its own.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from aisle.api.access import authorise
from aisle.api.base import Context, Headers, Response, Service
from aisle.api.native import windows
from aisle.api.native.grants import authorise_selected
from aisle.api.native.headers import version_headers
from aisle.api.native.incoming import NativeIncoming
from aisle.api.native.message import Message, filled, named_bucket, open_bucket
from aisle.api.native.multi import TEXT, ListRange, selected
from aisle.api.native.needs import GET_OBJECT, PUT_OBJECT
from aisle.api.native.objects import ETL, stored_headers
from aisle.api.native.route import Route
from aisle.core.dates import http_date
from aisle.core.errors import InvalidArgument, RangeNotSatisfiable
from aisle.core.http import field_value
from aisle.core.names import encode_key
from aisle.jobs.task import TO
from aisle.jobs.work.selection import bucket_args
from aisle.namespace.archives import formats, making, reading
from aisle.namespace.archives.making import SECOND, Mode
from aisle.namespace.archives.matching import matcher
from aisle.namespace.archives.reading import Archive
from aisle.namespace.windows import READ

# AIStore's flags of an append (`api/apc/archive.go`), in the header Ais-Pine.
_MODES: Final = {"": Mode.PUT, "0": Mode.PUT, "1": Mode.APPEND, "2": Mode.APPEND_OR_PUT}


class RangeOfMember(RangeNotSatisfiable):
    """A range of what is in an archive: AIStore refuses it by the status of a bad range."""

    def __str__(self) -> str:
        return f"range-read of archived files is not supported ({self.requested})"


async def get_member(svc: Service, ctx: Context, message: Message) -> Response:
    """One member by its name, or a TAR of those that match."""
    params = ctx.head.params
    name, text = params.get("archpath", ""), params.get("archregx", "")
    mode = params.get("archmode", "")
    if name and (text or mode):
        raise InvalidArgument(
            "archpath (one file) and archregx with archmode (those that match) exclude each other",
            name="archpath",
        )
    match = None if name else matcher(text, mode)
    how = READ._replace(latest=windows.wants_latest(ctx))
    bucket = await open_bucket(svc, ctx, recent=True)
    archive = await reading.open_archive(
        svc.store, bucket, encode_key(ctx.key), mime=params.get("archmime", ""), how=how
    )
    if "range" in ctx.head.headers:
        raise RangeOfMember(ctx.head.headers["range"], archive.record.size)
    headers = _headers(archive)
    if match is not None:
        what = f'"{text}" (mode {mode or "regexp"})'
        data = await reading.matching_members(archive, match, what)
        return Response(200, [*headers, (b"content-type", b"application/x-tar")], data)
    opened = await reading.find_member(archive, name)
    headers += [
        (b"content-type", b"application/octet-stream"),
        (b"ais-archpath", field_value(name)),
    ]
    return Response(200, headers, opened.data, opened.member.size)


def _headers(archive: Archive) -> Headers:
    """What is told of the archive with anything that is read from it: no checksum, no size."""
    record = archive.record
    return [
        (b"ais-archmime", archive.form.value.encode()),
        *version_headers(record),
        (b"last-modified", http_date(record.mtime // SECOND)),
    ]


async def append_to_archive(svc: Service, ctx: Context, message: Message) -> Response:
    """Put a file into an archive: a new one, or one that is there, as `Ais-Pine` says."""
    params = ctx.head.params
    pine = ctx.head.header("ais-pine")
    mode = _MODES.get(pine)
    if mode is None:
        raise InvalidArgument(
            f'invalid flags "{pine}": 1 appends to an archive, 2 makes one if there is none',
            name="Ais-Pine",
            value=pine,
        )
    name = reading.member_name(params.get("archpath", ""), ctx.key)
    bucket = await open_bucket(svc, ctx)
    incoming = NativeIncoming(ctx)
    record = await making.put_file(
        svc.store,
        bucket,
        encode_key(ctx.key),
        name,
        incoming,
        algorithms=incoming.algorithms,
        mode=mode,
        mime=params.get("archmime", ""),
        owner=bucket.record.owner,
    )
    return Response(200, stored_headers(record))


class Archiving(ListRange, frozen=True):
    """The value of the action archive (AIStore's ArchiveBckMsg)."""

    archname: str = ""
    mime: str = ""
    tobck: Any = None
    isbn: bool = False
    aate: bool = False
    coer: bool = False
    bnonly: bool = False
    nr: bool = msgspec.field(default=False, name="non-recurs")


async def archive_objects(svc: Service, ctx: Context, message: Message) -> Response:
    """Submit a job that makes an archive of many objects."""
    source = await open_bucket(svc, ctx)
    try:
        asked = msgspec.convert(filled(message.value), Archiving)
    except msgspec.ValidationError as error:
        raise InvalidArgument(f"the value of the message: {error}", name="value") from None
    if not asked.archname:
        raise InvalidArgument("the archive needs a name: archname", name="archname")
    encode_key(asked.archname)
    formats.to_write(asked.mime, asked.archname)
    to = source
    if asked.tobck:
        to = await windows.open_named(svc, ctx, named_bucket(asked.tobck, "tobck"))
    chosen = selected(asked)
    await authorise_selected(svc, ctx, GET_OBJECT, source, asked.names, asked.template)
    await authorise(svc, ctx, PUT_OBJECT, to, asked.archname)
    args = {
        **chosen,
        "archname": asked.archname,
        "mime": asked.mime,
        "isbn": asked.isbn,
        "aate": asked.aate,
        "coer": asked.coer,
        "bnonly": asked.bnonly,
        "nr": asked.nr,
        "owner": to.record.owner,
        **bucket_args(source),
        **bucket_args(to, TO),
    }
    identity = await svc.jobs.submit("archive", args, user=ctx.who.name)
    return Response(200, TEXT, identity.encode())


ROUTES: Final = (
    Route(
        "GET",
        "objects/B/K",
        "param",
        ("archpath", "archregx", "archmode"),
        "get-member",
        get_member,
        ETL,
    ),
    Route(
        "PUT",
        "objects/B/K",
        "param",
        ("archpath", "archmime"),
        "append-to-archive",
        append_to_archive,
        ETL,
    ),
    Route("PUT", "buckets/B", "action", ("archive",), "archive", archive_objects),
)
