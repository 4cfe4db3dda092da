"""The parser of S3 Select's SQL, which makes `nodes` of an expression.

What is not in this grammar cannot be said: there is no table but the object, no subquery, no join,
no grouping, and no function but those of `words.FUNCTIONS`. Everything that a query does to DuckDB
is made of these values (`duck`), never of the client's text. Here is the statement; expressions are
in `terms`.

Spec: Amazon S3 user guide, "SQL reference for Amazon S3 Select".
"""

from __future__ import annotations

from typing import Final

from aisle.query.errors import QueryError
from aisle.query.nodes import Item, Query, Star, Step
from aisle.query.terms import Terms
from aisle.query.tokens import Kind
from aisle.query.words import CLAUSES, WORDS

LONGEST: Final = 256 << 10  # characters of an expression, as S3 has it


def parse(text: str) -> Query:
    """The query that an expression is. Raises `QueryError`."""
    if len(text) > LONGEST:
        raise QueryError("ExpressionTooLong", "The SQL expression is too long.")
    return _Statement(text).query()


class _Statement(Terms):
    """One pass over the tokens of one statement."""

    def query(self) -> Query:
        if not self._word("SELECT"):
            if self._token.kind is Kind.END:
                raise self._error("ParseEmptySelect", "The expression is empty")
            raise self._error("UnsupportedSqlOperation", "Only SELECT is supported")
        if self._token.upper in ("DISTINCT", "ALL"):
            raise self._error("UnsupportedSqlStructure", "Only plain SELECT is supported")
        items = self._items()
        self._need_word("FROM", "ParseSelectMissingFrom")
        path, alias = self._source()
        where = self._expression() if self._word("WHERE") else None
        limit = self._limit() if self._word("LIMIT") else None
        token = self._token
        if token.upper in CLAUSES or (token.kind is Kind.MARK and token.text == ","):
            raise self._error(
                "UnsupportedSqlStructure", "The SQL structure is not supported by S3 Select"
            )
        if token.kind is not Kind.END:
            raise self._error("ParseUnexpectedToken", "The SQL expression has an unexpected token")
        return Query(items, path, alias, where, limit)

    def _items(self) -> tuple[Item, ...]:
        if self._token.upper == "FROM":
            raise self._error("ParseEmptySelect", "Nothing is selected")
        if self._mark("*"):
            if self._token.kind is Kind.MARK and self._token.text == ",":
                raise self._error(
                    "ParseAsteriskIsNotAloneInSelectList", "* has to stand alone where it stands"
                )
            return ()
        items = [self._item()]
        while self._mark(","):
            if self._token.kind is Kind.MARK and self._token.text == "*":
                raise self._error(
                    "ParseAsteriskIsNotAloneInSelectList", "* has to stand alone where it stands"
                )
            items.append(self._item())
        if any(isinstance(item.value, Star) for item in items):
            if len(items) > 1:
                raise self._error(
                    "ParseAsteriskIsNotAloneInSelectList", "* has to stand alone where it stands"
                )
            return ()
        return tuple(items)

    def _item(self) -> Item:
        first = self._token
        if first.kind in (Kind.WORD, Kind.NAME) and first.upper not in WORDS and self._peek("."):
            after = self._tokens[min(self._next + 2, len(self._tokens) - 1)]
            if after.kind is Kind.MARK and after.text == "*":
                self._next += 3
                return Item(Star(), "")
        value = self._expression()
        if self._word("AS"):
            return Item(value, self._name("ParseExpectedIdentForAlias"))
        if self._is_name():
            return Item(value, self._take().text)
        return Item(value, "")

    def _source(self) -> tuple[tuple[Step, ...], str]:
        token = self._token
        if token.kind is Kind.MARK and token.text == "(":
            raise self._error("UnsupportedSqlStructure", "Subqueries are not supported")
        if token.upper != "S3OBJECT":
            raise self._error("InvalidDataSource", "The only table is S3Object")
        self._next += 1
        path = []
        while True:
            if self._mark("."):
                quoted = self._token.kind is Kind.NAME
                path.append(Step(self._name("ParseInvalidPathComponent"), quoted))
            elif self._mark("["):
                path.append(self._bracket(wild=True))
            else:
                break
        alias = ""
        if self._word("AS"):
            alias = self._name("ParseExpectedIdentForAlias")
        elif self._is_name() and self._token.upper not in CLAUSES:
            alias = self._take().text
        return tuple(path), alias

    def _limit(self) -> int:
        negative = bool(self._mark("-"))
        token = self._take()
        if token.kind is not Kind.NUMBER or not token.text.isdigit() or len(token.text) > 18:
            raise self._error("ParseExpectedNumber", "LIMIT takes a whole number", token)
        if negative:
            raise QueryError("EvaluatorNegativeLimit", "LIMIT must not be negative.")
        return int(token.text)
