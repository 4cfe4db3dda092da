"""What a node has done, counted: requests, bytes, errors and time by AIStore's names.

The memory is anonymous and made before the fork, so all workers of a node share it and nobody else
does. Each worker adds to a slot of its own, which it holds by a lock that ends with its process: no
lock and no system call is on the way of a request. Readers sum the slots. A worker that takes over
the slot of a dead one goes on where that ended; a restart of the node begins at zero.

Resetting moves the base that readers subtract, and never touches what others are adding to.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import time
from collections.abc import Mapping
from typing import Final

from aisle.core.errors import ConfigError

# AIStore's families, each with its operations in the dialects; `other` has all the rest.
FAMILIES: Final[Mapping[str, tuple[str, ...]]] = {
    "get": ("GetObject", "get-object", "get-member"),
    "put": ("PutObject", "PostObject", "UploadPart", "CopyObject", "UploadPartCopy", "put-object",
            "put-part", "copy-object"),
    "append": ("append-object", "append-to-archive"),
    "head": ("HeadObject", "head-object"),
    "del": ("DeleteObject", "DeleteObjects", "delete-object"),
    "ren": ("rename-object",),
    "lst": ("ListObjects", "ListObjectsV2", "list"),
    "other": (),
}  # fmt: skip
# What nodes do by themselves: so often, and so many bytes.
EVENTS: Final[Mapping[str, str]] = {
    "get.cold": "objects fetched from remote buckets",
    "lru.evict": "objects evicted to make room",
    "notify.lost": "event notifications lost because a queue was full",
}
_FIELDS: Final = ("n", "size", "ns.total", "err")
# The families whose bytes tell something.
_SIZED: Final = frozenset({"get", "put", "append"})
_OF_FAMILIES: Final = len(FAMILIES) * len(_FIELDS)
_EVENTS: Final = {name: _OF_FAMILIES + 2 * number for number, name in enumerate(EVENTS)}
_WIDTH: Final = _OF_FAMILIES + 2 * len(EVENTS)
_OFFSETS: Final = {
    operation: number * len(_FIELDS)
    for number, operations in enumerate(FAMILIES.values())
    for operation in operations
}
_OTHER: Final = (len(FAMILIES) - 1) * len(_FIELDS)
SLOTS: Final = 256
# The cells before the base: which orders the node has followed, see `api.native.orders`.
_ORDERS: Final = ("shutdown", "reset-stats", "reset-errors", "rotate-logs", "load-x509")
_STARTED: Final = 7
_BASE: Final = 8
_FIRST: Final = _BASE + _WIDTH
_CELLS: Final = _FIRST + SLOTS * _WIDTH
_WORD: Final = 8


class Counters:
    """See the module. Made once a node, claimed once a worker."""

    def __init__(self) -> None:
        # A file rather than plain anonymous memory: only files can be locked.
        self._fd = os.memfd_create("aisle-counters")
        os.ftruncate(self._fd, _CELLS * _WORD)
        self._cells: Final = memoryview(mmap.mmap(self._fd, _CELLS * _WORD)).cast("q")
        self._cells[_STARTED] = time.monotonic_ns()
        self._slot = _FIRST

    def claim(self) -> None:
        """Take a slot for this process. Raises `ConfigError` if there are too many."""
        for slot in range(SLOTS):
            try:
                fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, slot)
            except OSError:
                continue
            self._slot = _FIRST + slot * _WIDTH
            return
        raise ConfigError(f"a node cannot have more than {SLOTS} workers")

    def note(self, operation: str, status: int, bytes_in: int, sent: int, duration: int) -> None:
        """Count one finished request; `sent` is negative if its reply broke off.

        A 404 is an answer like others, and neither a success nor an error.
        """
        cells = self._cells
        cell = self._slot + _OFFSETS.get(operation, _OTHER)
        if status < 400 and sent >= 0:
            cells[cell] += 1
            cells[cell + 1] += bytes_in + sent
            cells[cell + 2] += duration
        elif status != 404:
            cells[cell + 3] += 1

    def add(self, event: str, count: int, size: int) -> None:
        """Count what the node has done by itself, `count` times, to `size` bytes."""
        cell = self._slot + _EVENTS[event]
        self._cells[cell] += count
        self._cells[cell + 1] += size

    def read(self) -> dict[str, int]:
        """Every counter of the node by AIStore's name; times are in nanoseconds."""
        sums = self._sums()
        found: dict[str, int] = {}
        for number, family in enumerate(FAMILIES):
            cell = number * len(_FIELDS)
            n, size, spent, errors = (
                max(0, sums[cell + i] - self._cells[_BASE + cell + i]) for i in range(len(_FIELDS))
            )
            found[f"{family}.n"] = n
            if family in _SIZED:
                found[f"{family}.size"] = size
            found[f"{family}.ns.total"] = spent
            found[f"err.{family}.n"] = errors
        for event, cell in _EVENTS.items():
            for i, name in enumerate(("n", "size")):
                value = sums[cell + i] - self._cells[_BASE + cell + i]
                found[f"{event}.{name}"] = max(0, value)
        return found

    def uptime(self) -> int:
        """Nanoseconds since the node was started."""
        return time.monotonic_ns() - self._cells[_STARTED]

    def reset(self, *, errors_only: bool = False) -> None:
        """Begin to count at zero again, for every worker of the node."""
        for cell, value in enumerate(self._sums()):
            is_error = cell < _OF_FAMILIES and cell % len(_FIELDS) == _FIELDS.index("err")
            if is_error or not errors_only:
                self._cells[_BASE + cell] = value

    def is_new(self, order: str, count: int) -> bool:
        """Whether no worker has followed the `count`-th `order` yet; from now on one has."""
        cell = _ORDERS.index(order)
        if self._cells[cell] >= count:
            return False
        self._cells[cell] = count
        return True

    def _sums(self) -> list[int]:
        return [sum(self._cells[_FIRST + cell :: _WIDTH].tolist()) for cell in range(_WIDTH)]


def kinds() -> dict[str, str]:
    """What each counter is: AIStore's names of kinds."""
    found: dict[str, str] = {}
    for family in FAMILIES:
        found[f"{family}.n"] = "counter"
        if family in _SIZED:
            found[f"{family}.size"] = "size"
        found[f"{family}.ns.total"] = "total"
        found[f"err.{family}.n"] = "counter"
    for event in EVENTS:
        found[f"{event}.n"], found[f"{event}.size"] = "counter", "size"
    return found
