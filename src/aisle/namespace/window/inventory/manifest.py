"""What Amazon's inventories say of themselves: their manifests, as values. Pure functions.

A manifest is a JSON object that names the files of one inventory, with their sizes and MD5 sums,
and for CSV the columns; beside it lies `manifest.checksum` with its own MD5, which is written last.
Both are strangers' bytes: whatever is not as documented is an `InventoryDamaged`.

Spec: Amazon S3 user guide, "Locating your inventory list", "Amazon S3 Inventory list".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec

from aisle.core.errors import InventoryDamaged

MANIFEST: Final = "manifest.json"
CHECKSUM: Final = "manifest.checksum"
MANIFEST_LIMIT: Final = 16 << 20
CHECKSUM_LIMIT: Final = 1024
# Amazon splits inventories into files of at most about 5 GB; others may be less careful.
FILE_LIMIT: Final = 16 << 30
FILES_LIMIT: Final = 100_000
SCHEMA_LIMIT: Final = 4096  # characters; it becomes an argument of a process
FORMATS: Final = ("CSV", "ORC", "Parquet")

_MD5: Final = re.compile(r"[0-9a-f]{32}")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\dZ")
_VERSION: Final = re.compile(r"\d{4}-\d\d-\d\d")


class File(NamedTuple):
    """One file of an inventory; `md5` is in hex."""

    key: str
    size: int
    md5: str


class Manifest(NamedTuple):
    """An inventory as its manifest tells it; `columns` are those of CSV files, normalised."""

    bucket: str
    format: str
    columns: tuple[str, ...]
    files: tuple[File, ...]


class _File(msgspec.Struct):
    key: str
    size: int
    md5: str = msgspec.field(name="MD5checksum")


class _Manifest(msgspec.Struct, rename="camel"):
    source_bucket: str
    version: str
    file_format: str
    file_schema: str
    files: list[_File]


def plain(column: str) -> str:
    """The name of a column however a format writes it: `ETag` and `e_tag` are `etag`."""
    return column.strip().replace("_", "").lower()


def parse(data: bytes, *, bucket: str, folder: str) -> Manifest:
    """The manifest in `data`, which has to be of `bucket`, with files whose keys begin with
    `folder`: what lies elsewhere is no business of an inventory's. Raises `InventoryDamaged`."""
    try:
        read = msgspec.json.decode(data, type=_Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InventoryDamaged(f"its manifest cannot be read: {error}") from None
    if read.source_bucket != bucket:
        raise InventoryDamaged(f"its manifest is of another bucket, {_shown(read.source_bucket)}")
    if _VERSION.fullmatch(read.version) is None:
        raise InventoryDamaged(f"its manifest has the unknown version {_shown(read.version)}")
    kind = next((name for name in FORMATS if name.lower() == read.file_format.lower()), "")
    if not kind:
        raise InventoryDamaged(f"its files have the unknown format {_shown(read.file_format)}")
    if len(read.files) > FILES_LIMIT:
        raise InventoryDamaged(f"its manifest names more than {FILES_LIMIT:,} files")
    files = tuple(_file(file, folder) for file in read.files)
    columns = _columns(read.file_schema) if kind == "CSV" else ()
    return Manifest(bucket, kind, columns, files)


def _file(file: _File, folder: str) -> File:
    if not (file.key.startswith(folder) and file.key.isprintable()):
        raise InventoryDamaged(f"its manifest names a file elsewhere, {_shown(file.key)}")
    if not 0 <= file.size <= FILE_LIMIT:
        raise InventoryDamaged(f"its file {_shown(file.key)} has {file.size:,} bytes")
    md5 = file.md5.lower()
    if _MD5.fullmatch(md5) is None:
        raise InventoryDamaged(f"its manifest has no MD5 of {_shown(file.key)}")
    return File(file.key, file.size, md5)


def _columns(schema: str) -> tuple[str, ...]:
    if len(schema) > SCHEMA_LIMIT or not schema.isprintable():
        raise InventoryDamaged(f"its files have a schema that is none: {_shown(schema)}")
    columns = tuple(plain(name) for name in schema.split(","))
    if "key" not in columns:
        raise InventoryDamaged(f"its files have no column Key: {_shown(schema)}")
    if len(set(columns)) != len(columns):
        raise InventoryDamaged(f"its files have a column twice: {_shown(schema)}")
    return columns


def verify(data: bytes, checksum: bytes) -> None:
    """Hold a manifest to the text of its `manifest.checksum`. Raises `InventoryDamaged`."""
    said = checksum.decode("latin-1").strip().strip('"').lower()
    if _MD5.fullmatch(said) is None:
        raise InventoryDamaged(f"its {CHECKSUM} is no MD5")
    if hashlib.md5(data, usedforsecurity=False).hexdigest() != said:
        raise InventoryDamaged(f"its manifest is not the one that its {CHECKSUM} is of")


def dates(prefixes: Iterable[str], folder: str) -> list[str]:
    """Of the common prefixes in a folder those of inventories, the newest first."""
    found = [
        prefix
        for prefix in prefixes
        if prefix.startswith(folder) and _DATE.fullmatch(prefix[len(folder) : -1])
    ]
    return sorted(found, key=lambda prefix: prefix[len(folder) :], reverse=True)


def _shown(text: Any) -> str:
    """A stranger's text in a sentence of ours."""
    return ascii(str(text)[:200])
