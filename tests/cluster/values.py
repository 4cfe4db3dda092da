"""Values that clients write: each has a name, and from the name follow its bytes and its ETag."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import count
from typing import Final

FOREIGN: Final = "something that nobody wrote"


@lru_cache(maxsize=128)
def _piece(name: str, size: int) -> bytes:
    return random.Random(name).randbytes(size)


@dataclass(frozen=True)
class Value:
    """An object's contents: what was sent in one body, or in parts of these sizes."""

    name: str
    sizes: tuple[int, ...]
    multipart: bool = False

    @property
    def parts(self) -> list[bytes]:
        return [_piece(f"{self.name}/{number}", size) for number, size in enumerate(self.sizes)]

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    @cached_property
    def etag(self) -> str:
        """The ETag, without quotes."""
        if not self.multipart:
            return hashlib.md5(self.body).hexdigest()
        digests = b"".join(hashlib.md5(part).digest() for part in self.parts)
        return f"{hashlib.md5(digests).hexdigest()}-{len(self.sizes)}"


class Values:
    """All values of one history. Known before they are sent, so that any reader can name them."""

    def __init__(self) -> None:
        self._numbers = count()
        self._by_etag: dict[str, Value] = {}

    def new(self, *sizes: int, multipart: bool = False) -> Value:
        """A value that has not been written yet."""
        value = Value(f"v{next(self._numbers)}", sizes, multipart)
        known = self._by_etag.setdefault(value.etag, value)
        assert known is value, f"{sizes} bytes are too few to tell values apart"
        return value

    def name(self, etag: str) -> str:
        """What a listing says: only the ETag."""
        value = self._by_etag.get(etag.strip('"'))
        return value.name if value else f"{FOREIGN}: {etag}"

    def named(self, etag: str) -> Value | None:
        return self._by_etag.get(etag.strip('"'))

    def identify(self, etag: str, body: bytes) -> str:
        """The name of what was read, if its ETag and every byte of it are those of one value."""
        value = self.named(etag)
        if value is None:
            return f"{FOREIGN}: {etag}, {len(body)} bytes"
        if body != value.body:
            return f"{FOREIGN}: the ETag of {value.name} with other bytes ({len(body)})"
        return value.name
