"""Timestamps of S3 Select: the forms in which they are written, and the patterns of TO_STRING.

Spec: user guide, "Date functions"; the forms are those of ISO 8601 down to a year with a `T`.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from aisle.query.errors import QueryError

_FORMS: Final = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?(?:T(?:(\d\d):(\d\d)(?::(\d\d)(\.\d{1,9})?)?"
    r"(Z|[+-]\d\d:\d\d)?)?)?"
)
# A pattern's letters, and what they are in DuckDB's strftime; times here are in UTC.
_LETTERS: Final = {
    "y": "%Y", "yy": "%y", "yyyy": "%Y", "M": "%-m", "MM": "%m", "MMM": "%b", "MMMM": "%B",
    "d": "%-d", "dd": "%d", "a": "%p", "h": "%-I", "hh": "%I", "H": "%-H", "HH": "%H",
    "m": "%-M", "mm": "%M", "s": "%-S", "ss": "%S", "SSS": "%g", "SSSSSS": "%f", "n": "%n",
    "X": "Z", "XX": "Z", "XXX": "Z", "x": "+00", "xx": "+0000", "xxx": "+00:00",
}  # fmt: skip
_PIECES: Final = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+|'")


def literal(text: str) -> str:
    """A moment as SQL that DuckDB reads, in UTC. Raises `QueryError`."""
    match = _FORMS.fullmatch(text)
    bad = QueryError("LexerInvalidIONLiteral", "The SQL expression has an invalid Ion literal.")
    if match is None:
        raise bad
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    shown = (
        f"{year}-{month or '01'}-{day or '01'}T{hour or '00'}:{minute or '00'}:{second or '00'}"
        f"{(fraction or '')[:7]}{(zone or '+00:00').replace('Z', '+00:00')}"
    )
    try:
        moment = datetime.fromisoformat(shown)
    except ValueError:
        raise bad from None
    offset = moment.utcoffset()
    assert offset is not None
    plain = (moment - offset).replace(tzinfo=None)
    return f"TIMESTAMP '{plain.isoformat(sep=' ')}'"


def of_text(sql: str) -> str:
    """SQL that makes a moment of text in one of the forms, and fails on others."""
    return (
        f"(CASE WHEN regexp_full_match({sql}, '[0-9]{{4}}T?') THEN"
        f" CAST(left({sql}, 4) || '-01-01' AS TIMESTAMP)"
        f" WHEN regexp_full_match({sql}, '[0-9]{{4}}-[0-9]{{2}}T?') THEN"
        f" CAST(left({sql}, 7) || '-01' AS TIMESTAMP)"
        f" ELSE CAST(regexp_replace({sql}, 'T$', '') AS TIMESTAMPTZ) AT TIME ZONE 'UTC' END)"
    )


def to_text(sql: str) -> str:
    """SQL that writes a moment as S3 Select does."""
    return (
        f"(CASE WHEN microsecond({sql}) % 1000000 = 0 THEN strftime({sql}, '%Y-%m-%dT%H:%M:%SZ')"
        f" ELSE strftime({sql}, '%Y-%m-%dT%H:%M:%S.%fZ') END)"
    )


def pattern(text: str) -> str:
    """A pattern of TO_STRING as one of strftime. Raises `QueryError`."""
    found = []
    for match in _PIECES.finditer(text):
        piece = match[0]
        if match[1] is not None:
            found.append((match[1].replace("''", "'") or "'").replace("%", "%%"))
        elif match[2] is None and piece != "'":
            found.append(piece.replace("%", "%%"))
        elif piece in _LETTERS:
            found.append(_LETTERS[piece])
        else:
            raise QueryError(
                "EvaluatorInvalidTimestampFormatPattern",
                f"Time stamp format pattern contains the unsupported {piece[:20]}.",
            )
    return "".join(found)
