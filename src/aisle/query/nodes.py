"""S3 Select's SQL as values: what an expression says, and nothing of how it is written or done."""

from __future__ import annotations

from typing import NamedTuple


class Step(NamedTuple):
    """A step of a path: a name, and whether it was quoted, a place in an array, or with neither of
    them `[*]`."""

    name: str | None = None
    quoted: bool = False
    place: int | None = None


class Literal(NamedTuple):
    """A number (as it was written), a text, a moment, TRUE, FALSE or NULL."""

    kind: str
    text: str


class Reference(NamedTuple):
    """A column, an attribute, or something below one."""

    steps: tuple[Step, ...]
    at: int


class Star(NamedTuple):
    """All columns."""


class Unary(NamedTuple):
    operator: str
    operand: Expression


class Binary(NamedTuple):
    operator: str
    left: Expression
    right: Expression


class Test(NamedTuple):
    """IS NULL, IS MISSING, or with `negated` the contrary."""

    what: str
    operand: Expression
    negated: bool


class Like(NamedTuple):
    operand: Expression
    pattern: Expression
    escape: str | None
    negated: bool


class Between(NamedTuple):
    operand: Expression
    low: Expression
    high: Expression
    negated: bool


class In(NamedTuple):
    operand: Expression
    values: tuple[Expression, ...]
    negated: bool


class Case(NamedTuple):
    """CASE; with an operand its branches are compared to that."""

    operand: Expression | None
    branches: tuple[tuple[Expression, Expression], ...]
    otherwise: Expression | None


class Cast(NamedTuple):
    operand: Expression
    type: str
    precision: tuple[int, ...]


class Call(NamedTuple):
    """A function; `word` is what stands in it as a keyword: a date part, or where TRIM trims."""

    name: str
    arguments: tuple[Expression, ...]
    word: str = ""


Expression = (
    Literal | Reference | Star | Unary | Binary | Test | Like | Between | In | Case | Cast | Call
)


class Item(NamedTuple):
    """One thing that is selected; without a name of its own the name is `""`."""

    value: Expression
    name: str


class Query(NamedTuple):
    """An expression. Without `items` everything is selected; `path` is what follows S3Object."""

    items: tuple[Item, ...]
    path: tuple[Step, ...]
    alias: str
    where: Expression | None
    limit: int | None
