"""The expressions of a query, written for DuckDB.

Names of the client's are looked up among the columns or become quoted strings, its literals become
quoted strings or numbers, and its functions are rows of `functions.CALLS`. A column or attribute
that a record has not is NULL, and so is MISSING. How a record or a statement is made of expressions
does not live here: see `duck`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from aisle.query import moments, sql
from aisle.query.errors import QueryError
from aisle.query.functions import CALLS
from aisle.query.nodes import (
    Between,
    Binary,
    Call,
    Case,
    Cast,
    Expression,
    In,
    Like,
    Literal,
    Reference,
    Star,
    Step,
    Test,
    Unary,
)
from aisle.query.shapes import ANY, BOOL, NOTHING, NUMBER, TEXT, TIME, Column
from aisle.query.sql import ROW, Sql, pointer, quoted
from aisle.query.words import AGGREGATES

LONGEST: Final = 4 << 20  # characters of SQL: what one may say in little could be much of it


class Expressions:
    """Writes the expressions of one statement. `columns` is None for records of JSON."""

    def __init__(self, columns: Sequence[Column] | None, alias: str) -> None:
        self._columns = columns
        self._alias = alias
        self._inside = False  # of an aggregate
        self.aggregates = 0
        self.loose = 0  # references outside of aggregates

    def write(self, value: Expression) -> Sql:
        found: Sql = _WRITERS[type(value)](self, value)
        if len(found.text) > LONGEST:
            raise QueryError("ExpressionTooLong", "The SQL expression is too long.")
        return found

    def _literal(self, value: Literal) -> Sql:
        if value.kind == "number":
            text = value.text.rstrip(".") if "e" not in value.text.lower() else value.text
            if len(text) > 38:
                text = f"CAST({quoted(text)} AS DOUBLE)"
            return Sql(text, NUMBER)
        if value.kind == "moment":
            return Sql(moments.literal(value.text), TIME)
        if value.kind == "word":
            return Sql(value.text, NOTHING if value.text == "NULL" else BOOL)
        return Sql(quoted(value.text), TEXT)

    def _reference(self, value: Reference) -> Sql:
        if not self._inside:
            self.loose += 1
        steps = value.steps
        first = steps[0]
        assert first.name is not None
        if first.name.lower() in (self._alias.lower(), "s3object") and first.name:
            if len(steps) > 1:
                steps = steps[1:]
            elif self._columns is None:
                return Sql(ROW, ANY, True)
        if self._columns is None:
            if steps[0].name == "_1" and len(steps) == 1 and not steps[0].quoted:
                return Sql(f"coalesce(json_extract({ROW}, '/_1'), {ROW})", ANY, True)
            return Sql(f"json_extract({ROW}, {quoted(pointer(steps))})", ANY, True)
        column = self._column(steps[0], self._columns)
        if len(steps) == 1:
            return Sql(column.sql, column.kind, True)
        if column.kind != ANY:
            raise QueryError("InvalidKeyPath", f'"{column.name}" has nothing below it.')
        return Sql(f"json_extract({column.sql}, {quoted(pointer(steps[1:]))})", ANY, True)

    def _column(self, step: Step, columns: Sequence[Column]) -> Column:
        name = step.name or ""
        exact = [column for column in columns if column.name == name]
        if step.quoted and exact:
            return exact[0]
        if not step.quoted:
            found = exact or [one for one in columns if one.name.lower() == name.lower()]
            if len(found) > 1:
                raise QueryError("AmbiguousFieldName", f"Field name {name[:100]} matches several.")
            if found:
                return found[0]
        if name.startswith("_") and name[1:].isdigit():
            number = int(name[1:7])
            if 1 <= number <= len(columns):
                return columns[number - 1]
            raise QueryError("InvalidColumnIndex", f"The column index {name[:20]} is invalid.")
        raise QueryError(
            "MissingHeaders",
            f"Some headers in the query are missing from the file: {name[:100]}.",
        )

    def _unary(self, value: Unary) -> Sql:
        operand = self.write(value.operand)
        if value.operator == "NOT":
            return Sql(f"(NOT {sql.condition(operand)})", BOOL)
        return Sql(f"(- {sql.number(operand)})", NUMBER)

    def _binary(self, value: Binary) -> Sql:
        left, right = self.write(value.left), self.write(value.right)
        operator = value.operator
        if operator in ("AND", "OR"):
            return Sql(f"({sql.condition(left)} {operator} {sql.condition(right)})", BOOL)
        if operator == "||":
            return Sql(f"({sql.text(left)} || {sql.text(right)})", TEXT)
        if operator in ("+", "-", "*", "/", "%"):
            return Sql(f"({sql.number(left)} {operator} {sql.number(right)})", NUMBER)
        return Sql(sql.compared(operator, left, right), BOOL)

    def _test(self, value: Test) -> Sql:
        operand = self.write(value.operand)
        text = f"{operand.text} IS NULL"
        if value.what == "NULL" and operand.kind == ANY:
            text = f"{text} OR json_type({operand.text}) = 'NULL'"
        return Sql(f"({'NOT ' if value.negated else ''}({text}))", BOOL)

    def _like(self, value: Like) -> Sql:
        operand, pattern = self.write(value.operand), self.write(value.pattern)
        if NUMBER in (operand.kind, pattern.kind) or BOOL in (operand.kind, pattern.kind):
            raise QueryError("LikeInvalidInputs", "LIKE takes texts.")
        escape = f" ESCAPE {quoted(value.escape)}" if value.escape is not None else ""
        word = "NOT LIKE" if value.negated else "LIKE"
        return Sql(f"({sql.text(operand)} {word} {sql.text(pattern)}{escape})", BOOL)

    def _between(self, value: Between) -> Sql:
        operand = self.write(value.operand)
        low = sql.compared(">=", operand, self.write(value.low))
        high = sql.compared("<=", operand, self.write(value.high))
        return Sql(f"({'NOT ' if value.negated else ''}({low} AND {high}))", BOOL)

    def _in(self, value: In) -> Sql:
        operand = self.write(value.operand)
        values = [self.write(one) for one in value.values]
        kinds = {one.kind for one in values}
        if kinds == {TEXT} and operand.kind in (TEXT, ANY):
            listed = ", ".join(one.text for one in values)
            text = f"{sql.text(operand)} IN ({listed})"
        elif kinds == {NUMBER}:
            listed = ", ".join(one.text for one in values)
            text = f"{sql.number(operand, strict=False)} IN ({listed})"
        else:
            text = " OR ".join(sql.compared("=", operand, one) for one in values)
        return Sql(f"({'NOT ' if value.negated else ''}({text}))", BOOL)

    def _case(self, value: Case) -> Sql:
        operand = self.write(value.operand) if value.operand is not None else None
        conditions = []
        for condition, _ in value.branches:
            written = self.write(condition)
            conditions.append(
                sql.condition(written) if operand is None else sql.compared("=", operand, written)
            )
        results = [self.write(result) for _, result in value.branches]
        if value.otherwise is not None:
            results.append(self.write(value.otherwise))
        alike, kind = sql.alike(results)
        whens = "".join(
            f" WHEN {condition} THEN {result}"
            for condition, result in zip(conditions, alike, strict=False)
        )
        otherwise = f" ELSE {alike[-1]}" if value.otherwise is not None else ""
        return Sql(f"(CASE{whens}{otherwise} END)", kind)

    def _cast(self, value: Cast) -> Sql:
        operand = self.write(value.operand)
        kind = _CAST_KINDS[value.type]
        if kind == TIME:
            return Sql(sql.moment(operand), TIME)
        if kind == TEXT:
            return Sql(sql.text(operand), TEXT)
        if operand.kind == TIME:
            raise QueryError("InvalidCast", f"A TIMESTAMP cannot be cast to {value.type}.")
        source = sql.text(operand) if operand.kind == ANY else operand.text
        name = value.type
        if name == "DECIMAL":
            name = f"DECIMAL({value.precision[0]}, {value.precision[1]})"
        return Sql(f"CAST({source} AS {name})", kind)

    def _call(self, value: Call) -> Sql:
        if value.name not in AGGREGATES:
            return CALLS[value.name](value, [self.write(one) for one in value.arguments])
        if self._inside:
            raise QueryError("UnsupportedSqlStructure", "Aggregates cannot be nested.")
        self.aggregates += 1
        if isinstance(value.arguments[0], Star):
            return Sql("count(*)", NUMBER)
        self._inside = True
        operand = self.write(value.arguments[0])
        self._inside = False
        return self._aggregate(value.name, operand)

    def _aggregate(self, name: str, operand: Sql) -> Sql:
        if name == "COUNT":
            text = sql.text(operand) if operand.kind == ANY else operand.text
            return Sql(f"count({text})", NUMBER)
        if name in ("SUM", "AVG"):
            return Sql(f"{name.lower()}({sql.number(operand)})", NUMBER)
        if operand.kind == ANY:
            return Sql(f"{name.lower()}({sql.number(operand)})", NUMBER)
        return Sql(f"{name.lower()}({operand.text})", operand.kind)

    def _star(self, value: Star) -> Sql:
        raise QueryError("ParseUnsupportedCallWithStar", "Only COUNT takes *.")


_CAST_KINDS: Final = {
    "BOOLEAN": BOOL, "BIGINT": NUMBER, "DOUBLE": NUMBER, "DECIMAL": NUMBER, "VARCHAR": TEXT,
    "TIMESTAMP": TIME,
}  # fmt: skip
_WRITERS: Final[Mapping[type, Callable[..., Sql]]] = {
    Literal: Expressions._literal,
    Reference: Expressions._reference,
    Star: Expressions._star,
    Unary: Expressions._unary,
    Binary: Expressions._binary,
    Test: Expressions._test,
    Like: Expressions._like,
    Between: Expressions._between,
    In: Expressions._in,
    Case: Expressions._case,
    Cast: Expressions._cast,
    Call: Expressions._call,
}
