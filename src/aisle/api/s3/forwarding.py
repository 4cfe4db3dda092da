"""Requests for windows that the remote bucket itself answers: sub-resources and named versions.

What S3 knows of a bucket and its objects beside their bytes (policies, tags, lifecycle, versions
...) is the remote's to say. Such a request is authorised here, sent on with the cluster's
credentials, and the remote's reply is passed back as it is; that the cluster may not ask is told as
that. Where the remote does not speak S3 the operation is refused. A request that may change an
object's bytes is a write like any other: no copy is kept meanwhile.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Mapping
from typing import Final, cast
from urllib.parse import quote

from aisle.api.base import Context, Headers, Response, Service
from aisle.api.s3.errors import S3Error
from aisle.api.s3.headers import REDIRECT_LOCATION
from aisle.api.s3.incoming import read_document
from aisle.api.s3.operations import SELECTORS
from aisle.backend.base import Backend, Forwarded, Forwarding, RawRequest
from aisle.core.errors import (
    InvalidArgument,
    NotSupported,
    RemoteBroken,
    RemoteDenied,
    RemoteError,
    RemoteRefused,
    RemoteThrottled,
    RemoteUnavailable,
    RemoteUnknown,
)
from aisle.core.http import RequestHead
from aisle.core.names import encode_key
from aisle.core.xmltree import Element, XmlError, parse_tree
from aisle.namespace.store import BucketRow
from aisle.namespace.window import claims

# What a window answers itself, from the remote's objects and its copies of them.
OURS: Final = frozenset(
    {
        "AbortMultipartUpload",
        "CompleteMultipartUpload",
        "CopyObject",
        "CreateMultipartUpload",
        "DeleteObject",
        "DeleteObjects",
        "GetObject",
        "HeadBucket",
        "HeadObject",
        "ListMultipartUploads",
        "ListObjects",
        "ListObjectsV2",
        "ListParts",
        "PostObject",
        "PutObject",
        "SelectObjectContent",
        "UploadPart",
        "UploadPartCopy",
    }
)
# Of these, what the remote answers where the request names a version.
_OF_VERSION: Final = frozenset({"DeleteObject", "GetObject", "HeadObject", "SelectObjectContent"})
# What is not sent on: the reply would be credentials of the cluster's, or an object would be moved
# away that nobody was asked for.
WITHHELD: Final = frozenset({"CreateSession", "RenameObject"})
# Operations on objects after which a copy may be another one than the remote has.
_CHANGES: Final = frozenset({"DeleteObject", "RestoreObject", "UpdateObjectEncryption"})
_DOCUMENT_LIMIT: Final = 2 << 20
_ERROR_LIMIT: Final = 64 << 10
_PASSED: Final = frozenset(
    {"accept", "content-language", "content-type", "if-match", "if-modified-since",
     "if-none-match", "if-unmodified-since", "range"}
)  # fmt: skip
_KEPT_BACK: Final = frozenset(
    {"x-amz-content-sha256", "x-amz-copy-source", "x-amz-date", "x-amz-decoded-content-length",
     "x-amz-expected-bucket-owner", "x-amz-security-token", "x-amz-trailer"}
)  # fmt: skip
_TOLD: Final = frozenset(
    {"accept-ranges", "cache-control", "content-disposition", "content-encoding",
     "content-language", "content-range", "content-type", "etag", "expires", "last-modified"}
)  # fmt: skip
# What is told as the cluster's own trouble with the remote: it may not ask, or not now.
_CLUSTERS: Final = frozenset({401, 403, 429, 500, 502, 503, 504})
_OWN: Final = frozenset({"x-amz-request-id", "x-amz-id-2"})
SIGNATURE: Final = frozenset(
    {"x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-security-token",
     "x-amz-signature", "x-amz-signedheaders", "awsaccesskeyid", "expires", "signature"}
)  # fmt: skip


async def answer(svc: Service, ctx: Context, row: BucketRow) -> Response | None:
    """The remote's reply to a request for a window that is allowed; `None` where the window
    answers itself."""
    operation = ctx.operation
    if operation == "DeleteBucket":
        raise S3Error(
            "MethodNotAllowed",
            f"{row.record.behind} is not removed from here: ais evict takes the window away",
        )
    named = "versionId" in ctx.head.params and operation in _OF_VERSION
    if operation in OURS and not named:
        _check_kept(ctx.head, row)
        return None
    if operation in WITHHELD:
        raise S3Error("NotImplemented", f"{operation} is not for a window on another bucket")
    _check_single(ctx.head)
    backend = await _backend(svc, row)
    request = await _request(ctx)
    if operation not in _CHANGES:
        return await _relayed(ctx, row, await backend.forward(request))
    return await _relayed(ctx, row, await written(svc, row, ctx.key, backend, request))


def _check_kept(head: RequestHead, row: BucketRow) -> None:
    """Raise `NotImplemented` for what only an S3 bucket keeps of an object."""
    behind = row.record.behind
    if REDIRECT_LOCATION in head.headers and (behind is None or behind.provider != "aws"):
        raise S3Error("NotImplemented", Header=REDIRECT_LOCATION)


async def delete_version(svc: Service, row: BucketRow, key: str, version: str) -> None:
    """Delete a version of a remote object. Raises `RemoteError`s."""
    query = f"versionId={quote(version, safe='')}"
    request = RawRequest("DELETE", raw_key(key), query)
    reply = await written(svc, row, key, await _backend(svc, row), request)
    if reply.status >= 300:
        raise await refusal(str(row.record.behind), reply)
    await reply.close()


async def written(
    svc: Service, row: BucketRow, key: str, backend: Forwarding, request: RawRequest
) -> Forwarded:
    """The reply to a request that may change the object: its copy is dropped, and none is made
    until the remote has answered."""
    held = await claims.writing(svc.store, row, encode_key(key))
    try:
        reply = await backend.forward(request)
    except (RemoteUnknown, asyncio.CancelledError):
        await claims.abandon(held)
        raise
    except BaseException:
        await claims.leave(held)
        raise
    await claims.leave(held)
    return reply


def forwarding(backend: Backend) -> Forwarding | None:
    """The backend as one that passes raw requests on, if it speaks S3."""
    return cast("Forwarding", backend) if hasattr(backend, "forward") else None


async def _backend(svc: Service, row: BucketRow) -> Forwarding:
    remotes = svc.store.remotes
    if remotes is None:
        raise NotSupported(f"{row.record.behind} cannot be reached from this process")
    backend = await remotes.backend(svc.store, row.record)
    found = forwarding(backend)
    if found is None:
        raise S3Error(
            "NotImplemented", f"{backend.name} has nothing of that kind: it does not speak S3"
        )
    return found


def _check_single(head: RequestHead) -> None:
    """Refuse what the remote could take for another operation than the one that was allowed."""
    named = SELECTORS.intersection(head.params)
    if len(named) > 1:
        told = ", ".join(sorted(named))
        raise InvalidArgument(f"the query names several sub-resources: {told}", name="query")


async def _request(ctx: Context) -> RawRequest:
    head = ctx.head
    headers = {
        name: value
        for name, value in head.headers.items()
        if name in _PASSED or (name.startswith("x-amz-") and name not in _KEPT_BACK)
    }
    body = b""
    if head.header("content-length", "0") != "0" or "transfer-encoding" in head.headers:
        body = await read_document(head, ctx.known_payload, ctx.body, _DOCUMENT_LIMIT)
        headers["content-md5"] = base64.b64encode(
            hashlib.md5(body, usedforsecurity=False).digest()
        ).decode()
    if "x-amz-trailer" in head.headers:  # its checksum came behind the body
        headers.pop("x-amz-sdk-checksum-algorithm", None)
    return RawRequest(
        method=head.method,
        key=raw_key(ctx.key),
        query=unsigned_query(head),
        headers=headers,
        body=body,
        size=len(body),
    )


def raw_key(key: str) -> str:
    """A key as it goes over the wire."""
    safe = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/"
    data = key.encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if byte in safe else f"%{byte:02X}" for byte in data)


def unsigned_query(head: RequestHead) -> str:
    """The query of a request without a signature in it."""
    parts = [part for part in head.query.decode("latin-1").split("&") if part]
    kept = [part for part in parts if part.partition("=")[0].lower() not in SIGNATURE]
    return "&".join(kept)


async def _relayed(ctx: Context, row: BucketRow, reply: Forwarded) -> Response:
    """The remote's reply as ours. Raises what the cluster alone is to blame for."""
    redirected = 300 <= reply.status < 304 or reply.status in (307, 308)
    if reply.status in _CLUSTERS or redirected:
        raise await refusal(str(row.record.behind), reply)
    return told(ctx, reply)


