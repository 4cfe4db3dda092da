"""`AwsBackend`: one remote S3 bucket, and the raw requests that are passed on to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Final, TypeVar

from aisle.backend.aws.addresses import encode_key, encode_query, other_style
from aisle.backend.aws.credentials import Chain
from aisle.backend.aws.options import Options
from aisle.backend.aws.replies import (
    checksums_of,
    describe,
    read_page,
    read_versions,
    unquoted,
    version_of,
)
from aisle.backend.aws.service import Call, Service
from aisle.backend.aws.uploads import Uploader
from aisle.backend.base import (
    PAGE_LIMIT,
    Forwarded,
    Outgoing,
    RawRequest,
    RemoteBody,
    RemoteFacts,
    RemoteObject,
    RemotePage,
)
from aisle.backend.exchange import StreamBody, span_header, told
from aisle.core.errors import RemoteBroken, RemoteChanged, RemoteError, RemoteRefused
from aisle.core.ranges import Span
from aisle.core.xmltree import XmlError, parse_tree
from aisle.outgoing.request import Body, TransportError, whole
from aisle.outgoing.stream import Stream
from aisle.outgoing.transport import Transport

_Result = TypeVar("_Result")

_WITH_CHECKSUMS: Final = {"x-amz-checksum-mode": "ENABLED"}
_OF_CONNECTION: Final = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "te", "trailer", "transfer-encoding",
     "upgrade"}
)  # fmt: skip
_LONG: Final = 64 << 10  # bytes of XML
_RELOCATED: Final = frozenset({301, 307, 400})


class AwsBackend:
    """See `Backend` and `Forwarding`."""

    provider = "aws"
    lists = True
    writes = True
    in_order = True
    ranges_by_etag = True

    def __init__(self, transport: Transport, chain: Chain, options: Options) -> None:
        self.name = f"aws://{options.bucket}"
        self._options = options
        self._service = Service(transport, chain, options, self.name)
        self._uploader = Uploader(self._service)

    @property
    def region(self) -> str:
        """See `Forwarding`."""
        return self._service.region

    async def facts(self) -> RemoteFacts:
        reply = await self._service.call(Call("HEAD", "HeadBucket"))
        self._service.told_region(reply.headers.get("x-amz-bucket-region", ""))
        return RemoteFacts(region=self._service.region, versioned=await self._versioned())

    async def head(self, key: str, *, version: str = "") -> RemoteObject:
        call = Call(
            "HEAD", "HeadObject", encode_key(key), key, _of_version(version), _WITH_CHECKSUMS
        )
        reply = await self._service.head(call)
        return describe(self.name, key, reply.headers)

    async def get(
        self, key: str, *, span: Span | None = None, etag: str = "", version: str = ""
    ) -> RemoteBody:
        headers = {} if span is not None else dict(_WITH_CHECKSUMS)
        if span is not None:
            headers["range"] = span_header(span)
        if etag:
            headers["if-match"] = f'"{etag}"'
        path, query = encode_key(key), _of_version(version)
        ranged = span is not None
        call = Call("GET", "GetObject", path, key, query, headers, etag=bool(etag) or ranged)
        stream = await self._service.open(call)
        try:
            return self._body(key, stream, span, etag)
        except BaseException:
            await stream.close()
            raise

    async def put(self, key: str, body: Outgoing) -> RemoteObject:
        reply = await self._uploader.put(key, body)
        etag, version = unquoted(reply.headers.get("etag", "")), version_of(reply.headers)
        digests = checksums_of(reply.headers, etag)
        if body.md5 and digests.get("md5", body.md5) != body.md5:
            raise RemoteBroken(self.name, f'"{key}" was stored with other bytes than were sent')
        try:
            # Only this tells the time, and what else the remote has made of it.
            found = await self.head(key, version=version)
        except RemoteError:
            found = None
        if found is not None and found.etag == etag and found.size == body.size:
            return replace(found, version=found.version or version)
        return RemoteObject(
            key,
            body.size,
            etag=etag,
            mtime=int(reply.date) * 10**9,
            version=version,
            checksums=digests,
            headers=body.headers,
            meta=body.meta,
            storage_class=body.storage_class,
        )

    async def delete(self, key: str) -> None:
        call = Call("DELETE", "DeleteObject", encode_key(key), key, good=frozenset({404}))
        reply = await self._service.call(call)
        if reply.status == 404 and b"<Code>NoSuchBucket<" in reply.body:
            await self.facts()

    async def give_up(self, key: str, upload: str) -> None:
        await self._uploader.give_up(key, upload)

    async def list(
        self,
        *,
        prefix: str = "",
        delimiter: str = "",
        after: str = "",
        token: str = "",
        limit: int = PAGE_LIMIT,
    ) -> RemotePage:
        query = {"prefix": prefix, "delimiter": delimiter, "encoding_type": "url"}
        query["max_keys"] = str(max(1, min(limit, self._options.page)))
        if self._options.versions:
            return await self._list_versions(query, after=after, token=token)
        query["list_type"] = "2"
        if token:
            query["continuation_token"] = token
        elif after:
            query["start_after"] = after
        call = Call("GET", "ListObjectsV2", query=encode_query(**_given(query)))
        reply = await self._service.call(call)
        return await _parsed(read_page, self.name, reply.body)

    async def close(self) -> None:
        await self._uploader.close()

    # --- raw requests -----------------------------------------------------------------------

    async def forward(self, request: RawRequest) -> Forwarded:
        """See `Forwarding`."""
        stream = await self._forward_once(request)
        streamed = not isinstance(request.body, bytes)
        if request.style or streamed or stream.status not in _RELOCATED:
            return _Forwarded(self.name, stream)
        # Signed for a region in which the bucket is not: nothing was done yet.
        region = stream.headers.get("x-amz-bucket-region", "")
        if not self._service.told_region(region):
            return _Forwarded(self.name, stream)
        await stream.close()
        return _Forwarded(self.name, await self._forward_once(request))

    async def _forward_once(self, request: RawRequest) -> Stream:
        call = Call(
            request.method,
            "the request",
            request.key,
            request.key,
            request.query,
            request.headers,
            _raw_body(request),
        )
        return await self._service.once(call, signed=not request.style, style=request.style)

    def other_style(self, style: str) -> str:
        """See `Forwarding`."""
        return other_style(self._service.options.endpoint, self.region, style)

    def described(self, key: str, headers: Mapping[str, str]) -> RemoteObject:
        """See `Forwarding`."""
        return describe(self.name, key, headers)

    # --- parts of the above -----------------------------------------------------------------

    def _body(self, key: str, stream: Stream, span: Span | None, etag: str) -> RemoteBody:
        if stream.body is not None or stream.status not in (200, 206):
            raise RemoteRefused(self.name, "GetObject has no body", status=502)
        about = describe(self.name, key, stream.headers)
        if span is not None:
            expected = f"bytes {span.start}-{span.last}/"
            if stream.status != 206:
                raise RemoteRefused(self.name, "the service ignores ranges", status=501)
            if not stream.headers.get("content-range", "").startswith(expected):
                raise RemoteChanged(self.name, f'"{key}" has other bytes than it had')
        if etag and about.etag and about.etag != etag:
            raise RemoteChanged(self.name, f'"{key}" is another one by now')
        length = about.size if span is None else span.length
        if stream.length is not None and stream.length != length:
            raise RemoteBroken(self.name, "the body is not as long as it was asked for")
        return StreamBody(self.name, about, stream, length)

    async def _versioned(self) -> bool:
        try:
            reply = await self._service.call(
                Call("GET", "GetBucketVersioning", query="versioning="), attempts=2
            )
            return parse_tree(reply.body).value("Status").strip() == "Enabled"
        except (RemoteError, XmlError):
            return False  # not everybody who may read a bucket may ask this

    async def _list_versions(self, query: dict[str, str], *, after: str, token: str) -> RemotePage:
        """A page of the newest versions, which may be none; its token is the last key of it, whose
        newest version came before all others."""
        query["key_marker"] = token or after
        call = Call("GET", "ListObjectVersions", query=f"versions=&{encode_query(**_given(query))}")
        reply = await self._service.call(call)
        return await _parsed(read_versions, self.name, reply.body)


class _Forwarded:
    """See `Forwarded`."""

    def __init__(self, name: str, stream: Stream) -> None:
        self.status = stream.status
        self.headers: Mapping[str, str] = {
            name.lower(): value
            for name, value in stream.headers.items()
            if name.lower() not in _OF_CONNECTION
        }
        self.size = stream.length
        self._name = name
        self._stream = stream

    async def read(self) -> bytes:
        try:
            return await self._stream.read()
        except TransportError as error:
            raise told(self._name, error) from None

    async def close(self) -> None:
        await self._stream.close()


async def _parsed(read: Callable[[str, bytes], _Result], name: str, document: bytes) -> _Result:
    """What `read` makes of a document: in a thread if it takes longer than others should wait."""
    if len(document) < _LONG:
        return read(name, document)
    return await asyncio.to_thread(read, name, document)


def _raw_body(request: RawRequest) -> Body | None:
    if isinstance(request.body, bytes):
        return whole(request.body) if request.body or request.size else None
    pieces: AsyncIterator[bytes] = request.body
    return Body(request.size, lambda: pieces)


def _of_version(version: str) -> str:
    return encode_query(versionId=version) if version else ""


def _given(query: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in query.items() if value}
