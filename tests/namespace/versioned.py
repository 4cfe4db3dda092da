"""What the tests of versions share: buckets that keep them, histories, what must always hold."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from aisle.namespace import bodies, buckets, objects
from aisle.namespace.objects import Deleted
from aisle.namespace.records import Extent, Layout, Object, Part, decode, unescape_key
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.versions import listing
from aisle.namespace.versions.ids import ID, NULL, PLACE, hidden_seq, row_key, shown
from aisle.namespace.windows import READ
from tests.namespace.support import blob_ids, make_bucket, rows


class Version(NamedTuple):
    """A version as a listing tells it."""

    key: bytes
    version: str
    current: bool
    marker: bool
    size: int


async def versioned_bucket(store: Store, name: str = "bucket") -> BucketRow:
    return await switch(store, await make_bucket(store, name), suspended=False)


async def switch(store: Store, bucket: BucketRow, *, suspended: bool) -> BucketRow:
    return await buckets.set_versioning(store, bucket, suspended=suspended)


async def get_version(store: Store, bucket: BucketRow, key: bytes, version: str) -> bytes:
    """The bytes of a version, as GetObject reads them."""
    how = READ._replace(version=version)
    found, small = await objects.find_small(store, bucket, key, how)
    if small is not None:
        return small
    stream = bodies.read_extents(store, found.extents, 0, found.record.size)
    return b"".join([piece async for piece in stream])


def marker_of(deleted: Deleted) -> str:
    """The version id of the marker that a delete has left."""
    assert deleted.marker is not None
    return shown(deleted.marker.version)


async def all_versions(store: Store, bucket: BucketRow, *, limit: int = 1000) -> list[Version]:
    """Every version in the order of listings, read in pages of `limit`."""
    found: list[Version] = []
    marker = listing.Marker()
    while True:
        page = await listing.list_versions(store, bucket, marker=marker, limit=limit)
        for place, raw in page.rows:
            record, key = decode(Object, raw), listing.key_of(place)
            latest = listing.is_current(place)
            if record.marker:
                latest = not found or found[-1].key != key
            found.append(Version(key, shown(record.version), latest, record.marker, record.size))
        if not page.truncated:
            return found
        marker = listing.Marker(found[-1].key, found[-1].version)


async def ids(store: Store, bucket: BucketRow, key: bytes) -> list[str]:
    """The version ids of a key, newest first."""
    return [each.version for each in await all_versions(store, bucket) if each.key == key]


async def check_invariants(store: Store) -> None:
    """What `namespace.versions` promises of its rows, and that no bytes are lost or left over."""
    index = store.index
    current = {key: decode(Object, raw) for key, raw in await index.scan("object", limit=10**6)}
    former: dict[bytes, list[Object]] = defaultdict(list)
    for place, raw in await index.scan("version", limit=10**6):
        key, record = place[:ID] + unescape_key(place[ID:-PLACE]), decode(Object, raw)
        assert place == row_key(place[:ID], key[ID:], record.seq)
        former[key].append(record)
    nulls = dict(await index.scan("null", limit=10**6))
    hidden = {key: raw for key, raw in await index.scan("hidden", limit=10**6) if len(key) > ID}
    for key, versions in former.items():
        seqs = [record.seq for record in versions]
        assert seqs == sorted(set(seqs), reverse=True)
        top = current.get(key)
        if top is not None:
            assert top.seq > seqs[0]
        else:
            assert versions[0].marker
            assert hidden_seq(hidden[key]) == seqs[0]
        known = [record.version for record in versions]
        known += [top.version] if top is not None else []
        assert len(known) == len(set(known))
        pointed = [record.seq for record in versions if not record.version]
        assert [int.from_bytes(nulls[key], "big")] == pointed if pointed else key not in nulls
    assert nulls.keys() <= former.keys()
    assert all(key in former or key in current for key in hidden)
    assert not any(record.marker for record in current.values())
    records = [*current.values(), *(each for versions in former.values() for each in versions)]
    await _check_bytes(store, records)


async def _check_bytes(store: Store, records: list[Object]) -> None:
    """Bodies and layouts are those of versions and parts, or wait in `garbage`."""
    extents: list[Extent] = []
    for record in records:
        if record.layout:
            raw = await store.index.get("layout", record.layout)
            assert raw is not None
            extents += decode(Layout, raw).extents
        else:
            extents += record.extents
    assert sorted(await rows(store, "layout")) == sorted(r.layout for r in records if r.layout)
    for _, raw in await store.index.scan("part", limit=10**6):
        extents += decode(Part, raw).extents
    named_rows = [extent.blob for extent in extents if extent.inline]
    named_blobs = {extent.blob for extent in extents if not extent.inline}
    assert len(named_rows) == len(set(named_rows))
    waiting: dict[bool, set[bytes]] = {True: set(), False: set()}
    for key in await rows(store, "garbage"):
        waiting[key[8:9] == b"r"].add(key[9:])
    assert waiting[True].isdisjoint(named_rows)
    assert waiting[False].isdisjoint(named_blobs)
    assert {*await rows(store, "body")} == {*named_rows} | waiting[True]
    assert await blob_ids(store) == named_blobs | waiting[False]


__all__ = [
    "NULL",
    "Version",
    "all_versions",
    "check_invariants",
    "get_version",
    "ids",
    "marker_of",
    "switch",
    "versioned_bucket",
]
