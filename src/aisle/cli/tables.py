"""How things are printed: columns, sizes, dates. Pure but for `print_table`; layouts are AIStore's.

A list of objects has its columns three blanks apart; a table of properties is aligned as Go's
tabwriter does it there: tab stops of eight, and a blank.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from aisle.cli.failure import printable

_IEC: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_SI: Final = ("B", "KB", "MB", "GB", "TB", "PB", "EB")


def size_text(size: int, units: str = "iec") -> str:
    """`13B`, `10.44KiB`, `50.98MiB`; in units of `si` `53.45MB`, and `raw` `53452800`."""
    if units == "raw":
        return str(size)
    if units == "si":
        power = min((len(str(size)) - 1) // 3, len(_SI) - 1)
        return f"{size / 1000**power:.2f}{_SI[power]}" if power else f"{size}B"
    if size < 1024:
        return f"{size}B"
    power = min((size.bit_length() - 1) // 10, len(_IEC) - 1)
    return f"{size / 1024**power:.2f}{_IEC[power]}"


def date_text(nanoseconds: int) -> str:
    """A time as listings show it: `08 Dec 20 11:25 UTC`."""
    moment = datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
    return moment.strftime("%d %b %y %H:%M UTC")


def properties(rows: Iterable[tuple[str, str]], *, headers: bool = True) -> Iterator[str]:
    """Lines of a PROPERTY VALUE table."""
    return aligned(("PROPERTY", "VALUE"), rows, headers=headers)


def aligned(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, headers: bool = True
) -> Iterator[str]:
    """Lines of a table as Go's tabwriter aligns them; all rows are read first."""
    lines = [tuple(header)] if headers else []
    lines += [tuple(printable(cell) for cell in row) for row in rows]
    widths = [
        -(-(max((len(line[index]) for line in lines), default=0) + 1) // 8) * 8 + 1
        for index in range(len(header) - 1)
    ]
    for line in lines:
        cells = [f"{cell:<{width}}" for cell, width in zip(line, widths, strict=False)]
        yield "".join([*cells, line[-1]]).rstrip()


class Columns:
    """Lines of a table that comes in pages: widths grow, but nothing is printed twice."""

    def __init__(self, header: Sequence[str]) -> None:
        self._header = tuple(header)
        self._widths = [0] * len(header)

    @property
    def heading(self) -> tuple[str, ...]:
        return self._header

    def lines(self, rows: Iterable[Sequence[str]]) -> Iterator[str]:
        columns = [
            [cell if cell.isprintable() else printable(cell) for cell in column]
            for column in zip(*rows, strict=True)
        ]
        longest = (max(map(len, column)) for column in columns)
        self._widths = list(map(max, self._widths, longest)) or self._widths
        # One format a page: a long listing spends its time here.
        layout = "   ".join(f"%-{width}s" for width in self._widths)
        for cells in zip(*columns, strict=True):
            yield (layout % cells).rstrip()


def print_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, headers: bool = True
) -> None:
    """Print a table that is there as a whole."""
    table = Columns(header)
    for line in table.lines([table.heading, *rows] if headers else rows):
        print(line)
