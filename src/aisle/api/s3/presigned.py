"""Requests that were signed for the remote bucket, carried out on behalf of who signed them.

Feature `S3-Presigned-Request`, of the cluster or of the bucket: a GET, HEAD or PUT of an object in
a window on an S3 bucket, or a call of a multipart upload, that is signed with keys that are not
known here is sent to the remote just as it was signed, and what it brings or fetches is kept like
anything else of the window. The header `ais-s3-signed-request-style` says in which of S3's two
styles the signed URL named the bucket: `virtual-hosted` unless it says `path`.

* Where such a request goes is the configured endpoint's to say, never the request's.
* The remote decides. With authentication on it is asked also where a copy is there already; the
  cluster's own credentials are never used for a stranger.
* A request that names a version, a part, other headers of the reply or anything else than the
  object as it is, or whose signature covers a range, is passed on and its reply passed back;
  nothing of it is kept.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from aisle.api.base import Context, RequestBody, Response, Service
from aisle.api.s3 import headers as h
from aisle.api.s3 import multipart, objects
from aisle.api.s3.common import open_bucket, part_number
from aisle.api.s3.errors import S3Error
from aisle.api.s3.forwarding import SIGNATURE, forwarding, refusal, told, written
from aisle.api.s3.operations import Level, select
from aisle.api.s3.signedremote import SignedCompletion, SignedRemote
from aisle.auth import sigv2
from aisle.auth.payload import PayloadKind, unchecked_payload
from aisle.backend.base import Backend, Forwarded, Forwarding, RawRequest
from aisle.core import features
from aisle.core.errors import (
    BucketNotFound,
    InvalidArgument,
    RemoteError,
    UploadNotFound,
)
from aisle.core.http import RequestHead
from aisle.core.names import encode_key
from aisle.core.xmltree import XmlError, parse_tree
from aisle.namespace import bodies, uploads
from aisle.namespace.records import Object, decode
from aisle.namespace.store import BucketRow
from aisle.namespace.uploads import MAX_PARTS, UploadRow

STYLE: Final = "ais-s3-signed-request-style"
STYLES: Final = ("virtual-hosted", "path")
_FEATURE: Final = features.BY_NAME["S3-Presigned-Request"].mask
_REDIRECTED: Final = frozenset({"pid", "utm", "vpams"})  # AIStore's own, which nobody signs
_HOP: Final = frozenset(
    {"connection", "content-length", "expect", "host", "keep-alive", "proxy-authorization",
     "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)  # fmt: skip
_SENT: Final = frozenset({"authorization", "cache-control", "date", "expires", "range"})
_PREFIXES: Final = ("x-amz-", "content-", "if-")
_SIGNATURES: Final = ("AWS4-HMAC-SHA256 ", "AWS ")
_SIGNED_V2: Final = frozenset({"content-md5", "content-type", "date"})
_FIELD: Final = re.compile(r"(Credential|SignedHeaders)=([^,\s]{1,2048})")
# Headers by which a request is about more than the object's bytes, content headers and metadata.
_SPECIAL: Final = (
    "x-amz-copy-source-server-side-encryption",
    "x-amz-object-lock-",
    "x-amz-server-side-encryption",
    "x-amz-tagging",
    "x-amz-website-redirect-location",
    "x-amz-write-offset-bytes",
)
# Any other parameter may make the reply another one than the object with its own headers.
_PLAIN: Final = SIGNATURE | _REDIRECTED | {"x-amz-checksum-mode", "x-id"}
_REPLY_LIMIT: Final = 64 << 10


class Claim(NamedTuple):
    """What a signature says of itself."""

    region: str
    signed: frozenset[str]  # the headers that it covers


class Call(NamedTuple):
    """A request that is carried out, and the way to the remote."""

    row: BucketRow
    backend: Backend
    forwarding: Forwarding
    claim: Claim
    request: RawRequest


Performer = Callable[[Service, Context, Call], Awaitable[Response]]


def claim_of(head: RequestHead) -> Claim | None:
    """The claim of a signature, in the query or in the header; `None` if there is none. One of the
    second version names no region, and does not cover the host."""
    if head.params.keys() >= sigv2.MARKS or sigv2.is_mine(head.header("authorization")):
        return Claim("", _SIGNED_V2)
    credential = head.params.get("X-Amz-Credential", "")
    signed = head.params.get("X-Amz-SignedHeaders", "")
    if not credential:
        authorization = head.headers.get("authorization", "")
        if not authorization.startswith("AWS4-HMAC-SHA256 "):
            return None
        found = dict(_FIELD.findall(authorization[:8192]))
        credential, signed = found.get("Credential", ""), found.get("SignedHeaders", "")
    scope = credential.rsplit("/", 4)
    if len(scope) != 5:
        return None
    return Claim(scope[2], frozenset(signed.lower().split(";")))


async def takes(svc: Service, ctx: Context, level: Level) -> bool:
    """Whether a request that nobody known here has signed is one to be passed on."""
    if level != "object" or (ctx.row is None and claim_of(ctx.head) is None):
        return False
    try:
        row = await open_bucket(svc, ctx)
    except BucketNotFound:
        return False
    behind = row.record.behind
    if behind is None or behind.provider != "aws":
        return False
    cluster = (await svc.store.config()).values.get("features", features.DEFAULT_MASK)
    own = row.record.props.get("features", 0)
    if not (int(cluster) | int(own)) & _FEATURE:
        return False
    return claim_of(ctx.head) is not None and select(ctx.head, level)[1] in PERFORMERS


async def perform(svc: Service, ctx: Context, raw_key: str) -> Response:
    """Carry out a request that `takes` takes."""
    assert ctx.row is not None
    claim = claim_of(ctx.head)
    assert claim is not None
    style = ctx.head.header(STYLE) or STYLES[0]
    if style not in STYLES:
        raise InvalidArgument(f"{STYLE} is one of {', '.join(STYLES)}", name=STYLE, value=style)
    remotes = svc.store.remotes
    assert remotes is not None
    backend = await remotes.backend(svc.store, ctx.row.record)
    onward = forwarding(backend)
    if onward is None:
        raise S3Error("NotImplemented", f"{backend.name} does not speak S3")
    if onward.region and claim.region not in ("", onward.region):
        raise S3Error(
            "AuthorizationHeaderMalformed",
            f"the request is signed for the region '{claim.region}'; {backend.name} is in"
            f" '{onward.region}'",
        )
    ctx.operation = select(ctx.head, "object")[1]
    ctx.principal, ctx.payload = svc.principals.root, unchecked_payload(ctx.head)
    request = RawRequest(
        method=ctx.head.method,
        key=raw_key,
        query=_query(ctx.head),
        headers=_headers(ctx.head, claim),
        style=style,
    )
    call = Call(ctx.row, backend, onward, claim, request)
    return await PERFORMERS[ctx.operation](svc, ctx, call)


def _query(head: RequestHead) -> str:
    parts = head.query.decode("latin-1").split("&")
    return "&".join(part for part in parts if part.partition("=")[0] not in _REDIRECTED)


def _headers(head: RequestHead, claim: Claim) -> dict[str, str]:
    """All that was signed, and what else means something to S3; no token of ours."""
    found = {
        name: value
        for name, value in head.headers.items()
        if name not in _HOP
        and not name.startswith("ais-")
        and (name in claim.signed or name.startswith(_PREFIXES) or name in _SENT)
    }
    if not found.get("authorization", "").startswith(_SIGNATURES):
        found.pop("authorization", None)
    return found


# --- what is carried out --------------------------------------------------------------------


async def _get(svc: Service, ctx: Context, call: Call) -> Response:
    if "range" in call.claim.signed or _is_special(ctx.head):
        return await _passed(svc, ctx, call)
    # Conditions and ranges of the client are looked at here, as of any object of a window.
    plain = {
        name: value
        for name, value in call.request.headers.items()
        if name in call.claim.signed or not (name == "range" or name.startswith("if-"))
    }
    ctx.via = remote = SignedRemote(
        call.backend, call.forwarding, replace(call.request, headers=plain)
    )
    if svc.auth_enabled:
        # The remote is to say whether this signature is good, before a copy is given, or what
        # somebody else is just fetching.
        about = await remote.head(ctx.key)
        raw = await svc.store.index.get("object", call.row.record.id + encode_key(ctx.key))
        if raw is not None and about.etag != decode(Object, raw).etag:
            return await _passed(svc, ctx, call)
    return await objects.get_object(svc, ctx)


def _is_special(head: RequestHead) -> bool:
    """Whether a request may be about something else than the object as anybody would get it."""
    return any(name.lower() not in _PLAIN for name in head.params) or _asks_more(head)


def _asks_more(head: RequestHead) -> bool:
    """Whether headers, in their place or in the query, are about more than what is kept here."""
    return any(name.lower().startswith(_SPECIAL) for name in (*head.headers, *head.params))


async def _passed(svc: Service, ctx: Context, call: Call) -> Response:
    reply = await call.forwarding.forward(call.request)
    other = call.forwarding.other_style(call.request.style)
    if reply.status == 403 and other:  # signed for the bucket's other host, perhaps
        await reply.close()
        reply = await call.forwarding.forward(replace(call.request, style=other))
    return await _relayed(call, ctx, reply)


async def _relayed(call: Call, ctx: Context, reply: Forwarded) -> Response:
    if reply.status >= 400 and ctx.head.method != "HEAD":
        raise await refusal(call.backend.name, reply)
    return told(ctx, reply)


async def _put(svc: Service, ctx: Context, call: Call) -> Response:
    if _is_special(ctx.head) or ctx.known_payload.kind is PayloadKind.CHUNKED:
        # Chunks are signed as they are, and are not what would be kept.
        return await _written(svc, ctx, call, _raw(ctx.body), _length(ctx.head))
    ctx.via = SignedRemote(call.backend, call.forwarding, call.request)
    return await objects.put_object(svc, ctx)


async def _written(
    svc: Service, ctx: Context, call: Call, body: AsyncIterator[bytes] | bytes, size: int
) -> Response:
    """Pass on a request that changes the object, and keep nothing of it."""
    request = replace(call.request, body=body, size=size)
    reply = await written(svc, call.row, ctx.key, call.forwarding, request)
    return await _relayed(call, ctx, reply)


async def _create(svc: Service, ctx: Context, call: Call) -> Response:
    if _asks_more(ctx.head):
        return await _passed(svc, ctx, call)  # it is not known here, nor are its parts
    reply = await call.forwarding.forward(call.request)
    if reply.status != 200:
        raise await refusal(call.backend.name, reply)
    body, upload = await _read_upload(call, reply)
    description = h.description(ctx.head, owner=call.row.record.owner, checksum="", acl=None)
    await uploads.create(
        svc.store,
        call.row,
        encode_key(ctx.key),
        description,
        checksum_type="",
        initiator=ctx.who.arn,
        identity=_identity(upload),
    )
    return Response(200, [(b"content-type", b"application/xml")], body)


async def _read_upload(call: Call, reply: Forwarded) -> tuple[bytes, str]:
    """The document that tells of a new upload, and the upload's id at the remote."""
    data = b""
    try:
        while len(data) <= _REPLY_LIMIT and (piece := await reply.read()):
            data += piece
        upload = parse_tree(data[: _REPLY_LIMIT + 1]).value("UploadId")
    except XmlError:
        upload = ""
    finally:
        await reply.close()
    if not upload:
        raise RemoteError(call.backend.name, "the reply tells no upload id")
    return data, upload


