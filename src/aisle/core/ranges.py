"""Byte ranges of `Range` and `x-amz-copy-source-range` (RFC 9110 section 14).

A header that is not a well-formed single byte range is ignored by a read, as RFC 9110 asks and
S3 does (S3 has no multi-range replies); a copy refuses it. Pure functions.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from aisle.core.errors import InvalidArgument, RangeNotSatisfiable

_SPEC = re.compile(r"bytes=\s*([0-9]{0,40})\s*-\s*([0-9]{0,40})\s*", re.IGNORECASE)


class Span(NamedTuple):
    """`length` bytes from `start`."""

    start: int
    length: int

    @property
    def last(self) -> int:
        return self.start + self.length - 1


def resolve_range(header: str, size: int) -> Span | None:
    """The part of `size` bytes that a `Range` header asks for; `None` if it is to be ignored.

    Raises `RangeNotSatisfiable` if it is well-formed but outside of the body.
    """
    match = _SPEC.fullmatch(header)
    if match is None:
        return None
    first, last = match.groups()
    if not first:
        if not last:
            return None
        suffix = min(int(last), size)
        if suffix == 0:
            raise RangeNotSatisfiable(header, size)
        return Span(size - suffix, suffix)
    start = int(first)
    if last and int(last) < start:
        return None
    if start >= size:
        raise RangeNotSatisfiable(header, size)
    end = min(int(last), size - 1) if last else size - 1
    return Span(start, end - start + 1)


def resolve_copy_range(header: str, size: int) -> Span:
    """The part of a source named by `x-amz-copy-source-range`: `bytes=first-last`, all inside.

    S3 allows neither an open nor a suffix form here (UploadPartCopy).
    """
    match = _SPEC.fullmatch(header)
    if match is None or not all(match.groups()):
        raise InvalidArgument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first "
            "and last are the zero-based offsets of the first and last bytes to copy",
            name="x-amz-copy-source-range",
            value=header,
        )
    start, last = int(match[1]), int(match[2])
    if last < start or last >= size:
        raise InvalidArgument(
            f"Range specified is not valid for source object of size: {size}",
            name="x-amz-copy-source-range",
            value=header,
        )
    return Span(start, last - start + 1)
