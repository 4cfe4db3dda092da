"""What a listing of known keys must be, written down independently of any server.

S3 lists keys in the byte order of their UTF-8; keys that share what follows the prefix up to and
including the first delimiter are rolled up into one common prefix, which counts as one entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Entry(NamedTuple):
    """One key or one common prefix."""

    name: str
    common: bool


# Chosen so that every rule has a key that tells it: order by bytes ("B" < "a", "é" after "z"),
# "a" beside "a/", characters below and above the delimiter, several delimiters, empty segments.
KEYS = [
    "B",
    "a",
    "a-b",
    "a/",
    "a/b",
    "a/b/c",
    "a/b/d",
    "a/c",
    "a0",
    "aé",
    "a🦆",
    "b//c",
    "b/",
    "b|c|d",
    "b|c|e",
    "logs/2026-01/x",
    "logs/2026-02/x",
    "logs/2026-02/y",
    "z",
    "é",
    "｡",
    "🦆",
]


def in_order(names: Sequence[str]) -> list[str]:
    return sorted(names, key=lambda name: name.encode())


def entries(keys: Sequence[str], *, prefix: str = "", delimiter: str = "") -> list[Entry]:
    """Everything a listing without limits has, in order."""
    found: list[Entry] = []
    for key in in_order(keys):
        if not key.startswith(prefix):
            continue
        cut = key.find(delimiter, len(prefix)) if delimiter else -1
        entry = Entry(key, False) if cut < 0 else Entry(key[: cut + len(delimiter)], True)
        if not found or found[-1] != entry:
            found.append(entry)
    return found


def after(keys: Sequence[str], start: str, *, prefix: str = "", delimiter: str = "") -> list[Entry]:
    """What is left when only keys above `start` count (V2's start-after)."""
    above = [key for key in keys if key.encode() > start.encode()]
    return entries(above, prefix=prefix, delimiter=delimiter)
