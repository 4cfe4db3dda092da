"""What uploads to a provider have in common: stretches of a body, its MD5, names for headers, and
their text.

Values of headers are Latin-1 text in the house, which gives back the bytes of the wire; the HTTP
client and services with JSON read and write them as UTF-8.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from functools import partial
from typing import Final

from aisle.backend.base import Outgoing
from aisle.core.errors import RemoteBroken
from aisle.outgoing.request import Body

# S3 keeps `Expires` with an object, other services do not: there it is metadata of this name.
EXPIRES: Final = "aisle_expires"


def text_of(value: str) -> str:
    """A header's value as the HTTP client gives it, as Latin-1 text."""
    if value.isascii():
        return value
    return value.encode("utf-8", "surrogateescape").decode("latin-1")


def value_of(text: str) -> str:
    """The opposite. What is not UTF-8 then is written as UTF-8 of its characters."""
    if text.isascii():
        return text
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


class Sender:
    """Stretches of a body in ascending order, each as often as it is asked for, and the MD5 of the
    whole: computed on the way unless it is known before."""

    __slots__ = ("_body", "_hashed", "_md5", "_name")

    def __init__(self, name: str, body: Outgoing) -> None:
        self._name = name
        self._body = body
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._hashed = 0

    def stretch(self, start: int, length: int) -> Body:
        return Body(length, partial(self._pour, start, length))

    async def _pour(self, start: int, length: int) -> AsyncIterator[bytes]:
        place = start
        async for piece in self._body.open(start, length):
            if not self._body.md5:
                self._hash(place, piece)
            place += len(piece)
            yield piece
        if place != start + length:
            raise RemoteBroken(self._name, "the body is not as long as it was announced")

    def _hash(self, place: int, piece: bytes) -> None:
        """Take what was not seen before; a stretch that is sent again was."""
        seen = self._hashed - place
        if 0 <= seen < len(piece):
            self._md5.update(piece[seen:] if seen else piece)
            self._hashed = place + len(piece)

    @property
    def md5(self) -> str:
        """The MD5 of all that was sent, once it was."""
        return self._body.md5 or self._md5.hexdigest()

    def check(self, *, md5: str, size: int) -> None:
        """Raise `RemoteBroken` unless the remote says that it has what was sent. `md5` is empty if
        it does not tell."""
        if size != self._body.size or (md5 and md5 != self.md5):
            raise RemoteBroken(self._name, "what the service stored is not what it was sent")
