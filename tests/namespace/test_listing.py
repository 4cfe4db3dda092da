"""Listing on literals, by the number of rows it reads, and against the naive grouping."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aisle.core.errors import InvalidArgument
from aisle.namespace.listing import (
    Page,
    Query,
    common_prefix_of,
    decode_token,
    encode_token,
    list_page,
    list_uploads,
)
from aisle.namespace.records import unescape_key
from aisle.store.base import Row
from tests.namespace.support import begin, make_bucket, memory_store, run

Entry = tuple[bytes, bool]  # a key or a common prefix


class Table:
    """Sorted keys that count how they are read."""

    def __init__(self, keys: Sequence[bytes], prefix: bytes = b"") -> None:
        self.keys = sorted(keys)
        self.prefix = prefix
        self.reads = 0
        self.rows = 0

    async def read(self, after: bytes, limit: int) -> list[Row]:
        first = bisect_right(self.keys, after) if after else 0
        found = [key for key in self.keys[first:] if key.startswith(self.prefix)][:limit]
        self.reads += 1
        self.rows += len(found)
        return [(key, b"") for key in found]

    async def folded(self, after: bytes, limit: int) -> list[Row]:
        """As `read`, with every key below a slash but the first of its directory left out."""
        found = list[bytes]()
        for key in self.keys[bisect_right(self.keys, after) if after else 0 :]:
            end = key.find(b"/", len(self.prefix))
            common = key[: end + 1] if end >= 0 else b""
            if key.startswith(self.prefix) and not (found and common and found[-1] >= common):
                found.append(key)
        self.reads += 1
        self.rows += len(found[:limit])
        return [(key, b"") for key in found[:limit]]


def page_of(keys: Sequence[bytes], query: Query) -> tuple[list[Entry], Page]:
    table = Table(keys, query.prefix)
    page = run(list_page(query, table.read))
    if query.delimiter == b"/":
        assert run(list_page(query, table.read, folded=table.folded)) == page
    entries = [(key, False) for key, _ in page.rows] + [(p, True) for p in page.prefixes]
    return sorted(entries), page


def naive(keys: Sequence[bytes], prefix: bytes, delimiter: bytes) -> list[Entry]:
    """Everything that a listing without limits has, in order."""
    found: set[Entry] = set()
    for key in keys:
        if key.startswith(prefix):
            end = key.find(delimiter, len(prefix)) if delimiter else -1
            found.add((key, False) if end < 0 else (key[: end + len(delimiter)], True))
    return sorted(found)


KEYS = [b"a", b"a/", b"a/b", b"a/c/d", b"a0", b"b//c", b"b/c", b"\xc3\xa9", b"z"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(), [(key, False) for key in sorted(KEYS)]),
        (Query(prefix=b"a"), [(k, False) for k in (b"a", b"a/", b"a/b", b"a/c/d", b"a0")]),
        (Query(prefix=b"nothing"), []),
        (
            Query(delimiter=b"/"),
            [
                (b"a", False), (b"a/", True), (b"a0", False), (b"b/", True),
                (b"z", False), (b"\xc3\xa9", False),
            ],
        ),
        (
            Query(prefix=b"a/", delimiter=b"/"),
            [(b"a/", False), (b"a/b", False), (b"a/c/", True)],
        ),
        (Query(prefix=b"b", delimiter=b"//"), [(b"b//", True), (b"b/c", False)]),
        (Query(prefix=b"a", delimiter=b"a"), [(b"a", False), (b"a/", False), (b"a/b", False),
                                              (b"a/c/d", False), (b"a0", False)]),
        (Query(delimiter=b"c/d"), [(b"a", False), (b"a/", False), (b"a/b", False),
                                   (b"a/c/d", True), (b"a0", False), (b"b//c", False),
                                   (b"b/c", False), (b"z", False), (b"\xc3\xa9", False)]),
        (Query(after=b"a/b", delimiter=b"/"), [(b"a/", True), (b"a0", False), (b"b/", True),
                                               (b"z", False), (b"\xc3\xa9", False)]),
        (Query(after=b"a/b", skip=b"a/", delimiter=b"/"),
         [(b"a0", False), (b"b/", True), (b"z", False), (b"\xc3\xa9", False)]),
        (Query(skip=b"b/", delimiter=b"/"), [(b"z", False), (b"\xc3\xa9", False)]),
        (Query(after=b"zz"), [(b"\xc3\xa9", False)]),
        (Query(after=b"\xff"), []),
        (Query(prefix=b"b", after=b"a"), [(b"b//c", False), (b"b/c", False)]),
        (Query(prefix=b"a", after=b"b"), []),
    ],
)  # fmt: skip
def test_a_listing_is(query: Query, expected: list[Entry]) -> None:
    entries, page = page_of(KEYS, query)
    assert entries == sorted(expected)
    assert not page.truncated


@pytest.mark.parametrize("delimiter", [b"", b"/"])
def test_a_limit_of_zero_is_an_empty_page_that_is_not_truncated(delimiter: bytes) -> None:
    table = Table(KEYS)
    page = run(list_page(Query(limit=0, delimiter=delimiter), table.read))
    assert page == Page([], [], False, b"", False)
    assert table.reads == 0


@pytest.mark.parametrize(("delimiter", "size"), [(b"", 9), (b"/", 6)])
def test_a_page_is_truncated_only_if_more_would_come(delimiter: bytes, size: int) -> None:
    for limit in range(1, size + 3):
        entries, page = page_of(KEYS, Query(limit=limit, delimiter=delimiter))
        assert len(entries) == min(limit, size)
        assert page.truncated == (limit < size)


def test_a_common_prefix_at_the_end_of_a_page_is_not_given_again() -> None:
    keys = [b"a/1", b"a/2", b"b"]
    _, first = page_of(keys, Query(delimiter=b"/", limit=1))
    assert (first.prefixes, first.truncated) == ([b"a/"], True)
    assert (first.last, first.last_is_prefix) == (b"a/", True)
    entries, second = page_of(keys, Query(delimiter=b"/", limit=1, skip=first.last))
    assert entries == [(b"b", False)]
    assert not second.truncated


def test_only_common_prefixes_with_keys_after_them_make_a_page_truncated() -> None:
    keys = [b"a/%d" % number for number in range(500)]
    _, page = page_of(keys, Query(delimiter=b"/", limit=1))
    assert (page.prefixes, page.truncated) == ([b"a/"], False)


def test_a_common_prefix_is_skipped_and_not_scanned() -> None:
    keys = [b"%03d/%05d" % (d, n) for d in range(100) for n in range(1000)]
    table = Table(keys)
    page = run(list_page(Query(delimiter=b"/"), table.read))
    assert page.prefixes == [b"%03d/" % d for d in range(100)]
    assert table.rows < 600
    assert table.reads <= 102


def test_an_index_that_folds_is_asked_twice_for_a_page_of_common_prefixes() -> None:
    table = Table([b"%04d/%05d" % (d, n) for d in range(1500) for n in range(70)])
    page = run(list_page(Query(delimiter=b"/"), table.read, folded=table.folded))
    assert page.prefixes == [b"%04d/" % d for d in range(1000)]
    assert page.truncated
    assert (table.reads, table.rows) == (2, 64 + 1000)


def test_a_flat_listing_reads_its_page_once_and_one_row_more() -> None:
    table = Table([b"%05d" % n for n in range(5000)])
    run(list_page(Query(), table.read))
    assert (table.reads, table.rows) == (1, 1001)


def test_keys_without_the_delimiter_are_read_in_growing_steps() -> None:
    table = Table([b"%05d" % n for n in range(5000)])
    page = run(list_page(Query(delimiter=b"/"), table.read))
    assert len(page.rows) == 1000
    assert table.reads <= 8
    assert table.rows <= 3000


def test_neighbours_of_a_common_prefix_are_not_skipped_with_it() -> None:
    keys = [b"a", b"a\x00", b"a/", b"a/\x00", b"a/\xf4\x8f\xbf\xbf", b"a0", b"a\xf4\x8f\xbf\xbf"]
    entries, _ = page_of(keys, Query(delimiter=b"/"))
    assert entries == [
        (b"a", False), (b"a\x00", False), (b"a/", True), (b"a0", False),
        (b"a\xf4\x8f\xbf\xbf", False),
    ]  # fmt: skip
    entries, _ = page_of([b"a\x00b", b"a\x00\x00", b"a"], Query(delimiter=b"\x00"))
    assert entries == [(b"a", False), (b"a\x00", True)]


@pytest.mark.parametrize(
    ("marker", "prefix", "delimiter", "expected"),
    [
        (b"a/b", b"", b"/", b"a/"),
        (b"a/", b"", b"/", b"a/"),
        (b"a", b"", b"/", b""),
        (b"a/b/c", b"a/", b"/", b"a/b/"),
        (b"a/b", b"a/", b"/", b""),
        (b"a/b", b"x", b"/", b""),
        (b"a/b", b"", b"", b""),
        (b"a--b", b"", b"--", b"a--"),
        (b"", b"", b"/", b""),
    ],
)
def test_the_common_prefix_that_a_marker_lies_in(
    marker: bytes, prefix: bytes, delimiter: bytes, expected: bytes
) -> None:
    assert common_prefix_of(marker, prefix, delimiter) == expected


@given(st.binary(max_size=40), st.booleans())
def test_a_token_comes_back(last: bytes, is_prefix: bool) -> None:
    token = encode_token(last, is_prefix=is_prefix)
    assert token.isascii()
    assert decode_token(token) == (last, is_prefix)


@pytest.mark.parametrize("token", ["", "x", "!!!!", "é", "eHg=", "a2I=====", "\n"])
def test_a_token_that_is_none_of_ours_is_refused(token: str) -> None:
    with pytest.raises(InvalidArgument):
        decode_token(token)


# Few characters, so that keys share prefixes, begin each other and straddle delimiters.
TEXT = st.text(alphabet="a/b-\x00é\U0010ffff", max_size=6).map(str.encode)
DELIMITERS = st.sampled_from([b"", b"/", b"-", b"a", b"//", b"/a", b"\x00", "é".encode()])


@given(
    st.sets(TEXT.filter(bool), max_size=40),
    TEXT.map(lambda t: t[:2]),
    DELIMITERS,
    st.integers(1, 7),
)
def test_pages_together_are_the_naive_grouping(
    keys: set[bytes], prefix: bytes, delimiter: bytes, limit: int
) -> None:
    ordered = sorted(keys)
    expected = naive(ordered, prefix, delimiter)
    found: list[Entry] = []
    query = Query(prefix=prefix, delimiter=delimiter, limit=limit)
    for turn in itertools.count():
        entries, page = page_of(ordered, query)
        assert len(entries) <= limit
        assert page.truncated == (len(found) + len(entries) < len(expected))
        found += entries
        if not page.truncated:
            break
        assert turn <= len(expected)
        query = Query(
            prefix=prefix,
            delimiter=delimiter,
            limit=limit,
            **({"skip": page.last} if page.last_is_prefix else {"after": page.last}),
        )
    assert found == expected


@given(st.sets(TEXT.filter(bool), max_size=30), TEXT, DELIMITERS)
def test_start_after_lists_what_is_above_it(
    keys: set[bytes], start: bytes, delimiter: bytes
) -> None:
    above = [key for key in keys if key > start] if start else sorted(keys)
    entries, _ = page_of(sorted(keys), Query(delimiter=delimiter, after=start))
    assert entries == naive(above, b"", delimiter)


@given(
    st.lists(TEXT.filter(bool), max_size=10),
    st.sampled_from([b"", b"a", b"a/", b"\x00", b"a\x00"]),
    DELIMITERS,
    st.integers(1, 4),
)
def test_pages_of_uploads_are_the_naive_grouping(
    keys: list[bytes], prefix: bytes, delimiter: bytes, limit: int
) -> None:
    """Keys may have several uploads; they are given in the order in which they were begun."""

    async def main() -> None:
        store = memory_store()
        bucket = await make_bucket(store)
        begun = [(key, (await begin(store, bucket, key)).record.id) for key in keys]
        flat = naive(keys, prefix, delimiter)
        common = [name for name, is_prefix in flat if is_prefix]
        single = {name for name, is_prefix in flat if not is_prefix}
        found: list[tuple[bytes, bytes]] = []
        prefixes: list[bytes] = []
        key_marker = id_marker = b""
        for _ in range(len(keys) + 2):
            page = await list_uploads(
                store, bucket, prefix=prefix, delimiter=delimiter,
                key_marker=key_marker, id_marker=id_marker, limit=limit,
            )  # fmt: skip
            assert len(page.uploads) + len(page.prefixes) <= limit
            found += [(upload.key, upload.record.id) for upload in page.uploads]
            prefixes += page.prefixes
            if not page.truncated:
                break
            last_prefix = page.prefixes[-1] if page.prefixes else b""
            if page.uploads and page.uploads[-1].key > last_prefix:
                key_marker, id_marker = page.uploads[-1].key, page.uploads[-1].record.id
            else:
                key_marker, id_marker = last_prefix, b""
        assert prefixes == common
        assert [key for key, _ in found] == [key for key in sorted(keys) if key in single]
        assert {*found} == {pair for pair in begun if pair[0] in single}
        rows = await store.index.scan("upload", limit=100)
        assert [unescape_key(key[8:-16]) for key, _ in rows] == sorted(keys)

    run(main())
