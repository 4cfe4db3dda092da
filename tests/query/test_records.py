"""Scan ranges and records that end otherwise: pieces of any size, every record once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aisle.query.errors import QueryError
from aisle.query.records import Lines, Trim, begin, sample
from aisle.query.shapes import Input, Range


def cut(data: bytes, wanted: Range, record: bytes, step: int) -> bytes:
    """What of an object is in a range, read in pieces of `step` bytes."""
    at = begin(wanted, record)
    trim = Trim(wanted, at, record)
    out = b""
    for place in range(at, len(data), step):
        out += trim.feed(data[place : place + step])
        if trim.done:
            break
    return out + trim.finish()


@given(
    st.lists(st.text("ab", max_size=5).map(str.encode), max_size=12),
    st.sampled_from([b"\n", b"\r\n", b"|", b"|~"]),
    st.booleans(),
    st.lists(st.integers(1, 20), min_size=1, max_size=8),
    st.integers(1, 9),
)
def test_ranges_that_partition_an_object_partition_its_records(
    records: list[bytes], end: bytes, ends: bool, sizes: list[int], step: int
) -> None:
    data = end.join(records) + (end if ends and records else b"")
    found, start, number = list[bytes](), 0, 0
    while start < len(data):
        stop = start + sizes[number % len(sizes)]
        number += 1
        wanted = Range(start, stop if stop < len(data) else None)
        piece = cut(data, wanted, end, step)
        if piece:
            # A record belongs to the range in which it begins.
            place = sum(map(len, found))
            assert start <= place < stop
        found.append(piece)
        start = stop
    assert b"".join(found) == data


@pytest.mark.parametrize(
    ("start", "stop", "wanted"),
    [
        (0, 1, b"aaa\n"),
        (0, 4, b"aaa\n"),
        (0, 5, b"aaa\nbb\n"),
        (1, 4, b""),
        (3, 5, b"bb\n"),
        (4, 5, b"bb\n"),
        (5, None, b"c"),
        (8, None, b""),
    ],
)
def test_a_record_is_where_its_first_byte_is(start: int, stop: int | None, wanted: bytes) -> None:
    assert cut(b"aaa\nbb\nc", Range(start, stop), b"\n", 3) == wanted


@given(st.binary(max_size=60), st.sampled_from([b"|", b";;", b"|\n"]), st.integers(1, 7))
def test_lines_do_not_depend_on_pieces(data: bytes, record: bytes, step: int) -> None:
    whole = Lines(record)
    expected = whole.feed(data) + whole.finish()
    pieces = Lines(record)
    found = b"".join(pieces.feed(data[n : n + step]) for n in range(0, len(data), step))
    assert found + pieces.finish() == expected
    assert expected.count(b"\n") == data.count(record)


def test_a_header_ends_where_its_record_does() -> None:
    data = b'# no\n"a\nb",c\n1,2,3\n'
    shape = Input("CSV", comment="#")
    assert sample(data, shape, headed=True, whole=True) == (("a\nb", "c"), 3, 13)
    assert sample(data, shape, headed=False, whole=True).columns == 3
    with pytest.raises(QueryError) as caught:
        sample(b"x" * 100, shape, headed=True, whole=False)
    assert caught.value.code == "OverMaxRecordSize"
