"""The grammar of expressions in S3 Select's SQL: operators by their rank, paths, CASE, CAST and
calls. What can be called, and how often, is in `words`.
"""

from __future__ import annotations

from typing import Final

from aisle.query.cursor import Cursor
from aisle.query.errors import QueryError
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
from aisle.query.tokens import Kind, Token
from aisle.query.words import (
    AGGREGATES,
    COMPARISONS,
    FUNCTIONS,
    PARTS,
    TYPES,
    WORDS,
    ZONE_PARTS,
)

DEEPEST: Final = 64
MOST_TERMS: Final = 400


class Terms(Cursor):
    """Reads expressions, by recursive descent."""

    def _is_name(self) -> bool:
        token = self._token
        return token.kind is Kind.NAME or (token.kind is Kind.WORD and token.upper not in WORDS)

    def _name(self, code: str) -> str:
        if not self._is_name():
            raise self._error(code, "Did not find the expected identifier")
        return self._take().text

    def _bracket(self, *, wild: bool) -> Step:
        """What stands in brackets, of which the first is taken."""
        token = self._take()
        if token.kind is Kind.NUMBER and token.text.isdigit() and len(token.text) < 10:
            step = Step(place=int(token.text))
        elif token.kind is Kind.TEXT:
            step = Step(token.text, True)
        elif wild and token.kind is Kind.MARK and token.text == "*":
            step = Step()
        else:
            raise self._error("ParseInvalidPathComponent", "The path has an odd component", token)
        self._need("]", "ParseInvalidPathComponent")
        return step

    def _expression(self) -> Expression:
        self._depth += 1
        if self._depth > DEEPEST:
            raise QueryError("ExpressionTooLong", "The SQL expression is nested too deeply.")
        found = self._and()
        while self._word("OR"):
            found = self._binary("OR", found, self._and())
        self._depth -= 1
        return found

    def _binary(self, operator: str, left: Expression, right: Expression) -> Binary:
        """A pair, of which an expression has only so many: values nest as deep as there are."""
        self._terms += 1
        if self._terms > MOST_TERMS:
            raise QueryError("ExpressionTooLong", "The SQL expression has too many terms.")
        return Binary(operator, left, right)

    def _and(self) -> Expression:
        found = self._not()
        while self._word("AND"):
            found = self._binary("AND", found, self._not())
        return found

    def _not(self) -> Expression:
        count = 0
        while self._word("NOT"):
            count += 1
        found = self._comparison()
        return Unary("NOT", found) if count % 2 else found

    def _comparison(self) -> Expression:
        left = self._sum()
        while True:
            mark = self._mark(*COMPARISONS)
            if mark:
                left = self._binary(COMPARISONS[mark], left, self._sum())
                continue
            if self._word("IS"):
                negated = bool(self._word("NOT"))
                what = self._word("NULL", "MISSING")
                if not what:
                    raise self._error("ParseExpectedKeyword", "IS takes NULL or MISSING")
                left = Test(what, left, negated)
                continue
            after = self._tokens[min(self._next + 1, len(self._tokens) - 1)].upper
            negated = self._token.upper == "NOT" and after in ("LIKE", "BETWEEN", "IN")
            if negated:
                self._next += 1
            word = self._word("LIKE", "BETWEEN", "IN")
            if not word:
                return left
            left = getattr(self, f"_{word.lower()}")(left, negated)

    def _like(self, operand: Expression, negated: bool) -> Expression:
        pattern = self._sum()
        escape = None
        if self._word("ESCAPE"):
            token = self._take()
            if token.kind is not Kind.TEXT or len(token.text) != 1:
                raise self._error(
                    "EvaluatorLikePatternInvalidEscapeSequence", "ESCAPE takes one character", token
                )
            escape = token.text
        return Like(operand, pattern, escape, negated)

    def _between(self, operand: Expression, negated: bool) -> Expression:
        low = self._sum()
        self._need_word("AND")
        return Between(operand, low, self._sum(), negated)

    def _in(self, operand: Expression, negated: bool) -> Expression:
        self._need("(", "ParseExpectedLeftParenValueConstructor")
        if self._token.upper == "SELECT":
            raise self._error("UnsupportedSqlStructure", "Subqueries are not supported")
        values = self._arguments()
        if not values:
            raise self._error("ParseExpectedExpression", "IN takes values")
        return In(operand, values, negated)

    def _sum(self) -> Expression:
        found = self._product()
        while mark := self._mark("+", "-", "||"):
            found = self._binary(mark, found, self._product())
        return found

    def _product(self) -> Expression:
        found = self._unary()
        while mark := self._mark("*", "/", "%"):
            found = self._binary(mark, found, self._unary())
        return found

    def _unary(self) -> Expression:
        negative = False
        while mark := self._mark("-", "+"):
            negative ^= mark == "-"
        found = self._primary()
        return Unary("-", found) if negative else found

    def _primary(self) -> Expression:
        token = self._take()
        if token.kind is Kind.NUMBER:
            return Literal("number", token.text)
        if token.kind is Kind.TEXT:
            return Literal("text", token.text)
        if token.kind is Kind.MOMENT:
            return Literal("moment", token.text)
        if token.kind is Kind.NAME:
            return self._reference(token)
        if token.kind is Kind.MARK and token.text == "(":
            if self._token.upper == "SELECT":
                raise self._error("UnsupportedSqlStructure", "Subqueries are not supported")
            found = self._expression()
            self._need(")")
            return found
        word = token.upper
        if word in ("TRUE", "FALSE", "NULL", "MISSING"):
            return Literal("word", "NULL" if word == "MISSING" else word)
        if word == "CASE":
            return self._case()
        if word == "CAST":
            return self._cast()
        if word and word not in WORDS:
            if self._token.kind is Kind.MARK and self._token.text == "(":
                return self._call(token)
            return self._reference(token)
        if word:
            raise self._error("ParseUnExpectedKeyword", "Unexpected keyword", token)
        raise self._error(
            "ParseUnexpectedToken", "The SQL expression has an unexpected token", token
        )

    def _reference(self, first: Token) -> Reference:
        steps = [Step(first.text, first.kind is Kind.NAME)]
        while True:
            if self._mark("."):
                token = self._take()
                if token.kind not in (Kind.WORD, Kind.NAME):
                    raise self._error(
                        "ParseInvalidPathComponent", "The path has an odd component", token
                    )
                steps.append(Step(token.text, token.kind is Kind.NAME))
            elif self._mark("["):
                steps.append(self._bracket(wild=False))
            else:
                return Reference(tuple(steps), first.at)

    def _case(self) -> Case:
        operand = None if self._token.upper == "WHEN" else self._expression()
        branches = []
        while self._word("WHEN"):
            condition = self._expression()
            self._need_word("THEN")
            branches.append((condition, self._expression()))
        if not branches:
            raise self._error("ParseExpectedWhenClause", "CASE takes WHEN")
        otherwise = self._expression() if self._word("ELSE") else None
        self._need_word("END")
        return Case(operand, tuple(branches), otherwise)

    def _cast(self) -> Cast:
        self._need("(", "ParseExpectedLeftParenAfterCast")
        operand = self._expression()
        self._need_word("AS")
        token = self._take()
        found = TYPES.get(token.upper)
        if found is None:
            raise self._error("ParseExpectedTypeName", "Did not find the expected type", token)
        precision: list[int] = []
        if self._mark("("):
            while True:
                number = self._take()
                if (
                    number.kind is not Kind.NUMBER
                    or not number.text.isdigit()
                    or len(number.text) > 5
                ):
                    raise self._error("ParseInvalidTypeParam", "A type takes whole numbers", number)
                precision.append(int(number.text))
                if not self._mark(","):
                    break
            self._need(")", "ParseInvalidTypeParam")
        if found == "DECIMAL":
            width, scale = ([*precision, 38, 9] if not precision else [*precision, 0])[:2]
            if len(precision) > 2 or not 1 <= width <= 38 or scale > width:
                raise self._error("ParseInvalidTypeParam", "A DECIMAL has at most 38 digits", token)
            precision = [width, scale]
        elif (found != "VARCHAR" or len(precision) > 1) and precision:
            raise self._error("ParseCastArity", "This type takes no parameters", token)
        self._need(")")
        return Cast(operand, found, tuple(precision))

    def _arguments(self) -> tuple[Expression, ...]:
        """Expressions up to the closing bracket, which is taken too."""
        if self._mark(")"):
            return ()
        found = [self._expression()]
        while self._mark(","):
            found.append(self._expression())
        self._need(")", "ParseExpectedArgumentDelimiter")
        return tuple(found)

    def _call(self, token: Token) -> Call:
        name = token.upper
        if name not in FUNCTIONS:
            raise self._error("UnsupportedFunction", "This function is not supported", token)
        self._need("(")
        reader = _READERS.get(name)
        call = reader(self, name) if reader is not None else Call(name, self._arguments())
        least, most = FUNCTIONS[name]
        count = len(call.arguments)
        if name == "TRIM":
            least, most = 1, 2
        if not least <= count <= most:
            code = (
                "ParseNonUnaryAggregateFunctionCall"
                if name in AGGREGATES
                else ("EvaluatorInvalidArguments")
            )
            raise self._error(code, f"{name} takes other arguments than these", token)
        return call

    def _count(self, name: str) -> Call:
        if self._mark("*"):
            self._need(")")
            return Call(name, (Star(),))
        return Call(name, self._arguments())

    def _part(self, parts: tuple[str, ...]) -> str:
        token = self._take()
        if token.upper not in parts:
            raise self._error("ParseExpectedDatePart", "Did not find the expected date part", token)
        return token.upper

    def _of_part(self, name: str) -> Call:
        part = self._part(PARTS)
        self._need(",", "ParseExpectedArgumentDelimiter")
        return Call(name, self._arguments(), part)

    def _extract(self, name: str) -> Call:
        part = self._part(PARTS + ZONE_PARTS)
        self._need_word("FROM")
        return Call(name, self._arguments(), part)

    def _substring(self, name: str) -> Call:
        value = self._expression()
        if self._mark(","):
            return Call(name, (value, *self._arguments()))
        self._need_word("FROM")
        found = [value, self._expression()]
        if self._word("FOR"):
            found.append(self._expression())
        self._need(")")
        return Call(name, tuple(found))

    def _trim(self, name: str) -> Call:
        side = self._word("LEADING", "TRAILING", "BOTH")
        if self._word("FROM"):
            return Call(name, self._arguments(), side or "BOTH")
        first = self._expression()
        if self._word("FROM"):
            value = self._expression()
            self._need(")")
            return Call(name, (value, first), side or "BOTH")
        self._need(")")
        if side:
            raise self._error("ParseExpectedKeyword", "TRIM with a side takes FROM")
        return Call(name, (first,), "BOTH")


_READERS: Final = {
    "COUNT": Terms._count,
    "DATE_ADD": Terms._of_part,
    "DATE_DIFF": Terms._of_part,
    "EXTRACT": Terms._extract,
    "SUBSTRING": Terms._substring,
    "TRIM": Terms._trim,
}
