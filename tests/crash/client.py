"""One HTTP connection to a node, kept alive, that tells "no" from "nobody knows".

A writer of the crash test must know for certain what it was told. `Client.call` therefore returns
a whole reply, or raises `Lost`: the connection died with the request under way, and whether it
took effect is unknown. `NotSent` is the harmless case: nobody listened, nothing was sent.
"""

from __future__ import annotations

import http.client
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import quote, urlencode

TIMEOUT = 20.0


class Lost(Exception):
    """The outcome of a request is unknown."""


class NotSent(Exception):
    """The request did not leave: nobody listens."""


class Answer(NamedTuple):
    """A whole reply."""

    status: int
    etag: str
    body: bytes

    @property
    def xml(self) -> ET.Element:
        """The body as XML, namespaces dropped."""
        root = ET.fromstring(self.body)
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
        return root


def target(bucket: str, key: str = "", /, **query: object) -> str:
    """A path-style target; a query value of `None` stands for a bare name."""
    path = f"/{bucket}" + (f"/{quote(key, safe='/-_.~')}" if key else "")
    bare = [name for name, value in query.items() if value is None]
    valued = urlencode({name: value for name, value in query.items() if value is not None})
    text = "&".join([*bare, *([valued] if valued else [])])
    return f"{path}?{text}" if text else path


class Client:
    """See the module. Not for several threads at once."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection: http.client.HTTPConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def call(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request. Raises `Lost` or `NotSent`."""
        if self._connection is None:
            fresh = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT)
            try:
                fresh.connect()
            except OSError as error:
                fresh.close()
                raise NotSent(str(error)) from None
            self._connection = fresh
        fields = {"Content-Length": str(len(body))} if method in ("PUT", "POST") else {}
        try:
            self._connection.request(method, path, body or None, {**fields, **(headers or {})})
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Lost(f"{method} {path}: {error!r}") from None
        if response.will_close:
            self.close()
        etag = response.getheader("ETag", "").strip('"')
        return Answer(response.status, etag, content)
