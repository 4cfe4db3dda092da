"""`AzureBackend`: one container of Azure Blob storage. See the port for what each method promises.

* ETags are Azure's own, which say nothing about the bytes; the MD5 is among the checksums where
  the blob has one. A range is asked for with the ETag of the blob, so that parts fit together.
* A listing cannot begin at a name: pages are read up to there, each of as many as there may be. A
  token names the service's page, the last name that was given of it, and where the list began.
* Names are listed in the service's order, which is that of UTF-16, and in accounts with a hierarchy
  that of directories: of each page alone they are in the order of UTF-8.
* Names with a segment `.` or `..` or with a backslash, which the service takes for a slash, are
  refused: the path of a request could mean another blob.

Spec: Azure Storage REST API, Blob service.
"""

from __future__ import annotations

import contextlib
from typing import Final, NamedTuple, Self

import msgspec

from aisle.backend.azure import blobs
from aisle.backend.azure.client import Client
from aisle.backend.azure.upload import Upload
from aisle.backend.base import (
    EMPTY_PAGES,
    PAGE_LIMIT,
    Outgoing,
    RemoteBody,
    RemoteFacts,
    RemoteObject,
    RemotePage,
)
from aisle.backend.exchange import StreamBody, span_header
from aisle.core.errors import (
    InvalidArgument,
    PreconditionFailed,
    RemoteBroken,
    RemoteBucketNotFound,
    RemoteChanged,
    RemoteDenied,
    RemoteObjectNotFound,
)
from aisle.core.ranges import Span
from aisle.outgoing.request import Request

_MOST: Final = 5000  # names of a page, by the service


