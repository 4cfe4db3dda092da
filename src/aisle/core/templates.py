"""Templates: many object names in one text, as bash expands braces.

`shard-{0010..0013..2}-{a,b}.tar` stands for `shard-0010-a.tar`, `shard-0010-b.tar`,
`shard-0012-a.tar` and `shard-0012-b.tar`. The grammar is that of the Python package `braceexpand`,
by which AIStore's SDK expands the same text on its side: ranges of numbers (padded with zeros if an
end is written so) and of letters, with a step or without, lists, all of them nested; a backslash
takes the meaning from the character that follows.

A template is never expanded as a whole: `Template.at` makes any one name of it, so that work over
millions of names needs no memory for them and goes on where it was left. Pure functions.
"""

from __future__ import annotations

import re
import string
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from math import prod
from typing import Final, Protocol

from aisle.core.errors import InvalidArgument

MAX_TEXT: Final = 4096
MAX_NAMES: Final = 10_000_000
_MAX_DEPTH: Final = 16
_LETTERS: Final = string.ascii_uppercase + string.ascii_lowercase
_NUMBERS: Final = re.compile(r"(-?[0-9]{1,18})\.\.(-?[0-9]{1,18})(?:\.\.-?([0-9]{1,18}))?")
_CHARACTERS: Final = re.compile(r"([A-Za-z])\.\.([A-Za-z])(?:\.\.-?([0-9]{1,18}))?")
_ESCAPED: Final = re.compile(r"\\(.)")


class InvalidTemplate(InvalidArgument):
    """A text that is no template, or one of too many names."""

    def __init__(self, text: str, reason: str) -> None:
        shown = text if len(text) <= 100 else f"{text[:100]}..."
        super().__init__(f'bad template "{shown}": {reason}', name="template", value=shown)


class _Wrong(Exception):
    """Why the text being read is no template."""


class Part(Protocol):
    """Something that stands for `count` texts, in order; it `expands` if braces made it so."""

    @property
    def count(self) -> int: ...

    @property
    def expands(self) -> bool: ...

    def at(self, index: int) -> str: ...


class Text:
    """One text."""

    count: Final = 1
    expands: Final = False

    def __init__(self, text: str) -> None:
        self._text = _ESCAPED.sub(r"\1", text)

    def at(self, index: int) -> str:
        return self._text


class Numbers:
    """`{first..last..step}`, up or down, `width` characters wide."""

    expands: Final = True

    def __init__(self, first: int, last: int, step: int, width: int) -> None:
        self._range = (
            range(first, last + 1, step) if first < last else range(first, last - 1, -step)
        )
        self._width = width

    @property
    def count(self) -> int:
        return len(self._range)

    def at(self, index: int) -> str:
        return f"{self._range[index]:0{self._width}d}"


class Letters:
    """`{a..e}`, up or down; capitals stand before the others."""

    expands: Final = True

    def __init__(self, first: str, last: str, step: int) -> None:
        start, stop = _LETTERS.index(first), _LETTERS.index(last)
        ends = range(start, stop + 1, step) if start < stop else range(start, stop - 1, -step)
        self._letters = "".join(_LETTERS[index] for index in ends)

    @property
    def count(self) -> int:
        return len(self._letters)

    def at(self, index: int) -> str:
        return self._letters[index]


class Choice:
    """`{a,b}`: the texts of one part, and then those of the next."""

    expands: Final = True

    def __init__(self, parts: list[Part]) -> None:
        self._parts = parts
        self._ends = list(accumulate(part.count for part in parts))

    @property
    def count(self) -> int:
        return self._ends[-1]

    def at(self, index: int) -> str:
        found = bisect_right(self._ends, index)
        return self._parts[found].at(index - (self._ends[found - 1] if found else 0))


class Row:
    """Parts one after the other; the last changes fastest."""

    def __init__(self, parts: list[Part]) -> None:
        self._parts = parts
        self.count = prod(part.count for part in parts)
        self.expands = any(part.expands for part in parts)

    def at(self, index: int) -> str:
        texts = []
        for part in reversed(self._parts):
            index, own = divmod(index, part.count)
            texts.append(part.at(own))
        return "".join(reversed(texts))


class Template:
    """The names that a template stands for; `prefix` is that of a text without any braces to
    expand, which stands for every name that begins so (`""` for all there are), else `None`."""

    def __init__(self, row: Row, prefix: str | None) -> None:
        self._row = row
        self.prefix = prefix

    @property
    def count(self) -> int:
        return self._row.count

    def at(self, index: int) -> str:
        return self._row.at(index)

    def names(self, start: int = 0) -> Iterator[str]:
        """The names from the `start`-th on."""
        return map(self._row.at, range(start, self.count))


def parse(text: str) -> Template:
    """Read a template. Raises `InvalidArgument`."""
    if text in ("", "*"):
        return Template(Row([]), "")
    if "{" not in text and "}" not in text:
        return Template(Row([]), text)
    if len(text) > MAX_TEXT:
        raise InvalidTemplate(text, f"it has more than {MAX_TEXT} characters")
    try:
        row = Row(_parts(text, 0))
    except _Wrong as wrong:
        raise InvalidTemplate(text, str(wrong)) from None
    if row.count > MAX_NAMES:
        raise InvalidTemplate(text, f"it stands for too many names, the limit is {MAX_NAMES}")
    return Template(row, None if row.expands else row.at(0))


def _parts(text: str, depth: int) -> list[Part]:
    """The parts of a text that is no list."""
    if depth > _MAX_DEPTH:
        raise _Wrong(f"braces are nested deeper than {_MAX_DEPTH}")
    parts: list[Part] = []
    start = level = 0
    for position, char in _unescaped(text):
        if char == "{":
            if level == 0:
                parts.append(Text(text[start:position]))
                start = position + 1
            level += 1
        elif char == "}":
            level -= 1
            if level < 0:
                break
            if level == 0:
                parts.append(_braced(text[start:position], depth + 1))
                start = position + 1
    if level:
        raise _Wrong("the braces do not match")
    return [*parts, Text(text[start:])]


def _braced(text: str, depth: int) -> Part:
    """What stands between two braces: a range, a list, or just something in braces."""
    if match := _NUMBERS.fullmatch(text):
        first, last, step = match.groups()
        padded = any(
            end.startswith(("0", "-0")) and end not in ("0", "-0") for end in (first, last)
        )
        width = max(len(first), len(last)) if padded else 0
        return Numbers(int(first), int(last), int(step or 0) or 1, width)
    if match := _CHARACTERS.fullmatch(text):
        return Letters(match[1], match[2], int(match[3] or 0) or 1)
    items, start, level = list[str](), 0, 0
    for position, char in _unescaped(text):
        level += (char == "{") - (char == "}")
        if char == "," and level == 0:
            items.append(text[start:position])
            start = position + 1
    if not items:
        return Row([Text("{"), *_parts(text, depth), Text("}")])
    return Choice([Row(_parts(item, depth)) for item in (*items, text[start:])])


def _unescaped(text: str) -> Iterator[tuple[int, str]]:
    """The characters that no backslash precedes, and where they are."""
    escaped = False
    for position, char in enumerate(text):
        if not escaped and char != "\\":
            yield position, char
        escaped = not escaped and char == "\\"
