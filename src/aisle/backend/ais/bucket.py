"""`AisBackend`: one bucket of another cluster, over its native API.

Aisle's own clusters are told more than AIStore's: user metadata, content headers and conditions go
with the PUT itself. With AIStore the metadata follows in a request of its own, and conditions are
refused, since nothing there could hold them.
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final
from urllib.parse import quote

import msgspec

from aisle.backend.ais.cluster import Ask, Cluster
from aisle.backend.ais.paging import Paging
from aisle.backend.ais.refusals import Judgement
from aisle.backend.ais.replies import CONTENT, PAGE, Page, described
from aisle.backend.base import (
    PAGE_LIMIT,
    Outgoing,
    RemoteBody,
    RemoteFacts,
    RemoteObject,
    RemotePage,
)
from aisle.backend.exchange import StreamBody, span_header
from aisle.core.clusters import META_HEADER
from aisle.core.errors import (
    NotSupported,
    PreconditionFailed,
    RemoteBroken,
    RemoteChanged,
    RemoteError,
    RemoteObjectNotFound,
    RemoteRefused,
    RemoteUnknown,
)
from aisle.core.ranges import Span
from aisle.outgoing.request import Body, whole
from aisle.outgoing.stream import Stream

_LISTING: Final = 64 << 20  # bytes of a page
_MSGPACK: Final = "application/msgpack"
_JSON: Final = {"content-type": "application/json"}
_PROPS: Final = "name,size,checksum,version,custom"


class AisBackend:
    """See `backend.base.Backend`."""

    provider = "ais"
    lists = True
    writes = True
    in_order = True
    ranges_by_etag = True

    def __init__(self, cluster: Cluster, bucket: str, space: str) -> None:
        self._cluster = cluster
        self._bucket = quote(bucket, safe="-._~")
        shown = f"#{space}" if space else ""
        self.name = f"ais://@{cluster.known.alias}{shown}/{bucket}"
        self._query = "provider=ais"
        if space:
            self._query += f"&namespace={quote(f'#{space}', safe='')}"
        self._paging = Paging(self._page)

    def _target(self, key: str, query: str = "") -> str:
        path = f"/v1/objects/{self._bucket}/{quote(key, safe='/-._~')}"
        return f"{path}?{self._query}{query}"

    def _of_bucket(self) -> str:
        return f"/v1/buckets/{self._bucket}?{self._query}"

    # --- reading ----------------------------------------------------------------------------

    async def facts(self) -> RemoteFacts:
        await self._cluster.call(self.name, Ask("HEAD", self._of_bucket()))
        return RemoteFacts()

    async def head(self, key: str, *, version: str = "") -> RemoteObject:
        ask = Ask("HEAD", self._target(key), judge=Judgement(self.name, key))
        reply = await self._cluster.call(self.name, ask)
        size = reply.headers.get("content-length", "")
        if not (size.isascii() and size.isdecimal() and len(size) < 20):
            raise RemoteBroken(self.name, f'the size of "{key}" is not told')
        about = described(key, reply.headers, int(size))
        self._check_version(about, version)
        return about

    async def get(
        self, key: str, *, span: Span | None = None, etag: str = "", version: str = ""
    ) -> RemoteBody:
        headers = {"range": span_header(span)} if span is not None else {}
        ask = Ask("GET", self._target(key), headers, judge=Judgement(self.name, key))
        stream = await self._cluster.open(self.name, ask)
        try:
            about, length = self._read_head(key, stream, span)
            self._check_version(about, version)
            await self._check_etag(about, stream.headers, etag, ranged=span is not None)
        except BaseException:
            await stream.close()
            raise
        return StreamBody(self.name, about, stream, length)

    def _read_head(self, key: str, stream: Stream, span: Span | None) -> tuple[RemoteObject, int]:
        """The object, and how many bytes come. Raises `RemoteBroken`."""
        if stream.length is None:
            raise RemoteBroken(self.name, f'the size of "{key}" is not told')
        if span is None:
            if stream.status != 200:
                raise RemoteBroken(self.name, f"the reply has the odd status {stream.status}")
            return described(key, stream.headers, stream.length), stream.length
        told, slash, size = stream.headers.get("content-range", "").partition("/")
        fits = told.strip() == f"bytes {span.start}-{span.last}" and slash and size.isdecimal()
        if stream.status != 206 or not fits or stream.length != span.length or len(size) > 19:
            raise RemoteBroken(self.name, f'another range of "{key}" came than was asked for')
        return described(key, stream.headers, int(size)), stream.length

    def _check_version(self, about: RemoteObject, version: str) -> None:
        """A cluster has the latest version of an object alone."""
        if version and about.version != version:
            raise RemoteObjectNotFound(
                self.name, f'there is no version "{version}" of "{about.key}"'
            )

    async def _check_etag(
        self, about: RemoteObject, headers: Mapping[str, str], etag: str, *, ranged: bool
    ) -> None:
        """Raise `RemoteChanged` unless the bytes that come are of this version."""
        if not etag or about.etag == etag:
            return
        # Without an ETag a range tells no more than its own checksum, perhaps: then what the object
        # is now has to tell, which the bytes that began to come before that are of.
        if ranged and "etag" not in headers and (await self.head(about.key)).etag == etag:
            return
        raise RemoteChanged(self.name, f'"{about.key}" is another one by now')

    # --- writing ----------------------------------------------------------------------------

    async def put(self, key: str, body: Outgoing) -> RemoteObject:
        await self._cluster.prepare(self.name)
        conditional = bool(body.if_match or body.if_none_match)
        if conditional and not self._cluster.aisle:
            raise NotSupported(
                f"{self.name}: AIStore cannot hold the condition of a write: write without one"
            )
        sent = Body(body.size, partial(self._pour, body))
        ask = Ask(
            "PUT",
            self._target(key),
            self._put_headers(body),
            sent,
            Judgement(self.name, key, "If-Match" if body.if_match else "If-None-Match"),
            writes=True,
            again=not conditional,
            moves=True,
        )
        try:
            reply = await self._cluster.call(self.name, ask)
        except RemoteObjectNotFound:
            raise PreconditionFailed("If-Match") from None
        if reply.doubtful and conditional:
            raise RemoteUnknown(self.name, f'whether "{key}" was stored is not known')
        kept = described(key, reply.headers, body.size)
        if self._cluster.aisle and kept.etag and kept.mtime:
            return replace(kept, headers=dict(body.headers), meta=dict(body.meta))
        about = await self._stored(kept)
        if not self._cluster.aisle and about.meta != dict(body.meta):
            await self._set_meta(key, body.meta)
            about = replace(about, meta=dict(body.meta))
        return about

    async def _pour(self, body: Outgoing) -> AsyncIterator[bytes]:
        left = body.size
        async for piece in body.open(0, body.size):
            left -= len(piece)
            yield piece
        if left:
            raise RemoteBroken(self.name, "the body is not as long as it was announced")

    def _put_headers(self, body: Outgoing) -> dict[str, str]:
        names = CONTENT if self._cluster.aisle else CONTENT[:1]
        headers = {name: body.headers[name] for name in names if body.headers.get(name)}
        if body.md5:
            headers |= {"ais-checksum-type": "md5", "ais-checksum-value": body.md5}
        if self._cluster.aisle:
            text = json.dumps(dict(body.meta)).encode()
            headers[META_HEADER] = base64.b64encode(text).decode()
        if body.if_match:
            headers["if-match"] = f'"{body.if_match}"'
        if body.if_none_match:
            headers["if-none-match"] = "*"
        return headers

    async def _set_meta(self, key: str, meta: Mapping[str, str]) -> None:
        message = whole(json.dumps({"action": "", "value": dict(meta)}).encode())
        target = self._target(key, "&set-new-custom=true")
        ask = Ask("PATCH", target, _JSON, message, Judgement(self.name, key), writes=True)
        try:
            await self._cluster.call(self.name, ask)
        except RemoteError as error:
            raise RemoteUnknown(
                self.name, f'"{key}" was stored, and its metadata was not: {error}'
            ) from None

    async def _stored(self, kept: RemoteObject) -> RemoteObject:
        """What is told of an object that was just stored, if it is still that one. Raises
        `RemoteUnknown`."""
        about = await self.head(kept.key)
        sums = about.checksums.items() & kept.checksums.items()
        known = bool(kept.etag or kept.checksums)
        if about.size != kept.size or (known and about.etag != kept.etag and not sums):
            raise RemoteUnknown(self.name, f'"{kept.key}" was replaced as soon as it was stored')
        return about

    async def delete(self, key: str) -> None:
        ask = Ask("DELETE", self._target(key), judge=Judgement(self.name, key), writes=True)
        with contextlib.suppress(RemoteObjectNotFound):
            await self._cluster.call(self.name, ask)

    async def give_up(self, key: str, upload: str) -> None:
        """Objects are sent in one piece: there are no uploads in parts."""

    # --- listing ----------------------------------------------------------------------------

    async def list(
        self, *, prefix: str = "", delimiter: str = "", after: str = "", token: str = "",
        limit: int = PAGE_LIMIT,
    ) -> RemotePage:  # fmt: skip
        return await self._paging.list(
            prefix=prefix, delimiter=delimiter, after=after, token=token, limit=limit
        )

    async def _page(self, value: Mapping[str, Any]) -> Page:
        message = json.dumps({"action": "list", "value": {"props": _PROPS, **value}}).encode()
        headers = {**_JSON, "accept": _MSGPACK}
        ask = Ask("GET", self._of_bucket(), headers, whole(message), limit=_LISTING)
        reply = await self._cluster.call(self.name, ask)
        try:
            return PAGE.decode(reply.body)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            raise RemoteRefused(
                self.name, "the cluster's listing makes no sense", status=502
            ) from None

    async def close(self) -> None:
        """Nothing is open: connections are the provider's."""
