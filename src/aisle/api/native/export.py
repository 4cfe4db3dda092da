"""Handlers of `export-heads` and `export`: this node as the source of another store's pull.

A pull reads the rows of every bucket, page by page, compares them with what it has, and asks for
the bytes of what it lacks. Both replies are streams of frames (`namespace.transfer.frames`). They
hold everything, whoever owns it, so only administrators get them.
"""

from __future__ import annotations

import base64
from contextlib import suppress
from typing import Final

import msgspec

from aisle.api.base import Context, Headers, Response, Service
from aisle.api.native.message import Message, fields
from aisle.api.native.route import Route
from aisle.core.errors import AisleError, BucketNotFound, InvalidArgument
from aisle.core.names import BucketName
from aisle.namespace import buckets
from aisle.namespace.records import decode, escape_key
from aisle.namespace.store import BucketRow, store_id
from aisle.namespace.transfer.exporting import Asked, Export, Limit, gathered
from aisle.namespace.transfer.items import Cursor
from aisle.namespace.transfer.source import Asking

FRAMES: Final[Headers] = [(b"content-type", b"application/x-aisle-export")]
# A page is held in memory: so many rows, or so many bytes of them.
PAGE: Final = Limit(1000, 1 << 20)
MAX_ASKED: Final = 1000


async def export_heads(svc: Service, ctx: Context, message: Message) -> Response:
    """A page of rows behind the place in `after`."""
    after = _cursor(ctx.head.params.get("after", ""))
    export = Export(svc.store, await store_id(svc.store.index), bodies=False, limit=PAGE)
    body = b"".join([frame async for frame in export.everything(after)])
    return Response(200, FRAMES, body)


async def export_objects(svc: Service, ctx: Context, message: Message) -> Response:
    """The rows and bytes of the objects and parts that `value` names, in one stream."""
    try:
        asking = msgspec.convert(fields(message.value), Asking)
        uploads = [
            (escape_key(_key(upload.key)) + bytes.fromhex(upload.id), upload.parts)
            for upload in asking.uploads
        ]
    except (msgspec.ValidationError, ValueError) as error:
        raise InvalidArgument(f"the value of the export message: {error}", name="value") from None
    count = len(asking.objects) + len(asking.versions) + sum(len(parts) for _, parts in uploads)
    count += len(asking.notes)
    numbers = [number for _, parts in uploads for number in parts]
    wrong = any(not 0 < number < 1 << 16 for number in numbers)
    wrong = wrong or any(not 0 < version.seq < 1 << 63 for version in asking.versions)
    wrong = wrong or any(not 0 <= note.seq < 1 << 63 for note in asking.notes)
    if count > MAX_ASKED or wrong:
        raise InvalidArgument(
            f"an export message names up to {MAX_ASKED} objects and parts", name="value"
        )
    if asking.offset < 0 or (asking.offset and count != 1):
        raise InvalidArgument("an offset goes with one object or part", name="value")
    name = BucketName(asking.bucket, asking.provider, asking.namespace)
    bucket: BucketRow | None = None
    with suppress(BucketNotFound):
        bucket = await buckets.get(svc.store, name)
    export = Export(svc.store, await store_id(svc.store.index))
    versions = [(_key(version.key), version.seq) for version in asking.versions]
    notes = [(_key(note.key), note.seq, _key(note.name)) for note in asking.notes]
    keys = [_key(key) for key in asking.objects]
    asked = Asked(keys, uploads, asking.offset, versions, notes)
    return Response(200, FRAMES, gathered(export.asked(bucket, asked)))


def _key(key: str) -> bytes:
    return key.encode("utf-8", "surrogateescape")


def _cursor(token: str) -> Cursor | None:
    if not token:
        return None
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        return decode(Cursor, raw)
    except (ValueError, AisleError):
        raise InvalidArgument("after is not a place in an export", name="after") from None


ROUTES: Final = (
    Route("GET", "export", "", (), "export-heads", export_heads),
    Route("POST", "export", "action", ("export",), "export", export_objects),
)
