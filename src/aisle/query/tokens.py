"""The tokens of S3 Select's SQL: an expression cut into words, names, literals and marks.

A pure function on text. What is no token of the language ends in a `QueryError` with its place.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final, NamedTuple

from aisle.query.errors import QueryError


class Kind(Enum):
    WORD = "word"  # a keyword or a name without quotes
    NAME = "name"  # a name in double quotes, without them
    TEXT = "text"  # a string literal, without its quotes
    NUMBER = "number"
    MOMENT = "moment"  # a timestamp in back quotes, without them
    MARK = "mark"
    END = "end"


class Token(NamedTuple):
    """A token; `text` as it counts, and where it began."""

    kind: Kind
    text: str
    at: int

    @property
    def upper(self) -> str:
        """A word in the case in which keywords are compared; anything else is no keyword."""
        return self.text.upper() if self.kind is Kind.WORD else ""


_TOKENS: Final = re.compile(
    r"""(?P<space>\s+|--[^\n]*)
    |(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<text>'(?:[^']|'')*')
    |(?P<name>"(?:[^"]|"")*")
    |(?P<moment>`[^`]*`)
    |(?P<mark><>|!=|<=|>=|\|\||[-+*/%<>=(),.\[\]])
    """,
    re.VERBOSE,
)
_OPEN: Final = {
    "'": "LexerInvalidLiteral",
    '"': "LexerInvalidLiteral",
    "`": "LexerInvalidIONLiteral",
}


def place(text: str, at: int) -> str:
    """Where in an expression something is, as S3's messages say it."""
    line = text.count("\n", 0, at) + 1
    return f"at line {line}, column {at - text.rfind(chr(10), 0, at)}"


def cut(text: str) -> list[Token]:
    """The tokens of an expression, an END last. Raises `QueryError`."""
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKENS.match(text, at)
        if match is None:
            code = _OPEN.get(text[at], "LexerInvalidChar")
            raise QueryError(
                code, f"The SQL expression contains an invalid character {place(text, at)}."
            )
        kind = match.lastgroup
        raw = match[0]
        if kind == "text":
            raw = raw[1:-1].replace("''", "'")
        elif kind == "name":
            raw = raw[1:-1].replace('""', '"')
        elif kind == "moment":
            raw = raw[1:-1]
        if kind != "space":
            found.append(Token(Kind(kind), raw, at))
        at = match.end()
    found.append(Token(Kind.END, "", len(text)))
    return found
