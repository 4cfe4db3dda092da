"""The store: what an engine could not do, and what a node cannot start with.

`StoreError` and its subclasses are all that an engine raises.
"""

from __future__ import annotations

from aisle.core.errors.base import AisleError


class StoreError(AisleError):
    """An engine could not do its work."""


class OutOfSpace(StoreError):
    """A disk or quota is full. Nothing was changed."""


class ReadOnlyStore(StoreError):
    """The disk or directory cannot be written. Nothing was changed."""


class StoreUnavailable(StoreError):
    """The engine cannot answer now (an I/O error, a lost connection)."""


class BlobMissing(StoreError):
    """Bytes that a row refers to are not there, or are fewer than the row says."""

    def __init__(self, blob: str, reason: str = "missing") -> None:
        super().__init__(f"blob {blob}: {reason}")
        self.blob = blob


class BodyCorrupt(StoreError):
    """Stored bytes are not the ones that were written: their digest has changed."""

    def __init__(self, bucket: str, key: str, algorithm: str) -> None:
        name = f"{bucket}/{key}"
        super().__init__(f'the {algorithm} of object "{name}" is not what it was written with')
        self.bucket = bucket
        self.key = key
        self.algorithm = algorithm


class RowChanged(StoreError):
    """A `Check` in a batch did not hold; nothing of the batch was applied."""

    def __init__(self, table: str, key: bytes) -> None:
        super().__init__(f"row {key!r} of {table} has changed")
        self.table = table
        self.key = key


class ConfigError(AisleError):
    """A setting, option or directory that the node cannot start with."""
