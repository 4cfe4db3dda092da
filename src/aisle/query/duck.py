"""What DuckDB is to do for a query: one SELECT of one column, the text of each record.

The statement and its records live here. All that reaches DuckDB is written here, in `expressions`,
in `functions` and in `sql`, of values and never of the client's text; every expression has a kind
(`shapes`).
"""

from __future__ import annotations

from collections.abc import Sequence

from aisle.query import sql
from aisle.query.errors import QueryError
from aisle.query.expressions import Expressions
from aisle.query.nodes import Item, Query, Reference, Step
from aisle.query.shapes import ANY, NOTHING, TEXT, TIME, Output
from aisle.query.sql import ROW, Source, Sql, pointer, quoted


def statement(query: Query, source: Source, output: Output) -> str:
    """The SELECT for a query. Raises `QueryError`."""
    return _Writer(query, source, output).statement()


class _Writer:
    """Writes one statement."""

    def __init__(self, query: Query, source: Source, output: Output) -> None:
        self._query = query
        self._source = source
        self._output = output
        alias = query.alias
        if not alias and query.path:
            alias = next((step.name for step in reversed(query.path) if step.name), "") or ""
        self._expressions = Expressions(source.columns, alias)
        if query.path and source.columns is not None and query.path != (Step(),):
            raise QueryError("ParseInvalidPathComponent", "Only JSON has paths below S3Object.")

    def statement(self) -> str:
        query = self._query
        where = ""
        if query.where is not None:
            where = f" WHERE {sql.condition(self._expressions.write(query.where))}"
            if self._expressions.aggregates:
                raise QueryError(
                    "UnsupportedSqlStructure", "Aggregates are not supported in a WHERE clause."
                )
        self._expressions.loose = 0
        record = self._record()
        if self._expressions.aggregates and self._expressions.loose:
            raise QueryError(
                "UnsupportedSqlStructure", "Aggregates and columns cannot be mixed: no GROUP BY."
            )
        limit = f" LIMIT {query.limit}" if query.limit is not None else ""
        return f"SELECT {record} AS r FROM {self._from()}{where}{limit}"  # noqa: S608 - see above

    def _from(self) -> str:
        source = f"({self._source.text}) AS t"
        path = self._query.path
        if self._source.columns is not None:
            return source
        # The first [*] is for the records themselves.
        for step in path[1:] if path and path[0] == Step() else path:
            if step == Step():
                pick = f"unnest(json_extract({ROW}, '$[*]'))"
            else:
                pick = f"json_extract({ROW}, {quoted(pointer((step,)))})"
            source = f"(SELECT {pick} AS {ROW} FROM {source}) AS t"  # noqa: S608
        return source

    # --- records ----------------------------------------------------------------------------

    def _record(self) -> str:
        items = self._query.items
        if self._output.format == "JSON":
            return self._json(items)
        return self._csv(items)

    def _csv(self, items: Sequence[Item]) -> str:
        delimiter = quoted(self._output.field)
        if items:
            fields = [self._field(sql.text(self._expressions.write(item.value))) for item in items]
            return f"concat({f', {delimiter}, '.join(fields)})"
        columns = self._source.columns
        if columns is None:
            key = "replace(replace(k, '~', '~0'), '/', '~1')"
            value = self._field(f"coalesce(json_extract_string({ROW}, '/' || {key}), '')")
            fields_of = f"array_to_string([{value} FOR k IN json_keys({ROW})], {delimiter})"
            alone = self._field(f"json_extract_string({ROW}, '$')")
            return (
                f"CASE WHEN json_type({ROW}) = 'OBJECT' THEN {fields_of}"
                f" ELSE coalesce({alone}, '') END"
            )
        texts = [sql.text(Sql(column.sql, column.kind)) for column in columns]
        if self._source.keeps_nulls:
            texts = [f"coalesce({text}, '')" for text in texts]
        whole = f"concat_ws({delimiter}, {', '.join(self._field(text) for text in texts)})"
        if self._output.always or not self._output.quote:
            return whole
        # Most records have nothing to quote, which is seen faster of them than of each field.
        plain = f"concat_ws({delimiter}, {', '.join(texts)})"
        tests = [f"contains({plain}, {quoted(mark)})" for mark in self._marks()]
        tests += [f"coalesce(contains({text}, {delimiter}), false)" for text in texts]
        return f"CASE WHEN {' OR '.join(tests)} THEN {whole} ELSE {plain} END"

    def _marks(self) -> list[str]:
        """What makes a field need quotes, beside the delimiter of fields."""
        return list(dict.fromkeys((self._output.quote, self._output.record, "\n", "\r")))

    def _field(self, text: str) -> str:
        """A field of CSV: quoted if it has to be, or always; NULL if `text` is."""
        out = self._output
        quote, escape = out.quote, out.escape
        if not quote:
            return text
        inner = text
        if escape and escape != quote:
            inner = f"replace({inner}, {quoted(escape)}, {quoted(escape * 2)})"
        inner = f"replace({inner}, {quoted(quote)}, {quoted((escape or quote) + quote)})"
        whole = f"{quoted(quote)} || {inner} || {quoted(quote)}"
        if out.always:
            return f"({whole})"
        marks = (out.field, *self._marks())
        tests = " OR ".join(f"contains({text}, {quoted(mark)})" for mark in marks)
        return f"(CASE WHEN {tests} THEN {whole} ELSE {text} END)"

    def _json(self, items: Sequence[Item]) -> str:
        columns = self._source.columns
        parts = []
        if items:
            for number, item in enumerate(items, 1):
                value = self._expressions.write(item.value)
                parts.append(self._member(_name(item, number), value, keep=not value.plain))
        elif columns is not None:
            keep = self._source.keeps_nulls
            parts = [
                self._member(column.name, Sql(column.sql, column.kind), keep=keep)
                for column in columns
            ]
        else:
            return (
                f"CASE WHEN {ROW} IS NULL THEN '{{}}' WHEN json_type({ROW}) = 'OBJECT'"
                f" THEN CAST(json({ROW}) AS VARCHAR)"
                f" ELSE '{{\"_1\":' || CAST(json({ROW}) AS VARCHAR) || '}}' END"
            )
        return f"concat('{{', concat_ws(',', {', '.join(parts)}), '}}')"

    def _member(self, name: str, value: Sql, *, keep: bool) -> str:
        """A member of an object; NULL, which leaves it out, if there is no value."""
        if value.kind == ANY:
            text = f"CAST(json({value.text}) AS VARCHAR)"
        elif value.kind in (TEXT, TIME):
            text = f"CAST(to_json({sql.text(value)}) AS VARCHAR)"
        elif value.kind == NOTHING:
            text = "NULL"
        else:
            text = f"CAST(to_json({value.text}) AS VARCHAR)"
        if keep or self._source.keeps_nulls:
            text = f"coalesce({text}, 'null')"
        label = f"CAST(to_json({quoted(name)}) AS VARCHAR) || ':'"
        return f"{label} || {text}"


def _name(item: Item, number: int) -> str:
    if item.name:
        return item.name
    if isinstance(item.value, Reference):
        last = item.value.steps[-1]
        if last.name:
            return last.name
    return f"_{number}"
