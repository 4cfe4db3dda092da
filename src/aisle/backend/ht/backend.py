"""`HttpBackend`: the files below one address of an HTTP server. See the port; nothing is written
and nothing can be listed.

* A file's size has to be known before its first byte is served. A server that has no HEAD, or does
  not tell the size there, is asked for the first byte; a file whose size is told by neither is
  refused.
* Files are taken as they are stored: nothing is decompressed.
* Bytes of an ETag come from a reply that bears it. Where a server ignores a range, the file is read
  and dropped up to there.
"""

from __future__ import annotations

from typing import Final

from aisle.backend.base import (
    PAGE_LIMIT,
    Outgoing,
    RemoteBody,
    RemoteFacts,
    RemoteObject,
    RemotePage,
)
from aisle.backend.exchange import FORBIDDEN, StreamBody, span_header, told
from aisle.backend.ht import replies
from aisle.backend.ht.origin import Origin
from aisle.core.errors import (
    NotSupported,
    RemoteBroken,
    RemoteChanged,
    RemoteDenied,
    RemoteObjectNotFound,
    RemoteRefused,
    RemoteUnavailable,
)
from aisle.core.origins import object_url
from aisle.core.ranges import Span
from aisle.outgoing.request import Request, TransportError
from aisle.outgoing.stream import Stream

_PLAIN: Final = {"accept-encoding": "identity", "user-agent": "aisle"}
_FIRST: Final = Span(0, 1)
_PIECE: Final = 128 << 10


class HttpBackend:
    """See the module and `Backend`."""

    provider = "ht"
    lists = False
    writes = False
    in_order = True

    def __init__(self, origin: Origin, base: str) -> None:
        self.name = origin.name
        self.ranges_by_etag = True
        self._origin = origin
        self._base = base

    async def facts(self) -> RemoteFacts:
        """Whether there is a server; what it says of a directory does not matter."""
        try:
            await (await self._origin.open(Request("HEAD", self._base, _PLAIN))).close()
        except (RemoteObjectNotFound, RemoteRefused):
            pass
        except RemoteDenied as denied:
            if denied.code == FORBIDDEN:
                raise
        return RemoteFacts(extra={"original_url": self._base})

    async def head(self, key: str, *, version: str = "") -> RemoteObject:
        self._unversioned(version)
        about = await self._headed(key)
        if about is not None:
            return about
        stream = await self._open("GET", key, {"range": span_header(_FIRST)})
        try:
            about = replies.described(key, stream.status, stream.headers)
        finally:
            await stream.close()
        if about is None:
            raise self._unknown()
        return about

    async def get(
        self, key: str, *, span: Span | None = None, etag: str = "", version: str = ""
    ) -> RemoteBody:
        self._unversioned(version)
        headers = {}
        if span is not None:
            headers["range"] = span_header(span)
        if etag:
            headers["if-match"] = f'"{etag}"'
        stream = await self._open("GET", key, headers)
        try:
            about = replies.described(key, stream.status, stream.headers)
            if about is None:
                raise self._unknown()
            if etag and about.etag != etag:
                raise RemoteChanged(self.name, f'"{key}" is another one by now')
            if span is None:
                return StreamBody(self.name, about, stream, about.size)
            if stream.status != 206:
                self.ranges_by_etag = False  # it could, but at the price of all that lies before
                await self._skip(stream, span.start)
                return _Cut(self.name, about, stream, span.length)
            if replies.starts_at(stream.headers) != span.start:
                raise RemoteBroken(self.name, "the server sends another range")
            return StreamBody(self.name, about, stream, span.length)
        except BaseException:
            await stream.close()
            raise

    async def put(self, key: str, body: Outgoing) -> RemoteObject:
        raise self._read_only()

    async def delete(self, key: str) -> None:
        raise self._read_only()

    async def give_up(self, key: str, upload: str) -> None:
        """Nothing: there are no uploads."""

    async def list(
        self,
        *,
        prefix: str = "",
        delimiter: str = "",
        after: str = "",
        token: str = "",
        limit: int = PAGE_LIMIT,
    ) -> RemotePage:
        raise NotSupported(f"{self.name}: the files of an HTTP server cannot be listed")

    async def close(self) -> None: ...

    # --- one step each ----------------------------------------------------------------------

    async def _headed(self, key: str) -> RemoteObject | None:
        """What HEAD tells, `None` if that is not enough, or if there is no HEAD."""
        try:
            stream = await self._open("HEAD", key, {})
        except (RemoteDenied, RemoteRefused) as refused:
            if isinstance(refused, RemoteRefused) and refused.status not in (400, 405):
                raise
            return None
        except RemoteUnavailable as refused:
            if refused.code != "501":
                raise
            return None
        await stream.close()
        return replies.described(key, stream.status, stream.headers)

    async def _open(self, method: str, key: str, headers: dict[str, str]) -> Stream:
        request = Request(method, object_url(self._base, key), _PLAIN | headers)
        try:
            return await self._origin.open(request)
        except RemoteObjectNotFound:
            raise RemoteObjectNotFound(self.name, f'there is no object "{key}"') from None

    async def _skip(self, stream: Stream, start: int) -> None:
        """Read and drop what lies before a range that the server ignores."""
        left = start
        while left:
            try:
                piece = await stream.read(min(left, _PIECE))
            except TransportError as error:
                raise told(self.name, error) from None
            if not piece:
                raise RemoteBroken(self.name, f"the body is {left} bytes short")
            left -= len(piece)

    def _unversioned(self, version: str) -> None:
        if version:
            raise NotSupported(f"{self.name}: an HTTP server keeps no versions")

    def _unknown(self) -> RemoteRefused:
        return RemoteRefused(self.name, "the server does not tell how long the file is", status=411)

    def _read_only(self) -> NotSupported:
        return NotSupported(f"{self.name}: an HTTP server can only be read")


class _Cut:
    """A `RemoteBody` of so many bytes out of a stream that has more."""

    __slots__ = ("_left", "_name", "_stream", "about")

    def __init__(self, name: str, about: RemoteObject, stream: Stream, length: int) -> None:
        self.about = about
        self._name = name
        self._stream = stream
        self._left = length

    async def read(self) -> bytes:
        if not self._left:
            return b""
        try:
            piece = await self._stream.read(min(self._left, _PIECE))
        except TransportError as error:
            raise told(self._name, error) from None
        if not piece:
            raise RemoteBroken(self._name, f"the body is {self._left} bytes short")
        self._left -= len(piece)
        return piece

    async def close(self) -> None:
        await self._stream.close()
