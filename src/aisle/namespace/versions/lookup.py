"""Find a version of an object by its id."""

from __future__ import annotations

from typing import NamedTuple

from aisle.core.errors import VersionNotFound, WriteConflict
from aisle.namespace.records import Object, decode
from aisle.namespace.store import RETRIES, BucketRow, Store
from aisle.namespace.versions.ids import NULL, place_of, row_key


class Place(NamedTuple):
    """A version and the row that it is: in `object` if it is the current one, else `version`."""

    table: str
    key: bytes
    raw: bytes
    record: Object

    @property
    def current(self) -> bool:
        return self.table == "object"


async def find(store: Store, bucket: BucketRow, key: bytes, version: str) -> Place:
    """The version of this id, `null` for the null version; it may be a delete marker. Raises
    `VersionNotFound`, and `InvalidArgument` for what is no version id."""
    seq = -1 if version == NULL else place_of(version)
    base = bucket.record.id + key
    before: tuple[bytes | None, bytes | None] | None = None
    for _ in range(RETRIES):
        raw = await store.index.get("object", base)
        if raw is not None:
            record = decode(Object, raw)
            if record.version == (version if seq >= 0 else ""):
                return Place("object", base, raw, record)
        place = await _former(store, bucket.record.id, key, version, seq)
        if place is not None:
            return place
        # A version may have moved between the two reads, which shows in what is on top.
        after = raw, await store.index.get("hidden", base)
        if after == before:
            raise VersionNotFound(bucket.record.name, key.decode(), version)
        before = after
    raise WriteConflict("the object is being replaced faster than its versions can be read")


async def _former(store: Store, bucket: bytes, key: bytes, version: str, seq: int) -> Place | None:
    if seq < 0:
        pointer = await store.index.get("null", bucket + key)
        if pointer is None:
            return None
        seq, version = int.from_bytes(pointer, "big"), ""
    place = row_key(bucket, key, seq)
    raw = await store.index.get("version", place)
    if raw is None:
        return None
    record = decode(Object, raw)
    return Place("version", place, raw, record) if record.version == version else None
