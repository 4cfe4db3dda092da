"""Records in a stream of bytes: which of them a scan range has, and where they end.

A record belongs to the range in which its first byte lies, so ranges that partition an object
partition its records. Both classes are fed piece by piece and hold no more than a delimiter back.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Final, NamedTuple

from aisle.query.errors import QueryError
from aisle.query.shapes import Input, Range

LONGEST: Final = 1 << 20  # bytes of a record, as S3 has it
MOST_COLUMNS: Final = 4096
# What stands for bytes that are no end of a record here but are one to DuckDB.
LINE_FEED: Final = b"\x01"
RETURN: Final = b"\x02"
_ENDS: Final = bytes.maketrans(b"\n\r", LINE_FEED + RETURN)
_UNIT: Final = "\x1f"


def begin(wanted: Range, record: bytes) -> int:
    """Where in an object reading begins, to know where the first record of a range does."""
    return max(0, wanted.start - len(record))


class Trim:
    """Cuts what is read from `at` on to the records that begin in a range."""

    def __init__(self, wanted: Range, at: int, record: bytes) -> None:
        self._record = record
        self._held = b""
        self._at = at  # where in the object the first byte of `_held` is
        self._begun = wanted.start == 0
        self._start = wanted.start
        self._stop = wanted.stop
        self.done = False

    def feed(self, data: bytes) -> bytes:
        """What of the data is in the range; `done` tells that nothing more can be."""
        if self.done:
            return b""
        data = self._held + data
        if not self._begun:
            place = data.find(self._record, max(0, self._start - len(self._record) - self._at))
            if place < 0:
                return self._hold(data, len(self._record) - 1)
            data = data[place + len(self._record) :]
            self._at += place + len(self._record)
            self._begun = True
            if self._stop is not None and self._at >= self._stop:
                self.done = True  # the next record is another range's
                return b""
        if self._stop is None:
            self._held = b""
            return data
        return self._to_stop(data, self._stop)

    def _to_stop(self, data: bytes, stop: int) -> bytes:
        # The record with the last byte of the range ends with the first delimiter from here on.
        first = max(0, stop - len(self._record) - self._at)
        place = data.find(self._record, first)
        if place >= 0:
            self.done = True
            return data[: place + len(self._record)]
        keep = min(len(data), len(self._record) - 1)
        self._held = data[len(data) - keep :] if keep else b""
        self._at += len(data) - keep
        return data[: len(data) - keep]

    def _hold(self, data: bytes, count: int) -> bytes:
        keep = min(len(data), count)
        self._held = data[len(data) - keep :] if keep else b""
        self._at += len(data) - keep
        return b""

    def finish(self) -> bytes:
        """What was held back at the end of the object."""
        held, self._held = self._held, b""
        return held if self._begun and not self.done else b""


class Lines:
    """Makes lines of records that end otherwise; bytes that end lines are written differently."""

    def __init__(self, record: bytes) -> None:
        self._record = record
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        data = self._held + data
        keep = len(self._record) - 1
        pieces = data.split(self._record)
        rest = pieces[-1]
        self._held = rest[len(rest) - keep :] if keep and rest else b""
        pieces[-1] = rest[: len(rest) - len(self._held)]
        return b"\n".join(piece.translate(_ENDS) for piece in pieces)

    def finish(self) -> bytes:
        held, self._held = self._held, b""
        return held.translate(_ENDS)


class Sample(NamedTuple):
    """The beginning of a CSV object, or what is known from it: the names of the header, the most
    fields of a record, and where the records begin that are data."""

    names: tuple[str, ...]
    columns: int
    start: int


def sample(data: bytes, shape: Input, *, headed: bool, whole: bool) -> Sample:
    """Look at the first records, whose ends are those of lines. With `headed` the first one is a
    header; unless `whole` the last one may go on. Raises `QueryError`."""
    consumed = 0
    kept = data if whole else data[: data.rfind(b"\n") + 1]
    if not kept and data:
        raise QueryError("OverMaxRecordSize", "The length of a record is greater than 1 MB.")

    def lines() -> Iterator[str]:
        nonlocal consumed
        for raw in io.BytesIO(kept):
            consumed += len(raw)
            text = raw.decode("utf-8", "replace").replace("\0", "\ufffd")
            if shape.comment and text.startswith(shape.comment):
                continue
            yield text if len(shape.field) == 1 else text.replace(shape.field, _UNIT)

    csv.field_size_limit(LONGEST)
    doubled = shape.escape in ("", shape.quote)
    reader = csv.reader(
        lines(),
        delimiter=shape.field if len(shape.field) == 1 else _UNIT,
        quotechar=shape.quote or None,
        quoting=csv.QUOTE_MINIMAL if shape.quote else csv.QUOTE_NONE,
        escapechar=None if doubled else shape.escape,
        doublequote=doubled,
    )
    names: tuple[str, ...] = ()
    start = columns = 0
    try:
        if headed:
            names = tuple(next((row for row in reader if row), []))
            start = consumed
        columns = len(names)
        for row in reader:
            columns = max(columns, len(row))
    except csv.Error as error:
        raise QueryError("CSVParsingError", f"The CSV file cannot be parsed: {error}.") from None
    if columns > MOST_COLUMNS:
        raise QueryError("OverMaxColumn", "The number of columns in the file is too large.")
    return Sample(names, columns, start)
