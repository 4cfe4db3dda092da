"""The key ring of a node that serves: its file is watched, and taken over anew if it can be.

The ring in force is in memory that is made before the fork, so the workers of a node have one ring
at any moment, also one that replaces another: what one of them encrypts with a new key every other
opens. The node's agent alone decides (`KeyRing.follow`). A file that is malformed, or lacks a key
that something is encrypted with, changes nothing, and the log says why. A ring that came from the
environment stays as it is, and so does the key of the node's own, whatever the file has.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import mmap
import struct
from pathlib import Path
from typing import Final

from aisle.namespace.sealing import rotation
from aisle.namespace.sealing.ring import Ring
from aisle.namespace.store import Store
from aisle.node import newkey
from aisle.node.options import NodeOptions

_log: Final = logging.getLogger("aisle.node")

# How often the file is looked at. A change counts once it is followed by no other.
LOOK_SECONDS: Final = 1.0
# What begins the memory: how often somebody has asked for a look, how often the ring has changed,
# and then the length and the digest of the text behind it, by which a torn one is told.
_ASKED: Final = struct.Struct("<Q")
_TURN: Final = struct.Struct("<Q")
_TEXT: Final = struct.Struct("<Q16s")
_TURN_AT: Final = _ASKED.size
_TEXT_AT: Final = _TURN_AT + _TURN.size
_BEGIN: Final = _TEXT_AT + _TEXT.size


class KeyRing:
    """See the module. Made once a node, before the fork."""

    def __init__(self, file: Path, ring: Ring) -> None:
        self._file = file
        self._ring = ring
        self._turn = 0
        self._memory = mmap.mmap(-1, _BEGIN + newkey.LARGEST)

    def ring(self) -> Ring:
        """The ring in force."""
        (turn,) = _TURN.unpack_from(self._memory, _TURN_AT)
        if turn != self._turn:
            self._read(turn)
        return self._ring

    def _read(self, turn: int) -> None:
        length, digest = _TEXT.unpack_from(self._memory, _TEXT_AT)
        text = self._memory[_BEGIN : _BEGIN + min(length, newkey.LARGEST)]
        if _digest(text) == digest:  # else it is being written: the former one is still in force
            self._ring = Ring.parse(text.decode(), self._ring.own)
            self._turn = turn

    def _publish(self, text: bytes) -> None:
        """Put a ring in force in every process; for the agent alone."""
        (turn,) = _TURN.unpack_from(self._memory, _TURN_AT)
        self._memory[_BEGIN : _BEGIN + len(text)] = text
        _TEXT.pack_into(self._memory, _TEXT_AT, len(text), _digest(text))
        _TURN.pack_into(self._memory, _TURN_AT, turn + 1)

    def ask(self) -> None:
        """Have the file looked at, whether or not it has changed."""
        _ASKED.pack_into(self._memory, 0, self._asked() + 1)

    def _asked(self) -> int:
        (asked,) = _ASKED.unpack_from(self._memory, 0)
        return int(asked)

    def _seen(self) -> object:
        return _stamp(self._file), self._asked()

    async def follow(self, store: Store) -> None:
        """Take over what the file has, now and whenever it has changed, for ever."""
        taken = before = None
        while True:
            now = self._seen()
            if now == before and now != taken:
                taken = now
                await self.take(store)
            before = now
            await asyncio.sleep(LOOK_SECONDS)

    async def take(self, store: Store) -> bool:
        """Whether the ring in force is that of the file, taken over if it was not. Raises
        `StoreError`."""
        try:
            text = newkey.read(self._file)
            new = Ring.parse(text, self._ring.own)
        except ValueError as error:
            _log.error("the key ring stays as it was: %s: %s", self._file, error)
            return False
        old = self.ring()
        if new == old:
            return True
        if needed := await rotation.needed(store, old, new):
            _log.error("the key ring stays as it was: %s lacks %s", self._file, needed)
            return False
        self._publish(text.encode())
        _log.info("the key ring %s has been read anew: %s", self._file, ", ".join(new.identities))
        return True


def _digest(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=16).digest()


def _stamp(file: Path) -> object:
    try:
        found = file.stat()
    except OSError as error:
        return error.errno
    return found.st_ino, found.st_size, found.st_mtime_ns


_shared: KeyRing | None = None


def share(options: NodeOptions) -> None:
    """Make what processes that are forked from now on have the ring from."""
    global _shared  # it goes by the fork, as the memory does
    file, ring = options.ring_file, options.ring
    _shared = KeyRing(file, ring) if file is not None and ring is not None else None


def shared() -> KeyRing | None:
    """The node's ring; `None` if it has none, or one that cannot change."""
    return _shared
