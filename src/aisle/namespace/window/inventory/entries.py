"""Entries of an inventory as index rows: made of whatever a file or a remote's listing says.

A row's key is the object's (behind the id of its generation, which others put there), its value an
`Inventoried`, whose leading fields are those of any listing, so that a page of them is read as a
page of objects is. The newest version of an object alone is an entry, and no delete marker is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from aisle.backend.base import RemoteEntry
from aisle.core.errors import InventoryDamaged
from aisle.core.names import MAX_KEY_BYTES
from aisle.namespace.records import Inventoried, encode
from aisle.store.base import Row

_SECOND: Final = 1_000_000_000
_MOST: Final = 1 << 63
_LAST: Final = 253_402_300_799 * _SECOND  # the end of the year 9999
# ETags, versions and storage classes as any dialect can show them.
_TAG: Final = re.compile(r"[!#-%'-;=?-~]{1,256}")
_CLASS: Final = re.compile(r"[A-Z0-9_]{1,32}")
_STANDARD: Final = "STANDARD"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FALSE: Final = frozenset({"", "false", "0"})


def of_remote(entry: RemoteEntry) -> Row | None:
    """The row of an object that a remote has listed; `None` if its name is none here."""
    try:
        key = entry.key.encode()
    except UnicodeEncodeError:
        return None
    return key, _row(
        min(max(entry.size, 0), _MOST - 1), min(max(entry.mtime, 0), _LAST), entry.etag,
        entry.storage_class, entry.version, dict(entry.checksums),
    )  # fmt: skip


def _row(
    size: int, mtime: int, etag: str, storage_class: str, version: str, sums: dict[str, str]
) -> bytes:
    """What is kept of an object; without what a listing could not show as it is."""
    if _TAG.fullmatch(etag) is None:
        etag = f"{size:x}-{mtime:x}"
    if _TAG.fullmatch(version) is None or version == "null":
        version = ""
    if _CLASS.fullmatch(storage_class) is None:
        storage_class = _STANDARD
    return encode(Inventoried(size, mtime, etag, storage_class, {}, "", "", version, sums))


def to_remote(key: bytes, kept: Inventoried) -> RemoteEntry:
    """The same again, as a remote would list it."""
    return RemoteEntry(
        key.decode(), kept.size, kept.etag, kept.mtime, kept.version,
        kept.sums, kept.storage_class,
    )  # fmt: skip


Make = Callable[[Sequence[Any]], Row | None]


def maker(columns: Sequence[str], bucket: str, *, key_of: Callable[[Any], str]) -> Make:
    """A function from the fields of a record, in the order of `columns`, to its row; `None` for
    what is no entry. `key_of` decodes the field with the key.

    Fields are text (of CSV) or what a columnar file has; those that may be absent are `None` or
    `""` then. Raises `InventoryDamaged`, as the function does for a record that cannot be one.
    """
    place = {name: index for index, name in enumerate(columns)}
    if "key" not in place:
        raise InventoryDamaged("its files have no column for keys")
    key_at = place["key"]
    absent = len(columns)  # where records get an empty field
    bucket_at, size_at, time_at, etag_at, class_at, version_at, latest_at, marker_at = (
        place.get(name, absent)
        for name in (
            "bucket", "size", "lastmodifieddate", "etag", "storageclass", "versionid",
            "islatest", "isdeletemarker",
        )
    )  # fmt: skip
    count = len(columns)

    def make(fields: Sequence[Any]) -> Row | None:
        if len(fields) != count:
            raise InventoryDamaged(f"a record has {len(fields)} fields, its columns are {count}")
        fields = (*fields, "")
        if latest_at != absent and not _is_true(fields[latest_at]):
            return None
        if _is_true(fields[marker_at]):
            return None
        if bucket_at != absent and fields[bucket_at] != bucket:
            raise InventoryDamaged("a record is of another bucket")
        key = key_of(fields[key_at]).encode()
        if not 0 < len(key) <= MAX_KEY_BYTES:
            raise InventoryDamaged("a record has a key that is empty or too long")
        return key, _row(
            _size(fields[size_at]), _time(fields[time_at]), (fields[etag_at] or "").strip('"'),
            fields[class_at] or _STANDARD, fields[version_at] or "", {},
        )  # fmt: skip

    return make


def _is_true(field: Any) -> bool:
    if isinstance(field, str):
        return field.lower() not in _FALSE
    return bool(field)


def _size(field: Any) -> int:
    if field == "" or field is None:
        return 0
    try:
        size = int(field)
    except ValueError:
        size = -1
    if not 0 <= size < _MOST:
        raise InventoryDamaged("a record has a size that is no number")
    return size


def _time(field: Any) -> int:
    """Nanoseconds since the epoch of a text, or a number or time that a columnar file has."""
    if isinstance(field, str):
        return _parsed(field) if field else 0
    return min(max(int(field or 0), 0), _LAST)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        passed = moment - _EPOCH
    except (ValueError, OverflowError):
        raise InventoryDamaged("a record has a date that is none") from None
    return max(0, (passed.days * 86_400 + passed.seconds) * _SECOND + passed.microseconds * 1000)
