"""Rows of annotations: `annotation` and `annotated`."""

from __future__ import annotations

from aisle.namespace.records.base import Record


class Annotation(Record, frozen=True, array_like=True):
    """A named text beside an object: what listings show, and the `note` row that has it, which is
    encrypted with the object's key if there is a `seal`."""

    size: int
    mtime: int
    etag: str
    checksums: dict[str, str]
    note: bytes
    seal: bytes = b""


class Annotated(Record, frozen=True, array_like=True):
    """How many annotations an object has, and a number that grows with every change of them."""

    count: int
    change: int
