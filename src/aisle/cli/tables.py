"""How things are printed: columns, sizes, dates. Pure functions; the layout is AIStore's.

A list of objects has its columns three blanks apart; a table of properties is aligned as Go's
tabwriter does it there: tab stops of eight, and a blank.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from aisle.cli.failure import printable

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def size_text(size: int) -> str:
    """`13B`, `10.44KiB`, `50.98MiB`."""
    if size < 1024:
        return f"{size}B"
    power = min((size.bit_length() - 1) // 10, len(_UNITS) - 1)
    return f"{size / 1024**power:.2f}{_UNITS[power]}"


def date_text(nanoseconds: int) -> str:
    """A time as listings show it: `08 Dec 20 11:25 UTC`."""
    moment = datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
    return moment.strftime("%d %b %y %H:%M UTC")


def properties(rows: Iterable[tuple[str, str]], *, headers: bool = True) -> Iterator[str]:
    """Lines of a PROPERTY VALUE table."""
    lines = [("PROPERTY", "VALUE")] if headers else []
    lines += [(printable(name), printable(value)) for name, value in rows]
    longest = max((len(name) for name, _ in lines), default=0)
    width = -(-(longest + 1) // 8) * 8 + 1
    for name, value in lines:
        yield f"{name:<{width}}{value}".rstrip()


class Columns:
    """Lines of a table that comes in pages: widths grow, but nothing is printed twice."""

    def __init__(self, header: Sequence[str]) -> None:
        self._header = tuple(header)
        self._widths = [0] * len(header)

    @property
    def heading(self) -> tuple[str, ...]:
        return self._header

    def lines(self, rows: Sequence[Sequence[str]]) -> Iterator[str]:
        shown = [[printable(cell) for cell in row] for row in rows]
        for index in range(len(self._widths)):
            longest = max((len(row[index]) for row in shown), default=0)
            self._widths[index] = max(self._widths[index], longest)
        for row in shown:
            cells = [f"{cell:<{width}}" for cell, width in zip(row, self._widths, strict=True)]
            yield "   ".join(cells).rstrip()
