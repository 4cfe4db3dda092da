"""What a writer was told, written down before it goes on: the truth that a store is held against.

Every key has one writer. Its ledger knows for each key the states that the store may be in: one
after an acknowledged operation, two after an operation whose outcome is unknown. `settle` takes
what was read and narrows that down again, or fails. The journal is the same as text, one line
before and one after every operation; a failure shows the lines of the key in question.

Bodies are not kept but made again from their seeds.
"""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple


class Piece(NamedTuple):
    """A run of bytes: `size` of them from a generator seeded with `seed`."""

    seed: int
    size: int


@lru_cache(maxsize=256)
def bytes_of(piece: Piece) -> bytes:
    return random.Random(piece.seed).randbytes(piece.size)


@lru_cache(maxsize=4096)
def md5_of(piece: Piece) -> bytes:
    return hashlib.md5(bytes_of(piece)).digest()


class State(NamedTuple):
    """An object: what it consists of and its ETag."""

    pieces: tuple[Piece, ...]
    etag: str

    @property
    def body(self) -> bytes:
        return b"".join(bytes_of(piece) for piece in self.pieces)

    @property
    def size(self) -> int:
        return sum(piece.size for piece in self.pieces)


def plain(*pieces: Piece) -> State:
    """The state that a PUT of these bytes in one body leads to."""
    if len(pieces) == 1:
        return State(pieces, md5_of(pieces[0]).hex())
    whole = hashlib.md5(b"".join(bytes_of(piece) for piece in pieces))
    return State(pieces, whole.hexdigest())


def multipart(pieces: Iterable[Piece]) -> State:
    """The state that completing an upload of these parts leads to."""
    parts = tuple(pieces)
    joined = hashlib.md5(b"".join(md5_of(part) for part in parts)).hexdigest()
    return State(parts, f"{joined}-{len(parts)}")


@dataclass
class Upload:
    """A multipart upload; `maybe` are parts whose outcome is unknown, `ending` is what was asked
    for last, with an unknown outcome, or `""`."""

    key: str
    parts: dict[int, Piece] = field(default_factory=dict)
    maybe: dict[int, Piece] = field(default_factory=dict)
    ending: str = ""
    gone: bool = False


class Ledger:
    """One writer's keys and uploads."""

    def __init__(self, journal: Path) -> None:
        self.journal = journal
        self.allowed: dict[str, tuple[State | None, ...]] = {}
        self.uploads: dict[str, Upload] = {}
        self.strays: dict[str, int] = {}  # uploads that may have been begun, without their ids
        self._file = journal.open("a", buffering=1)

    def note(self, event: str, **what: object) -> None:
        """Append a line to the journal."""
        line = {"at": round(time.time(), 4), "event": event, **what}
        self._file.write(json.dumps(line) + "\n")

    def close(self) -> None:
        self._file.close()

    def known(self, key: str) -> State | None:
        """The state of a key that has been settled."""
        states = self.allowed.get(key, (None,))
        assert len(states) == 1, f"{key} is not settled"
        return states[0]

    def acknowledge(self, key: str, state: State | None) -> None:
        self.note("acknowledged", key=key, state=state)
        self.allowed[key] = (state,)

    def doubt(self, key: str, state: State | None) -> None:
        self.note("unknown", key=key, state=state)
        self.allowed[key] = (*self.allowed.get(key, (None,)), state)

    def settle(self, key: str, found: State | None) -> None:
        """`found` was read. Fails unless it may be; from now on it is what must be there."""
        states = self.allowed.get(key, (None,))
        assert found in states, f"{key}: {found} is not one of {states}\n{self.story(key)}"
        if len(states) > 1:
            self.note("settled", key=key, state=found)
        self.allowed[key] = (found,)

    def story(self, key: str, lines: int = 12) -> str:
        """The last lines of the journal about `key`."""
        self._file.flush()
        text = self.journal.read_text().splitlines()
        return "\n".join([line for line in text if json.loads(line).get("key") == key][-lines:])
