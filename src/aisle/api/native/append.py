"""The handler of appends: pieces with a handle, and the flush that makes them visible.

`append_type=append` takes the body in and gives a handle for the next piece; `append_type=flush`
ends the session, with a last piece in its body if there is one. A checksum in the headers is that
of the piece; with a flush it is that of the whole object then.
"""

from __future__ import annotations

from typing import Final

from aisle.api.base import Context, Response, Service
from aisle.api.native.incoming import NativeIncoming, claimed_digest
from aisle.api.native.message import Message, open_bucket
from aisle.api.native.objects import ETL, described, stored_headers
from aisle.api.native.route import Route
from aisle.core.errors import InvalidArgument, UploadNotFound
from aisle.core.names import encode_key
from aisle.namespace import appends
from aisle.namespace.chains import Claim

_TYPES: Final = ("append", "flush")


async def append_object(svc: Service, ctx: Context, message: Message) -> Response:
    params = ctx.head.params
    kind, given = params.get("append_type", ""), params.get("append_handle", "")
    if kind not in _TYPES:
        raise InvalidArgument(
            f"append_type is {' or '.join(_TYPES)}", name="append_type", value=kind
        )
    flushes = kind == "flush"
    bucket = await open_bucket(svc, ctx)
    key = encode_key(ctx.key)
    handle = appends.parse_handle(given) if given else None
    claim = _claim(ctx) if flushes else None
    incoming = NativeIncoming(ctx, claims=not flushes)
    store = svc.store
    if handle is None:
        if flushes and incoming.size == 0:
            raise InvalidArgument("there is nothing to flush: append first", name="append_handle")
        handle = await appends.begin(store, bucket, key, described(ctx, bucket))
    try:
        if incoming.size != 0 or not flushes:
            handle = await appends.append(
                store, bucket, key, handle, incoming, algorithms=incoming.algorithms
            )
        if not flushes:
            return Response(200, [(b"ais-append-handle", str(handle).encode())])
        record = await appends.flush(store, bucket, key, handle, claim=claim)
    except UploadNotFound:
        # Perhaps this very flush has been here before, and its reply was lost.
        etag = await appends.flushed(store, bucket, key, handle) if flushes else None
        if etag is None:
            raise
        return Response(200, [(b"etag", b'"%b"' % etag.encode())])
    return Response(200, stored_headers(record))


def _claim(ctx: Context) -> Claim | None:
    claimed = claimed_digest(ctx)
    if not claimed:
        return None
    ((algorithm, value),) = claimed.items()
    return Claim(ctx.head.header("ais-checksum-type"), algorithm, value)


ROUTES: Final = (
    Route(
        "PUT",
        "objects/B/K",
        "param",
        ("append_type", "append_handle"),
        "append-object",
        append_object,
        ("uploadId", "partNumber", "object_to", *ETL),
    ),
)
