"""Inventories as Amazon's S3 writes them: files by key, to be put wherever a test wants them.

`written` gives what one delivery of an inventory consists of: data files of a format, the manifest,
and last its checksum. Nothing of the server is used.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus

import pyarrow
import pyarrow.orc
import pyarrow.parquet

SECOND = 1_000_000_000
DATE = "2026-11-22T01-00Z"
TIME = 1_790_000_000 * SECOND + 123_000_000


@dataclass(frozen=True)
class Entry:
    """A record of an inventory."""

    key: str
    size: int = 0
    mtime: int = TIME
    etag: str = "d41d8cd98f00b204e9800998ecf8427e"
    storage_class: str = "STANDARD"
    version: str = ""
    latest: bool = True
    marker: bool = False


_CURRENT = ("Bucket", "Key", "Size", "LastModifiedDate", "ETag", "StorageClass")
_ALL = (*_CURRENT[:2], "VersionId", "IsLatest", "IsDeleteMarker", *_CURRENT[2:])
_COLUMNS = {
    "Bucket": ("bucket", pyarrow.string()),
    "Key": ("key", pyarrow.string()),
    "VersionId": ("version_id", pyarrow.string()),
    "IsLatest": ("is_latest", pyarrow.bool_()),
    "IsDeleteMarker": ("is_delete_marker", pyarrow.bool_()),
    "Size": ("size", pyarrow.int64()),
    "LastModifiedDate": ("last_modified_date", pyarrow.timestamp("ms", "UTC")),
    "ETag": ("e_tag", pyarrow.string()),
    "StorageClass": ("storage_class", pyarrow.string()),
}
_ENDINGS = {"CSV": "csv.gz", "ORC": "orc", "Parquet": "parquet"}


def columns_of(*, versions: bool) -> tuple[str, ...]:
    return _ALL if versions else _CURRENT


def data_file(
    bucket: str, entries: Iterable[Entry], format: str = "CSV", columns: Sequence[str] = _CURRENT
) -> bytes:
    """One file of an inventory."""
    if format == "CSV":
        lines = [",".join(_quoted(value) for value in _texts(bucket, e, columns)) for e in entries]
        text = "".join(f"{line}\n" for line in lines)
        return gzip.compress(text.encode(), mtime=0)
    rows = [_values(bucket, entry) for entry in entries]
    table = pyarrow.table(
        {
            _COLUMNS[name][0]: pyarrow.array([row[name] for row in rows], _COLUMNS[name][1])
            for name in columns
        }
    )
    out = io.BytesIO()
    if format == "ORC":
        pyarrow.orc.write_table(table, out, compression="zlib")
    else:
        pyarrow.parquet.write_table(table, out, compression="snappy")
    return out.getvalue()


def manifest(
    bucket: str, files: Mapping[str, bytes], format: str = "CSV", columns: Sequence[str] = _CURRENT
) -> dict[str, Any]:
    """The manifest of data files by key."""
    return {
        "sourceBucket": bucket,
        "destinationBucket": f"arn:aws:s3:::{bucket}",
        "version": "2016-11-30",
        "creationTimestamp": "1790000000000",
        "fileFormat": format,
        "fileSchema": ", ".join(columns) if format == "CSV" else f"of {len(columns)} columns",
        "files": [
            {"key": key, "size": len(data), "MD5checksum": hashlib.md5(data).hexdigest()}
            for key, data in files.items()
        ],
    }


def written(
    bucket: str,
    parts: Sequence[Iterable[Entry]],
    *,
    format: str = "CSV",
    versions: bool = False,
    prefix: str = ".inventory",
    id: str = "daily",
    date: str = DATE,
) -> dict[str, bytes]:
    """The objects of one delivery, in the order in which they are written; a data file a part."""
    columns = columns_of(versions=versions)
    folder = "/".join(filter(None, (prefix, bucket, id)))
    stem = f"{folder}/data/{hashlib.md5(f'{date}{format}'.encode()).hexdigest()}"
    files = {
        f"{stem}-{number}.{_ENDINGS[format]}": data_file(bucket, part, format, columns)
        for number, part in enumerate(parts)
    }
    text = json.dumps(manifest(bucket, files, format, columns)).encode()
    return {
        **files,
        f"{folder}/{date}/manifest.json": text,
        f"{folder}/{date}/manifest.checksum": hashlib.md5(text).hexdigest().encode(),
    }


def resealed(files: Mapping[str, bytes], **changes: Any) -> dict[str, bytes]:
    """The same delivery with other values in its manifest, and the checksum of that."""
    found = dict(files)
    key = next(key for key in files if key.endswith("manifest.json"))
    found[key] = json.dumps({**json.loads(files[key]), **changes}).encode()
    digest = hashlib.md5(found[key]).hexdigest()
    found[key.replace(".json", ".checksum")] = digest.encode()
    return found


def entries(count: int, *, start: int = 0, folder: str = "data/") -> list[Entry]:
    """Entries that differ in everything, in the order of their keys."""
    return [
        replace(
            Entry(f"{folder}{number:07d}.bin"),
            size=number,
            mtime=TIME + number * SECOND,
            etag=hashlib.md5(str(number).encode()).hexdigest(),
        )
        for number in range(start, start + count)
    ]


def _texts(bucket: str, entry: Entry, columns: Sequence[str]) -> list[str]:
    values = _values(bucket, entry)
    values["Key"] = quote_plus(entry.key, safe="/")
    values["LastModifiedDate"] = _date(entry.mtime)
    texts = {name: _text(value) for name, value in values.items()}
    return [texts[name] for name in columns]


def _values(bucket: str, entry: Entry) -> dict[str, Any]:
    return {
        "Bucket": bucket,
        "Key": entry.key,
        "VersionId": entry.version or None,
        "IsLatest": entry.latest,
        "IsDeleteMarker": entry.marker,
        "Size": None if entry.marker else entry.size,
        "LastModifiedDate": datetime.fromtimestamp(entry.mtime / SECOND, UTC),
        "ETag": None if entry.marker else entry.etag,
        "StorageClass": entry.storage_class,
    }


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _date(nanoseconds: int) -> str:
    moment = datetime.fromtimestamp(nanoseconds // SECOND, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds % SECOND // 1_000_000:03d}Z"


def _quoted(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"'