def told(ctx: Context, reply: Forwarded) -> Response:
    """A reply of the remote, whatever its status, as it is."""
    headers: Headers = [
        (name.encode("latin-1"), value.encode("utf-8", "surrogateescape"))
        for name, value in reply.headers.items()
        if name in _TOLD or (name.startswith("x-amz-") and name not in _OWN)
    ]
    if ctx.head.method == "HEAD" or reply.status in (204, 304):
        return Response(reply.status, headers, _ended(reply), reply.size)
    return Response(reply.status, headers, _pieces(reply), reply.size)


async def _pieces(reply: Forwarded) -> AsyncIterator[bytes]:
    try:
        while piece := await reply.read():
            yield piece
    finally:
        await reply.close()


async def _ended(reply: Forwarded) -> AsyncIterator[bytes]:
    await reply.close()
    return
    yield b""


async def refusal(name: str, reply: Forwarded) -> RemoteError:
    """The error that a reply to the cluster's own request is."""
    code = await error_code(reply)
    said = f"{reply.status} {code}" if code else f"status {reply.status}"
    message = f"the request was answered with {said}"
    if reply.status in (401, 403):
        return RemoteDenied(name, message, code=code)
    if reply.status == 429 or code in ("SlowDown", "RequestLimitExceeded"):
        return RemoteThrottled(name, message, code=code, retry_after=_retry_after(reply.headers))
    if 400 <= reply.status < 500:
        return RemoteRefused(name, message, status=reply.status, code=code)
    return RemoteUnavailable(name, message, code=code)


async def error_code(reply: Forwarded) -> str:
    """The code of S3 in the body of an error, `""` if it has none; the reply is over then."""
    try:
        tree = await document_of("", reply)
    except RemoteError:
        return ""
    return tree.value("Code")[:64] if tree.name == "Error" else ""


def _retry_after(headers: Mapping[str, str]) -> float:
    text = headers.get("retry-after", "")
    return float(text) if text.isdecimal() and len(text) < 5 else 1.0


async def document_of(name: str, reply: Forwarded) -> Element:
    """The XML in the body of a reply, which is over then. Raises `RemoteBroken`."""
    try:
        return parse_tree((await _read_limited(reply)).strip())  # blanks may come first
    except XmlError:
        raise RemoteBroken(name, "the reply is not the document it should be") from None
    finally:
        await reply.close()


async def _read_limited(reply: Forwarded) -> bytes:
    data = b""
    while len(data) < _ERROR_LIMIT and (piece := await reply.read()):
        data += piece
    return data[:_ERROR_LIMIT]
