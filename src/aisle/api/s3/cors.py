"""Cross-origin requests: Put/Get/DeleteBucketCors, preflights, what other replies tell browsers.

A preflight comes without credentials, so it is answered before anybody is identified, from the
bucket's rules alone. Other requests get the headers of the rule that allows them, errors as well
as successes: only so does a page learn that its signature has expired. Requests without an Origin
cost a look at one bit of the bucket's row.

A window's rules are at the remote bucket, which answers browsers itself; none count here.
"""

from __future__ import annotations

from typing import Final

from aisle.api.base import Context, Headers, Response, Service
from aisle.api.s3 import corsrules
from aisle.api.s3.common import XML, kept, open_bucket, remover
from aisle.api.s3.errors import S3Error
from aisle.api.s3.incoming import read_document
from aisle.core.errors import AmbiguousName, BucketNotFound
from aisle.namespace import buckets, documents
from aisle.namespace.store import BucketRow

_DOCUMENT_LIMIT: Final = 64 << 10
_BIT: Final = documents.BITS[documents.CORS]


async def get_bucket_cors(svc: Service, ctx: Context) -> Response:
    raw = await kept(svc, ctx, documents.CORS, "NoSuchCORSConfiguration")
    return Response(200, XML, corsrules.shown(corsrules.decode(raw)))


async def put_bucket_cors(svc: Service, ctx: Context) -> Response:
    row = await open_bucket(svc, ctx)
    body = await read_document(ctx.head, ctx.known_payload, ctx.body, _DOCUMENT_LIMIT)
    raw = corsrules.encode(corsrules.read(body))
    await documents.change(svc.store, row, {documents.CORS: raw})
    return Response(200)


delete_bucket_cors = remover(documents.CORS)


# --- browsers -------------------------------------------------------------------------------


async def preflight(svc: Service, ctx: Context) -> Response:
    """Answer an OPTIONS request. Raises `BucketNotFound` and `S3Error`s."""
    headers = ctx.head.headers
    origin = headers.get("origin", "")
    method = headers.get("access-control-request-method", "")
    if not origin:
        raise S3Error("BadRequest", "Insufficient information. Origin request header needed.")
    if method not in corsrules.METHODS:
        raise S3Error(
            "BadRequest", f"Invalid Access-Control-Request-Method: {method[:64] or 'null'}"
        )
    if not ctx.bucket:
        raise corsrules.not_enabled()
    row = await buckets.find(svc.store, ctx.bucket)
    rules = await _rules(svc, row)
    if not rules:
        raise corsrules.not_enabled()
    ctx.extra.append(corsrules.VARY)
    asked = corsrules.asked_headers(headers.get("access-control-request-headers", ""))
    rule = corsrules.find(rules, origin, method, asked)
    if rule is None:
        raise corsrules.not_allowed(method, "OBJECT" if ctx.key else "BUCKET")
    return Response(200, corsrules.replied(rule, origin, asked))


async def note(svc: Service, ctx: Context) -> None:
    """Keep what the reply to a request with an Origin is to tell of it, whatever becomes of it."""
    if not ctx.bucket:
        return
    try:
        row = await buckets.find(svc.store, ctx.bucket)
    except (BucketNotFound, AmbiguousName):
        return
    rules = await _rules(svc, row)
    if not rules:
        return
    origin = ctx.head.headers["origin"]
    rule = corsrules.find(rules, origin, ctx.head.method)
    told: Headers = corsrules.replied(rule, origin) if rule is not None else []
    ctx.extra += [*told, corsrules.VARY]


def note_plain(ctx: Context, row: BucketRow) -> None:
    """The same for a request without an Origin: a cache must not give its reply to one that has
    one."""
    if row.record.has & _BIT:
        ctx.extra.append(corsrules.VARY)


async def _rules(svc: Service, row: BucketRow) -> tuple[corsrules.Rule, ...]:
    if not row.record.has & _BIT:
        return ()
    raw = (await documents.of(svc.store, row)).raw.get(documents.CORS)
    return corsrules.decode(raw) if raw is not None else ()