def _identity(upload: str) -> bytes:
    """The id that an upload of the remote has here."""
    return hashlib.sha256(upload.encode("utf-8", "surrogateescape")).digest()[:16]


async def _upload_part(svc: Service, ctx: Context, call: Call) -> Response:
    """The part is stored here first, and sent from there; one of the remote's own is passed on."""
    upload = await _upload(svc, ctx, call)
    if upload is None or ctx.known_payload.kind is PayloadKind.CHUNKED:
        request = replace(call.request, body=_raw(ctx.body), size=_length(ctx.head))
        return await _relayed(call, ctx, await call.forwarding.forward(request))
    _translate(ctx)
    response = await multipart.upload_part(svc, ctx)
    before = part_number(ctx) - 1
    (part,) = await uploads.list_parts(svc.store, upload, after=before, limit=1)
    pieces = bodies.read_extents(svc.store, part.extents, 0, part.size)
    reply = await call.forwarding.forward(replace(call.request, body=pieces, size=part.size))
    if reply.status != 200:
        raise await refusal(call.backend.name, reply)
    await reply.close()
    return response


async def _upload(svc: Service, ctx: Context, call: Call) -> UploadRow | None:
    """What is known here of an upload of the remote."""
    identity = _identity(ctx.head.params.get("uploadId", "")).hex()
    try:
        return await uploads.find(svc.store, call.row, encode_key(ctx.key), identity)
    except UploadNotFound:
        return None


