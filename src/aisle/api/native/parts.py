"""Handlers of multipart uploads: mpt-upload, put-part, mpt-complete, mpt-abort.

They are the uploads of the S3 API: an upload may be begun through one and completed through the
other. Here a client names parts by number alone if it likes, in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from aisle.api.base import Context, Headers, Response, Service
from aisle.api.native.incoming import NativeIncoming
from aisle.api.native.message import Message, open_bucket
from aisle.api.native.objects import described, stored_headers
from aisle.api.native.route import Route
from aisle.core.errors import InvalidArgument, UploadNotFound
from aisle.core.names import encode_key
from aisle.namespace import uploads
from aisle.namespace.uploads import MAX_PARTS, Claims, NamedPart

_TEXT: Final[Headers] = [(b"content-type", b"text/plain")]
_NO_CLAIMS: Final = Claims({}, "", None)


async def mpt_upload(svc: Service, ctx: Context, message: Message) -> Response:
    """The reply's body is the id of the upload."""
    bucket = await open_bucket(svc, ctx)
    key = encode_key(ctx.key)
    upload = await uploads.create(svc.store, bucket, key, described(ctx, bucket), checksum_type="")
    return Response(200, _TEXT, upload.id.hex().encode())


async def put_part(svc: Service, ctx: Context, message: Message) -> Response:
    bucket = await open_bucket(svc, ctx)
    number = _number(ctx.head.params.get("partNumber", ""))
    upload = await uploads.find(svc.store, bucket, encode_key(ctx.key), _upload_id(ctx))
    incoming = NativeIncoming(ctx)
    part = await uploads.put_part(
        svc.store, bucket, upload, number, incoming, algorithms=incoming.algorithms
    )
    return Response(200, [(b"etag", b'"%b"' % part.etag.encode())])


async def mpt_complete(svc: Service, ctx: Context, message: Message) -> Response:
    bucket = await open_bucket(svc, ctx)
    key, upload_id = encode_key(ctx.key), _upload_id(ctx)
    named = read_parts(message.value)
    try:
        upload = await uploads.find(svc.store, bucket, key, upload_id)
        record = await uploads.complete(svc.store, bucket, upload, named, _NO_CLAIMS)
    except UploadNotFound:
        # Perhaps this very request has been here before, and its reply was lost.
        done = await uploads.completed(svc.store, bucket, key, upload_id, named)
        if done is None:
            raise
        return Response(200, [(b"etag", b'"%b"' % done.etag.encode())])
    return Response(200, stored_headers(record))


async def mpt_abort(svc: Service, ctx: Context, message: Message) -> Response:
    bucket = await open_bucket(svc, ctx)
    upload = await uploads.find(svc.store, bucket, encode_key(ctx.key), _upload_id(ctx))
    await uploads.abort(svc.store, upload)
    return Response(200)


def _upload_id(ctx: Context) -> str:
    upload = ctx.head.params.get("uploadId", "")
    if not upload:
        raise InvalidArgument("the query must name the upload: uploadId=ID", name="uploadId")
    return upload


def _number(value: object) -> int:
    """A part's number. Raises `InvalidArgument`."""
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) <= MAX_PARTS):
        raise InvalidArgument(
            f"the number of a part is from 1 to {MAX_PARTS}", name="partNumber", value=text
        )
    return int(text)


def read_parts(value: object) -> Sequence[NamedPart]:
    """The parts in the value of a message, by number: `[{"part-number": 1, "etag": ""}]`.

    A part may be named twice if that says the same; an empty ETag is whichever the part has.
    """
    if not isinstance(value, list) or not value:
        raise InvalidArgument(
            'the value of the message must be the list of the parts: [{"part-number": 1}]',
            name="value",
        )
    named: dict[int, NamedPart] = {}
    for entry in value:
        number, etag = _part(entry)
        other = named.get(number)
        if other is not None and None not in (etag, other.etag) and etag != other.etag:
            raise InvalidArgument(f"part {number} is named with two ETags", name="value")
        named[number] = NamedPart(number, etag or (other.etag if other else None), {})
    return [named[number] for number in sorted(named)]


def _part(entry: Any) -> tuple[int, str | None]:
    fields = entry if isinstance(entry, dict) else {}
    number, etag = fields.get("part-number"), fields.get("etag") or ""
    if isinstance(number, bool) or not isinstance(number, int | str) or not isinstance(etag, str):
        raise InvalidArgument(
            'a part is named {"part-number": NUMBER, "etag": ETAG or nothing}', name="value"
        )
    return _number(number), etag.strip('"') or None


ROUTES: Final = (
    Route("POST", "objects/B/K", "action", ("mpt-upload",), "mpt-upload", mpt_upload),
    Route("PUT", "objects/B/K", "param", ("uploadId", "partNumber"), "put-part", put_part),
    Route("POST", "objects/B/K", "action", ("mpt-complete",), "mpt-complete", mpt_complete),
    Route("DELETE", "objects/B/K", "action", ("mpt-abort",), "mpt-abort", mpt_abort),
)
