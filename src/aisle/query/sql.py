"""Pieces of SQL for DuckDB, each with its kind, and what makes one kind of another.

Only what knows no query may live here: quoting, paths, comparing and converting. The kind of CSV is
text until it is cast, as S3 has it; but next to a number it is compared as one, and a text that is
no number is then no match.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from aisle.query import moments
from aisle.query.errors import QueryError
from aisle.query.nodes import Step
from aisle.query.shapes import ANY, BOOL, NOTHING, NUMBER, TEXT, TIME, Column

ROW: Final = "j"  # the column with a record of JSON


class Sql(NamedTuple):
    """A piece of SQL and its kind; `plain` if it is a column or attribute as it stands."""

    text: str
    kind: str
    plain: bool = False


class Source(NamedTuple):
    """What stands behind FROM: SQL, and the columns; of JSON there are none, but the record."""

    text: str
    columns: tuple[Column, ...] | None
    keeps_nulls: bool = False


def quoted(text: str) -> str:
    """A string literal."""
    if "\0" in text:
        raise QueryError("LexerInvalidChar", "The SQL expression contains an invalid character.")
    return "'" + text.replace("'", "''") + "'"


def pointer(steps: Sequence[Step]) -> str:
    """A JSON pointer: names in it need no quotes but these two."""
    return "".join(
        f"/{step.place}"
        if step.place is not None
        else "/" + (step.name or "").replace("~", "~0").replace("/", "~1")
        for step in steps
    )


def compared(operator: str, left: Sql, right: Sql) -> str:
    """A comparison, by the kind that the two can share. Raises `QueryError`."""
    kinds = {left.kind, right.kind}
    if NUMBER in kinds:
        a, b = number(left, strict=False), number(right, strict=False)
    elif TIME in kinds:
        a, b = moment(left, strict=False), moment(right, strict=False)
    elif BOOL in kinds:
        a, b = condition(left), condition(right)
    elif kinds == {ANY}:
        a, b = number(left, strict=False), number(right, strict=False)
        x, y = text(left), text(right)
        return (
            f"(CASE WHEN {a} IS NOT NULL AND {b} IS NOT NULL THEN {a} {operator} {b}"
            f" ELSE {x} {operator} {y} END)"
        )
    else:
        a, b = text(left), text(right)
    return f"({a} {operator} {b})"


def alike(values: Sequence[Sql]) -> tuple[list[str], str]:
    """Expressions of which one is the value, as one kind."""
    kinds = {value.kind for value in values} - {NOTHING}
    if len(kinds) <= 1:
        return [value.text for value in values], next(iter(kinds), NOTHING)
    if ANY in kinds:
        return [
            value.text if value.kind in (ANY, NOTHING) else f"to_json({_plain(value)})"
            for value in values
        ], ANY
    return [text(value) for value in values], TEXT


def _plain(value: Sql) -> str:
    return text(value) if value.kind == TIME else value.text


def text(value: Sql) -> str:
    """The value as a text."""
    if value.kind in (TEXT, NOTHING):
        return value.text
    if value.kind == ANY:
        return f"json_extract_string({value.text}, '$')"
    if value.kind == TIME:
        return moments.to_text(value.text)
    return f"CAST({value.text} AS VARCHAR)"


def number(value: Sql, *, strict: bool = True) -> str:
    """The value as a number; if it is none, NULL or with `strict` an error."""
    if value.kind in (NUMBER, NOTHING):
        return value.text
    if value.kind in (BOOL, TIME):
        if not strict:
            return "CAST(NULL AS DOUBLE)"
        raise QueryError(
            "IncorrectSqlFunctionArgumentType", "A number is needed, and is not there."
        )
    return f"{'CAST' if strict else 'TRY_CAST'}({text(value)} AS DOUBLE)"


def condition(value: Sql) -> str:
    """The value as a condition. Raises `QueryError`."""
    if value.kind in (BOOL, NOTHING):
        return value.text
    if value.kind == ANY or value.kind == TEXT:
        return f"TRY_CAST({text(value)} AS BOOLEAN)"
    raise QueryError("IncorrectSqlFunctionArgumentType", "A condition is needed.")


def moment(value: Sql, *, strict: bool = True) -> str:
    """The value as a time; if it is none, NULL or with `strict` an error."""
    if value.kind in (TIME, NOTHING):
        return value.text
    if value.kind in (NUMBER, BOOL):
        if not strict:
            return "CAST(NULL AS TIMESTAMP)"
        raise QueryError("InvalidCast", "A TIMESTAMP is made of text.")
    made = moments.of_text(text(value))
    return made if strict else f"TRY({made})"