async def _complete(svc: Service, ctx: Context, call: Call) -> Response:
    document = await multipart.read_completion(ctx)
    remote = SignedCompletion(call.backend, call.forwarding, call.request, document)
    if not await _has_parts(svc, ctx, call, document):
        return await _written(svc, ctx, call, document, len(document))
    _translate(ctx)
    ctx.via, ctx.body = remote, _Again(document)
    return await multipart.complete_multipart_upload(svc, ctx)


async def _has_parts(svc: Service, ctx: Context, call: Call, document: bytes) -> bool:
    """Whether the parts of an upload are here as they are at the remote."""
    named = multipart.read_parts(document)
    upload = await _upload(svc, ctx, call)
    if upload is None:
        return False
    etags = {
        p.number: p.etag
        for p in await uploads.list_parts(svc.store, upload, after=0, limit=MAX_PARTS)
    }
    return all(etags.get(part.number) == part.etag for part in named)


async def _abort(svc: Service, ctx: Context, call: Call) -> Response:
    reply = await call.forwarding.forward(call.request)
    if reply.status >= 300:
        raise await refusal(call.backend.name, reply)
    await reply.close()
    _translate(ctx)
    try:
        return await multipart.abort_multipart_upload(svc, ctx)
    except UploadNotFound:
        return Response(204)


def _translate(ctx: Context) -> None:
    """Have the handlers find the upload by the id that it has here."""
    upload = _identity(ctx.head.params.get("uploadId", "")).hex()
    head = RequestHead(
        ctx.head.method, ctx.head.path, ctx.head.query, ctx.head.headers,
        ctx.head.repeated, ctx.head.scheme, ctx.head.client,
    )  # fmt: skip
    head.params = {**head.params, "uploadId": upload}
    ctx.head = head


class _Again:
    """A body that has been read, to be read once more."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.count = len(data)

    async def read(self) -> bytes:
        data, self._data = self._data, b""
        return data


async def _raw(body: RequestBody) -> AsyncIterator[bytes]:
    while piece := await body.read():
        yield piece


def _length(head: RequestHead) -> int:
    text = head.header("content-length")
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise S3Error("MissingContentLength")
    return int(text)


PERFORMERS: Final[Mapping[str, Performer]] = {
    "GetObject": _get,
    "HeadObject": _passed,
    "PutObject": _put,
    "CreateMultipartUpload": _create,
    "UploadPart": _upload_part,
    "CompleteMultipartUpload": _complete,
    "AbortMultipartUpload": _abort,
}
