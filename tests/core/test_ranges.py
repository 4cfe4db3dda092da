"""Byte ranges in literals: RFC 9110 section 14 as S3 reads it, and the stricter one of copies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aisle.core.errors import InvalidArgument, RangeNotSatisfiable
from aisle.core.ranges import Span, resolve_copy_range, resolve_range


@pytest.mark.parametrize(
    ("header", "size", "span"),
    [
        ("bytes=0-0", 10, Span(0, 1)),
        ("bytes=0-9", 10, Span(0, 10)),
        ("bytes=2-5", 10, Span(2, 4)),
        ("bytes=9-9", 10, Span(9, 1)),
        ("bytes=5-", 10, Span(5, 5)),
        ("bytes=0-", 10, Span(0, 10)),
        ("bytes=5-99999", 10, Span(5, 5)),
        ("bytes=5-9999999999999999999", 10, Span(5, 5)),
        ("bytes=-1", 10, Span(9, 1)),
        ("bytes=-10", 10, Span(0, 10)),
        ("bytes=-11", 10, Span(0, 10)),
        ("BYTES=0-1", 10, Span(0, 2)),
        ("bytes= 0 - 1 ", 10, Span(0, 2)),
        ("bytes=00-01", 10, Span(0, 2)),
    ],
)
def test_a_range_is_part_of_the_body(header: str, size: int, span: Span) -> None:
    found = resolve_range(header, size)
    assert found == span
    assert found is not None
    assert found.last == span.start + span.length - 1


@pytest.mark.parametrize(
    "header",
    [
        "", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=1-0", "bytes=5-2", "bytes=0-1,3-4",
        "bytes=0-1,", "bytes 0-1", "items=0-1", "0-1", "bytes=--1", "bytes=+1-2", "bytes=0x1-2",
        "bytes=1.0-2", "bytes=0-1/10", "bytes=\u0661-\u0662", "bytes=0-" + "9" * 41,
    ],
)  # fmt: skip
def test_what_is_no_single_range_is_ignored(header: str) -> None:
    assert resolve_range(header, 10) is None


@pytest.mark.parametrize(
    ("header", "size"),
    [
        ("bytes=10-", 10),
        ("bytes=10-20", 10),
        ("bytes=9999999999999999999-", 10),
        ("bytes=-0", 10),
        ("bytes=0-", 0),
        ("bytes=0-0", 0),
        ("bytes=-1", 0),
    ],
)
def test_a_range_outside_of_the_body_cannot_be_satisfied(header: str, size: int) -> None:
    with pytest.raises(RangeNotSatisfiable) as caught:
        resolve_range(header, size)
    assert (caught.value.requested, caught.value.size) == (header, size)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_a_range_is_what_slicing_gives(first: int, last: int, size: int) -> None:
    data = bytes(range(size))
    for header, expected in (
        (f"bytes={first}-{last}", data[first : last + 1]),
        (f"bytes={first}-", data[first:]),
        (f"bytes=-{last}", data[-last:] if last else b""),
    ):
        try:
            span = resolve_range(header, size)
        except RangeNotSatisfiable:
            assert not expected
        else:
            if span is None:
                assert last < first
            else:
                assert data[span.start : span.start + span.length] == expected


@pytest.mark.parametrize(
    ("header", "span"),
    [
        ("bytes=0-9", Span(0, 10)),
        ("bytes=0-0", Span(0, 1)),
        ("bytes=9-9", Span(9, 1)),
        ("bytes=3-4", Span(3, 2)),
    ],
)
def test_a_copy_takes_a_range_that_lies_inside(header: str, span: Span) -> None:
    assert resolve_copy_range(header, 10) == span


@pytest.mark.parametrize(
    "header",
    ["", "bytes=0-10", "bytes=10-10", "bytes=5-4", "bytes=5-", "bytes=-5", "bytes=-", "0-5",
     "bytes=0-1,2-3", "bytes=a-b", "bytes=0-99999999999999999999"],
)  # fmt: skip
def test_a_copy_refuses_any_other(header: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        resolve_copy_range(header, 10)
    assert caught.value.name == "x-amz-copy-source-range"
