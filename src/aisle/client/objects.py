"""`Object`: put, get, look at and remove one object, with bounded memory.

Bytes that were read whole are held to the object's checksum, where it has one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from aisle.client.bodies import FileBody, checked, write_file
from aisle.client.replies import custom_metadata

if TYPE_CHECKING:
    from http.client import HTTPMessage

    from aisle.client.client import Client

Source = bytes | str | os.PathLike[str] | Iterable[bytes]


class Properties(NamedTuple):
    """What is known of an object; `atime` in nanoseconds, `checksum` as type and value."""

    size: int
    version: str
    etag: str
    atime: int
    checksum: tuple[str, str]
    content_type: str
    custom: Mapping[str, str]


class Object:
    """An object of `client`; making one of these asks nothing of the node."""

    def __init__(
        self, client: Client, bucket: str, name: str, provider: str = "ais", namespace: str = ""
    ) -> None:
        self._client = client
        self.bucket = bucket
        self.name = name
        self.provider = provider
        self.namespace = namespace

    def __str__(self) -> str:
        space = f"{self.namespace}/" if self.namespace else ""
        return f"{self.provider}://{space}{self.bucket}/{self.name}"

    def __repr__(self) -> str:
        return f"<Object {self}>"

    @property
    def _path(self) -> str:
        return f"/v1/objects/{quote(self.bucket)}/{quote(self.name, safe='/-._~')}"

    @property
    def _query(self) -> dict[str, str]:
        space = {"namespace": self.namespace} if self.namespace else {}
        return {"provider": self.provider, **space}

    def put(
        self, source: Source, *, content_type: str = "", headers: Mapping[str, str] | None = None
    ) -> Properties:
        """Store bytes, the file of a path (`str` or `Path`), or the pieces of an iterable.

        Nothing is stored unless all of it arrives. `headers` go with the request as they are.
        """
        fields = dict(headers or {})
        if content_type:
            fields["content-type"] = content_type
        if isinstance(source, bytes):
            reply = self._client.upload(self._path, self._query, fields, [source], len(source))
        elif isinstance(source, str | os.PathLike):
            with open(source, "rb") as file:
                body = FileBody(file)
                reply = self._client.upload(self._path, self._query, fields, body.pieces, body.size)
        else:
            reply = self._client.upload(self._path, self._query, fields, source, None)
        return _properties(reply.headers)

    def get(self, *, offset: int = 0, length: int | None = None) -> bytes:
        """All bytes, or `length` of them from `offset` on: held in memory, so for what is small."""
        with self.stream(offset=offset, length=length) as pieces:
            return b"".join(pieces)

    @contextmanager
    def stream(self, *, offset: int = 0, length: int | None = None) -> Iterator[Iterator[bytes]]:
        """The bytes piece by piece: `with object.stream() as pieces: for piece in pieces: ...`."""
        headers = range_header(offset, length)
        with self._client.download(self._path, self._query, headers) as response:
            yield checked(response, str(self), partial=bool(headers))

    def download(
        self, path: str | os.PathLike[str], *, offset: int = 0, length: int | None = None
    ) -> int:
        """Write the bytes to a file, which takes its name only if nothing went wrong.

        Returns how many bytes those were.
        """
        count = 0
        with write_file(os.fspath(path)) as file, self.stream(offset=offset, length=length) as got:
            for piece in got:
                count += file.write(piece)
        return count

    def head(self) -> Properties:
        """What is known of the object. Raises `NotFound`."""
        return _properties(self._client.act("HEAD", self._path, self._query).headers)

    def delete(self) -> None:
        """Remove the object. Raises `NotFound`."""
        self._client.act("DELETE", self._path, self._query)

    def copy(self, to: Object) -> None:
        """Make `to` a copy of this object; the bytes do not pass through the client."""
        target = f"{to.provider}/{to.namespace or '@#'}/{to.bucket}/{to.name}"
        self._client.upload(self._path, {**self._query, "object_to": target}, {}, [], 0)


def range_header(offset: int, length: int | None) -> dict[str, str]:
    """The header that asks for a part, none for all of it. Raises `ValueError`."""
    if offset < 0 or (length is not None and length < 1):
        raise ValueError("a part begins at 0 or later and has at least one byte")
    if not offset and length is None:
        return {}
    return {"range": f"bytes={offset}-{'' if length is None else offset + length - 1}"}


def _properties(headers: HTTPMessage) -> Properties:
    return Properties(
        int(headers.get("content-length", "0")),
        headers.get("ais-version", ""),
        headers.get("etag", "").strip('"'),
        int(headers.get("ais-atime", "0")),
        (headers.get("ais-checksum-type", ""), headers.get("ais-checksum-value", "")),
        headers.get("content-type", ""),
        custom_metadata(headers),
    )
