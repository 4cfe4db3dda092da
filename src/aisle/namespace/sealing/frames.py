"""Authenticated frames: how encrypted bytes lie in a blob or row. Pure functions over bytes.

A run of bytes is cut into frames of `FRAME` bytes, of which the last may be shorter and is there
even where the run is one frame. Each is sealed by AES-256-GCM under a key that is made of the
object's key and of the run's salt, so no two runs share one, with the frame's number and whether it
is the last as the nonce (the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár, 2015).
A frame that was changed, moved, repeated or left out does not open, nor does a run that was cut or
made longer, nor one of another object or part. Any frame opens without the others.

`aws:kms:dsse` has two layers: two keys, two tags a frame.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from aisle.core.errors import CustomerKeyNeeded, SealBroken
from aisle.namespace.records import Extent

# docs/decisions/012 has the measurement.
FRAME: Final = 64 << 10
TAG: Final = 16
SALT: Final = 16
KEY: Final = 32
_PURPOSE: Final = b"aisle frames 1"


class DataKey:
    """The key of one object, in memory alone: no row and no log can hold it."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    @classmethod
    def fresh(cls, layers: int = 1) -> DataKey:
        return cls(os.urandom(KEY * layers))

    @property
    def secret(self) -> bytes:
        """What is wrapped, and nothing else done with."""
        return self._secret

    @property
    def overhead(self) -> int:
        """By how many bytes a frame grows."""
        return TAG * (len(self._secret) // KEY)

    def ciphers(self, salt: bytes) -> tuple[AESGCM, ...]:
        """The layers of a run with this salt, the inner one first."""
        text = _PURPOSE + salt
        secret = self._secret
        return tuple(
            AESGCM(hmac.digest(secret[at : at + KEY], text, "sha256"))
            for at in range(0, len(secret), KEY)
        )


class Opened(list[Extent]):
    """The extents of an object with the key that opens them. The extents themselves know no key,
    so whoever keeps them in a row keeps none."""

    __slots__ = ("key",)

    def __init__(self, extents: Iterable[Extent], key: DataKey) -> None:
        super().__init__(extents)
        self.key = key


def key_of(extents: Sequence[Extent]) -> DataKey | None:
    """The key that came with extents."""
    return extents.key if isinstance(extents, Opened) else None


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + (b"\x01" if last else b"\x00")


class Sealer:
    """Seals one run of bytes as it comes. Not for two threads at once."""

    __slots__ = ("_ciphers", "_held", "_number", "salt")

    def __init__(self, key: DataKey) -> None:
        self.salt = os.urandom(SALT)
        self._ciphers = key.ciphers(self.salt)
        self._held = b""
        self._number = 0

    def update(self, data: bytes) -> bytes:
        """The frames that are full with these bytes: never the last, which only the end tells."""
        if self._held:
            data = self._held + data
        whole = max(0, len(data) - 1) // FRAME
        view = memoryview(data)
        frames = [self._frame(view[at * FRAME : (at + 1) * FRAME]) for at in range(whole)]
        self._held = bytes(view[whole * FRAME :])
        return b"".join(frames)

    def finish(self) -> bytes:
        """The last frame."""
        held, self._held = self._held, b""
        return self._frame(held, last=True)

    def _frame(self, data: bytes | memoryview, *, last: bool = False) -> bytes:
        nonce = _nonce(self._number, last=last)
        self._number += 1
        for cipher in self._ciphers:
            data = cipher.encrypt(nonce, data, None)
        return bytes(data)


def seal(key: DataKey, data: bytes) -> tuple[bytes, bytes]:
    """The salt and the sealed bytes of a run that is in memory."""
    sealer = Sealer(key)
    return sealer.salt, sealer.update(data) + sealer.finish()


class Range(NamedTuple):
    """Whole frames: where they lie in what is stored."""

    start: int
    length: int


class Opener:
    """Opens a range of one run as its frames come. Not for two threads at once."""

    __slots__ = (
        "_blob", "_ciphers", "_end", "_held", "_last", "_number", "_skip", "_step", "range",
    )  # fmt: skip

    def __init__(self, key: DataKey | None, extent: Extent, start: int, length: int) -> None:
        """For `length` bytes (at least one) from `start` of the run that `extent` names, which is
        whole. Raises `CustomerKeyNeeded` without a key."""
        if key is None:
            raise CustomerKeyNeeded
        total = extent.offset + extent.length
        self._ciphers = key.ciphers(extent.seal)[::-1]
        self._blob = extent.blob
        self._step = FRAME + key.overhead
        self._last = (total - 1) // FRAME
        self._number = start // FRAME
        self._skip = start % FRAME
        self._end = length
        self._held = b""
        end = (start + length - 1) // FRAME  # the number of the last frame that is needed
        stop = total + key.overhead * (end + 1) if end == self._last else (end + 1) * self._step
        self.range = Range(self._number * self._step, stop - self._number * self._step)

    def slice(self, wanted: int) -> int:
        """How much to read at a time, if about `wanted` bytes may be: whole frames."""
        return max(1, wanted // self._step) * self._step - len(self._held)

    def open(self, data: bytes, *, ended: bool) -> bytes:
        """The plain bytes of the range among those that come next; `ended` where nothing follows.
        Raises `SealBroken`."""
        if self._held:
            data = self._held + data
        step = self._step
        count = -(-len(data) // step) if ended else len(data) // step
        view = memoryview(data)
        pieces = [self._frame(view[at * step : (at + 1) * step]) for at in range(count)]
        self._held = bytes(view[count * step :])
        if not pieces:
            return b""
        plain = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if self._skip or len(plain) - self._skip > self._end:
            plain = plain[self._skip : self._skip + self._end]
        self._skip = 0
        self._end -= len(plain)
        return plain

    def _frame(self, data: bytes | memoryview) -> bytes:
        nonce = _nonce(self._number, last=self._number == self._last)
        self._number += 1
        try:
            for cipher in self._ciphers:
                data = cipher.decrypt(nonce, data, None)
        except InvalidTag:
            raise SealBroken(self._blob.hex()) from None
        return bytes(data)


def open_whole(key: DataKey | None, extent: Extent, data: bytes) -> bytes:
    """The plain bytes of a run whose sealed bytes are in memory. Raises `SealBroken`."""
    opener = Opener(key, extent, 0, extent.offset + extent.length)
    if len(data) != opener.range.length:
        raise SealBroken(extent.blob.hex())
    return opener.open(data, ended=True)
