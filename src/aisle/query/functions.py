"""The functions of S3 Select's SQL, each as a piece of DuckDB's: `CALLS` has them by name.

Only functions of single values may live here; they get their arguments written. Aggregates belong
to the statement that they stand in: see `expressions`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from aisle.query import moments, sql
from aisle.query.errors import QueryError
from aisle.query.nodes import Call, Literal, Unary
from aisle.query.shapes import ANY, BOOL, NUMBER, TEXT, TIME
from aisle.query.sql import Sql, quoted
from aisle.query.words import ZONE_PARTS


def _coalesce(call: Call, values: list[Sql]) -> Sql:
    texts, kind = sql.alike(values)
    if kind == ANY:  # a null of JSON is a value to DuckDB
        texts = [f"nullif({text}, 'null'::JSON)" for text in texts]
    return Sql(f"coalesce({', '.join(texts)})", kind)


def _nullif(call: Call, values: list[Sql]) -> Sql:
    same = sql.compared("=", *values)
    return Sql(f"(CASE WHEN {same} THEN NULL ELSE {values[0].text} END)", values[0].kind)


def _of_texts(name: str, kind: str) -> Callable[[Call, list[Sql]], Sql]:
    def write(call: Call, values: list[Sql]) -> Sql:
        for value in values:
            if value.kind in (NUMBER, BOOL, TIME):
                raise QueryError("IncorrectSqlFunctionArgumentType", f"{call.name} takes a text.")
        return Sql(f"{name}({', '.join(sql.text(value) for value in values)})", kind)

    return write


def _substring(call: Call, values: list[Sql]) -> Sql:
    """From a place that may lie before the text, as SQL has it."""
    text = sql.text(values[0])
    start = f"CAST({sql.number(values[1])} AS BIGINT)"
    if len(values) == 2:
        return Sql(f"substring({text}, greatest({start}, 1))", TEXT)
    length = f"CAST({sql.number(values[2])} AS BIGINT)"
    if isinstance(call.arguments[2], Unary):
        raise QueryError("EvaluatorInvalidArguments", "SUBSTRING takes no negative length.")
    shorter = f"greatest({length} + least({start}, 1) - 1, 0)"
    return Sql(f"substring({text}, greatest({start}, 1), {shorter})", TEXT)


def _trim(call: Call, values: list[Sql]) -> Sql:
    name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(call.word, "trim")
    return Sql(f"{name}({', '.join(sql.text(value) for value in values)})", TEXT)


def _to_string(call: Call, values: list[Sql]) -> Sql:
    pattern = call.arguments[1]
    if not isinstance(pattern, Literal) or pattern.kind != "text":
        raise QueryError(
            "EvaluatorInvalidTimestampFormatPattern", "The pattern of TO_STRING is a literal."
        )
    made = moments.pattern(pattern.text)
    return Sql(f"strftime({sql.moment(values[0])}, {quoted(made)})", TEXT)


def _to_timestamp(call: Call, values: list[Sql]) -> Sql:
    return Sql(sql.moment(values[0]), TIME)


def _utcnow(call: Call, values: list[Sql]) -> Sql:
    return Sql("CAST(now() AT TIME ZONE 'UTC' AS TIMESTAMP)", TIME)


def _date_add(call: Call, values: list[Sql]) -> Sql:
    count = f"CAST({sql.number(values[0])} AS INTEGER)"
    return Sql(f"({sql.moment(values[1])} + to_{call.word.lower()}s({count}))", TIME)


def _date_diff(call: Call, values: list[Sql]) -> Sql:
    """Whole parts that lie between, not boundaries that are passed."""
    a, b = sql.moment(values[0]), sql.moment(values[1])
    return Sql(f"date_sub('{call.word.lower()}', {a}, {b})", NUMBER)


def _extract(call: Call, values: list[Sql]) -> Sql:
    moment = sql.moment(values[0])
    if call.word in ZONE_PARTS:
        return Sql(f"(CASE WHEN {moment} IS NULL THEN NULL ELSE 0 END)", NUMBER)
    return Sql(f"extract('{call.word.lower()}' FROM {moment})", NUMBER)


CALLS: Final[Mapping[str, Callable[[Call, list[Sql]], Sql]]] = {
    "COALESCE": _coalesce,
    "NULLIF": _nullif,
    "CHAR_LENGTH": _of_texts("length", NUMBER),
    "CHARACTER_LENGTH": _of_texts("length", NUMBER),
    "LOWER": _of_texts("lower", TEXT),
    "UPPER": _of_texts("upper", TEXT),
    "SUBSTRING": _substring,
    "TRIM": _trim,
    "TO_STRING": _to_string,
    "TO_TIMESTAMP": _to_timestamp,
    "UTCNOW": _utcnow,
    "DATE_ADD": _date_add,
    "DATE_DIFF": _date_diff,
    "EXTRACT": _extract,
}
