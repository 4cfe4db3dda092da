"""What clients did and what they were told: the history that the checker judges.

An operation has a client, a key, the two moments between which it took effect (by one clock that
all clients share) and its outcome. Values are names, each written once: the recorder knows which
ETag and which bytes belong to a name. An operation whose outcome nobody knows may take effect at
any moment from its start on, or never; a read without an answer says nothing and is not recorded,
nor is a write that was refused for a reason that tells nothing of the object.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

Kind = Literal["put", "put-if-absent", "put-if-match", "delete", "get"]
# refused: 412, the condition did not hold; missing: 404 for If-Match, there was no object.
Outcome = Literal["done", "refused", "missing", "unknown"]
NEVER: Final = math.inf


@dataclass(frozen=True, slots=True)
class Operation:
    """One request about one key. `value` is what a write writes, `expected` what If-Match named,
    `found` what a get read (`None`: there was no object)."""

    client: str
    kind: Kind
    key: str
    start: float
    end: float
    outcome: Outcome = "done"
    value: str = ""
    expected: str = ""
    found: str | None = None

    def __str__(self) -> str:
        what = {"get": f"-> {self.found}", "delete": ""}.get(self.kind, self.value)
        given = f" if {self.expected}" if self.expected else ""
        end = "?" if self.end == NEVER else f"{self.end:.4f}"
        return (
            f"{self.start:.4f}..{end} {self.client} {self.kind}{given} {what} [{self.outcome}]"
        ).replace("  ", " ")


@dataclass(frozen=True, slots=True)
class Listing:
    """A complete listing of a prefix: keys and the values that their ETags stand for."""

    client: str
    prefix: str
    start: float
    end: float
    entries: Mapping[str, str]

    def read(self, key: str) -> Operation:
        """What the listing says of one key, as a get."""
        return Operation(
            f"{self.client} (listing)",
            "get",
            key,
            self.start,
            self.end,
            found=self.entries.get(key),
        )


@dataclass
class History:
    """Everything that was recorded; `add` may be called by many threads."""

    operations: list[Operation] = field(default_factory=list)
    listings: list[Listing] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, what: Operation | Listing) -> None:
        """Record something; an unknown outcome has no end, and an unknown read is dropped."""
        with self._lock:
            if isinstance(what, Listing):
                self.listings.append(what)
            elif what.outcome != "unknown":
                self.operations.append(what)
            elif what.kind != "get":
                self.operations.append(replace(what, end=NEVER))

    @property
    def keys(self) -> list[str]:
        """Every key that was written, read or listed."""
        listed = {key for listing in self.listings for key in listing.entries}
        return sorted(listed | {operation.key for operation in self.operations})
