"""`GcpBackend`: one bucket of Google Cloud Storage. See the port for what each method promises.

* A version is a generation. A download is checked to be of the generation that its metadata speak
  of; both are asked for at once, so that this takes no time.
* Names are listed from a name on, never by the service's page tokens: those it gives expire, and
  say nothing of where they are.

Spec: Cloud Storage JSON API; "Resumable uploads"; "Request preconditions".
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

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
from aisle.backend.gcp.client import NO_OBJECT, Client
from aisle.backend.gcp.objects import (
    LISTED,
    BucketResource,
    Listed,
    Resource,
    described,
    entry_of,
)
from aisle.backend.gcp.paging import Place, assemble
from aisle.backend.gcp.upload import Upload, cancel
from aisle.core.errors import (
    PreconditionFailed,
    RemoteBroken,
    RemoteBucketNotFound,
    RemoteChanged,
    RemoteDenied,
    RemoteObjectNotFound,
)
from aisle.core.ranges import Span
from aisle.outgoing.request import Request
from aisle.outgoing.stream import Stream

_TRIES: Final = 3  # of a download whose object is replaced at that moment


class GcpBackend:
    """See the module and `Backend`."""

    provider = "gcp"
    lists = True
    writes = True
    in_order = True
    ranges_by_etag = True

    def __init__(self, client: Client, bucket: str) -> None:
        self.name = client.name
        self._client = client
        self._bucket = bucket

    async def facts(self) -> RemoteFacts:
        try:
            url = self._client.url("b", self._bucket)
            told = await self._client.fetch(url, BucketResource)
        except RemoteObjectNotFound:
            raise self._absent() from None
        except RemoteDenied:
            # Who may read objects may not look at their bucket, least of all at a public one.
            await self._page("", "", "", 1, "")
            return RemoteFacts()
        return RemoteFacts(
            region=told.location.lower(),
            versioned=told.versioning.enabled,
            extra={"storage_class": told.storage_class} if told.storage_class else {},
        )

    async def head(self, key: str, *, version: str = "") -> RemoteObject:
        return described(self.name, await self._resource(key, version))

    async def get(
        self, key: str, *, span: Span | None = None, etag: str = "", version: str = ""
    ) -> RemoteBody:
        for _ in range(1 if etag else _TRIES):
            about, opening = await self._both(key, span, version)
            if etag and about.etag != etag:
                await _drop(opening)
                break
            stream = await opening
            if stream.headers.get("x-goog-generation", about.version) == about.version:
                length = about.size if span is None else span.length
                return StreamBody(self.name, about, stream, length)
            await stream.close()
        raise RemoteChanged(self.name, f'"{key}" is another one by now')

    async def put(self, key: str, body: Outgoing) -> RemoteObject:
        generation = ""
        if body.if_match:
            generation = await self._generation(key, body.if_match)
        elif body.if_none_match:
            generation = "0"
        try:
            resource = await Upload(self._client, self._bucket, key, body, generation).run()
        except PreconditionFailed:
            raise PreconditionFailed("If-Match" if body.if_match else "If-None-Match") from None
        except RemoteObjectNotFound:
            raise self._absent() from None
        return described(self.name, resource)

    async def delete(self, key: str) -> None:
        request = Request("DELETE", self._object(key))
        try:
            await self._client.exchange.call(request, writes=True)
        except RemoteObjectNotFound as missing:
            await self._exists(missing)

    async def give_up(self, key: str, upload: str) -> None:
        await cancel(self._client, self._bucket, upload)

    async def list(
        self,
        *,
        prefix: str = "",
        delimiter: str = "",
        after: str = "",
        token: str = "",
        limit: int = PAGE_LIMIT,
    ) -> RemotePage:
        place = Place.of(token, after)
        most = max(1, min(limit, PAGE_LIMIT))
        paging = ""
        for _ in range(EMPTY_PAGES):
            listed = await self._page(prefix, delimiter, place.start, most + 1, paging)
            entries = [entry_of(self.name, item) for item in listed.items]
            page = assemble(
                entries, listed.prefixes, place, most, more=bool(listed.next_page_token)
            )
            if page.entries or page.prefixes or not listed.next_page_token:
                return page
            paging = listed.next_page_token
        raise RemoteBroken(self.name, "a listing has nothing but empty pages")

    async def close(self) -> None: ...

    # --- one step each ----------------------------------------------------------------------

    def _object(self, key: str, **query: str) -> str:
        return self._client.url("b", self._bucket, "o", key, **query)

    def _absent(self) -> RemoteBucketNotFound:
        return RemoteBucketNotFound(self.name, "there is no such bucket")

    async def _resource(self, key: str, version: str) -> Resource:
        try:
            return await self._client.fetch(self._object(key, generation=version), Resource)
        except RemoteObjectNotFound as missing:
            await self._exists(missing)
            raise RemoteObjectNotFound(self.name, f'there is no object "{key}"') from None

    async def _exists(self, missing: RemoteObjectNotFound) -> None:
        """Raise `RemoteBucketNotFound` if it is the bucket that is missing, as far as we may know.
        The service says so at once, others of its kind do not."""
        if missing.code == NO_OBJECT:
            return
        with contextlib.suppress(RemoteDenied):
            await self.facts()

    async def _both(
        self, key: str, span: Span | None, version: str
    ) -> tuple[RemoteObject, asyncio.Future[Stream]]:
        """What an object is, and its bytes on their way: maybe of another generation."""
        # Without gzip in it the service unpacks what is stored compressed.
        headers = {"accept-encoding": "gzip"}
        if span is not None:
            headers["range"] = span_header(span)
        request = Request("GET", self._object(key, alt="media", generation=version), headers)
        opening = asyncio.ensure_future(self._client.exchange.open(request))
        try:
            return await self.head(key, version=version), opening
        except BaseException:
            await _drop(opening)
            raise

    async def _generation(self, key: str, etag: str) -> str:
        """The generation that has this ETag. Raises `PreconditionFailed`."""
        try:
            about = await self.head(key)
        except RemoteObjectNotFound:
            raise PreconditionFailed("If-Match") from None
        if about.etag != etag:
            raise PreconditionFailed("If-Match")
        return about.version

    async def _page(
        self, prefix: str, delimiter: str, start: str, limit: int, token: str
    ) -> Listed:
        url = self._client.url(
            "b",
            self._bucket,
            "o",
            prefix=prefix,
            delimiter=delimiter,
            startOffset=start,
            maxResults=str(min(limit, PAGE_LIMIT)),
            pageToken=token,
            fields=LISTED,
        )
        try:
            return await self._client.fetch(url, Listed)
        except RemoteObjectNotFound:
            raise self._absent() from None


async def _drop(opening: asyncio.Future[Stream]) -> None:
    """Have nothing more to do with a download that is being begun."""
    opening.cancel()
    with contextlib.suppress(Exception, asyncio.CancelledError):
        await (await opening).close()