class AzureBackend:
    """See the module and `Backend`."""

    provider = "azure"
    lists = True
    writes = True
    in_order = False
    ranges_by_etag = True

    def __init__(self, client: Client, container: str) -> None:
        self.name = client.name
        self._client = client
        self._container = f"/{container}"

    async def facts(self) -> RemoteFacts:
        try:
            url = self._client.url(self._container, restype="container")
            await self._client.exchange.call(Request("HEAD", url))
        except RemoteObjectNotFound:
            raise self._absent() from None
        except RemoteDenied:
            # Who may read blobs may not look at their container.
            await self._page("", "", "", 1)
        return RemoteFacts()

    async def head(self, key: str, *, version: str = "") -> RemoteObject:
        request = Request("HEAD", self._blob(key, versionid=version))
        try:
            reply = await self._client.exchange.call(request)
        except RemoteObjectNotFound:
            raise self._no_blob(key) from None
        return blobs.described(self.name, key, reply.headers)

    async def get(
        self, key: str, *, span: Span | None = None, etag: str = "", version: str = ""
    ) -> RemoteBody:
        headers = {"accept-encoding": "identity"}
        if span is not None:
            headers["range"] = span_header(span)
        if etag:
            headers["if-match"] = f'"{etag}"'
        request = Request("GET", self._blob(key, versionid=version), headers)
        try:
            stream = await self._client.exchange.open(request)
        except RemoteObjectNotFound:
            raise self._no_blob(key) from None
        except PreconditionFailed:
            raise RemoteChanged(self.name, f'"{key}" is another one by now') from None
        try:
            if span is not None and stream.status != 206:
                raise RemoteBroken(self.name, "the service ignores ranges")
            about = blobs.described(self.name, key, stream.headers)
            length = about.size if span is None else span.length
            return StreamBody(self.name, about, stream, length)
        except BaseException:
            await stream.close()
            raise

    async def put(self, key: str, body: Outgoing) -> RemoteObject:
        try:
            return await Upload(self._client, self._path(key), key, body).run()
        except PreconditionFailed:
            raise PreconditionFailed("If-Match" if body.if_match else "If-None-Match") from None
        except RemoteObjectNotFound:
            if body.if_match:
                raise PreconditionFailed("If-Match") from None
            raise self._absent() from None

    async def delete(self, key: str) -> None:
        with contextlib.suppress(RemoteObjectNotFound):
            await self._client.exchange.call(Request("DELETE", self._blob(key)), writes=True)

    async def give_up(self, key: str, upload: str) -> None:
        """Nothing: blocks have no id of their own, and go by themselves."""

    async def list(
        self,
        *,
        prefix: str = "",
        delimiter: str = "",
        after: str = "",
        token: str = "",
        limit: int = PAGE_LIMIT,
    ) -> RemotePage:
        place = _Place.read(token) if token else _Place("", "", after)
        most = max(1, min(limit, PAGE_LIMIT))
        empty = 0
        while empty < EMPTY_PAGES:
            asked = _MOST if place.last or (place.after and not token) else most
            page = await self._page(prefix, delimiter, place.marker, asked)
            # Those before `after` are not counted, as long as there is something on them.
            empty = 0 if page.entries or page.prefixes else empty + 1
            found = place.rest(page, most)
            if found.entries or found.prefixes or not found.token:
                return found
            place = _Place(page.marker, "", place.after)
        raise RemoteBroken(self.name, "a listing has nothing but empty pages")

    async def close(self) -> None: ...

    # --- one step each ----------------------------------------------------------------------

    def _path(self, key: str) -> str:
        segments = key.split("/")
        if "." in segments or ".." in segments:
            raise InvalidArgument(
                "Azure cannot hold a name with a segment of dots alone", name="Key", value=key
            )
        if "\\" in key:
            raise InvalidArgument(
                "Azure cannot hold a name with a backslash", name="Key", value=key
            )
        return f"{self._container}/{key}"

    def _blob(self, key: str, **query: str) -> str:
        return self._client.url(self._path(key), **query)

    def _no_blob(self, key: str) -> RemoteObjectNotFound:
        return RemoteObjectNotFound(self.name, f'there is no object "{key}"')

    def _absent(self) -> RemoteBucketNotFound:
        return RemoteBucketNotFound(self.name, "there is no such container")

    async def _page(self, prefix: str, delimiter: str, marker: str, limit: int) -> blobs.Listed:
        url = self._client.url(
            self._container,
            restype="container",
            comp="list",
            prefix=prefix,
            delimiter=delimiter,
            marker=marker,
            maxresults=str(limit),
        )
        try:
            # Five thousand names, each of a thousand characters of up to twelve bytes.
            reply = await self._client.exchange.call(Request("GET", url), limit=80 << 20)
        except RemoteObjectNotFound:
            raise self._absent() from None
        return blobs.listed(self.name, reply.body)


class _Place(NamedTuple):
    """Where a page begins: at the service's `marker`, behind the name `last` of what it has there.
    What does not come after the name `after` is on no page."""

    marker: str
    last: str
    after: str

    @classmethod
    def read(cls, token: str) -> Self:
        try:
            return msgspec.json.decode(token, type=cls)
        except msgspec.DecodeError:
            raise InvalidArgument("the token of the page is not valid", name="token") from None

    def rest(self, page: blobs.Listed, limit: int) -> RemotePage:
        """At most `limit` of what the page has after this place."""
        entries = {entry.key: entry for entry in page.entries if entry.key.encode() > self._bound}
        prefixes = {
            prefix
            for prefix in page.prefixes
            if prefix.encode() > self._bound
            or (prefix.encode() > self.last.encode() and self.after.startswith(prefix))
        }
        order = sorted(entries.keys() | prefixes, key=str.encode)
        kept = order[:limit]
        following = ""
        if len(order) > limit:
            following = self._replace(last=kept[-1])._token()
        elif page.marker:
            following = _Place(page.marker, "", self.after)._token()
        return RemotePage(
            [entries[name] for name in kept if name in entries],
            [name for name in kept if name not in entries],
            following,
        )

    @property
    def _bound(self) -> bytes:
        return max(self.last.encode(), self.after.encode())

    def _token(self) -> str:
        return msgspec.json.encode(self).decode()
