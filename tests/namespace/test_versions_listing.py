"""Pages of versions against a sorted model: prefixes, delimiters, markers, odd keys, every size."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aisle.core.errors import InvalidArgument
from aisle.namespace import objects
from aisle.namespace.records import Object, decode
from aisle.namespace.store import BucketRow, Store
from aisle.namespace.versions import listing, removal
from aisle.namespace.versions.ids import shown
from tests.namespace.support import interposed_store, memory_store, once, put, run
from tests.namespace.versioned import NULL, all_versions, check_invariants, switch, versioned_bucket

ODD = [
    b"a", b"a\x00", b"a\x00\x00", b"a\x00\xc2\x80", b"a\x01", b"a/", b"a/b", b"a/b\x00", b"a/b/c",
    b"a//", b"b", b"\x00", b"\x00\x00", b"\x00/", "é/ü".encode(), "\U0010ffff".encode(), b"~/" * 9,
]  # fmt: skip


async def fill(store: Store, bucket: BucketRow, seed: int, keys: list[bytes]) -> None:
    """Histories of up to five steps for each key, some with null versions and markers."""
    choose = random.Random(seed)
    await switch(store, bucket, suspended=True)
    for _ in range(2):
        for key in keys:
            await _step(store, bucket, key, choose)
    await switch(store, bucket, suspended=False)
    for _ in range(3):
        for key in keys:
            await _step(store, bucket, key, choose)


async def _step(store: Store, bucket: BucketRow, key: bytes, choose: random.Random) -> None:
    what = choose.randrange(4)
    if what < 2:
        await put(store, bucket, key, b"x" * what)
    elif what == 2:
        await objects.delete(store, bucket, key)


def model(
    everything: list[tuple[bytes, str]],
    prefix: bytes,
    delimiter: bytes,
    after: listing.Marker,
) -> list[tuple[bytes, str]]:
    """What is to be listed, in order; a common prefix has no version."""
    found: list[tuple[bytes, str]] = []
    passed = not after.version
    for key, version in everything:
        if key < after.key or (key == after.key and not after.version):
            continue
        if key == after.key and not passed:
            passed = version == after.version
            continue
        if not key.startswith(prefix):
            continue
        end = key.find(delimiter, len(prefix)) if delimiter else -1
        common = key[: end + len(delimiter)] if end >= 0 else b""
        if not common:
            found.append((key, version))
        elif (common, "") not in found and not (not after.version and after.key.startswith(common)):
            found.append((common, ""))
    return found


async def page_of(
    store: Store, bucket: BucketRow, marker: listing.Marker, limit: int, **query: bytes
) -> tuple[list[tuple[bytes, str]], listing.Marker | None]:
    page = await listing.list_versions(store, bucket, marker=marker, limit=limit, **query)
    found = [(listing.key_of(k), shown(decode(Object, raw).version)) for k, raw in page.rows]
    assert len(page.rows) + len(page.prefixes) <= limit
    both = found + [(common, "") for common in page.prefixes]
    both.sort(key=lambda entry: entry[0])  # of one key the order stays that of the page
    if not page.truncated:
        return both, None
    assert len(both) == limit
    return both, listing.Marker(*both[-1])


async def pages(
    store: Store, bucket: BucketRow, marker: listing.Marker, limit: int, **query: bytes
) -> list[tuple[bytes, str]]:
    found, after = list[tuple[bytes, str]](), marker
    while True:
        page, following = await page_of(store, bucket, after, limit, **query)
        found += page
        if following is None:
            return found
        after = following


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("prefix", [b"", b"a", b"a\x00", b"a/", b"\x00", "é".encode(), b"none"])
@pytest.mark.parametrize("delimiter", [b"", b"/", b"\x00", b"a", b"/b", "\U0010ffff".encode()])
def test_pages_of_every_size_are_the_model(seed: int, prefix: bytes, delimiter: bytes) -> None:
    async def work() -> None:
        store = memory_store()
        bucket = await versioned_bucket(store)
        await fill(store, bucket, seed, ODD)
        everything = [(each.key, each.version) for each in await all_versions(store, bucket)]
        assert [key for key, _ in everything] == sorted(key for key, _ in everything)
        expected = model(everything, prefix, delimiter, listing.Marker())
        for limit in (1, 2, 3, 5, 8, len(expected), len(expected) + 1, 1000):
            if limit:
                query = {"prefix": prefix, "delimiter": delimiter}
                assert await pages(store, bucket, listing.Marker(), limit, **query) == expected

    run(work())


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 3),
    prefix=st.sampled_from([b"", b"a", b"a/", b"\x00"]),
    delimiter=st.sampled_from([b"", b"/", b"\x00", b"b"]),
    key=st.sampled_from([*ODD, b"a/a", b"`", b"a/b/", b"zzz"]),
    pick=st.integers(0, 5),
    limit=st.integers(1, 9),
)
def test_markers_begin_where_they_say(
    seed: int, prefix: bytes, delimiter: bytes, key: bytes, pick: int, limit: int
) -> None:
    async def work() -> None:
        store = memory_store()
        bucket = await versioned_bucket(store)
        await fill(store, bucket, seed, ODD)
        everything = [(each.key, each.version) for each in await all_versions(store, bucket)]
        versions = [version for found, version in everything if found == key]
        version = versions[pick % len(versions)] if versions and pick else ""
        marker = listing.Marker(key, version)
        expected = model(everything, prefix, delimiter, marker)
        got = await pages(store, bucket, marker, limit, prefix=prefix, delimiter=delimiter)
        assert got == expected

    run(work())


def test_a_marker_of_a_version_that_is_gone_goes_on_behind_its_place() -> None:
    async def work() -> None:
        store = memory_store()
        bucket = await versioned_bucket(store)
        first, second, third = [await put(store, bucket, b"k", b"%d" % n) for n in range(3)]
        last = await put(store, bucket, b"l", b"")
        await removal.remove(store, bucket, b"k", second.version)
        found = await pages(store, bucket, listing.Marker(b"k", second.version), 9)
        assert found == [(b"k", first.version), (b"l", last.version)]
        found = await pages(store, bucket, listing.Marker(b"k", third.version), 1)
        assert found == [(b"k", first.version), (b"l", last.version)]

    run(work())


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
@pytest.mark.parametrize("suspended", [False, True])
def test_pages_whose_versions_are_removed_leave_none_out(limit: int, suspended: bool) -> None:
    """What is below a removed version comes up to be the current one."""

    async def work() -> None:
        store = memory_store()
        bucket = await versioned_bucket(store)
        for key in (b"j", b"k", b"k\x00", b"l"):
            for n in range(3):
                await put(store, bucket, key, b"%d" % n)
        if suspended:
            await switch(store, bucket, suspended=True)
            await put(store, bucket, b"j", b"null")
        for key in (b"k", b"l"):
            await objects.delete(store, bucket, key)
        marker: listing.Marker | None = listing.Marker()
        while marker is not None:
            page, marker = await page_of(store, bucket, marker, limit)
            for key, version in page:
                await removal.remove(store, bucket, key, version)
        assert await all_versions(store, bucket) == []
        await check_invariants(store)

    run(work())


def test_a_null_marker_that_is_nowhere_begins_with_its_key() -> None:
    async def work() -> None:
        store = memory_store()
        bucket = await versioned_bucket(store)
        first, second = [await put(store, bucket, b"k", b"%d" % n) for n in range(2)]
        found = await pages(store, bucket, listing.Marker(b"k", NULL), 9)
        assert found == [(b"k", second.version), (b"k", first.version)]

    run(work())


def test_a_marker_that_is_no_version_id_is_an_invalid_argument() -> None:
    async def work() -> None:
        store = memory_store()
        bucket = await versioned_bucket(store)
        with pytest.raises(InvalidArgument):
            await listing.list_versions(store, bucket, marker=listing.Marker(b"k", "nonsense"))

    run(work())


def test_only_the_buckets_own_versions_are_listed() -> None:
    async def work() -> None:
        store = memory_store()
        one = await versioned_bucket(store, "one")
        two = await versioned_bucket(store, "two")
        for bucket in (one, two):
            for _ in range(2):
                await put(store, bucket, b"k", b"")
        assert len(await all_versions(store, one)) == len(await all_versions(store, two)) == 2

    run(work())


@pytest.mark.parametrize("method", ["put", "delete", "remove-top", "remove-marker", "put twice"])
@pytest.mark.parametrize("table", ["object", "version", "hidden"])
def test_what_is_there_all_the_time_is_listed_once(method: str, table: str) -> None:
    """Another writer comes between the reads of the two tables."""

    async def work() -> None:
        store, index = interposed_store()
        bucket = await versioned_bucket(store)
        kept = [await put(store, bucket, b"k", b"%d" % n) for n in range(2)]
        other = await put(store, bucket, b"l", b"")
        gone = ""
        if method == "remove-top":
            gone = (await put(store, bucket, b"k", b"top")).version
        if method == "remove-marker":
            deleted = await objects.delete(store, bucket, b"k")
            assert deleted.marker is not None
            gone = deleted.marker.version

        async def interfere() -> None:
            if method.startswith("put"):
                for _ in range(len(method.split())):
                    await put(store, bucket, b"k", b"new")
            elif method == "delete":
                await objects.delete(store, bucket, b"k")
            else:
                await removal.remove(store, bucket, b"k", gone)

        once(index, "get" if table == "hidden" else "scan", table, interfere)
        page = await listing.list_versions(store, bucket)
        found = [decode(Object, raw).version for _, raw in page.rows]
        assert index.after is None  # it did come in between
        assert len(found) == len(set(found))
        for record in (*kept, other):
            assert record.version in found
        await check_invariants(store)

    run(work())
