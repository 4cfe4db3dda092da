"""Where an inventory lies and what its manifest says.

    PREFIX/SOURCE/ID/DATE/manifest.json, manifest.checksum     DATE is 2026-01-31T00-00Z
    PREFIX/SOURCE/ID/data/NAME.csv.gz, .orc or .parquet
    PREFIX/SOURCE/ID/hive/dt=2026-01-31-00-00/symlink.txt

Names of files follow from the job that writes them, so that one which is taken over writes the same
ones again. `manifest.checksum` is written last: an inventory without one is not whole.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from aisle.namespace.inventories import columns as names
from aisle.namespace.inventories.columns import Column
from aisle.namespace.inventories.configuration import Configuration
from aisle.namespace.inventories.files import SUFFIXES

VERSION: Final = "2016-11-30"
_SPACE: Final = uuid.UUID("6f1c0d5e-8a0b-4c7e-9a44-5d1f3b9c2e71")
_MILLISECOND: Final = 1_000_000
_SECOND: Final = 1_000_000_000


class File(msgspec.Struct, frozen=True, array_like=True):
    """A file that is written: its key, size and MD5 in hex."""

    key: str
    size: int
    md5: str


def folder(configuration: Configuration, source: str) -> str:
    """What all keys of a configuration's inventories begin with."""
    prefix = configuration.prefix.rstrip("/")
    return f"{prefix}/{source}/{configuration.id}/" if prefix else f"{source}/{configuration.id}/"


def data_key(folder: str, format: str, job: str, number: int) -> str:
    return f"{folder}data/{uuid.uuid5(_SPACE, f'{job}/{number}')}.{SUFFIXES[format]}"


def _moment(when: int) -> datetime:
    return datetime.fromtimestamp(when // _SECOND, UTC)


def date_key(folder: str, when: int, name: str) -> str:
    return f"{folder}{_moment(when):%Y-%m-%dT%H-%MZ}/{name}"


def symlink(folder: str, when: int, bucket: str, files: Sequence[File]) -> tuple[str, bytes]:
    """The key and the text of what Hive and Athena are pointed at."""
    lines = "\n".join(f"s3://{bucket}/{file.key}" for file in files)
    return f"{folder}hive/dt={_moment(when):%Y-%m-%d-%H-%M}/symlink.txt", lines.encode()


def manifest(
    configuration: Configuration,
    source: str,
    when: int,
    columns: Sequence[Column],
    files: Sequence[File],
) -> bytes:
    told = {
        "sourceBucket": source,
        "destinationBucket": f"arn:aws:s3:::{configuration.destination}",
        "version": VERSION,
        "creationTimestamp": str(when // _MILLISECOND),
        "fileFormat": configuration.format,
        "fileSchema": names.schema(columns, configuration.format),
        "files": [{"key": file.key, "size": file.size, "MD5checksum": file.md5} for file in files],
    }
    return json.dumps(told, indent=2).encode()


def checksum(manifest: bytes) -> bytes:
    return hashlib.md5(manifest, usedforsecurity=False).hexdigest().encode()
