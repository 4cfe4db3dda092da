"""The terms of an import: where it writes, what it may replace there, and what it counts and tells.

What may live here is what every kind of item needs. What is there and differs is kept, or replaced
where `overwrite` says so, or where the journal of a pull shows that it was the pull that wrote it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aisle.core.errors import AisleError
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.transfer.items import ObjectItem, PartItem, Voided, shown_item
from aisle.namespace.transfer.journal import Journal, digest
from aisle.store.base import Change


@dataclass(slots=True)
class Totals:
    """What an import has done. `bytes` are those written; `skipped` was there already; `kept`
    differs, and is the target's; `refused` was not what its record says, or has no place."""

    buckets: int = 0
    objects: int = 0
    uploads: int = 0
    parts: int = 0
    users: int = 0
    bytes: int = 0
    skipped: int = 0
    kept: int = 0
    refused: int = 0
    deleted: int = 0
    notes: int = 0  # annotations

    @property
    def changes(self) -> int:
        written = self.buckets + self.objects + self.uploads + self.parts + self.users + self.notes
        return written + self.deleted


class Kept(AisleError):
    """What is at the target is not to be replaced."""


@dataclass(frozen=True, slots=True)
class Terms:
    """`tell` hears one line about everything that is kept or refused."""

    store: Store
    overwrite: bool
    journal: Journal | None
    tell: Callable[[str], None]
    totals: Totals

    def refuse(self, name: str, reason: str) -> None:
        self.totals.refused += 1
        self.tell(f"refused {name}: {reason}")

    def note_kept(self, bucket: BucketRow, item: ObjectItem | PartItem) -> None:
        self.totals.kept += 1
        self.tell(f"kept {shown_item(bucket.record, item)} as it is at the target")

    def note_void(self, bucket: BucketRow, item: ObjectItem | PartItem, void: Voided) -> None:
        if str(void):
            reason = f"it could not be read at the source ({void})"
            self.refuse(shown_item(bucket.record, item), reason)

    def entered(self, table: str, row_key: bytes, old: bytes | None, row: bytes) -> list[Change]:
        """What the journal is to say of a row that is written in place of what it said: `old`."""
        return self.journal.record(table, row_key, old, row) if self.journal else []

    def replaceable(self, row: bytes | None, entry: bytes | None) -> bool:
        """Whether the import may write where `row` is now; `entry` is the journal's."""
        if self.journal is None:
            return row is None or self.overwrite
        if row is None:
            return entry is None  # else a client has deleted what the pull had written
        return entry == digest(row)
